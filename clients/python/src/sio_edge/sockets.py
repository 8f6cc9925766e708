"""The table of this process's sockets, kept true by events, snapshots and assignments."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sio_edge._gen.sioedge.v1 import command_pb2, event_service_pb2, session_pb2
from sio_edge.environ import environ

if TYPE_CHECKING:
    from sio_edge.deliveries import Delivery

# How many sockets that are no longer ours are remembered. Their user sessions are needed again if
# they come back, or if only their end is still to be told.
PARKED = 10_000


class Decision:
    """What a connect handler has done to its socket so far; becomes part of its Accept."""

    __slots__ = ("greeting", "rooms")

    def __init__(self) -> None:
        self.rooms: dict[str, None] = {}
        self.greeting: list[command_pb2.Emit] = []


class Socket:
    """One client in one namespace, as this process knows it.

    Attributes:
        sid: The client's socket id.
        namespace: Its namespace.
        user_id: The user: the subject of its token if the edge verifies tokens, unless a connect
            handler gave it another; or "".
        attributes: What the edge keeps with it. Change them with update_session().
        rooms: Its rooms, in the order of joining, without its sid.
        session: The user session of get_session(), kept in this process only.
        transport: "polling" or "websocket", as of the last event that told; "" while suspended.
        suspended: Its client is away and may come back.
        recovered: Its client came back and missed nothing.
    """

    __slots__ = (
        "_environ", "_handshake", "attributes", "blocked", "busy", "changes", "decision", "namespace",
        "opened", "queue", "recovered", "rooms", "seq", "session", "sid", "suspended",
        "transport", "user_id", "welcome",
    )

    def __init__(self, sid: str, namespace: str) -> None:
        self.sid = sid
        self.namespace = namespace
        self.user_id = ""
        self.attributes: dict[str, str] = {}
        self.rooms: dict[str, None] = {}
        self.session: dict[str, Any] = {}
        self.transport = ""
        self.suspended = False
        self.recovered = False
        self._handshake = session_pb2.Handshake()
        self._environ: dict[str, Any] | None = None

        # Owned by Member.
        self.opened = False  # the session has begun; False while its first decision is awaited
        self.changes: list[event_service_pb2.SessionChange] = []  # that came before it has begun
        self.decision: Decision | None = None  # while a connect handler runs
        self.welcome: list[command_pb2.Emit] = []  # a greeting, until it is known who gets it

        # Owned by Deliveries.
        self.queue: deque[Delivery] = deque()
        self.busy = False  # a task is working on the queue
        self.blocked = 0  # seq of the event that was handed back and has to come first
        self.seq = 0  # of the last event seen; 0 for not known

    def __repr__(self) -> str:
        return f"<Socket {self.sid} {self.namespace}>"

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI environ of the request that opened the connection; the same dict each time."""
        if self._environ is None:
            self._environ = environ(self._handshake)
        return self._environ

    def shake(self, handshake: session_pb2.Handshake) -> None:
        """Takes the handshake of a new connection."""
        self._handshake = handshake
        self._environ = None
        self.transport = handshake.transport

    def shook(self, handshake: session_pb2.Handshake) -> bool:
        """Whether this is the handshake of its connection."""
        return self._handshake == handshake

    def update(self, state: session_pb2.Session) -> None:
        """Takes what the edge says about the session."""
        self.user_id = state.user_id
        self.attributes = dict(state.attributes)
        self.rooms = dict.fromkeys(state.rooms)
        self.suspended = state.state == session_pb2.SESSION_STATE_SUSPENDED
        self.recovered = state.recovered
        if state.HasField("handshake"):
            self.shake(state.handshake)
        if state.transport or self.suspended:
            self.transport = state.transport


    def change(self, change: event_service_pb2.SessionChange) -> None:
        """Takes what others have done to the session, and the change of its transport."""
        left = self.rooms.keys() - change.joined if change.all_rooms else change.left
        kept = [room for room in self.rooms if room not in left]
        self.rooms = dict.fromkeys([*kept, *change.joined])
        self.transport = change.transport or self.transport


class Table:
    """The sockets whose events come to this process, by sid. Only the event loop touches it."""

    def __init__(self) -> None:
        self._sockets: dict[str, Socket] = {}
        self._parked: OrderedDict[str, Socket] = OrderedDict()
        self._requests: deque[tuple[float, Socket]] = deque()
        self._listed: set[str] | None = None  # sids of the snapshot that is coming in

    def __len__(self) -> int:
        return len(self._sockets)

    def __iter__(self) -> Iterator[Socket]:
        return iter(self._sockets.values())

    def find(self, sid: str, namespace: str) -> Socket | None:
        """The socket, or None if it is not one of this process."""
        sock = self._sockets.get(sid)
        return sock if sock is not None and sock.namespace == namespace else None

    def obtain(self, sid: str, namespace: str) -> Socket:
        """The socket that an event is about, known before or not."""
        sock = self._sockets.get(sid)
        if sock is None:
            sock = self._parked.pop(sid, None) or Socket(sid, namespace)
            self._sockets[sid] = sock
        return sock

    def request(self, sock: Socket, answer_by: float, now: float) -> None:
        """Notes that a socket is there only for a decision, and forgets those that never began."""
        self._requests.append((answer_by, sock))
        while self._requests and self._requests[0][0] < now:
            _, old = self._requests.popleft()
            if not old.opened and old.decision is None and not old.busy:
                self.remove(old)

    def remove(self, sock: Socket) -> None:
        """Forgets a socket whose session is over."""
        if self._sockets.get(sock.sid) is sock:
            del self._sockets[sock.sid]

    def begin(self, state: session_pb2.Session) -> Socket:
        """Takes a session that is this process's from now on."""
        sock = self.obtain(state.sid, state.namespace)
        sock.update(state)
        sock.opened = True
        for change in sock.changes:
            sock.change(change)
        sock.changes = []
        return sock

    def changed(self, change: event_service_pb2.SessionChange) -> None:
        """Takes a change; of a session whose beginning waits for its turn, once it has begun."""
        sock = self.find(change.sid, change.namespace)
        if sock is None:
            return
        if sock.opened:
            sock.change(change)
        else:
            sock.changes.append(change)

    def park(self, sids: Iterable[str]) -> list[Socket]:
        """Puts sockets aside that are no longer this process's, and returns them."""
        moved = []
        for sid in sids:
            sock = self._sockets.pop(sid, None)
            if sock is not None:
                sock.seq = sock.blocked = 0
                self._parked[sid] = sock
                moved.append(sock)
        while len(self._parked) > PARKED:
            self._parked.popitem(last=False)
        return moved

    def snapshot(self, part: Iterable[session_pb2.Session], last: bool) -> list[Socket]:
        """Takes a part of a snapshot. The last part returns the sockets that are in none."""
        if self._listed is None:
            self._listed = set()
        for state in part:
            self.begin(state).seq = 0
            self._listed.add(state.sid)
        if not last:
            return []
        listed, self._listed = self._listed, None
        return self.park(
            [s.sid for s in self._sockets.values() if s.opened and s.sid not in listed]
        )

    def interrupt(self) -> None:
        """Forgets the parts of a snapshot whose end did not come."""
        self._listed = None

    def leave(self, room: str, namespace: str) -> None:
        """Takes a room from every socket of the namespace."""
        for sock in self._sockets.values():
            if sock.namespace == namespace:
                sock.rooms.pop(room, None)
