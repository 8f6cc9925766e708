"""The server for asyncio programs."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import signal
import socket as _socket
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import grpc

from sio_edge import commands
from sio_edge._gen.sioedge.v1 import (
    command_pb2,
    event_service_pb2,
    session_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
)
from sio_edge.acks import LONGEST, not_answered
from sio_edge.exceptions import DisconnectedError, EdgeError
from sio_edge.handlers import Handler, Handlers, call
from sio_edge.member import Config, Member
from sio_edge.namespace import AsyncNamespace
from sio_edge.outbox import Request
from sio_edge.payload import Codec, JSONModule
from sio_edge.sockets import Socket
from sio_edge.status import Reason, State, Status

# Parameters of python-socketio's servers that say how the clients' side behaves, or that have no
# meaning where another process holds the clients.
_ELSEWHERE = frozenset(
    (
        "allow_upgrades", "always_connect", "async_handlers", "async_mode", "client_manager",
        "compression_threshold", "cookie", "cors_allowed_origins", "cors_credentials",
        "engineio_logger", "http_compression", "max_http_buffer_size", "monitor_clients",
        "ping_interval", "ping_timeout", "serializer", "transports",
    )
)


class AsyncServer(Handlers):
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

    _namespace_type = AsyncNamespace

    def __init__(
        self,
        address: str = "127.0.0.1:7070",
        *,
        group: str = "default",
        member: str | None = None,
        namespaces: list[str] | str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        ack_deadline: float = 30.0,
        max_attempts: int = 5,
        member_grace: float | None = None,
        durable: bool = False,
        window: int = 1024,
        window_per_session: int = 0,
        drain_timeout: float = 10.0,
        json: JSONModule | None = None,
        logger: bool | logging.Logger = False,
        channel_options: list[tuple[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        """Args:
        address: The edge's address for backends.
        group: The backend service by name. The processes of one group share the clients.
        member: This process by a name that stays over restarts and that no other process of the
            group has; it keeps its clients. Default: the host's name.
        namespaces: Namespaces that exist beside those with handlers. Default "/". "*" for all.
        credentials: Of grpc, for TLS. Default: none, for an edge on the same host.
        ack_deadline: Seconds until the edge gives the events of a process that says nothing to
            another. Handlers may take longer: it is told that they run.
        max_attempts: How often an event is delivered whose handler raises.
        member_grace: Seconds that the clients of a lost process wait for it. Default: the edge's.
        durable: Have the edge put events on disk before a handler sees them.
        window: Bounds the events that are here at a time, and so the handlers that run.
        window_per_session: The same for one client. Default: the edge's, 16.
        drain_timeout: Seconds that shutdown() waits for handlers that run.
        json: Replaces the json module. It needs ``loads`` and ``dumps``, the latter with
            ``default``.
        logger: True to log to stderr at level INFO, or a logger. Default: the logger "sio_edge".
        channel_options: For gRPC, after ours.
        options: python-socketio's other parameters are accepted with a warning: they are settings
            of the edge.
        """
        super().__init__(namespaces)
        for name in options:
            if name not in _ELSEWHERE:
                raise TypeError(f"unexpected keyword argument {name!r}")
            warnings.warn(f"{name} is for the edge to decide; see its settings", stacklevel=2)
        self.logger = _logger(logger)
        self._codec = Codec(json)
        self._drain_timeout = drain_timeout
        self._config = Config(
            address=address, group=group, member=member or _socket.gethostname() or "member",
            instance=uuid.uuid4().hex, ack_deadline=ack_deadline, max_attempts=max_attempts,
            member_grace=member_grace, durable=durable, window=window,
            window_per_session=window_per_session, credentials=credentials,
            channel_options=channel_options or [],
        )
        self._member = Member(self._config, self, self._codec, self.logger, self._invoke)
        self._task: asyncio.Task[None] | None = None
        self._extender: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # Running.

    def is_asyncio_based(self) -> bool:
        """True."""
        return True

    @property
    def status(self) -> Status:
        """The connection to the edge as it is now."""
        return self._member.link.status

    @property
    def connected(self) -> bool:
        """Whether events and commands flow at the moment."""
        return self.status.state in (State.ATTACHED, State.DRAINING)

    def statuses(self) -> AsyncIterator[Status]:
        """The status now and at each change, until the server has stopped."""
        return self._member.link.watch()

    async def start(self) -> None:
        """Attaches to the edge and returns once the clients of this process are known.

        It keeps trying while the edge is away.

        Raises:
            EdgeError: The edge refused this process.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._member.link.run())
            self._extender = asyncio.create_task(self._member.extend())
        ready = asyncio.create_task(self._member.ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()

    async def wait(self) -> None:
        """Starts unless started, and returns after shutdown().

        Raises:
            FencedError: Another process attached as the same member.
            EdgeError: The edge refused this process.
        """
        await self.start()
        assert self._task is not None
        await asyncio.shield(self._task)

    async def shutdown(self) -> None:
        """Gives the clients to other processes, lets handlers finish, and detaches.

        Handlers that take longer than `drain_timeout` are cancelled; their events go to other
        processes, or wait for the next one.
        """
        member, task = self._member, self._task
        if task is not None and not task.done():
            if self.connected:
                leave = event_service_pb2.Leave()
                member.outbox.push(Request(leave=leave))
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(member.deliveries.idle(), self._drain_timeout)
                member.link.finish()
                await asyncio.wait({task}, timeout=2)
            member.link.stop()
        if self._extender is not None:
            self._extender.cancel()
        await member.deliveries.close()
        member.acks.close()
        member.outbox.close()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    async def __aenter__(self) -> AsyncServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.shutdown()

    def run(self) -> None:
        """Runs until SIGINT or SIGTERM, then shuts down. For programs that do nothing else.

        Uses uvloop if it is installed.

        Raises:
            FencedError: Another process attached as the same member.
            EdgeError: The edge refused this process.
        """
        try:
            import uvloop
        except ImportError:
            asyncio.run(self._main())
        else:
            uvloop.run(self._main())

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(self.wait())
        asked = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, asked.set)
        stop = asyncio.create_task(asked.wait())
        await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not running.done():
            await self.shutdown()
        await running

    def _registered(self) -> None:
        super()._registered()
        if self._task is not None and not self._task.done():
            asyncio.get_running_loop().call_soon(self._member.rerouted)

    def _invoke(self, function: Handler, args: tuple[Any, ...]) -> Any:
        return call(function, args)

    # Sending.

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

        Raises:
            ValueError: The name is reserved, or a value cannot be sent.
            TypeError: A value is of a type that cannot be sent.
            EdgeError: With `confirm`: the edge refused it.
            DisconnectedError: The server has been shut down.
        """
        emit = self._emit(event, data, to if to is not None else room, skip_sid, namespace, user,
                          volatile, compress, ttl)
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
        ttl: float | None = None,
    ) -> command_pb2.Emit | None:
        namespace = namespace or "/"
        table = self._member.table
        target = commands.target(
            namespace, to, lambda name: table.find(name, namespace) is not None, skip_sid, user
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
        limit = LONGEST if timeout is None else min(timeout, LONGEST)
        emit.ack.timeout.CopyFrom(commands.duration(limit))
        if member.outbox.full:
            await member.outbox.room()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Any, ...]] = loop.create_future()
        accepted: asyncio.Future[command_pb2.Receipt] = loop.create_future()

        def refused(done: asyncio.Future[command_pb2.Receipt]) -> None:
            if not done.cancelled() and done.exception() and not answer.done():
                answer.set_exception(_gone(done.exception()))

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
        response = await self._ask(lambda stub: stub.GetSession(request))
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
            response = await self._ask(lambda stub, request=request: stub.ListSessions(request))
            for session in response.sessions:
                yield session
            token = response.next_page_token
            if not token:
                return

    async def _ask(
        self, method: Callable[[session_service_pb2_grpc.SessionServiceStub], Awaitable[Any]]
    ) -> Any:
        channel = self._member.link.channel
        if channel is None:
            raise DisconnectedError("the server has not been started")
        try:
            return await method(session_service_pb2_grpc.SessionServiceStub(channel))
        except grpc.RpcError as error:
            raise EdgeError.of_call(error) from None

    # Tasks.

    def start_background_task(
        self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        """Runs a coroutine function as a task, which is kept from being collected."""
        task = asyncio.ensure_future(target(*args, **kwargs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def sleep(self, seconds: float = 0) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)


def _gone(error: BaseException | None) -> BaseException | None:
    if isinstance(error, EdgeError) and error.reason == "SESSION_GONE":
        return not_answered(command_pb2.ACK_OUTCOME_DISCONNECTED)
    return error


def _logger(logger: bool | logging.Logger) -> logging.Logger:
    if isinstance(logger, logging.Logger):
        return logger
    log = logging.getLogger("sio_edge")
    if logger:
        log.setLevel(logging.INFO)
        if not log.handlers:
            log.addHandler(logging.StreamHandler())
    return log
