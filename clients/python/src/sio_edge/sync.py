"""The server for programs without asyncio: handlers run in threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from sio_edge._gen.sioedge.v1 import command_pb2, session_pb2
from sio_edge.exceptions import DisconnectedError
from sio_edge.handlers import Handler, call
from sio_edge.namespace import BaseNamespace, Namespace
from sio_edge.server import AsyncServer
from sio_edge.sockets import Socket
from sio_edge.status import Reason, Status


class _Threaded(AsyncServer):
    """An AsyncServer that calls its handlers in threads."""

    _namespace_type = Namespace

    def __init__(self, address: str, threads: int, options: dict[str, Any]) -> None:
        super().__init__(address, **options)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.pool = concurrent.futures.ThreadPoolExecutor(threads, "sio_edge")

    def _invoke(self, function: Handler, args: tuple[Any, ...]) -> Any:
        run = contextvars.copy_context().run
        return asyncio.get_running_loop().run_in_executor(self.pool, run, call, function, args)

    def _registered(self) -> None:
        self._found.clear()
        if self.loop is not None and self.loop.is_running():
            self.loop.call_soon_threadsafe(self._member.rerouted)


class Server:
    """A Socket.IO server whose clients are connected to an edge process, for threads::

        sio = sio_edge.Server("127.0.0.1:7070", group="chat")

        @sio.event
        def say(sid, text):
            sio.emit("said", text, skip_sid=sid)

        sio.run()

    It does what AsyncServer does, with functions in place of coroutines. Handlers run in a pool of
    threads, those of one client one at a time. Its methods may be called from any thread.
    """

    reason = Reason
    """The reasons given to disconnect handlers."""

    def __init__(
        self, address: str = "127.0.0.1:7070", *, threads: int = 32, **options: Any
    ) -> None:
        """Args:
        address: The edge's address for backends.
        threads: How many handlers run at a time.
        options: The other parameters of AsyncServer.
        """
        self._server = _Threaded(address, threads, options)
        self._thread: threading.Thread | None = None
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._lock = threading.Lock()
        self.logger = self._server.logger

    # Handlers.

    def is_asyncio_based(self) -> bool:
        """False."""
        return False

    def on(self, event: str, handler: Any = None, namespace: str | None = None) -> Any:
        """Registers a handler. See AsyncServer.on()."""
        return self._server.on(event, handler, namespace)

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Registers a function as the handler of the event that it is named after."""
        return self._server.event(*args, **kwargs)

    def on_suspend(self, handler: Any, namespace: str | None = None) -> Any:
        """Registers what to call when a client is away. See AsyncServer.on_suspend()."""
        return self._server.on_suspend(handler, namespace)

    def on_resume(self, handler: Any, namespace: str | None = None) -> Any:
        """Registers what to call when a client is back. See AsyncServer.on_resume()."""
        return self._server.on_resume(handler, namespace)

    def register_namespace(self, namespace_handler: BaseNamespace) -> None:
        """Registers a class-based namespace, a subclass of Namespace."""
        self._server.register_namespace(namespace_handler)
        namespace_handler._set_server(self)

    # Running.

    @property
    def status(self) -> Status:
        """The connection to the edge as it is now."""
        return self._server.status

    @property
    def connected(self) -> bool:
        """Whether events and commands flow at the moment."""
        return self._server.connected

    def start(self) -> None:
        """Attaches in a thread and returns once the clients of this process are known.

        Raises:
            EdgeError: The edge refused this process.
        """
        with self._lock:
            if self._thread is None:
                running = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(running,), name="sio_edge", daemon=True
                )
                self._thread.start()
                running.wait()
        self._await(self._server.start())

    def _run(self, running: threading.Event) -> None:
        async def main() -> None:
            self._server.loop = asyncio.get_running_loop()
            running.set()
            await self._server.wait()

        try:
            asyncio.run(main())
        except BaseException as error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    def wait(self) -> None:
        """Starts unless started, and returns after shutdown().

        Raises:
            FencedError: Another process attached as the same member.
            EdgeError: The edge refused this process.
        """
        self.start()
        self._ended.result()

    def run(self) -> None:
        """Runs until SIGINT or SIGTERM, then shuts down. Call it in the main thread.

        Raises:
            FencedError: Another process attached as the same member.
            EdgeError: The edge refused this process.
        """
        asked = threading.Event()
        self.start()
        self._ended.add_done_callback(lambda ended: asked.set())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *args: asked.set())
        asked.wait()
        self.shutdown()
        self._ended.result()

    def shutdown(self) -> None:
        """Gives the clients to other processes, lets handlers finish, and detaches."""
        with contextlib.suppress(DisconnectedError):
            self._await(self._server.shutdown())
        if self._thread is not None:
            self._thread.join()
        self._server.pool.shutdown(wait=False)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()

    def _await(self, work: Coroutine[Any, Any, Any]) -> Any:
        loop = self._server.loop
        if loop is None or not loop.is_running():
            work.close()
            raise DisconnectedError("the server is not running")
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        async def ask() -> Any:
            return function(*args)

        return self._await(ask())

    # Sending.

    def emit(
        self, event: str, data: Any = None, to: Any = None, room: Any = None,
        skip_sid: str | list[str] | None = None, namespace: str | None = None,
        callback: Callable[..., Any] | None = None, ignore_queue: bool = False, **options: Any,
    ) -> command_pb2.Receipt | None:
        """Sends an event to clients. See AsyncServer.emit()."""
        receipt: command_pb2.Receipt | None = self._await(
            self._server.emit(event, data, to, room, skip_sid, namespace, callback, **options)
        )
        return receipt

    def send(
        self, data: Any, to: Any = None, room: Any = None,
        skip_sid: str | list[str] | None = None, namespace: str | None = None,
        callback: Callable[..., Any] | None = None, ignore_queue: bool = False, **options: Any,
    ) -> command_pb2.Receipt | None:
        """Sends an event named "message". See AsyncServer.emit()."""
        return self.emit("message", data, to, room, skip_sid, namespace, callback, **options)

    def call(
        self, event: str, data: Any = None, to: str | None = None, sid: str | None = None,
        namespace: str | None = None, timeout: float | None = 60, ignore_queue: bool = False,
    ) -> Any:
        """Sends an event to one client and returns its acknowledgement. See AsyncServer.call()."""
        return self._await(self._server.call(event, data, to, sid, namespace, timeout))

    # Clients.

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Adds a client to a room. See AsyncServer.enter_room()."""
        self._await(self._server.enter_room(sid, room, namespace))

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Removes a client from a room. See AsyncServer.leave_room()."""
        self._await(self._server.leave_room(sid, room, namespace))

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Removes every client from a room. See AsyncServer.close_room()."""
        self._await(self._server.close_room(room, namespace))

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms of a client of this process. See AsyncServer.rooms()."""
        rooms: list[str] = self._ask(self._server.rooms, sid, namespace)
        return rooms

    def get_socket(self, sid: str, namespace: str | None = None) -> Socket:
        """What this process knows about a client of its own. See AsyncServer.get_socket()."""
        socket: Socket = self._ask(self._server.get_socket, sid, namespace)
        return socket

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """The transport of a client. See AsyncServer.transport()."""
        transport: str = self._ask(self._server.transport, sid, namespace)
        return transport

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The WSGI environ of a client of this process, or None."""
        environ: dict[str, Any] | None = self._ask(self._server.get_environ, sid, namespace)
        return environ

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The user session of a client. See AsyncServer.get_session()."""
        session: dict[str, Any] = self._await(self._server.get_session(sid, namespace))
        return session

    def save_session(
        self, sid: str, session: dict[str, Any], namespace: str | None = None
    ) -> None:
        """Replaces the user session of a client. See AsyncServer.save_session()."""
        self._await(self._server.save_session(sid, session, namespace))

    @contextlib.contextmanager
    def session(self, sid: str, namespace: str | None = None) -> Iterator[dict[str, Any]]:
        """The user session of a client in a ``with``; what is changed in it is kept."""
        session = self.get_session(sid, namespace)
        yield session
        with contextlib.suppress(KeyError):  # the client may have gone in the meantime
            self.save_session(sid, session, namespace)

    def set_attributes(
        self, sid: str, attributes: dict[str, str | None], namespace: str | None = None
    ) -> None:
        """Changes what the edge keeps with a client. See AsyncServer.set_attributes()."""
        self._await(self._server.set_attributes(sid, attributes, namespace))

    def disconnect(
        self, sid: str, namespace: str | None = None, ignore_queue: bool = False, *,
        close_connection: bool = False,
    ) -> None:
        """Disconnects a client. See AsyncServer.disconnect()."""
        self._await(
            self._server.disconnect(sid, namespace, close_connection=close_connection)
        )

    def fetch_socket(self, sid: str, namespace: str | None = None) -> session_pb2.Session:
        """What the edge knows about a client. See AsyncServer.fetch_socket()."""
        session: session_pb2.Session = self._await(self._server.fetch_socket(sid, namespace))
        return session

    def fetch_sockets(
        self, to: Any = None, namespace: str | None = None
    ) -> list[session_pb2.Session]:
        """The clients of all processes. See AsyncServer.fetch_sockets()."""

        async def collect() -> list[session_pb2.Session]:
            return [s async for s in self._server.fetch_sockets(to, namespace)]

        sessions: list[session_pb2.Session] = self._await(collect())
        return sessions

    # Tasks.

    def start_background_task(
        self, target: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> threading.Thread:
        """Runs a function in a thread that does not keep the program alive."""
        thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread

    def sleep(self, seconds: float = 0) -> None:
        """Sleeps."""
        time.sleep(seconds)
