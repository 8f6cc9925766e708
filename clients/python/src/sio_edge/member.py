"""One process of a group: what the edge tells it goes to handlers, what they do goes back."""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import inspect
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any

from sio_edge._gen.sioedge.v1 import (
    command_pb2,
    event_pb2,
    event_service_pb2,
    session_pb2,
)
from sio_edge.access import Access
from sio_edge.acks import Acks
from sio_edge.commands import duration
from sio_edge.deliveries import Answer, Deliveries, Unretryable
from sio_edge.exceptions import ConnectionRefusedError, EdgeError
from sio_edge.handlers import RESERVED, Handler, Handlers, MisfitError, call, fit
from sio_edge.link import PROTOCOL, Link
from sio_edge.outbox import Outbox
from sio_edge.payload import Codec
from sio_edge.sockets import Decision, Socket, Table
from sio_edge.status import REASONS, Reason

SDK = "python/0.1.0"

# The socket whose connect handler this task is running.
_deciding: contextvars.ContextVar[Socket | None] = contextvars.ContextVar(
    "sio_edge_deciding", default=None
)


@dataclass(frozen=True)
class Config:
    """How a process attaches. See AsyncServer for the meaning of each."""

    access: Access
    group: str
    member: str
    instance: str
    ack_deadline: float
    max_attempts: int
    member_grace: float | None
    durable: bool
    window: int
    window_per_session: int
    channel_options: list[tuple[str, Any]]


@dataclass(frozen=True)
class Accept:
    """Returned from a connect handler, it says more than "come in"."""

    user_id: str = ""
    """The user behind the client, for ``emit(user=...)``. Sessions resume for the same one only."""
    attributes: dict[str, str] = field(default_factory=dict)
    """Kept with the session at the edge, whatever happens to this process."""


class Member:
    """Owns everything that lives as long as the membership. Only the event loop touches it."""

    def __init__(
        self, config: Config, handlers: Handlers, codec: Codec, log: logging.Logger,
        invoke: Callable[[Handler, tuple[Any, ...]], Any] = call,
    ) -> None:
        """Args:
        invoke: Calls a handler; returns its result, or something that can be awaited for it.
        """
        self.config = config
        self.codec = codec
        self.table = Table()
        self.ready = asyncio.Event()  # the table is complete
        self.acks = Acks(codec)
        self.link = Link(config.access, config.channel_options, self, log)
        self.outbox = Outbox(config.instance + "-", self.link.wake, self._failed)
        self.link.outbox = self.outbox
        self.deliveries = Deliveries(
            self.table, self.outbox, self.handle, config.max_attempts, log
        )
        self._handlers = handlers
        self._invoke = invoke
        self._log = log
        self._edge_id = ""
        self._log_id = ""
        self._log_lost = False
        self._routes: list[event_service_pb2.Route] = []
        self._resuming: deque[Socket] = deque(maxlen=256)  # accepted, not known to be resumed

    # What the link asks and tells.

    def hello(self) -> event_service_pb2.Hello:
        """The Hello of the next stream, with a cursor if this process was attached before."""
        c = self.config
        self._routes = self._handlers.routes()
        hello = event_service_pb2.Hello(
            protocol_version=PROTOCOL, sdk=SDK, group=c.group, member_id=c.member,
            instance_id=c.instance,
            spec=event_service_pb2.GroupSpec(
                routes=self._routes,
                ack_deadline=duration(c.ack_deadline),
                max_attempts=c.max_attempts,
                delivery=event_service_pb2.DELIVERY_MODE_DURABLE if c.durable
                else event_service_pb2.DELIVERY_MODE_AT_LEAST_ONCE,
            ),
            flow=event_service_pb2.FlowControl(
                max_outstanding_events=c.window,
                max_outstanding_per_session=c.window_per_session,
            ),
        )
        if c.member_grace is not None:
            hello.spec.member_grace.CopyFrom(duration(c.member_grace))
        if self.ready.is_set():
            hello.resume.edge_id = self._edge_id
            hello.resume.log_id = self._log_id
            hello.resume.offset = self.deliveries.offset
        return hello

    def attached(self, welcome: event_service_pb2.Welcome) -> None:
        """A stream began; unless it continues the last one, a snapshot follows."""
        if self._log_id and (welcome.edge_id, welcome.log_id) != (self._edge_id, self._log_id):
            self._log.warning("the edge's event log is new: sessions of the old one are over")
            self._log_lost = True
            self.deliveries.forget()
        self._edge_id, self._log_id = welcome.edge_id, welcome.log_id
        if welcome.resume == event_service_pb2.RESUME_OUTCOME_CONTINUED:
            self.ready.set()
        else:
            self.ready.clear()
        self.outbox.opened()

    def received(self, message: event_service_pb2.SubscribeResponse) -> None:
        """The edge said something."""
        kind = message.WhichOneof("message")
        if kind == "deliveries":
            self.deliveries.take(message.deliveries.deliveries)
        elif kind == "results":
            self.outbox.confirm(message.results.results)
        elif kind == "client_acks":
            self.acks.take(message.client_acks.acks, message.client_acks.summaries)
        elif kind == "assignment":
            self.deliveries.moved(self.table.park(message.assignment.lost_sids))
            for state in message.assignment.gained:
                self.table.begin(state)
        elif kind == "snapshot":
            gone = self.table.snapshot(message.snapshot.sessions, message.snapshot.last)
            self.deliveries.moved(gone)
            if message.snapshot.last:
                self.ready.set()
                self._over(gone)
        elif kind == "changes":
            for change in message.changes.changes:
                self.table.changed(change)
        elif kind == "told":
            self._told(message.told.told)

    def _told(self, told: Iterable[event_service_pb2.Told]) -> None:
        # python-socketio has no words between servers: nobody is there to hear, or to answer.
        for one in told:
            if one.asks:
                answer = command_pb2.Answer(told_id=one.told_id, absent=True)
                self.outbox.send(command_pb2.Command(answer=answer))
            heard = event_service_pb2.Ack(told=one.told_id)
        self.outbox.push(event_service_pb2.SubscribeRequest(ack=heard))

    def lost(self) -> None:
        """The stream is over."""
        self.table.interrupt()
        self.deliveries.lost()
        self.outbox.lost()

    def _over(self, gone: list[Socket]) -> None:
        # Nobody else can tell the end of sessions whose log is lost.
        if not self._log_lost:
            return
        self._log_lost = False
        for sock in gone:
            self.deliveries.spawn(self._tell_over(sock))

    async def _tell_over(self, sock: Socket) -> None:
        try:
            await self._life("disconnect", sock, Reason.EDGE_RESTART)
        except Exception:
            self._log.exception("disconnect handler for %s failed", sock.sid)

    def rerouted(self) -> None:
        """Handlers were added: attaches again if that changes what to subscribe to."""
        if self._routes and self._routes != self._handlers.routes():
            self.link.reattach()

    def _failed(self, error: EdgeError, op: str) -> None:
        # A client may be gone by the time that something is sent to it: that is no fault.
        level = logging.DEBUG if error.reason == "SESSION_GONE" else logging.WARNING
        self._log.log(level, "%s failed: %s", op, error)

    async def extend(self) -> None:
        """Tells the edge, for as long as it runs, which handlers take their time."""
        third = self.config.ack_deadline / 3
        while True:
            await asyncio.sleep(third / 2)
            self.deliveries.extend(third)

    # Events.

    async def handle(self, sock: Socket, event: event_pb2.Event) -> Answer:
        """Runs the handler of one event and returns what settles it."""
        kind = event.WhichOneof("kind")
        if kind == "client_event":
            return await self._client_event(sock, event.client_event)
        if kind == "connect_requested":
            return await self._connect(sock, event.connect_requested)
        if kind == "opened":
            self._adopt(sock, event.opened.session)
            self.table.begin(event.opened.session)
            sock.welcome = []
        elif kind == "suspended":
            sock.suspended = True
            sock.transport = ""
            await self._life("suspend", sock, REASONS.get(event.suspended.reason, ""))
        elif kind == "resumed":
            self.table.begin(event.resumed.session)
            if sock in self._resuming:
                self._resuming.remove(sock)
            for greeting in self._take_welcome(sock):
                greeting.target.CopyFrom(_only(sock))
                self.outbox.send(command_pb2.Command(emit=greeting))
            await self._life("resume", sock, event.resumed.complete)
        elif kind == "closed":
            sock.update(event.closed.session)
            reason = REASONS.get(event.closed.reason) or event.closed.detail
            await self._life("disconnect", sock, reason)
            self.table.remove(sock)
        return None  # of a kind that is newer than this code: settled, so that it is not in the way

    async def _client_event(self, sock: Socket, event: event_pb2.ClientEvent) -> Answer:
        name = event.event
        found = self._handlers.find(name, sock.namespace)
        if found is None or name in RESERVED:
            return None
        function, first = found
        try:
            result = self._invoke(function, (*first, sock.sid, *self.codec.decode(event.payload)))
            if type(result) is CoroutineType or inspect.isawaitable(result):
                result = await result
        except MisfitError as error:
            # Sending the event again would not make its arguments fit.
            self._log.error("%s: event %r: %s", sock.sid, name, error)
            return None
        if not event.wants_reply:
            return None
        if result is None:
            return b""
        try:
            args = result if isinstance(result, tuple) else (result,)
            return self.codec.encode(args).SerializeToString()
        except (TypeError, ValueError) as error:
            raise Unretryable from error

    async def _connect(
        self, sock: Socket, request: event_pb2.ConnectRequested
    ) -> event_service_pb2.ConnectDecision:
        sock.shake(request.handshake)
        if not sock.opened:
            sock.user_id, sock.attributes = request.user_id, dict(request.attributes)
            self.table.request(sock, request.answer_by.seconds, time.time())
        sock.decision = decision = Decision()
        token = _deciding.set(sock)
        answer: Any = None
        refused: dict[str, Any] | None = None
        try:
            auth = self.codec.load(request.auth_json)
            answer = await self._life("connect", sock, sock.environ, auth)
            if answer is False:
                refused = ConnectionRefusedError().error_args
        except ConnectionRefusedError as error:
            refused = error.error_args
        except builtins.ConnectionRefusedError as error:
            if error.errno is not None:
                raise  # of a database, say: the client shall try again
            refused = {"message": "Connection refused by server"}
        finally:
            _deciding.reset(token)
            sock.decision = None
        out = event_service_pb2.ConnectDecision()
        if refused is not None:
            out.reject.message = refused["message"]
            if "data" in refused:
                try:
                    out.reject.data_json = self.codec.dump(refused["data"])
                except (TypeError, ValueError) as error:
                    raise Unretryable from error
            if not sock.opened:
                self.table.remove(sock)
            return out
        out.accept.rooms.extend(decision.rooms)
        out.accept.greeting.extend(decision.greeting)
        if isinstance(answer, Accept):
            out.accept.user_id = answer.user_id
            out.accept.attributes.update(answer.attributes)
        if request.resuming:
            sock.welcome = decision.greeting
            self._resuming.append(sock)
        out.accept.SetInParent()
        return out

    def _adopt(self, sock: Socket, state: session_pb2.Session) -> None:
        # A session that could not be resumed after all begins anew under another sid. What its
        # connect handler kept for the client goes with the client.
        for old in self._resuming:
            if old.namespace == state.namespace and old.shook(state.handshake):
                self._resuming.remove(old)
                if old is not sock and not sock.session:
                    sock.session, old.session = old.session, {}
                return

    def _take_welcome(self, sock: Socket) -> list[command_pb2.Emit]:
        welcome, sock.welcome = sock.welcome, []
        return welcome

    async def _life(self, what: str, sock: Socket, *args: Any) -> Any:
        found = self._handlers.find_life(what, sock.namespace)
        if found is None:
            return None
        function, first = found
        result = self._invoke(function, fit(function, (*first, sock.sid, *args)))
        return await result if inspect.isawaitable(result) else result

    # Commands.

    def divert(self, emit: command_pb2.Emit) -> bool:
        """Keeps what a connect handler sends to its own client for the greeting.

        The client is not there yet: it gets these before anything else once it is. Others get
        them at once. Returns True if there are no others.
        """
        target = emit.target
        if len(target.sids) == 1 and not (target.rooms or target.user_ids or target.everyone):
            sock = self.table.find(target.sids[0], target.namespace)
            if sock is not None and sock.decision is not None:
                sock.decision.greeting.append(emit)
                return True
            return False
        sock = _deciding.get()
        if sock is None or sock.decision is None or sock.namespace != target.namespace:
            return False
        decision = sock.decision
        if sock.sid in target.except_sids or not decision.rooms.keys().isdisjoint(
            target.except_rooms
        ):
            return False
        if (
            target.everyone
            or sock.sid in target.sids
            or not decision.rooms.keys().isdisjoint(target.rooms)
        ):
            decision.greeting.append(emit)
            target.except_sids.append(sock.sid)
        return False

    async def execute(self, command: command_pb2.Command) -> command_pb2.Receipt:
        """Sends a command and waits for its result, across reconnects.

        Raises:
            EdgeError: The edge refused it.
        """
        if self.outbox.full:
            await self.outbox.room()
        future: asyncio.Future[command_pb2.Receipt] = asyncio.get_running_loop().create_future()
        self.outbox.send(command, future)
        return await future


def _only(sock: Socket) -> command_pb2.Target:
    return command_pb2.Target(namespace=sock.namespace, sids=[sock.sid])
