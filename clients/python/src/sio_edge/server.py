"""The server for asyncio programs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from sio_edge import commands
from sio_edge._gen.sioedge.v1 import command_pb2
from sio_edge.acks import LONGEST, not_answered
from sio_edge.clients import Clients
from sio_edge.exceptions import EdgeError
from sio_edge.namespace import AsyncNamespace, BaseNamespace
from sio_edge.status import Reason


class AsyncServer(Clients):
    """A Socket.IO server whose clients are connected to an edge process::

        sio = sio_edge.AsyncServer("127.0.0.1:7070", group="chat")

        @sio.event
        async def connect(sid, environ, auth):
            await sio.enter_room(sid, "lobby")

        @sio.event
        async def say(sid, text):
            await sio.emit("said", text, room="lobby", skip_sid=sid)

        sio.run()

    The handlers of one client run one at a time and in the order of its events; those of different
    clients run in parallel. An event is settled when its handler has finished. If the handler
    raises, the event is delivered again, and set aside after `max_attempts`.

    Create it anywhere; use it within one event loop.
    """

    reason = Reason
    """The reasons given to disconnect handlers."""

    _namespace_type: type[BaseNamespace] = AsyncNamespace

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: str | list[str] | None = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
        *,
        user: str | list[str] | None = None,
        volatile: bool = False,
        compress: bool | None = None,
        ttl: float | None = None,
        ack_timeout: float = 60.0,
        confirm: bool = False,
        skip_room: str | list[str] | None = None,
    ) -> command_pb2.Receipt | None:
        """Sends an event to clients.

        It returns when the event is queued for the edge, which gets it once and in order, across
        reconnects; it waits only while very much is queued. In a connect handler, what is sent to
        the client that connects reaches it right after it is connected.

        Args:
            event: The event's name.
            data: A str, bytes, list, dict, number or None; a tuple is several arguments. ``bytes``
                may stand at any depth.
            to: A sid, a room, or a list of both. Default: all clients of the namespace. An empty
                list is nobody.
            room: Another name for `to`.
            skip_sid: A sid, or several, that do not get it.
            namespace: Default "/".
            callback: Called with the arguments of the client's acknowledgement, for each client
                that acknowledges within `ack_timeout`.
            ignore_queue: Has no effect; kept for compatibility.
            user: The clients of a user, or of several, beside those of `to`.
            volatile: Drop it for clients that are away or cannot take it at once.
            compress: False: do not compress it.
            ttl: Seconds after which it is not written to a client any more.
            ack_timeout: Seconds to wait for acknowledgements; at most 600.
            confirm: Wait until the edge has kept the event, and return its Receipt.
            skip_room: A room, or several, whose clients do not get it.

        Raises:
            ValueError: The name is reserved, or a value cannot be sent.
            TypeError: A value is of a type that cannot be sent.
            EdgeError: With `confirm`: the edge refused it.
            DisconnectedError: The server has been shut down.
        """
        emit = self._emit(event, data, to if to is not None else room, skip_sid, namespace, user,
                          volatile, compress, ttl, skip_room)
        if emit is None:
            return command_pb2.Receipt() if confirm else None
        member = self._member
        if member.outbox.full:
            await member.outbox.room()
        if callback is not None:
            timeout = min(ack_timeout, LONGEST)
            emit.ack.timeout.CopyFrom(commands.duration(timeout))
            future: asyncio.Future[command_pb2.Receipt] | None = None
            if confirm:
                future = asyncio.get_running_loop().create_future()
            key = member.outbox.send(command_pb2.Command(emit=emit), future)
            member.acks.expect(key, timeout, lambda *args: self._callback(callback, args))
            return await future if future is not None else None
        if member.divert(emit):
            return command_pb2.Receipt(matched=1, written=1) if confirm else None
        if confirm:
            return await member.execute(command_pb2.Command(emit=emit))
        member.outbox.send(command_pb2.Command(emit=emit))
        return None

    def _emit(
        self, event: str, data: Any, to: Any, skip_sid: Any, namespace: str | None,
        user: Any = None, volatile: bool = False, compress: bool | None = None,
        ttl: float | None = None, skip_room: Any = None,
    ) -> command_pb2.Emit | None:
        namespace = namespace or "/"
        table = self._member.table
        target = commands.target(
            namespace, to, lambda name: table.find(name, namespace) is not None, skip_sid, user,
            skip_room,
        )
        if target is None:
            return None
        return commands.emit(self._codec, event, data, target, volatile, compress, ttl)

    def _callback(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        async def run() -> None:
            try:
                result = self._invoke(callback, args)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                self.logger.exception("acknowledgement callback failed")

        self.start_background_task(run)

    async def send(
        self, data: Any, to: Any = None, room: Any = None,
        skip_sid: str | list[str] | None = None, namespace: str | None = None,
        callback: Callable[..., Any] | None = None, ignore_queue: bool = False, **options: Any,
    ) -> command_pb2.Receipt | None:
        """Sends an event named "message". See emit()."""
        return await self.emit("message", data, to=to, room=room, skip_sid=skip_sid,
                               namespace=namespace, callback=callback, **options)

    async def call(
        self, event: str, data: Any = None, to: str | None = None, sid: str | None = None,
        namespace: str | None = None, timeout: float | None = 60, ignore_queue: bool = False,
    ) -> Any:
        """Sends an event to one client and returns what it acknowledges with.

        Args:
            event: The event's name.
            data: As in emit().
            to: The client's sid.
            sid: Another name for `to`.
            namespace: Default "/".
            timeout: Seconds to wait; at most 600, which None means.
            ignore_queue: Has no effect; kept for compatibility.

        Returns:
            The argument of the acknowledgement; a tuple if there are several, None if none.

        Raises:
            TimeoutError: It did not acknowledge in time. A ClientGoneError, which is one too, says
                at once that the client is gone.
            ValueError: No client is named, or it is the one whose connect handler is running.
            EdgeError: The edge refused it.
        """
        client = to or sid
        if client is None:
            raise ValueError("call() needs one client")
        member = self._member
        sock = member.table.find(client, namespace or "/")
        if sock is not None and sock.decision is not None:
            raise ValueError("the client is not connected before its connect handler has finished")
        emit = self._emit(event, data, client, None, namespace)
        assert emit is not None
        # Zero would mean the edge's default.
        limit = LONGEST if timeout is None else max(0.001, min(timeout, LONGEST))
        emit.ack.timeout.CopyFrom(commands.duration(limit))
        if member.outbox.full:
            await member.outbox.room()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Any, ...]] = loop.create_future()
        accepted: asyncio.Future[command_pb2.Receipt] = loop.create_future()

        def refused(done: asyncio.Future[command_pb2.Receipt]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is not None and not answer.done():
                answer.set_exception(_gone(error))

        def answered(*args: Any) -> None:
            if not answer.done():
                answer.set_result(args)

        def ended(outcome: int) -> None:
            if not answer.done():
                answer.set_exception(not_answered(outcome))

        accepted.add_done_callback(refused)
        key = member.outbox.send(command_pb2.Command(emit=emit), accepted)
        member.acks.expect(key, limit, answered, ended)
        try:
            args = await answer
        finally:
            member.acks.forget(key)
        return args if len(args) > 1 else args[0] if args else None


def _gone(error: BaseException) -> BaseException:
    if isinstance(error, EdgeError) and error.reason == "SESSION_GONE":
        return not_answered(command_pb2.ACK_OUTCOME_DISCONNECTED)
    return error
