"""What is to be sent to the edge, in order, and what the edge has not confirmed yet.

Nothing here does I/O: the link takes messages out and writes them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from sio_edge._gen.sioedge.v1 import command_pb2, event_service_pb2
from sio_edge.exceptions import DisconnectedError, EdgeError
from sio_edge.trace import trace_parent

Request = event_service_pb2.SubscribeRequest

# Of one CommandBatch or ReplyBatch. The number is the contract's; the size keeps messages below
# what gRPC libraries accept by default.
BATCH_ITEMS = 1024
BATCH_BYTES = 1 << 20

# A message costs far more than what it holds, and nobody waits for an ack: the edge needs it only
# before the window is full. So acks wait for each other, but neither longer nor more than this.
ACK_WITHIN = 0.002
ACK_EVENTS = 128

# Bounds of what the edge has not confirmed. Who sends more waits.
PENDING_COMMANDS = 16_384
PENDING_BYTES = 32 << 20


# The wire format of protobuf, where it saves copying every command and reply three times: the
# tags of SubscribeRequest.commands and replies, of the items of either batch, of Reply.delivery_id
# and Reply.payload, and Command.quiet = true.
_COMMANDS = b"\x32"
_REPLIES = b"\x4a"
_ITEM = b"\x0a"
_DELIVERY = b"\x08"
_PAYLOAD = b"\x12"
_QUIET = b"\x38\x01"


class _Item:
    """Something to send, as its bytes: a whole message."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)


class _Reply(_Item):
    """A Reply; neighbours share a ReplyBatch."""

    __slots__ = ()


class _Pending(_Item):
    """A command, kept until the edge has confirmed it; neighbours share a CommandBatch."""

    __slots__ = ("future", "number", "op", "quiet", "sent", "volatile")

    def __init__(
        self, number: int, command: command_pb2.Command,
        future: asyncio.Future[command_pb2.Receipt] | None,
    ) -> None:
        super().__init__(command.SerializeToString())
        self.number = number
        self.op = command.WhichOneof("op") or ""
        self.future = future
        self.quiet = False
        self.sent = False
        self.volatile = command.emit.volatile


class Outbox:
    """Collects what is sent within one turn of the event loop into few messages.

    Commands keep their order among each other and towards replies and decisions; settled
    deliveries are told after everything else and a little later, so that what a handler sent is
    never lost between its command and its ack.

    Of the commands of a message that nobody waits for, only the last asks for a result: results
    come in the order of the commands, so it confirms those before it. What is not confirmed when
    a stream is lost goes out again on the next, byte for byte, under the same idempotency keys.
    Volatile emits are for clients that can take them at once: they are not sent again, and not
    kept while there is no stream.
    """

    def __init__(
        self, prefix: str, wake: Callable[[], None], failed: Callable[[EdgeError, str], None]
    ) -> None:
        """Args:
        prefix: Begins every idempotency key; unique to this process.
        wake: Called when there is something to take.
        failed: Told about commands that failed and that nobody waits for.
        """
        self._prefix = prefix
        self._wake = wake
        self._failed = failed
        self._number = 0
        self._pending: deque[_Pending] = deque()  # by number
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False
        self._open = False  # there is a stream

        # Of the current stream.
        self._queue: list[_Item] = []
        self._done: list[int] = []
        self._due = False  # the acks have waited long enough
        self._timer: asyncio.TimerHandle | None = None
        self._nacks: list[event_service_pb2.Nack] = []
        self._extend: list[int] = []

    @property
    def unconfirmed(self) -> int:
        """Commands that the edge has not confirmed."""
        return len(self._pending)

    async def room(self) -> None:
        """Waits until a command may be added."""
        while not self._room.is_set():
            await self._room.wait()
        if self._closed:
            raise DisconnectedError("the server has been shut down")

    @property
    def full(self) -> bool:
        """Whether a sender has to wait for room()."""
        return self._closed or not self._room.is_set()

    def send(
        self, command: command_pb2.Command,
        future: asyncio.Future[command_pb2.Receipt] | None = None,
    ) -> str:
        """Adds a command and returns its key. `future` gets the Receipt or an EdgeError."""
        self._number += 1
        command.command_id = key = f"{self._prefix}{self._number}"
        parent = trace_parent.get()
        if parent:
            command.trace_parent = parent
        pending = _Pending(self._number, command, future)
        if pending.volatile and not self._open:
            if future is not None:
                future.set_result(command_pb2.Receipt())
            return key
        self._pending.append(pending)
        self._queue.append(pending)
        self._bytes += pending.size
        if self._bytes >= PENDING_BYTES or len(self._pending) >= PENDING_COMMANDS:
            self._room.clear()
        self._wake()
        return key

    def reply(self, delivery_id: int, payload: bytes) -> None:
        """Answers a client's callback with a Payload, given as its bytes."""
        parts = (_DELIVERY, _varint(delivery_id), _PAYLOAD, _varint(len(payload)), payload)
        self._queue.append(_Reply(b"".join(parts)))
        self._wake()

    def push(self, request: Request) -> None:
        """Adds a decision or anything else that has its place between commands."""
        self._queue.append(_Item(request.SerializeToString()))
        self._wake()

    def done(self, delivery_id: int) -> None:
        """Settles a delivery."""
        self._done.append(delivery_id)
        if len(self._done) >= ACK_EVENTS:
            self.hurry()
        elif self._timer is None and not self._due:
            self._timer = asyncio.get_running_loop().call_later(ACK_WITHIN, self.hurry)

    def hurry(self) -> None:
        """Has the acks sent with whatever else there is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = True
        self._wake()

    def nack(self, nack: event_service_pb2.Nack) -> None:
        """Hands a delivery back."""
        self._nacks.append(nack)
        self.hurry()

    def extend(self, delivery_ids: list[int]) -> None:
        """Says that deliveries are still being handled."""
        self._extend += delivery_ids
        self.hurry()

    def take(self) -> list[bytes]:
        """Everything there is, as SubscribeRequests to write in this order."""
        queue, self._queue = self._queue, []
        messages: list[bytes] = []
        for kind, neighbours in itertools.groupby(queue, type):
            if kind is _Item:
                messages += [item.data for item in neighbours]
            else:
                messages += map(_batch, _chunks(neighbours))
        if self._due and (self._done or self._nacks or self._extend):
            ack = event_service_pb2.Ack(
                done=ranges(self._done), nacks=self._nacks, extend=ranges(self._extend)
            )
            self._forget_acks()
            messages.append(Request(ack=ack).SerializeToString())
        return messages

    def _forget_acks(self) -> None:
        self._done, self._nacks, self._extend = [], [], []
        self._due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def confirm(self, results: Iterable[command_pb2.CommandResult]) -> None:
        """Takes results. A result confirms every command sent before its own too."""
        pending = self._pending
        for result in results:
            if not result.command_id.startswith(self._prefix):
                continue
            number = int(result.command_id[len(self._prefix) :])
            while pending and pending[0].number <= number:
                item = pending.popleft()
                self._bytes -= item.size
                if item.number == number:
                    self._settle(item, result)
        if self._bytes < PENDING_BYTES and len(pending) < PENDING_COMMANDS:
            self._room.set()

    def _settle(self, item: _Pending, result: command_pb2.CommandResult) -> None:
        future = item.future
        if result.HasField("status") and result.status.code:
            error = EdgeError.of(result.status)
            if future is None:
                self._failed(error, item.op)
            elif not future.done():
                future.set_exception(error)
        elif future is not None and not future.done():
            future.set_result(result.receipt)

    def opened(self) -> None:
        """A stream begins."""
        self._open = True
        self._wake()

    def lost(self) -> None:
        """Starts over for the next stream, with the commands that are not confirmed."""
        self._open = False
        again: deque[_Pending] = deque()
        for item in self._pending:
            if item.volatile:
                self._bytes -= item.size
                if item.future is not None and not item.future.done():
                    item.future.set_result(command_pb2.Receipt())
            else:
                again.append(item)
        self._pending = again
        self._queue = list(again)
        self._forget_acks()
        if self._bytes < PENDING_BYTES and len(again) < PENDING_COMMANDS:
            self._room.set()

    def close(self) -> None:
        """Fails everyone who waits; nothing is sent any more."""
        self._closed = True
        self._room.set()
        for item in self._pending:
            if item.future is not None and not item.future.done():
                item.future.set_exception(DisconnectedError("the server has been shut down"))
        self._pending.clear()
        self._queue.clear()
        self._forget_acks()


def _chunks(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    chunk: list[_Item] = []
    size = 0
    for item in items:
        if len(chunk) == BATCH_ITEMS or (chunk and size + item.size > BATCH_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += item.size
    yield chunk


def _batch(items: list[_Item]) -> bytes:
    kind = _REPLIES
    if isinstance(items[0], _Pending):
        kind = _COMMANDS
        _hush(cast("list[_Pending]", items))
    parts: list[bytes] = []
    for item in items:
        parts += (_ITEM, _varint(len(item.data)), item.data)
    batch = b"".join(parts)
    return b"".join((kind, _varint(len(batch)), batch))


def _hush(items: list[_Pending]) -> None:
    # The last command confirms all. The last that is not volatile does too: should the stream
    # break, it is the last that is sent again.
    last = lasting = True
    for item in reversed(items):
        if not item.sent:
            item.sent = True  # from now on it must not change, or the edge takes it for another
            item.quiet = item.future is None and not (last if item.volatile else lasting)
            if item.quiet:
                item.data += _QUIET
        if not item.quiet:
            last = False
            lasting = lasting and item.volatile


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def ranges(ids: list[int]) -> list[event_service_pb2.DeliveryRange]:
    """The ids as ranges, fewest first to last."""
    out: list[event_service_pb2.DeliveryRange] = []
    ids.sort()
    first = last = -1
    for n in ids:
        if n <= last + 1 and last >= 0:
            last = n
            continue
        if last >= 0:
            out.append(event_service_pb2.DeliveryRange(first=first, last=last))
        first = last = n
    if last >= 0:
        out.append(event_service_pb2.DeliveryRange(first=first, last=last))
    return out
