"""Clients' acknowledgements of events that this process emitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from sio_edge._gen.sioedge.v1 import command_pb2
from sio_edge.exceptions import ClientGoneError, TimeoutError
from sio_edge.payload import Codec

# Seconds. The edge counts the timeout; this much later its word is no longer expected, because
# the stream it was on is gone.
GRACE = 5.0

# The longest that the edge waits.
LONGEST = 600.0


class _Waiting:
    __slots__ = ("answered", "ended", "outcome", "timer")

    def __init__(
        self, answered: Callable[..., Any], ended: Callable[[int], None],
        timer: asyncio.TimerHandle,
    ) -> None:
        self.answered = answered
        self.ended = ended
        self.timer = timer
        self.outcome = command_pb2.ACK_OUTCOME_TIMED_OUT  # the newest that is no answer


class Acks:
    """Who waits for which acknowledgement, by the key of the emit."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(
        self, key: str, timeout: float, answered: Callable[..., Any],
        ended: Callable[[int], None] = lambda outcome: None,
    ) -> None:
        """Calls `answered` with the arguments of each answer and `ended` after the last one.

        `ended` gets the last AckOutcome that was no answer.
        """
        timer = asyncio.get_running_loop().call_later(timeout + GRACE, self._end, key)
        self._waiting[key] = _Waiting(answered, ended, timer)

    def take(
        self, acks: Iterable[command_pb2.ClientAck], summaries: Iterable[command_pb2.AckSummary]
    ) -> None:
        """Takes what clients answered and which emits have got all their answers."""
        for ack in acks:
            waiting = self._waiting.get(ack.command_id)
            if waiting is None:
                continue
            if ack.outcome == command_pb2.ACK_OUTCOME_ACKED:
                waiting.answered(*self._codec.decode(ack.payload))
            else:
                waiting.outcome = ack.outcome
        for summary in summaries:
            waiting = self._waiting.get(summary.command_id)
            if waiting is not None and not summary.expected:
                waiting.outcome = command_pb2.ACK_OUTCOME_DISCONNECTED
            self._end(summary.command_id)

    def forget(self, key: str) -> None:
        """Stops waiting without a word."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.timer.cancel()

    def _end(self, key: str) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.timer.cancel()
            waiting.ended(waiting.outcome)

    def close(self) -> None:
        """Ends every wait."""
        for key in list(self._waiting):
            self._end(key)


def not_answered(outcome: int) -> TimeoutError:
    """The exception for an outcome that is no answer."""
    if outcome == command_pb2.ACK_OUTCOME_TIMED_OUT:
        return TimeoutError("the client did not acknowledge in time")
    if outcome == command_pb2.ACK_OUTCOME_DROPPED:
        return ClientGoneError("the event was not written to the client")
    return ClientGoneError("the client is gone")
