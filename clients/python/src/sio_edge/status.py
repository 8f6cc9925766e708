"""What is known about the connection to the edge, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Where the connection to the edge is in its life."""

    IDLE = "idle"
    """Not started."""
    CONNECTING = "connecting"
    """Trying to attach."""
    ATTACHED = "attached"
    """Events and commands flow."""
    DRAINING = "draining"
    """Attached, but the edge said that it will stop."""
    LOST = "lost"
    """The stream ended; it is tried again. Commands are kept until then."""
    STOPPED = "stopped"
    """Over: after shutdown(), or because the edge refused this process."""


@dataclass(frozen=True)
class Status:
    """The connection to the edge at one moment."""

    state: State
    """Where it is in its life."""
    address: str
    """The edge's address, as given."""
    detail: str = ""
    """For people: how the resume went, why the stream ended, when it is tried again."""
    edge_id: str = ""
    """The edge, stable over its restarts. Known once attached."""
    epoch: int = 0
    """How often that edge has started. Another value than before means that it restarted."""
    version: str = ""
    """The edge's version."""
    error: BaseException | None = None
    """What ended the stream, if it was an error."""

    def __str__(self) -> str:
        text = f"edge {self.address} {self.state.value}"
        return f"{text}: {self.detail}" if self.detail else text


class Reason:
    """Why a client is gone, as given to disconnect handlers.

    The first five are python-socketio's words, so that handlers comparing with ``sio.reason``
    work unchanged; the others are words that Socket.IO servers or the edge use.
    """

    SERVER_DISCONNECT = "server disconnect"
    """A backend called disconnect()."""
    CLIENT_DISCONNECT = "client disconnect"
    """The client called disconnect()."""
    PING_TIMEOUT = "ping timeout"
    """The client did not answer heartbeats."""
    TRANSPORT_CLOSE = "transport close"
    """The client's connection ended, and it was not back within the recovery window."""
    TRANSPORT_ERROR = "transport error"
    """The client's connection failed, and it was not back within the recovery window."""
    PARSE_ERROR = "parse error"
    """The client sent something that is no packet."""
    FORCED_CLOSE = "forced close"
    """The edge closed the connection."""
    FORCED_SERVER_CLOSE = "forced server close"
    """The client broke the Socket.IO protocol."""
    EDGE_DRAIN = "server shutting down"
    """The edge stopped."""
    SLOW_CONSUMER = "slow consumer"
    """The client did not read fast enough."""
    EDGE_RESTART = "edge restart"
    """The edge restarted, and the client was not back within its window."""


# By CloseReason.
REASONS = {
    1: Reason.CLIENT_DISCONNECT,
    2: Reason.SERVER_DISCONNECT,
    3: Reason.TRANSPORT_CLOSE,
    4: Reason.TRANSPORT_ERROR,
    5: Reason.PING_TIMEOUT,
    6: Reason.PARSE_ERROR,
    7: Reason.FORCED_CLOSE,
    8: Reason.FORCED_SERVER_CLOSE,
    9: Reason.EDGE_DRAIN,
    10: Reason.SLOW_CONSUMER,
    11: Reason.EDGE_RESTART,
}
