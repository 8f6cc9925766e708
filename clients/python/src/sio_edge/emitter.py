"""Sending from programs that handle no events: cron jobs, task queues, web requests."""

from __future__ import annotations

import uuid
from typing import Any

import grpc

from sio_edge import commands
from sio_edge._gen.sioedge.v1 import (
    command_pb2,
    command_service_pb2,
    command_service_pb2_grpc,
)
from sio_edge.access import Access
from sio_edge.exceptions import EdgeError
from sio_edge.link import OPTIONS
from sio_edge.payload import Codec, JSONModule


class AsyncEmitter:
    """What python-socketio's client managers do with ``write_only=True``::

        async with sio_edge.AsyncEmitter("127.0.0.1:7070") as edge:
            await edge.emit("news", "shipping today", room="lobby")

    Each method is one call to the edge, and returns or raises what became of it.
    """

    def __init__(
        self, address: str = "127.0.0.1:7070", *,
        credentials: grpc.ChannelCredentials | None = None, json: JSONModule | None = None,
        timeout: float = 10.0, ca_file: str | None = None, cert_file: str | None = None,
        key_file: str | None = None, token: str | None = None, token_file: str | None = None,
    ) -> None:
        """Args:
        address: The edge's address for backends.
        credentials: Of grpc, for TLS.
        json: As for AsyncServer.
        timeout: Seconds for a call, waiting for the edge included.
        ca_file, cert_file, key_file, token, token_file: As for AsyncServer.
        """
        self._access = Access(
            address, credentials, ca_file, cert_file, key_file, token, token_file
        )
        self._channel: grpc.aio.Channel | None = None
        self._codec = Codec(json)
        self._timeout = timeout

    async def __aenter__(self) -> AsyncEmitter:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def emit(
        self, event: str, data: Any = None, to: Any = None, room: Any = None,
        skip_sid: str | list[str] | None = None, namespace: str | None = None, *,
        user: str | list[str] | None = None, volatile: bool = False,
        compress: bool | None = None, ttl: float | None = None,
        skip_room: str | list[str] | None = None,
    ) -> command_pb2.Receipt:
        """Sends an event to clients. See AsyncServer.emit()."""
        target = commands.target(
            namespace or "/", to if to is not None else room, lambda name: False, skip_sid, user,
            skip_room,
        )
        if target is None:
            return command_pb2.Receipt()
        emit = commands.emit(self._codec, event, data, target, volatile, compress, ttl)
        return await self._execute(command_pb2.Command(emit=emit))

    async def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Adds a client to a room."""
        await self._execute(commands.join(namespace or "/", sid, room))

    async def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Removes a client from a room."""
        await self._execute(commands.leave(namespace or "/", sid, room))

    async def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Removes every client from a room."""
        await self._execute(commands.close(namespace or "/", room))

    async def disconnect(
        self, sid: str, namespace: str | None = None, *, close_connection: bool = False
    ) -> None:
        """Disconnects a client."""
        await self._execute(commands.disconnect(namespace or "/", sid, close_connection))

    async def _execute(self, command: command_pb2.Command) -> command_pb2.Receipt:
        if self._channel is None:
            self._channel = self._access.channel(OPTIONS)
        # gRPC may repeat the call by itself: the key has it applied once.
        command.command_id = uuid.uuid4().hex
        stub = command_service_pb2_grpc.CommandServiceStub(self._channel)
        request = command_service_pb2.ExecuteRequest(commands=[command])
        try:
            response = await stub.Execute(
                request, timeout=self._timeout, wait_for_ready=True,
                metadata=self._access.metadata(),
            )
        except grpc.RpcError as error:
            raise EdgeError.of_call(error) from None
        (result,) = response.results
        if result.status.code:
            raise EdgeError.of(result.status)
        receipt: command_pb2.Receipt = result.receipt
        return receipt
