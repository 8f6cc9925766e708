"""Which function handles which event: decorators, catch-alls and class-based namespaces."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from sio_edge._gen.sioedge.v1 import event_pb2, event_service_pb2
from sio_edge.namespace import BaseNamespace

Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)

# Never given to a catch-all handler.
RESERVED = ("connect", "disconnect")

LIFE = (
    event_pb2.EVENT_KIND_OPENED,
    event_pb2.EVENT_KIND_SUSPENDED,
    event_pb2.EVENT_KIND_RESUMED,
    event_pb2.EVENT_KIND_CLOSED,
    event_pb2.EVENT_KIND_CLIENT_EVENT,
)


class Handlers:
    """The handlers of a server. Register them before it starts, or at any time."""

    # What a class-based namespace has to be.
    _namespace_type: type[BaseNamespace]

    def __init__(self, namespaces: list[str] | str | None) -> None:
        """Args:
        namespaces: Namespaces that exist beside those with handlers; patterns such as
            "/tenant-*" are allowed. "*" for all. Default: "/".
        """
        self._names = [namespaces] if isinstance(namespaces, str) else list(namespaces or ["/"])
        self._functions: dict[str, dict[str, Handler]] = {}
        self._objects: dict[str, BaseNamespace] = {}
        self._life: dict[str, dict[str, Handler]] = {}
        self._found: dict[tuple[str, str], tuple[Handler, tuple[str, ...]] | None] = {}

    @overload
    def on(self, event: str, handler: None = None, namespace: str | None = None) -> (
        Callable[[F], F]
    ): ...
    @overload
    def on(self, event: str, handler: F, namespace: str | None = None) -> F: ...

    def on(self, event: str, handler: Any = None, namespace: str | None = None) -> Any:
        """Registers a handler, as a decorator or with the handler as an argument.

        Args:
            event: The event's name; "connect" and "disconnect" are called by the server itself.
                "*" is every event of clients that has no handler of its own.
            handler: The function. For "connect" it gets (sid, environ, auth) or (sid, environ), for
                "disconnect" (sid, reason) or (sid), for others the sid and the arguments. What it
                returns is what the client's acknowledgement callback gets, a tuple being several
                arguments.
            namespace: Default "/". "*" is every namespace that has no handler of its own.

        A catch-all handler gets the event's name before its other arguments; one of all
        namespaces gets the namespace before its other arguments; one of both gets both, the event
        first.
        """

        def register(function: F) -> F:
            self._functions.setdefault(namespace or "/", {})[event] = function
            self._registered()
            return function

        return register if handler is None else register(handler)

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Registers a function as the handler of the event that it is named after.

        Use it as ``@sio.event`` or ``@sio.event(namespace="/chat")``.
        """
        if len(args) == 1 and not kwargs and callable(args[0]):
            return self.on(args[0].__name__, args[0])
        return lambda function: self.on(function.__name__, function, *args, **kwargs)

    def register_namespace(self, namespace_handler: BaseNamespace) -> None:
        """Registers a class-based namespace.

        Raises:
            ValueError: It is not an instance of the class-based namespaces of this server.
        """
        if not isinstance(namespace_handler, self._namespace_type):
            raise ValueError(f"not an instance of sio_edge.{self._namespace_type.__name__}")
        namespace_handler._set_server(self)
        self._objects[namespace_handler.namespace] = namespace_handler
        self._registered()

    def on_suspend(self, handler: F, namespace: str | None = None) -> F:
        """Registers what to call with (sid, reason) when a client is away but may come back.

        python-socketio has no such state: its "disconnect" comes when the client is not back
        in time. Use it as a decorator, or with the namespace as a method.
        """
        self._life.setdefault(namespace or "/", {})["suspend"] = handler
        return handler

    def on_resume(self, handler: F, namespace: str | None = None) -> F:
        """Registers what to call with (sid, complete) when a client is back in its session.

        `complete` is False if it has missed something. Use it as a decorator, or with the
        namespace as a method.
        """
        self._life.setdefault(namespace or "/", {})["resume"] = handler
        return handler

    def find_life(self, event: str, namespace: str) -> tuple[Handler, tuple[str, ...]] | None:
        """The handler of something that happened to a session, and its first arguments."""
        if event in RESERVED:
            return self.find(event, namespace)
        handler = self._life.get(namespace, {}).get(event)
        return None if handler is None else (handler, ())

    def _registered(self) -> None:
        self._found.clear()

    def find(self, event: str, namespace: str) -> tuple[Handler, tuple[str, ...]] | None:
        """The handler of an event and the arguments that come first, or None.

        Functions come before class-based namespaces, a namespace before all namespaces, and an
        event before all events.
        """
        key = (event, namespace)
        try:
            return self._found[key]
        except KeyError:
            pass
        found = self._search(event, namespace)
        # Names are chosen by clients: the answers for unknown ones must not pile up.
        if len(self._found) < 10_000:
            self._found[key] = found
        return found

    def _search(self, event: str, namespace: str) -> tuple[Handler, tuple[str, ...]] | None:
        own = self._functions.get(namespace, {})
        everywhere = self._functions.get("*", {})
        catch_all = event not in RESERVED
        if event in own:
            return own[event], ()
        if catch_all and "*" in own:
            return own["*"], (event,)
        if event in everywhere:
            return everywhere[event], (namespace,)
        if catch_all and "*" in everywhere:
            return everywhere["*"], (event, namespace)
        if namespace in self._objects:
            return self._method(self._objects[namespace], event, ())
        if "*" in self._objects:
            return self._method(self._objects["*"], event, (namespace,))
        return None

    @staticmethod
    def _method(
        handler: BaseNamespace, event: str, first: tuple[str, ...]
    ) -> tuple[Handler, tuple[str, ...]] | None:
        if handler._dispatches():
            return functools.partial(handler.trigger_event, event), first
        method = getattr(handler, "on_" + event, None)
        return None if method is None else (method, first)

    def routes(self) -> list[event_service_pb2.Route]:
        """What to subscribe to: every namespace, and its connect requests if they are handled."""
        names = dict.fromkeys(self._names)
        names.update(dict.fromkeys(n for n in self._functions if n != "*"))
        names.update(dict.fromkeys(n for n in self._objects if n != "*"))
        return [
            event_service_pb2.Route(
                namespace=name,
                kinds=[event_pb2.EVENT_KIND_CONNECT_REQUESTED, *LIFE]
                if self.find("connect", name)
                else LIFE,
            )
            for name in sorted(names)
        ]


class MisfitError(TypeError):
    """The arguments of an event are not those of its handler."""


def call(function: Handler, args: tuple[Any, ...]) -> Any:
    """Calls a handler, and tells a call that does not fit from a failure inside the handler."""
    try:
        return function(*args)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise MisfitError(str(error)) from None
        raise


def fit(function: Handler, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """`args` without the last one if the function takes one less.

    Connect handlers may leave out auth, and disconnect handlers the reason. Looking at the
    signature, unlike trying, keeps a TypeError raised inside the handler what it is.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a built-in without one
        return args
    try:
        signature.bind(*args)
    except TypeError:
        try:
            signature.bind(*args[:-1])
        except TypeError:
            return args  # the call itself says best what is wrong
        return args[:-1]
    return args
