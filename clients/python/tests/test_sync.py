"""The server for threads, the emitter and the ASGI application."""

from __future__ import annotations

import asyncio
import json
import threading

import grpc
import pytest

import sio_edge
from fake_edge import Client, FakeEdge, refusal, session
from sio_edge._gen.sioedge.v1 import command_pb2, command_service_pb2, command_service_pb2_grpc
from sio_edge.exceptions import DisconnectedError, EdgeError


async def test_a_server_in_threads(edge: FakeEdge) -> None:
    sio = sio_edge.Server(edge.address, member="t")
    ended = []

    @sio.event
    def connect(sid: str, environ: dict, auth: dict) -> None:
        assert threading.current_thread().name.startswith("sio_edge")
        sio.save_session(sid, {"n": 1})
        sio.enter_room(sid, "lobby")
        sio.emit("welcome", to=sid)

    @sio.on("add")
    def add(sid: str, a: int, b: int) -> int:
        with sio.session(sid) as kept:
            kept["n"] += 1
        sio.enter_room(sid, "more")
        sio.emit("added", room="lobby")
        return a + b + sio.get_session(sid)["n"]

    class Chat(sio_edge.Namespace):
        def on_hi(self, sid: str) -> list[str]:
            self.emit("hello", to=sid)
            return self.rooms(sid)

        def on_disconnect(self, sid: str, reason: str) -> None:
            ended.append((sid, reason))

    sio.register_namespace(Chat("/chat"))
    with pytest.raises(DisconnectedError):
        sio.emit("too early")
    starting = asyncio.create_task(asyncio.to_thread(sio.start))
    b = Client("b", "/chat")
    stream = await edge.attach(session("b", "/chat"))
    await starting
    a = Client("a")
    stream.deliver(a.asks())
    accept = (await stream.next("decision")).accept
    assert list(accept.rooms) == ["lobby"] and [e.event for e in accept.greeting] == ["welcome"]
    stream.deliver(a.opened(rooms=["lobby"]), a.emits("add", 1, 2, reply=True))
    assert json.loads((await stream.next_reply()).payload.json) == [5]
    assert (await stream.command()).join.rooms == ["more"]
    assert (await stream.command()).emit.event == "added"
    stream.deliver(b.emits("hi", reply=True))
    assert json.loads((await stream.next_reply()).payload.json) == [["b"]]
    assert (await stream.command()).emit.target.namespace == "/chat"
    assert await asyncio.to_thread(sio.rooms, "a") == ["a", "lobby", "more"]
    missing = set(stream.deliver(a.emits("add", 1), b.closed()))  # the first does not fit
    while missing:
        for r in (await stream.next("ack")).done:
            missing -= set(range(r.first, r.last + 1))
    assert ended == [("b", sio.reason.CLIENT_DISCONNECT)]
    await asyncio.to_thread(sio.shutdown)


class _Commands(command_service_pb2_grpc.CommandServiceServicer):
    def __init__(self) -> None:
        self.got: list[command_pb2.Command] = []
        self.refuse = ""

    async def Execute(self, request, context):
        (command,) = request.commands
        self.got.append(command)
        result = command_pb2.CommandResult(command_id=command.command_id)
        result.receipt.matched = 2
        if self.refuse:
            result = refusal(command.command_id, grpc.StatusCode.INVALID_ARGUMENT, self.refuse)
        return command_service_pb2.ExecuteResponse(results=[result])


async def test_the_emitter() -> None:
    service = _Commands()
    server = grpc.aio.server()
    command_service_pb2_grpc.add_CommandServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with sio_edge.AsyncEmitter(f"127.0.0.1:{port}") as edge:
        assert (await edge.emit("news", ("a", 1), room="lobby")).matched == 2
        assert (await edge.emit("news", to=[])).matched == 0
        await edge.enter_room("s", "r")
        await edge.leave_room("s", "r")
        await edge.close_room("r")
        await edge.disconnect("s")
        ops = [c.WhichOneof("op") for c in service.got]
        assert ops == ["emit", "join", "leave", "leave", "disconnect"]
        assert list(service.got[0].emit.target.rooms) == ["lobby"]
        assert len({c.command_id for c in service.got}) == 5
        service.refuse = "PAYLOAD_INVALID"
        with pytest.raises(EdgeError, match="PAYLOAD_INVALID"):
            await edge.emit("news")
    await server.stop(0)


async def lifespan(app: sio_edge.ASGIApp, during) -> list[str]:
    sent: list[str] = []
    messages: asyncio.Queue = asyncio.Queue()
    messages.put_nowait({"type": "lifespan.startup"})

    async def send(message) -> None:
        sent.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            await during()
            messages.put_nowait({"type": "lifespan.shutdown"})

    await app({"type": "lifespan"}, messages.get, send)
    return sent


@pytest.mark.parametrize("other", ["none", "without", "with"])
async def test_the_asgi_application(edge: FakeEdge, other: str) -> None:
    sio = sio_edge.AsyncServer(edge.address, drain_timeout=0.1)
    log: list[str] = []

    async def web(scope, receive, send) -> None:
        if scope["type"] == "http":
            log.append(scope["path"])
            return
        if other == "without":
            raise AssertionError("http only")
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return

    app = sio_edge.ASGIApp(
        sio, None if other == "none" else web,
        on_startup=lambda: log.append("up"), on_shutdown=lambda: log.append("down"),
    )

    async def during() -> None:
        await edge.attach()
        await sio.start()
        statuses = []

        async def send(message) -> None:
            statuses.append(message.get("status"))

        for path in ("/socket.io/", "/page"):
            await app({"type": "http", "path": path}, None, send)
        assert statuses[0] == 404

    assert await lifespan(app, during) == [
        "lifespan.startup.complete", "lifespan.shutdown.complete",
    ]
    assert log == (["up", "down"] if other == "none" else ["up", "/page", "down"])
    assert sio.status.state is sio_edge.State.STOPPED
