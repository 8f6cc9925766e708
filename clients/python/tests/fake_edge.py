"""An edge for tests: a real gRPC server that does what the test tells it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from sio_edge._gen.sioedge.v1 import (
    command_pb2,
    event_pb2,
    event_service_pb2,
    event_service_pb2_grpc,
    session_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
)

Response = event_service_pb2.SubscribeResponse
WITHIN = 5.0


def payload(*args: Any) -> event_pb2.Payload:
    """Arguments without attachments."""
    return event_pb2.Payload(json=json.dumps(args).encode())


def session(sid: str, namespace: str = "/", **fields: Any) -> session_pb2.Session:
    """A session that is open."""
    return session_pb2.Session(
        sid=sid, namespace=namespace, state=session_pb2.SESSION_STATE_OPEN, **fields
    )


class Stream:
    """One member's stream, as the edge sees it."""

    def __init__(self, hello: event_service_pb2.Hello) -> None:
        self.hello = hello
        self.requests: asyncio.Queue[event_service_pb2.SubscribeRequest | None] = asyncio.Queue()
        self.responses: asyncio.Queue[Response | grpc.StatusCode | None] = asyncio.Queue()
        self.commands: asyncio.Queue[command_pb2.Command] = asyncio.Queue()
        self.batches: list[int] = []  # how many replies came in each message of replies
        self.confirm = True  # answer commands with success
        self._delivery = 0

    def send(self, **message: Any) -> None:
        self.responses.put_nowait(Response(**message))

    def end(self, reason: grpc.StatusCode | None = None, error: str = "") -> None:
        """Ends the stream, with a status and perhaps an ErrorInfo reason."""
        self.error = error
        self.responses.put_nowait(reason)

    def welcome(
        self, *sessions: session_pb2.Session, continued: bool = False, log_id: str = "log",
        epoch: int = 1,
    ) -> None:
        outcome = event_service_pb2
        resume = outcome.RESUME_OUTCOME_FRESH
        if continued:
            resume = outcome.RESUME_OUTCOME_CONTINUED
        elif self.hello.HasField("resume"):
            resume = outcome.RESUME_OUTCOME_SNAPSHOT
        self.send(
            welcome=event_service_pb2.Welcome(
                protocol_version=1, edge_id="e1", epoch=epoch, log_id=log_id, resume=resume,
                version="test",
            )
        )
        if not continued:
            self.send(snapshot=event_service_pb2.Snapshot(sessions=sessions, last=True))

    def deliver(self, *events: event_pb2.Event, attempt: int = 1, trace_parent: str = "") -> list[int]:
        """One batch. Returns the delivery ids."""
        batch, ids = [], []
        for event in events:
            self._delivery += 1
            ids.append(self._delivery)
            batch.append(
                event_service_pb2.Delivery(
                    delivery_id=self._delivery,
                    attempt=attempt,
                    event=event,
                    trace_parent=trace_parent,
                )
            )
        self.send(deliveries=event_service_pb2.DeliveryBatch(deliveries=batch))
        return ids

    async def next(self, kind: str | None = None) -> Any:
        """The next message but commands, which are collected; its kind may be asserted.

        Replies come one by one as "reply", however they were sent.
        """
        while True:
            request = await asyncio.wait_for(self.requests.get(), WITHIN)
            assert request is not None, "the stream is over"
            got = request.WhichOneof("message")
            if got == "commands" and kind != "commands":
                continue
            assert kind is None or got == kind, request
            return getattr(request, got)

    async def ended(self) -> None:
        """Waits until the member has closed its side or the stream is over."""
        while await asyncio.wait_for(self.requests.get(), WITHIN) is not None:
            pass

    async def command(self) -> command_pb2.Command:
        """The oldest command that was not taken."""
        return await asyncio.wait_for(self.commands.get(), WITHIN)

    async def next_reply(self) -> event_service_pb2.Reply:
        """The next reply, whatever is acked in between."""
        while True:
            request = await asyncio.wait_for(self.requests.get(), WITHIN)
            assert request is not None, "the stream is over"
            if request.HasField("reply"):
                return request.reply

    async def settled(self, *ids: int) -> None:
        """Waits for acks of exactly these deliveries."""
        want = set(ids)
        while want:
            ack = await self.next("ack")
            for r in ack.done:
                got = set(range(r.first, r.last + 1))
                assert got <= want, f"{got} settled, expected {want}"
                want -= got


class FakeEdge(
    event_service_pb2_grpc.EventServiceServicer, session_service_pb2_grpc.SessionServiceServicer
):
    """Listens on `address` between start() and stop(), and again after another start()."""

    def __init__(self) -> None:
        self.address = "127.0.0.1:0"
        self.streams: asyncio.Queue[Stream] = asyncio.Queue()
        self.sessions: dict[str, session_pb2.Session] = {}
        self._log: list[Stream] = []
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        event_service_pb2_grpc.add_EventServiceServicer_to_server(self, self._server)
        session_service_pb2_grpc.add_SessionServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port(self.address)
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def stop(self) -> None:
        for stream in self._log:
            stream.end(grpc.StatusCode.UNAVAILABLE)
        self._log.clear()
        if self._server is not None:
            await self._server.stop(0)

    async def accept(self) -> Stream:
        """The next member that attached; its Hello is read, nothing is answered."""
        return await asyncio.wait_for(self.streams.get(), WITHIN)

    async def attach(self, *sessions: session_pb2.Session, **welcome: Any) -> Stream:
        """The next member, welcomed."""
        stream = await self.accept()
        stream.welcome(*sessions, **welcome)
        return stream

    async def Subscribe(self, requests: Any, context: Any) -> Any:
        first = await anext(requests)
        assert first.HasField("hello"), "the first message is Hello"
        stream = Stream(first.hello)
        self._log.append(stream)
        self.streams.put_nowait(stream)
        reader = asyncio.create_task(self._read(requests, stream))
        try:
            while True:
                response = await stream.responses.get()
                if response is None:
                    return
                if isinstance(response, grpc.StatusCode):
                    await context.abort(response, "told so", _details(response, stream.error))
                yield response
        finally:
            reader.cancel()
            stream.requests.put_nowait(None)

    async def _read(self, requests: Any, stream: Stream) -> None:
        async for request in requests:
            if request.HasField("commands"):
                batch = request.commands.commands
                assert len(batch) <= 1024
                for command in batch:
                    stream.commands.put_nowait(command)
                if stream.confirm:
                    self.results(stream, batch)
            if request.HasField("replies"):
                replies = request.replies.replies
                assert 0 < len(replies) <= 1024
                stream.batches.append(len(replies))
                for reply in replies:
                    stream.requests.put_nowait(event_service_pb2.SubscribeRequest(reply=reply))
                continue
            stream.requests.put_nowait(request)
        stream.requests.put_nowait(None)
        stream.responses.put_nowait(None)

    def results(self, stream: Stream, batch: Any, matched: int = 1) -> None:
        results = [
            command_pb2.CommandResult(
                command_id=c.command_id, receipt=command_pb2.Receipt(matched=matched)
            )
            for c in batch
            if not c.quiet
        ]
        if results:
            stream.send(results=event_service_pb2.CommandResultBatch(results=results))

    async def GetSession(self, request: Any, context: Any) -> Any:
        if request.sid not in self.sessions:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, "no such session",
                _details(grpc.StatusCode.NOT_FOUND, "SESSION_GONE"),
            )
        return session_service_pb2.GetSessionResponse(session=self.sessions[request.sid])

    async def ListSessions(self, request: Any, context: Any) -> Any:
        sids = sorted(self.sessions)
        start = sids.index(request.page_token) if request.page_token else 0
        page = [self.sessions[s] for s in sids[start : start + 2]]
        more = sids[start + 2] if start + 2 < len(sids) else ""
        return session_service_pb2.ListSessionsResponse(sessions=page, next_page_token=more)


def refusal(command_id: str, code: grpc.StatusCode, reason: str) -> command_pb2.CommandResult:
    """The result of a command that failed."""
    return command_pb2.CommandResult(command_id=command_id, status=_status(code, reason))


def _status(code: grpc.StatusCode, reason: str) -> status_pb2.Status:
    status = status_pb2.Status(code=code.value[0], message="told so")
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(domain="sio-edge", reason=reason))
    status.details.append(detail)
    return status


def _details(code: grpc.StatusCode, reason: str) -> tuple[tuple[str, bytes], ...]:
    if not reason:
        return ()
    return (("grpc-status-details-bin", _status(code, reason).SerializeToString()),)


class Client:
    """Makes the events of one session, with seq and prev_seq as the edge counts them."""

    _offset = 0

    def __init__(self, sid: str, namespace: str = "/") -> None:
        self.sid = sid
        self.namespace = namespace
        self.seq = 0

    def _event(self, seq: bool = True, **kind: Any) -> event_pb2.Event:
        Client._offset += 1
        event = event_pb2.Event(
            offset=Client._offset, sid=self.sid, namespace=self.namespace, **kind
        )
        if seq:
            event.prev_seq, self.seq = self.seq, self.seq + 1
            event.seq = self.seq
        return event

    def asks(self, auth: Any = None, resuming: bool = False, **handshake: Any) -> event_pb2.Event:
        request = event_pb2.ConnectRequested(
            handshake=session_pb2.Handshake(**handshake),
            auth_json=json.dumps(auth).encode() if auth is not None else b"",
            resuming=resuming,
        )
        request.answer_by.FromSeconds(4_000_000_000)
        return self._event(seq=False, connect_requested=request)

    def opened(self, **fields: Any) -> event_pb2.Event:
        state = session(self.sid, self.namespace, **fields)
        return self._event(opened=event_pb2.Opened(session=state))

    def suspended(self) -> event_pb2.Event:
        reason = event_pb2.CLOSE_REASON_TRANSPORT_CLOSE
        return self._event(suspended=event_pb2.Suspended(reason=reason))

    def resumed(self, complete: bool = True, **fields: Any) -> event_pb2.Event:
        state = session(self.sid, self.namespace, recovered=complete, **fields)
        return self._event(resumed=event_pb2.Resumed(session=state, complete=complete))

    def closed(self, reason: int = event_pb2.CLOSE_REASON_CLIENT, **fields: Any) -> event_pb2.Event:
        state = session(self.sid, self.namespace, **fields)
        return self._event(closed=event_pb2.Closed(reason=reason, session=state))

    def emits(
        self, name: str, *args: Any, reply: bool = False, attachments: tuple[bytes, ...] = ()
    ) -> event_pb2.Event:
        sent = payload(*args)
        sent.attachments.extend(attachments)
        return self._event(
            client_event=event_pb2.ClientEvent(event=name, payload=sent, wants_reply=reply)
        )
