"""The stream to the edge: attach, read, write, and attach again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Protocol

import grpc
import grpc.aio

from sio_edge._gen.sioedge.v1 import event_service_pb2
from sio_edge.access import Access
from sio_edge.exceptions import EdgeError, FencedError
from sio_edge.outbox import Outbox, Request
from sio_edge.status import State, Status

SUBSCRIBE = "/sioedge.v1.EventService/Subscribe"
PROTOCOL = 1

# Seconds. The wait between two attempts doubles from the first to the second.
BACKOFF = (0.05, 5.0)
WELCOME_WITHIN = 10.0

OPTIONS = [
    # A connection that died without a word is noticed within 15 s. The edge allows a ping
    # each 10 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # How large a message may be is for the edge to say.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # The waits between attempts are ours; gRPC's own would add up with them.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
]

# Attaching again cannot help: the edge does not want this process as it is.
FINAL = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)


class Receiver(Protocol):
    """What the link reports to. Calls never overlap."""

    def hello(self) -> event_service_pb2.Hello:
        """The first message of the next stream."""

    def attached(self, welcome: event_service_pb2.Welcome) -> None:
        """A stream began."""

    def received(self, message: event_service_pb2.SubscribeResponse) -> None:
        """The edge sent something."""

    def lost(self) -> None:
        """The stream that began is over."""


class Link:
    """Keeps this process attached until it is stopped or refused."""

    def __init__(
        self, access: Access, options: list[tuple[str, Any]], receiver: Receiver,
        log: logging.Logger,
    ) -> None:
        self.status = Status(State.IDLE, access.address)
        self.outbox: Outbox  # set by the owner before run()
        self.access = access
        self._options = [*OPTIONS, *options]
        self._receiver = receiver
        self._log = log
        self._wake = asyncio.Event()
        self._watchers: set[asyncio.Queue[Status | None]] = set()
        self._call: grpc.aio.StreamStreamCall | None = None
        self._stopping = asyncio.Event()
        self._finishing = False
        self._again = False
        self.channel: grpc.aio.Channel | None = None

    def wake(self) -> None:
        """Has the outbox emptied in the next turn of the event loop."""
        self._wake.set()

    async def watch(self) -> AsyncIterator[Status]:
        """The status now and at each change, until it is STOPPED."""
        queue: asyncio.Queue[Status | None] = asyncio.Queue()
        queue.put_nowait(self.status)
        self._watchers.add(queue)
        try:
            while True:
                status = await queue.get()
                if status is None:
                    return
                yield status
                if status.state is State.STOPPED:
                    return
        finally:
            self._watchers.discard(queue)

    def _set(self, state: State, detail: str = "", **changes: Any) -> None:
        self.status = replace(self.status, **{"error": None, **changes}, state=state, detail=detail)
        for queue in self._watchers:
            queue.put_nowait(self.status)

    async def run(self) -> None:
        """Attaches again and again. Returns after stop().

        Raises:
            FencedError: Another process took this member's place.
            EdgeError: The edge refused this process.
        """
        self.channel = self.access.channel(self._options)
        wait = BACKOFF[0]
        error: BaseException | None = None
        try:
            while not self._stopping.is_set():
                self._set(State.CONNECTING)
                error, renew = None, error is not None and self.access.files
                try:
                    if renew:
                        old, self.channel = self.channel, self.access.channel(self._options)
                        await old.close()
                    if await self._stream():
                        wait = BACKOFF[0]
                except grpc.RpcError as failure:
                    error = EdgeError.of_call(failure)
                except (OSError, asyncio.TimeoutError) as failure:
                    error = failure
                attached, self._call = self.status.state, None
                if attached in (State.ATTACHED, State.DRAINING):
                    wait = BACKOFF[0]
                if isinstance(error, EdgeError) and error.code in FINAL:
                    raise FencedError(
                        "another process attached as the same member of the same group; "
                        "give each its own member"
                    ) if error.reason == "FENCED" else error
                if self._stopping.is_set():
                    return
                if self._again:
                    self._again = False
                    continue
                pause = wait * random.uniform(0.7, 1.3)
                wait = min(2 * wait, BACKOFF[1])
                why = str(error) if error else "the edge ended the stream"
                if attached in (State.ATTACHED, State.DRAINING):
                    self._log.warning("lost the edge at %s: %s", self.status.address, why)
                self._set(State.LOST, f"{why}; next attempt in {pause:.1f} s", error=error)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
        except (FencedError, EdgeError) as final:
            self._log.error("stopped: %s", final)
            self._set(State.STOPPED, str(final), error=final)
            raise
        finally:
            self._set(State.STOPPED, self.status.detail, error=self.status.error)
            await self.channel.close()

    async def _stream(self) -> bool:
        """One stream from its Hello to its end. Returns whether it was ever attached."""
        assert self.channel is not None
        call = self._call = self.channel.stream_stream(
            SUBSCRIBE,
            request_serializer=None,  # the outbox gives bytes
            response_deserializer=event_service_pb2.SubscribeResponse.FromString,
        )(metadata=self.access.metadata())
        writer: asyncio.Task[None] | None = None
        try:
            await call.write(Request(hello=self._receiver.hello()).SerializeToString())
            first = await asyncio.wait_for(call.read(), WELCOME_WITHIN)
            if first is grpc.aio.EOF:
                await self._raise(call)
                return False
            if not first.HasField("welcome"):
                raise OSError("the edge did not begin with Welcome")
            welcome = first.welcome
            self._receiver.attached(welcome)
            resume = event_service_pb2.ResumeOutcome.Name(welcome.resume).rpartition("_")[2].lower()
            self._log.info(
                "attached to edge %s at %s (%s)", welcome.edge_id, self.status.address, resume
            )
            self._set(
                State.ATTACHED, resume,
                edge_id=welcome.edge_id, epoch=welcome.epoch, version=welcome.version,
            )
            writer = asyncio.create_task(self._write(call))
            received = self._receiver.received
            while (message := await call.read()) is not grpc.aio.EOF:
                if message.HasField("draining"):
                    self._set(State.DRAINING, "the edge will stop")
                received(message)
            await self._raise(call)
            return True
        except asyncio.CancelledError:
            # reattach() and stop() cancel the call, not this task.
            if not (self._again or self._stopping.is_set()):
                raise
            return True
        finally:
            if writer is not None:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
                self._receiver.lost()
            call.cancel()

    @staticmethod
    async def _raise(call: grpc.aio.StreamStreamCall) -> None:
        # read() gives EOF for a failed stream too; its status tells the two apart.
        code = await call.code()
        if code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                code, await call.initial_metadata(), await call.trailing_metadata(),
                await call.details(),
            )

    async def _write(self, call: grpc.aio.StreamStreamCall) -> None:
        wake, take = self._wake, self.outbox.take
        try:
            while True:
                await wake.wait()
                wake.clear()
                for message in take():
                    await call.write(message)
                if self._finishing and not wake.is_set():
                    await call.done_writing()
                    return
        except (grpc.RpcError, asyncio.InvalidStateError):
            return  # the reader learns why

    def reattach(self) -> None:
        """Ends the stream, if there is one, and attaches at once with a new Hello."""
        if self.status.state in (State.ATTACHED, State.DRAINING) and self._call is not None:
            self._again = True
            self._call.cancel()

    def finish(self) -> None:
        """Closes the sending side once everything in the outbox is written.

        The edge ends the stream then, after the results of what it got.
        """
        self._stopping.set()
        self._finishing = True
        self._wake.set()

    def stop(self) -> None:
        """Ends the stream and attaches no more."""
        self._stopping.set()
        if self._call is not None:
            self._call.cancel()
