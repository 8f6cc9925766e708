"""A server beside an ASGI application, in one process."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sio_edge.server import AsyncServer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_ANSWER = b"Socket.IO clients connect to sio-edge, not here.\n"


class ASGIApp:
    """Starts and stops an AsyncServer with an ASGI application::

        app = sio_edge.ASGIApp(sio, other_asgi_app)      # was: socketio.ASGIApp(sio, ...)

    Everything but the server's life goes to the other application. Socket.IO clients connect to
    the edge; their requests get 404 here.
    """

    def __init__(
        self, socketio_server: AsyncServer, other_asgi_app: App | None = None,
        socketio_path: str = "socket.io", on_startup: Callable[[], Any] | None = None,
        on_shutdown: Callable[[], Any] | None = None,
    ) -> None:
        """Args:
        socketio_server: The server.
        other_asgi_app: What answers requests. It gets lifespan events too.
        socketio_path: Where clients would look for Socket.IO.
        on_startup: Called before the server starts; a function or a coroutine function.
        on_shutdown: Called after it has stopped.
        """
        self._sio = socketio_server
        self._other = other_asgi_app
        self._path = f"/{socketio_path.strip('/')}/"
        self._on_startup = on_startup
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif self._other is not None and not self._mistaken(scope):
            await self._other(scope, receive, send)
        elif scope["type"] == "http":
            start = {
                "type": "http.response.start", "status": 404,
                "headers": [(b"content-type", b"text/plain")],
            }
            await send(start)
            await send({"type": "http.response.body", "body": _ANSWER})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    def _mistaken(self, scope: Message) -> bool:
        path: str = scope["path"]
        return path.startswith(self._path)

    async def _lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        begun = False

        async def start() -> Message:
            nonlocal begun
            message = await receive()
            if message["type"] == "lifespan.startup":
                begun = True
                await _run(self._on_startup)
                # Requests are answered while the edge is away, too.
                self._sio.start_background_task(self._sio.start)
            return message

        async def stop(message: Message) -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self._sio.shutdown()
                await _run(self._on_shutdown)
            await send(message)

        if self._other is not None:
            try:
                await self._other(scope, start, stop)
                return
            except Exception:
                if begun:
                    raise
                # An application without a lifespan raises at once. The server has one anyway.
        while True:
            message = await start()
            await stop({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def _run(function: Callable[[], Any] | None) -> None:
    if function is not None:
        result = function()
        if inspect.isawaitable(result):
            await result
