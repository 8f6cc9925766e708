"""The server behind the real edge, with stock clients in front."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import sio_edge
from sio_edge import State
from sio_edge.exceptions import ClientGoneError, ConnectionRefusedError, FencedError, TimeoutError

HEX = {"$bytes": "00ff"}


@pytest.fixture
async def sio(real) -> Any:
    server = sio_edge.AsyncServer(real.address, group="chat", member="m1", drain_timeout=1)
    yield server
    await server.shutdown()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_the_whole_conversation(real, js, sio, transports) -> None:
    gone: asyncio.Queue = asyncio.Queue()
    seen: dict[str, Any] = {}

    @sio.event
    async def connect(sid, environ, auth):
        if auth.get("token") != "t":
            raise ConnectionRefusedError("who are you", {"code": 7})
        seen.update(query=environ["QUERY_STRING"], transport=environ["sioedge.transport"])
        await sio.enter_room(sid, "lobby")
        await sio.emit("joined", sid, room="lobby")
        await sio.emit("welcome", {"file": b"\x00\xff"}, to=sid)

    @sio.event
    async def disconnect(sid, reason):
        gone.put_nowait((sid, reason, sio.rooms(sid)))

    @sio.event
    async def echo(sid, *args):
        return args

    @sio.event
    async def say(sid, text):
        await sio.emit("said", text, room="lobby", skip_sid=sid)
        return "ok"

    @sio.event
    async def ask_me(sid, n):
        return await sio.call("question", (n, b"\x00\xff"), to=sid)

    await sio.start()
    js.start("x", auth={"token": "wrong"}, transports=transports)
    assert await js.told("x") == ["connect_error", "who are you", {"code": 7}]

    options = {"auth": {"token": "t"}, "query": {"q": "1"}, "transports": transports}
    a = await js.connect("a", **options)
    assert await js.got("a", "joined") == [a]
    assert await js.got("a", "welcome") == [{"file": HEX}]
    assert "q=1" in seen["query"] and seen["transport"] == transports[0]
    b = await js.connect("b", **options)
    assert await js.got("b", "joined") == [b]
    assert await js.got("b", "welcome") == [{"file": HEX}]
    assert await js.got("a", "joined") == [b]

    assert await js.ask("a", "echo", 2**53, [HEX, {"k": HEX}], None, "é") == [
        2**53, [HEX, {"k": HEX}], None, "é",
    ]
    assert await js.ask("a", "say", "hi") == ["ok"]
    assert await js.got("b", "said") == ["hi"]
    js._say("ask", "a", "ask_me", 41)
    assert await js.told("a") == ["question", 41, HEX]
    assert await js.told("a") == ["ack", 42, HEX]

    assert [s.sid async for s in sio.fetch_sockets(to="lobby")] == sorted([a, b])
    assert (await sio.fetch_socket(a)).rooms == ["lobby"]
    js.disconnect("a")
    assert await gone.get() == (a, sio.reason.CLIENT_DISCONNECT, [a, "lobby"])
    await sio.disconnect(b)
    assert await gone.get() == (b, sio.reason.SERVER_DISCONNECT, [b, "lobby"])
    assert ["disconnect", "io server disconnect"] == await js.told("b")
    with pytest.raises(ClientGoneError):
        await sio.call("question", to=b)


async def test_namespaces(real, js, sio) -> None:
    class Chat(sio_edge.AsyncNamespace):
        async def on_connect(self, sid, environ):
            await self.enter_room(sid, "r")

        async def on_hi(self, sid):
            await self.emit("hello", 1, room="r")
            return self.namespace

    sio.register_namespace(Chat("/chat"))
    sio.on("where", lambda namespace, sid: namespace, namespace="*")
    await sio.start()
    await js.connect("root")
    await js.connect("chat", "/chat")
    js._say("ask", "chat", "hi")
    assert await js.got("chat", "hello") == [1]
    assert await js.told("chat") == ["ack", "/chat"]
    assert await js.ask("root", "where") == ["/"]
    assert await js.ask("chat", "where") == ["/chat"]

    sio.on("hi", lambda sid: "late", namespace="/late")
    async for status in sio.statuses():
        if status.state is State.ATTACHED:
            break
    await sio.emit("x", confirm=True)
    await js.connect("late", "/late")
    assert await js.ask("late", "hi") == ["late"]


async def test_a_failing_handler_gets_the_event_again(real, js, sio) -> None:
    tries = 0

    @sio.event
    async def flaky(sid, n):
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("not yet")
        return n

    @sio.event
    async def after(sid):
        return tries

    await sio.start()
    await js.connect("a")
    js._say("ask", "a", "flaky", 1)
    js._say("ask", "a", "after")
    assert await js.told("a") == ["ack", 1]
    assert await js.told("a") == ["ack", 2]  # behind what was handed back, not before it


async def test_the_edge_is_killed(real, js, sio) -> None:
    """kill -9 of the edge: same session, same rooms, nothing missed, nothing handled twice."""
    handled = []
    log = []

    @sio.event
    async def connect(sid, environ, auth):
        await sio.save_session(sid, {"name": "Ann"})
        await sio.enter_room(sid, "lobby")

    sio.on("disconnect", lambda sid, reason: log.append(reason))
    resumed = asyncio.Event()
    sio.on_resume(lambda sid, complete: resumed.set())

    @sio.event
    async def work(sid, n):
        handled.append((n, (await sio.get_session(sid))["name"]))
        return n

    await sio.start()
    a = await js.connect("a")
    assert await js.ask("a", "work", 1) == [1]
    await sio.emit("one", room="lobby", confirm=True)
    await js.told("a")
    epoch = sio.status.epoch

    await real.kill()
    assert await js.told("a") == ["disconnect", "transport close"]
    async for status in sio.statuses():
        if status.state is State.LOST:
            break
    sending = asyncio.create_task(sio.emit("while away", room="lobby", confirm=True))
    await real.start()
    await resumed.wait()
    assert (await sending).matched == 1
    assert sio.status.epoch == epoch + 1
    told = [await js.told("a") for _ in range(2)]
    assert sorted(t[0] for t in told) == ["connect", "while away"]
    assert ["connect", a, True] in told
    assert await js.ask("a", "work", 2) == [2]
    assert handled == [(1, "Ann"), (2, "Ann")]
    assert sio.rooms(a) == [a, "lobby"] and log == []


async def test_a_client_comes_back(real, js, sio) -> None:
    log: asyncio.Queue = asyncio.Queue()
    sio.on_suspend(lambda sid, reason: log.put_nowait(("suspend", sid, reason)))
    sio.on_resume(lambda sid, complete: log.put_nowait(("resume", sid, complete)))

    @sio.event
    async def connect(sid, environ, auth):
        await sio.emit("welcome", to=sid)

    await sio.start()
    a = await js.connect("a")
    await js.got("a", "welcome")
    js.drop("a")
    assert (await js.told("a"))[0] == "disconnect"
    assert (await log.get())[:2] == ("suspend", a)
    assert await js.told("a") == ["connect", a, True]
    assert await log.get() == ("resume", a, True)
    await js.got("a", "welcome")  # of the connect handler that let it in again


async def test_the_backend_is_replaced(real, js, sio) -> None:
    """A new process under the same name: it knows the clients, the old one is told to stop."""
    sio.on("who", lambda sid: "old")
    await sio.start()
    waiting = asyncio.create_task(sio.wait())
    a = await js.connect("a")
    await sio.enter_room(a, "lobby")
    assert await js.ask("a", "who") == ["old"]

    new = sio_edge.AsyncServer(real.address, group="chat", member="m1")
    new.on("who", lambda sid: "new")
    async with new:
        with pytest.raises(FencedError):
            await waiting
        assert new.rooms(a) == [a, "lobby"]
        assert await js.ask("a", "who") == ["new"]


async def test_events_wait_for_a_backend(real, js, sio) -> None:
    sio.on("work", lambda sid, n: n)
    await sio.start()
    await js.connect("a")
    assert await js.ask("a", "work", 1) == [1]
    await sio.shutdown()
    js._say("ask", "a", "work", 2)
    new = sio_edge.AsyncServer(real.address, group="chat", member="m1")
    new.on("work", lambda sid, n: n * 10)
    async with new:
        assert await js.told("a") == ["ack", 20]


async def test_two_processes_of_a_group(real, js) -> None:
    handled: dict[str, int] = {"m1": 0, "m2": 0}

    def make(name: str) -> sio_edge.AsyncServer:
        server = sio_edge.AsyncServer(real.address, group="chat", member=name, drain_timeout=1)

        @server.event
        async def connect(sid, environ, auth):
            await server.enter_room(sid, "lobby")

        @server.event
        async def shout(sid, text):
            handled[name] += 1
            await server.emit("heard", text, room="lobby")
            return name

        return server

    async with make("m1") as one, make("m2") as two:
        names = [f"c{n}" for n in range(16)]  # placed by hash: all on one side once in 30,000 runs
        sids = [await js.connect(n) for n in names]
        js.emit("c0", "shout", 1)
        for n in names:
            assert await js.got(n, "heard") == [1]
        owners = []
        for n in names:
            js._say("ask", n, "shout", 2)
            for other in names:
                assert await js.got(other, "heard") == [2]
            owners.append((await js.told(n))[1])
        assert set(owners) == {"m1", "m2"}
        assert handled["m1"] + handled["m2"] == 17
        # A client of the other process can be reached too.
        for server in (one, two):
            for sid, n in zip(sids, names, strict=True):
                await server.emit("direct", 1, to=sid)
                assert await js.got(n, "direct") == [1]

        # Its clients move when a process leaves.
        await two.shutdown()
        js._say("ask", "c0", "shout", 3)
        for n in names:
            assert await js.got(n, "heard") == [3]
        assert await js.told("c0") == ["ack", "m1"]


async def test_call_times_out(real, js, sio) -> None:
    await sio.start()
    a = await js.connect("a")
    with pytest.raises(TimeoutError) as error:
        await sio.call("silent", to=a, timeout=0.1)
    assert not isinstance(error.value, ClientGoneError)
    calling = asyncio.create_task(sio.call("silent", to=a, timeout=20))
    assert await js.told("a") == ["silent"]
    assert await js.told("a") == ["silent"]
    js.disconnect("a")
    with pytest.raises(ClientGoneError):
        await calling


async def test_threads(real, js) -> None:
    sio = sio_edge.Server(real.address, group="threads", member="m1", namespaces=["/"])

    @sio.event
    def connect(sid, environ, auth):
        sio.enter_room(sid, "lobby")

    @sio.event
    def ask_me(sid, n):
        return sio.call("question", n, to=sid)

    await asyncio.to_thread(sio.start)
    await js.connect("a")
    js._say("ask", "a", "ask_me", 1)
    assert await js.told("a") == ["question", 1]
    assert await js.told("a") == ["ack", 2]
    await asyncio.to_thread(sio.shutdown)


async def test_the_emitter(real, js, sio) -> None:
    await sio.start()
    a = await js.connect("a")
    async with sio_edge.AsyncEmitter(real.address) as edge:
        await edge.enter_room(a, "lobby")
        assert (await edge.emit("news", "today", room="lobby")).matched == 1
        assert await js.got("a", "news") == ["today"]
        await edge.disconnect(a)
        assert await js.told("a") == ["disconnect", "io server disconnect"]
