"""A process of a group: how it is configured, starts, stops, and what it says about itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket as _socket
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import grpc

from sio_edge._gen.sioedge.v1 import event_service_pb2
from sio_edge.access import Access
from sio_edge.exceptions import SocketIOError
from sio_edge.handlers import Handler, Handlers, call
from sio_edge.member import Config, Member
from sio_edge.outbox import Request
from sio_edge.payload import Codec, JSONModule
from sio_edge.status import State, Status

T = TypeVar("T", bound="Process")

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


class Process(Handlers):
    """What runs the handlers. AsyncServer adds what handlers call."""

    def __init__(
        self,
        address: str = "127.0.0.1:7070",
        *,
        group: str = "default",
        member: str | None = None,
        namespaces: list[str] | str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
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
        ca_file: PEM: who signed the edge's certificate; for TLS without `credentials`. The files
            are read at each connection, so that they can be replaced while the program runs.
        cert_file: PEM: this process's certificate.
        key_file: PEM: its key.
        token: By which the edge knows this process, if not by a certificate. Over TLS, or to an
            edge on this machine.
        token_file: The same in a file.
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
            access=Access(
                address, credentials, ca_file, cert_file, key_file, token, token_file
            ),
            group=group, member=member or _socket.gethostname() or "member",
            instance=uuid.uuid4().hex, ack_deadline=ack_deadline, max_attempts=max_attempts,
            member_grace=member_grace, durable=durable, window=window,
            window_per_session=window_per_session,
            channel_options=channel_options or [],
        )
        self._member = Member(self._config, self, self._codec, self.logger, self._invoke)
        self._task: asyncio.Task[None] | None = None
        self._extender: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
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
        try:
            await asyncio.shield(self._task)
        except SocketIOError:
            await self.shutdown()
            raise
        await self.shutdown()

    async def shutdown(self) -> None:
        """Gives the clients to other processes, lets handlers finish, and detaches.

        Handlers that take longer than `drain_timeout` are cancelled; their events go to other
        processes, or wait for the next one. Once is enough; who calls it again waits for the end.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._shutdown())
        await asyncio.shield(self._stopping)

    async def _shutdown(self) -> None:
        member, task = self._member, self._task
        if task is not None and not task.done():
            if self.connected:
                leave = event_service_pb2.Leave()
                member.outbox.push(Request(leave=leave))
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(member.deliveries.idle(), self._drain_timeout)
                member.deliveries.stop()
                member.outbox.hurry()
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

    async def __aenter__(self: T) -> T:
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


def _logger(logger: bool | logging.Logger) -> logging.Logger:
    if isinstance(logger, logging.Logger):
        return logger
    log = logging.getLogger("sio_edge")
    if logger:
        log.setLevel(logging.INFO)
        if not log.handlers:
            log.addHandler(logging.StreamHandler())
    return log
