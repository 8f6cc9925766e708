"""The clients of a process: their rooms, user sessions and environs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from sio_edge import commands
from sio_edge._gen.sioedge.v1 import (
    command_pb2,
    session_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
)
from sio_edge.exceptions import DisconnectedError, EdgeError
from sio_edge.process import Process
from sio_edge.sockets import Socket


class Clients(Process):
    """What handlers ask about clients and do to them. AsyncServer adds sending."""

    # Rooms.

    async def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Adds a client to a room, and returns when it is in.

        Raises:
            ValueError: There is no such client in the namespace.
            EdgeError: The edge refused it.
        """
        sock = self._member.table.find(sid, namespace or "/")
        if sock is not None and sock.decision is not None:
            sock.decision.rooms.update(dict.fromkeys(commands.names(room)))
            return
        await self._one(commands.join(namespace or "/", sid, room))
        if sock is not None:
            sock.rooms.update(dict.fromkeys(commands.names(room)))

    async def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Removes a client from a room, and returns when it is out.

        Raises:
            ValueError: There is no such client in the namespace.
            EdgeError: The edge refused it.
        """
        sock = self._member.table.find(sid, namespace or "/")
        names = commands.names(room)
        if sock is not None and sock.decision is not None:
            for name in names:
                sock.decision.rooms.pop(name, None)
            if not sock.opened:
                return
        await self._one(commands.leave(namespace or "/", sid, room))
        if sock is not None:
            for name in names:
                sock.rooms.pop(name, None)

    async def _one(self, command: command_pb2.Command) -> None:
        try:
            receipt = await self._member.execute(command)
        except EdgeError as error:
            if error.reason == "SESSION_GONE":
                raise ValueError("sid is not connected to requested namespace") from None
            raise
        if not receipt.matched:
            raise ValueError("sid is not connected to requested namespace")

    async def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Removes every client from a room, those of other processes too."""
        await self._member.execute(commands.close(namespace or "/", room))
        for name in commands.names(room):
            self._member.table.leave(name, namespace or "/")

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms of a client of this process, its own sid first.

        Rooms that other processes changed are as they were when the client last connected; see
        fetch_socket().
        """
        sock = self._member.table.find(sid, namespace or "/")
        if sock is None:
            return []
        decided = sock.decision.rooms if sock.decision is not None else {}
        return [sid, *dict.fromkeys((*sock.rooms, *decided))]

    # Clients.

    def _socket(self, sid: str, namespace: str | None) -> Socket:
        sock = self._member.table.find(sid, namespace or "/")
        if sock is None:
            raise KeyError("Session not found")
        return sock

    def get_socket(self, sid: str, namespace: str | None = None) -> Socket:
        """What this process knows about a client of its own.

        Raises:
            KeyError: It is not one of this process.
        """
        return self._socket(sid, namespace)

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """The transport of a client: "polling" or "websocket".

        As of its last connect or resume; fetch_socket() asks the edge.

        Raises:
            KeyError: It is not one of this process.
        """
        return self._socket(sid, namespace).transport

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The WSGI environ of a client of this process, or None."""
        sock = self._member.table.find(sid, namespace or "/")
        return None if sock is None else sock.environ

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The user session of a client, a dict. It is in the memory of this process.

        Raises:
            KeyError: It is not a client of this process.
        """
        return self._socket(sid, namespace).session

    async def save_session(
        self, sid: str, session: dict[str, Any], namespace: str | None = None
    ) -> None:
        """Replaces the user session of a client.

        Raises:
            KeyError: It is not a client of this process.
        """
        self._socket(sid, namespace).session = session

    @contextlib.asynccontextmanager
    async def session(
        self, sid: str, namespace: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The user session of a client in an ``async with``; what is changed in it is kept."""
        session = await self.get_session(sid, namespace)
        yield session
        with contextlib.suppress(KeyError):  # the client may have gone in the meantime
            await self.save_session(sid, session, namespace)

    async def set_attributes(
        self, sid: str, attributes: dict[str, str | None], namespace: str | None = None
    ) -> None:
        """Changes what the edge keeps with a client, whatever happens to this process.

        None removes an attribute. get_socket() has the attributes.

        Raises:
            EdgeError: There is no such client, or it is too much.
        """
        update = command_pb2.UpdateSession(
            sid=sid, namespace=namespace or "/",
            set={k: v for k, v in attributes.items() if v is not None},
            unset=[k for k, v in attributes.items() if v is None],
        )
        await self._member.execute(command_pb2.Command(update=update))
        sock = self._member.table.find(sid, namespace or "/")
        if sock is not None:
            sock.attributes.update(update.set)
            for key in update.unset:
                sock.attributes.pop(key, None)

    async def disconnect(
        self, sid: str, namespace: str | None = None, ignore_queue: bool = False, *,
        close_connection: bool = False,
    ) -> None:
        """Disconnects a client. Its disconnect handler runs after the handler that runs now.

        Args:
            sid: The client. One that is gone already is no error.
            namespace: Default "/".
            ignore_queue: Has no effect; kept for compatibility.
            close_connection: End its sessions in all namespaces, then its connection.
        """
        command = commands.disconnect(namespace or "/", sid, close_connection)
        with contextlib.suppress(EdgeError):
            await self._member.execute(command)

    async def fetch_socket(self, sid: str, namespace: str | None = None) -> session_pb2.Session:
        """What the edge knows about a client, of whichever process.

        Raises:
            EdgeError: With reason SESSION_GONE, there is no such client.
        """
        request = session_service_pb2.GetSessionRequest(sid=sid, namespace=namespace or "/")
        response = await self._ask("GetSession", request)
        return response.session

    async def fetch_sockets(
        self, to: Any = None, namespace: str | None = None
    ) -> AsyncIterator[session_pb2.Session]:
        """The clients of all processes, or those in a room or in any of several."""
        table, name = self._member.table, namespace or "/"
        target = commands.target(name, to, lambda sid: table.find(sid, name) is not None)
        token = ""
        while target is not None:
            request = session_service_pb2.ListSessionsRequest(
                filter=target, page_size=1000, page_token=token
            )
            response = await self._ask("ListSessions", request)
            for session in response.sessions:
                yield session
            token = response.next_page_token
            if not token:
                return

    async def _ask(self, method: str, request: Any) -> Any:
        link = self._member.link
        if link.channel is None:
            raise DisconnectedError("the server has not been started")
        call = getattr(session_service_pb2_grpc.SessionServiceStub(link.channel), method)
        try:
            return await call(request, metadata=link.access.metadata())
        except grpc.RpcError as error:
            raise EdgeError.of_call(error) from None
