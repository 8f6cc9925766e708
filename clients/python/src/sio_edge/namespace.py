"""Class-based namespaces: the handlers of one namespace as methods of one object."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sio_edge.server import AsyncServer
    from sio_edge.sync import Server


class BaseNamespace:
    """What AsyncNamespace and Namespace share. One object serves all clients of its namespace."""

    def __init__(self, namespace: str | None = None) -> None:
        """Args:
        namespace: Default "/". "*" is every namespace that has no handler of its own.
        """
        self.namespace = namespace or "/"
        self.server: Any = None

    def _set_server(self, server: Any) -> None:
        self.server = server

    def _dispatches(self) -> bool:
        # A class with a trigger_event of its own is asked about every event.
        return type(self).trigger_event not in (
            AsyncNamespace.trigger_event, Namespace.trigger_event,
        )

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method named "on_" and the event. Override it to dispatch in another way."""
        from sio_edge.handlers import RESERVED, fit

        handler = getattr(self, "on_" + event, None)
        if handler is None:
            return None
        return handler(*(fit(handler, args) if event in RESERVED else args))

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms of a client. See AsyncServer.rooms()."""
        return self.server.rooms(sid, namespace=namespace or self.namespace)

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """The transport of a client. See AsyncServer.transport()."""
        return self.server.transport(sid, namespace=namespace or self.namespace)

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The environ of a client. See AsyncServer.get_environ()."""
        return self.server.get_environ(sid, namespace=namespace or self.namespace)

    def session(self, sid: str, namespace: str | None = None) -> Any:
        """The user session as a context manager. See AsyncServer.session()."""
        return self.server.session(sid, namespace=namespace or self.namespace)


class AsyncNamespace(BaseNamespace):
    """Handlers of one namespace of an AsyncServer, as coroutines or functions named ``on_...``::

        class Chat(sio_edge.AsyncNamespace):
            async def on_connect(self, sid, environ, auth):
                await self.enter_room(sid, "lobby")

            async def on_say(self, sid, text):
                await self.emit("said", text, room="lobby", skip_sid=sid)

        sio.register_namespace(Chat("/chat"))

    The methods below are those of the server, in this namespace unless they are told another.
    """

    server: AsyncServer

    def is_asyncio_based(self) -> bool:
        """True."""
        return True

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method named "on_" and the event. Override it to dispatch in another way."""
        result = super().trigger_event(event, *args)
        return await result if inspect.isawaitable(result) else result

    async def emit(self, event: str, data: Any = None, to: Any = None, room: Any = None,
                   skip_sid: Any = None, namespace: str | None = None, **options: Any) -> Any:
        """Sends an event. See AsyncServer.emit()."""
        return await self.server.emit(event, data, to=to, room=room, skip_sid=skip_sid,
                                      namespace=namespace or self.namespace, **options)

    async def send(self, data: Any, to: Any = None, room: Any = None, skip_sid: Any = None,
                   namespace: str | None = None, **options: Any) -> Any:
        """Sends a "message" event. See AsyncServer.send()."""
        return await self.server.send(data, to=to, room=room, skip_sid=skip_sid,
                                      namespace=namespace or self.namespace, **options)

    async def call(self, event: str, data: Any = None, to: str | None = None,
                   sid: str | None = None, namespace: str | None = None,
                   timeout: float = 60, ignore_queue: bool = False) -> Any:
        """Sends an event and waits for its acknowledgement. See AsyncServer.call()."""
        return await self.server.call(event, data, to=to, sid=sid, timeout=timeout,
                                      namespace=namespace or self.namespace,
                                      ignore_queue=ignore_queue)

    async def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Adds a client to a room. See AsyncServer.enter_room()."""
        await self.server.enter_room(sid, room, namespace=namespace or self.namespace)

    async def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Removes a client from a room. See AsyncServer.leave_room()."""
        await self.server.leave_room(sid, room, namespace=namespace or self.namespace)

    async def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Removes every client from a room. See AsyncServer.close_room()."""
        await self.server.close_room(room, namespace=namespace or self.namespace)

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The user session of a client. See AsyncServer.get_session()."""
        return await self.server.get_session(sid, namespace=namespace or self.namespace)

    async def save_session(self, sid: str, session: dict[str, Any],
                           namespace: str | None = None) -> None:
        """Replaces the user session of a client. See AsyncServer.save_session()."""
        await self.server.save_session(sid, session, namespace=namespace or self.namespace)

    async def disconnect(self, sid: str, namespace: str | None = None) -> None:
        """Disconnects a client. See AsyncServer.disconnect()."""
        await self.server.disconnect(sid, namespace=namespace or self.namespace)


class Namespace(BaseNamespace):
    """Handlers of one namespace of a Server, as functions named ``on_...``.

    The methods below are those of the server, in this namespace unless they are told another.
    """

    server: Server

    def is_asyncio_based(self) -> bool:
        """False."""
        return False

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method named "on_" and the event. Override it to dispatch in another way."""
        return super().trigger_event(event, *args)

    def emit(self, event: str, data: Any = None, to: Any = None, room: Any = None,
             skip_sid: Any = None, namespace: str | None = None, **options: Any) -> Any:
        """Sends an event. See Server.emit()."""
        return self.server.emit(event, data, to=to, room=room, skip_sid=skip_sid,
                                namespace=namespace or self.namespace, **options)

    def send(self, data: Any, to: Any = None, room: Any = None, skip_sid: Any = None,
             namespace: str | None = None, **options: Any) -> Any:
        """Sends a "message" event. See Server.send()."""
        return self.server.send(data, to=to, room=room, skip_sid=skip_sid,
                                namespace=namespace or self.namespace, **options)

    def call(self, event: str, data: Any = None, to: str | None = None, sid: str | None = None,
             namespace: str | None = None, timeout: float = 60,
             ignore_queue: bool = False) -> Any:
        """Sends an event and waits for its acknowledgement. See Server.call()."""
        return self.server.call(event, data, to=to, sid=sid, timeout=timeout,
                                namespace=namespace or self.namespace, ignore_queue=ignore_queue)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Adds a client to a room. See Server.enter_room()."""
        self.server.enter_room(sid, room, namespace=namespace or self.namespace)

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Removes a client from a room. See Server.leave_room()."""
        self.server.leave_room(sid, room, namespace=namespace or self.namespace)

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Removes every client from a room. See Server.close_room()."""
        self.server.close_room(room, namespace=namespace or self.namespace)

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The user session of a client. See Server.get_session()."""
        return self.server.get_session(sid, namespace=namespace or self.namespace)

    def save_session(self, sid: str, session: dict[str, Any],
                     namespace: str | None = None) -> None:
        """Replaces the user session of a client. See Server.save_session()."""
        self.server.save_session(sid, session, namespace=namespace or self.namespace)

    def disconnect(self, sid: str, namespace: str | None = None) -> None:
        """Disconnects a client. See Server.disconnect()."""
        self.server.disconnect(sid, namespace=namespace or self.namespace)
