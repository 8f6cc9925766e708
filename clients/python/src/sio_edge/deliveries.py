"""From deliveries to handlers: in order for one socket, in parallel for many, each event once.

A delivery is settled when its handler has finished and handed back when the handler raised.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from sio_edge._gen.sioedge.v1 import event_pb2, event_service_pb2
from sio_edge.outbox import Outbox, Request
from sio_edge.sockets import Socket, Table
from sio_edge.trace import trace_parent

# What a handler's end gives: the decision on a connect request, the reply to a client as the bytes
# of a Payload, or nothing.
Answer = event_service_pb2.ConnectDecision | bytes | None

# Bounds of the answers kept for events that are delivered again.
DONE_EVENTS = 16_384
DONE_BYTES = 16 << 20


class Unretryable(Exception):
    """A handler ran to its end, but its answer cannot be sent; running it again is no help."""


class Delivery:
    """An event that is waiting for its handler or being handled."""

    __slots__ = ("attempt", "event", "id", "parent", "sock", "started", "stream", "taken")

    def __init__(
        self, delivery: event_service_pb2.Delivery, sock: Socket, stream: int, taken: float
    ) -> None:
        self.event = delivery.event
        self.parent = delivery.trace_parent
        self.sock = sock
        self.started = False
        self.given(delivery, stream, taken)

    def given(self, delivery: event_service_pb2.Delivery, stream: int, taken: float) -> None:
        """Takes the ids of the newest delivery of the same event."""
        self.id = delivery.delivery_id
        self.attempt = delivery.attempt
        self.stream = stream
        self.taken = taken


class Done:
    """The newest events that were handled, by offset, with their answers. Bounded."""

    def __init__(self, events: int = DONE_EVENTS, size: int = DONE_BYTES) -> None:
        self._answers: OrderedDict[int, Answer] = OrderedDict()
        self._events = events
        self._room = size

    def __contains__(self, offset: int) -> bool:
        return offset in self._answers

    def __getitem__(self, offset: int) -> Answer:
        return self._answers[offset]

    def add(self, offset: int, answer: Answer) -> None:
        """Remembers an answer and forgets the oldest ones beyond the bounds."""
        self._answers[offset] = answer
        self._room -= _size(answer)
        while len(self._answers) > self._events or self._room < 0:
            _, old = self._answers.popitem(last=False)
            self._room += _size(old)

    def clear(self) -> None:
        """Forgets everything."""
        for answer in self._answers.values():
            self._room += _size(answer)
        self._answers.clear()


def _size(answer: Answer) -> int:
    if answer is None:
        return 0
    return len(answer) if isinstance(answer, bytes) else answer.ByteSize()


class Deliveries:
    """Runs handlers and settles deliveries. Only the event loop touches it.

    Attributes:
        offset: The highest Event.offset seen, for the cursor.
    """

    def __init__(
        self,
        table: Table,
        outbox: Outbox,
        handle: Callable[[Socket, event_pb2.Event], Awaitable[Answer]],
        max_attempts: int,
        log: logging.Logger,
    ) -> None:
        self._table = table
        self._outbox = outbox
        self._handle = handle
        self._max_attempts = max_attempts
        self._log = log
        self._stream = 0
        self._running: dict[int, Delivery] = {}  # by offset: not settled, queued or started
        self._done = Done()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self.offset = 0

    def __len__(self) -> int:
        return len(self._running)

    def take(self, batch: Iterable[event_service_pb2.Delivery]) -> None:
        """Takes deliveries in the order they arrived."""
        if self._closing:
            return  # they could not be settled any more
        now = time.monotonic()
        for delivery in batch:
            event = delivery.event
            offset = event.offset
            if offset > self.offset:
                self.offset = offset
            again = self._running.get(offset)
            if again is not None:
                again.given(delivery, self._stream, now)
            elif offset in self._done:
                self._settle(delivery.delivery_id, self._done[offset])
            else:
                self._start(delivery, now)

    def _start(self, delivery: event_service_pb2.Delivery, now: float) -> None:
        event = delivery.event
        sock = self._table.obtain(event.sid, event.namespace)
        asks = event.HasField("connect_requested")
        if not asks and not self._in_turn(sock, event):
            return
        item = Delivery(delivery, sock, self._stream, now)
        self._running[event.offset] = item
        self._idle.clear()
        if asks:
            # Not behind the events of a session that waits to be resumed: one of its handlers
            # may be waiting for this very client.
            self.spawn(self._run(item))
            return
        sock.queue.append(item)
        if not sock.busy:
            sock.busy = True
            self.spawn(self._work(sock))

    def _in_turn(self, sock: Socket, event: event_pb2.Event) -> bool:
        # After an event was handed back, those of the same session that the edge had sent behind
        # it come again, after it.
        if sock.blocked:
            if event.seq > sock.blocked:
                return False
            sock.blocked = 0
        elif sock.seq and event.prev_seq > sock.seq:
            self._log.warning(
                "%s: events %d to %d never came", sock.sid, sock.seq + 1, event.prev_seq
            )
        sock.seq = event.seq
        return True

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs something as a task that close() ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, sock: Socket) -> None:
        queue = sock.queue
        while queue:
            await self._run(queue.popleft())
        sock.busy = False

    async def _run(self, item: Delivery) -> None:
        item.started = True
        event = item.event
        if item.parent or trace_parent.get():  # this task handles one event after the other
            trace_parent.set(item.parent)
        try:
            answer = await self._handle(item.sock, event)
        except Exception as error:
            self._hand_back(item, error)
        except asyncio.CancelledError as error:
            if self._closing:
                raise  # not settled: another process gets it
            self._hand_back(item, error)
        else:
            if self._finish(item):
                self._done.add(event.offset, answer)
                if item.stream == self._stream:
                    self._settle(item.id, answer)
        if not self._running:
            self._idle.set()

    def _finish(self, item: Delivery) -> bool:
        # False: the event is of a log that is lost, and its offset may mean another by now.
        offset = item.event.offset
        if self._running.get(offset) is not item:
            return False
        del self._running[offset]
        return True

    def _settle(self, delivery_id: int, answer: Answer) -> None:
        if answer is None:
            self._outbox.done(delivery_id)
        elif isinstance(answer, bytes):
            self._outbox.reply(delivery_id, answer)
        else:
            request = Request(decision=answer)
            request.decision.delivery_id = delivery_id
            self._outbox.push(request)

    def _hand_back(self, item: Delivery, error: BaseException) -> None:
        event, sock = item.event, item.sock
        ours = self._finish(item)
        last = isinstance(error, Unretryable) or item.attempt >= self._max_attempts
        cause = error.__cause__ if isinstance(error, Unretryable) and error.__cause__ else error
        self._log.error(
            "handler of %s for %s failed, attempt %d of %d%s",
            _name(event), event.sid, item.attempt, self._max_attempts,
            ": set aside" if last else "",
            exc_info=(type(cause), cause, cause.__traceback__),
        )
        if not ours or item.stream != self._stream:
            return  # it comes again on the new stream by itself
        self._outbox.nack(
            event_service_pb2.Nack(
                delivery_id=item.id, dead_letter=last, reason=f"{type(cause).__name__}: {cause}"
            )
        )
        if last and event.HasField("closed"):
            self._table.remove(sock)
        if not last and not event.HasField("connect_requested"):
            sock.blocked = event.seq
            self._drop(sock)

    def _drop(self, sock: Socket) -> None:
        for item in sock.queue:
            self._finish(item)
        sock.queue.clear()

    def lost(self) -> None:
        """Drops what has not been started when a stream ends: it comes again on the next."""
        self._stream += 1
        for item in [i for i in self._running.values() if not i.started]:
            if item.sock.queue:
                self._drop(item.sock)
        for sock in self._table:
            sock.blocked = 0
            sock.seq = 0
        if not self._running:
            self._idle.set()

    def moved(self, socks: Iterable[Socket]) -> None:
        """Drops what has not been started of sockets that are no longer this process's."""
        for sock in socks:
            self._drop(sock)
        if not self._running:
            self._idle.set()

    def forget(self) -> None:
        """Starts a new log: offsets of the old one mean nothing any more."""
        self._done.clear()
        self.offset = 0
        self._running = {}

    def extend(self, age: float) -> None:
        """Has the edge wait for everything that is older than `age` seconds."""
        then = time.monotonic() - age
        late = [
            i for i in self._running.values() if i.taken < then and i.stream == self._stream
        ]
        if late:
            now = time.monotonic()
            for item in late:
                item.taken = now
            self._outbox.extend([i.id for i in late])

    async def idle(self) -> None:
        """Waits until every delivery is settled."""
        await self._idle.wait()

    def stop(self) -> None:
        """Takes no more deliveries."""
        self._closing = True

    async def close(self) -> None:
        """Cancels the handlers that still run and waits for them."""
        self.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _name(event: event_pb2.Event) -> str:
    kind = event.WhichOneof("kind")
    return repr(event.client_event.event) if kind == "client_event" else str(kind)
