"""Client events: which handler, in which order, and what settles them."""

from __future__ import annotations

import asyncio
import json

import pytest

import sio_edge
from fake_edge import Client, FakeEdge, Stream, session


async def begin(edge: FakeEdge, sio: sio_edge.AsyncServer, *clients: Client) -> Stream:
    """Starts the server with these clients connected."""
    starting = asyncio.create_task(sio.start())
    stream = await edge.attach(*[session(c.sid, c.namespace) for c in clients])
    await starting
    return stream


async def test_the_result_is_the_ack(edge: FakeEdge, sio: sio_edge.AsyncServer) -> None:
    @sio.event
    async def total(sid: str, a: int, b: int) -> int:
        return a + b

    @sio.event
    def several(sid: str) -> tuple[str, int]:
        return "OK", 123

    @sio.event
    def nothing(sid: str) -> None: ...

    a = Client("a")
    stream = await begin(edge, sio, a)
    stream.deliver(a.emits("total", 2**53, 1, reply=True))
    assert json.loads((await stream.next("reply")).payload.json) == [2**53 + 1]
    stream.deliver(a.emits("several", reply=True))
    assert json.loads((await stream.next("reply")).payload.json) == ["OK", 123]
    stream.deliver(a.emits("nothing", reply=True))
    assert (await stream.next("reply")).payload.json in (b"", b"[]")


async def test_binary_both_ways(edge: FakeEdge, sio: sio_edge.AsyncServer) -> None:
    got = []

    @sio.event
    async def file(sid: str, data: dict, note: bytes) -> tuple:
        got.append((data, note))
        return {"copy": [data["body"], bytearray(b"\x01")]}, b""

    a = Client("a")
    stream = await begin(edge, sio, a)
    hole = [{"_placeholder": True, "num": n} for n in range(3)]
    stream.deliver(
        a.emits("file", {"body": hole[1]}, hole[0], reply=True, attachments=(b"note", b"\x00\xff"))
    )
    reply = (await stream.next("reply")).payload
    assert got == [({"body": b"\x00\xff"}, b"note")]
    assert json.loads(reply.json) == [{"copy": [hole[0], hole[1]]}, hole[2]]
    assert list(reply.attachments) == [b"\x00\xff", b"\x01", b""]


async def test_a_placeholder_without_attachments_is_an_object(edge, sio) -> None:
    got = []
    sio.on("x", lambda sid, value: got.append(value))
    a = Client("a")
    stream = await begin(edge, sio, a)
    await stream.settled(*stream.deliver(a.emits("x", {"_placeholder": True, "num": 0})))
    assert got == [{"_placeholder": True, "num": 0}]


async def test_one_client_in_order_many_in_parallel(edge, sio) -> None:
    log: list[str] = []
    gate = asyncio.Event()

    @sio.event
    async def step(sid: str, n: int) -> None:
        log.append(f"{sid}{n} begins")
        if sid == "a" and n == 1:
            await gate.wait()
        log.append(f"{sid}{n} ends")

    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a, b)
    ids = stream.deliver(a.emits("step", 1), a.emits("step", 2), b.emits("step", 1))
    await stream.settled(ids[2])
    assert log == ["a1 begins", "b1 begins", "b1 ends"]
    gate.set()
    await stream.settled(*ids[:2])
    assert log[3:] == ["a1 ends", "a2 begins", "a2 ends"]


async def test_settled_deliveries_of_one_turn_are_one_message(edge, sio) -> None:
    sio.on("x", lambda sid: None)
    clients = [Client(f"c{n}") for n in range(50)]
    stream = await begin(edge, sio, *clients)
    stream.deliver(*[c.emits("x") for c in clients])
    ack = await stream.next("ack")
    assert [(r.first, r.last) for r in ack.done] == [(1, 50)]


async def test_a_failure_hands_back_and_what_was_behind_waits_for_it(edge, sio, caplog) -> None:
    log: list[int] = []
    fail = {2}

    @sio.event
    async def step(sid: str, n: int) -> None:
        log.append(n)
        if n in fail:
            raise RuntimeError("no")

    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a, b)
    events = [a.emits("step", n) for n in (1, 2, 3)]
    first, second, _ = stream.deliver(*events)
    ack = await stream.next("ack")
    assert [(r.first, r.last) for r in ack.done] == [(first, first)]
    assert [n.delivery_id for n in ack.nacks] == [second]
    assert not ack.nacks[0].dead_letter
    assert "RuntimeError: no" in ack.nacks[0].reason

    # What the edge had sent before it read the nack is ignored: it comes again.
    stream.deliver(late := a.emits("step", 4))
    await stream.settled(*stream.deliver(b.emits("step", 10)))
    assert log == [1, 2, 10]

    fail.clear()
    await stream.settled(*stream.deliver(*events[1:], late, attempt=2))
    assert log == [1, 2, 10, 2, 3, 4]


async def test_the_last_attempt_sets_aside_and_goes_on(edge, sio) -> None:
    log: list[int] = []

    @sio.event
    async def step(sid: str, n: int) -> None:
        log.append(n)
        if n == 1:
            raise RuntimeError("never")

    a = Client("a")
    stream = await begin(edge, sio, a)
    one, two = stream.deliver(a.emits("step", 1), a.emits("step", 2), attempt=5)
    ack = await stream.next("ack")
    assert [(n.delivery_id, n.dead_letter) for n in ack.nacks] == [(one, True)]
    assert [(r.first, r.last) for r in ack.done] == [(two, two)]
    assert log == [1, 2]


async def test_arguments_that_do_not_fit_are_settled(edge, sio, caplog) -> None:
    class Chat(sio_edge.AsyncNamespace):
        async def on_two(self, sid: str, a: int, b: int) -> None: ...

    sio.on("one", lambda sid, a: None)
    sio.register_namespace(Chat("/chat"))
    a, b = Client("a"), Client("b", "/chat")
    stream = await begin(edge, sio, a, b)
    await stream.settled(*stream.deliver(a.emits("one"), b.emits("two", 1, reply=True)))
    assert "argument" in caplog.text


async def test_a_type_error_inside_a_handler_is_a_failure(edge, sio) -> None:
    sio.on("x", lambda sid: len(3))  # type: ignore[arg-type]
    a = Client("a")
    stream = await begin(edge, sio, a)
    stream.deliver(a.emits("x"))
    assert (await stream.next("ack")).nacks


async def test_an_answer_that_cannot_be_sent_is_not_tried_again(edge, sio) -> None:
    sio.on("x", lambda sid: {1, 2})
    a = Client("a")
    stream = await begin(edge, sio, a)
    stream.deliver(a.emits("x", reply=True))
    ack = await stream.next("ack")
    assert ack.nacks[0].dead_letter
    assert "set cannot be sent" in ack.nacks[0].reason


async def test_who_handles_what(edge, sio) -> None:
    sio.on("known", lambda sid, *a: ["known", sid, *a])
    sio.on("*", lambda event, sid, *a: ["any", event, sid, *a])
    sio.on("known", lambda ns, sid, *a: ["known*", ns, sid, *a], namespace="*")
    sio.on("*", lambda event, ns, sid, *a: ["any*", event, ns, sid, *a], namespace="*")
    sio.on("own", lambda sid: ["own", sid], namespace="/one")
    a, b = Client("a"), Client("b", "/one")
    stream = await begin(edge, sio, a, b)

    async def ask(client: Client, name: str, *args: int) -> list:
        stream.deliver(client.emits(name, *args, reply=True))
        return json.loads((await stream.next("reply")).payload.json)[0]

    assert await ask(a, "known", 1) == ["known", "a", 1]
    assert await ask(a, "other", 1) == ["any", "other", "a", 1]
    assert await ask(b, "own") == ["own", "b"]
    assert await ask(b, "known", 1) == ["known*", "/one", "b", 1]
    assert await ask(b, "other") == ["any*", "other", "/one", "b"]


async def test_class_based_namespaces(edge, sio) -> None:
    class Chat(sio_edge.AsyncNamespace):
        async def on_hi(self, sid: str, name: str) -> str:
            await self.emit("hello", name, to=sid)
            return f"hi {name}"

        def on_plain(self, sid: str) -> list[str]:
            return self.rooms(sid)

    class Any(sio_edge.AsyncNamespace):
        async def trigger_event(self, event: str, *args: str) -> list[str]:
            return [event, *args]

    sio.register_namespace(Chat("/chat"))
    sio.register_namespace(Any("*"))
    a, b = Client("a", "/chat"), Client("b", "/else")
    stream = await begin(edge, sio, a, b)
    stream.deliver(a.emits("hi", "Ann", reply=True))
    assert json.loads((await stream.next("reply")).payload.json) == ["hi Ann"]
    emit = (await stream.command()).emit
    assert (emit.event, emit.target.namespace, list(emit.target.sids)) == ("hello", "/chat", ["a"])
    stream.deliver(a.emits("plain", reply=True))
    assert json.loads((await stream.next("reply")).payload.json) == [["a"]]
    stream.deliver(b.emits("what", reply=True))
    assert json.loads((await stream.next("reply")).payload.json) == [["what", "/else", "b"]]
    await stream.settled(*stream.deliver(a.emits("unknown", reply=True)))
    with pytest.raises(ValueError, match="AsyncNamespace"):
        sio.register_namespace(sio_edge.Namespace("/x"))


async def test_an_emit_comes_before_the_ack_of_its_handler(edge, sio) -> None:
    @sio.event
    async def x(sid: str) -> str:
        await sio.emit("first", to=sid)
        return "then"

    a = Client("a")
    stream = await begin(edge, sio, a)
    stream.deliver(a.emits("x", reply=True))
    await stream.next("commands")
    await stream.next("reply")


async def test_replies_that_are_ready_together_share_a_message(edge, sio) -> None:
    @sio.event
    async def x(sid: str, n: int) -> bytes | int:
        return bytes([n]) if n == 2 else n

    @sio.event
    async def y(sid: str) -> str:
        await sio.emit("first", to=sid)
        return "then"

    clients = [Client(f"c{n}") for n in range(1500)]
    stream = await begin(edge, sio, *clients)
    ids = stream.deliver(*[c.emits("x", n, reply=True) for n, c in enumerate(clients)])
    got = [await stream.next("reply") for _ in clients]
    assert [r.delivery_id for r in got] == ids
    assert [json.loads(r.payload.json)[0] for r in got if not r.payload.attachments] == [
        n for n in range(1500) if n != 2
    ]
    assert list(got[2].payload.attachments) == [b"\x02"]
    assert stream.batches == [1024, 476]

    # A command between two replies parts them.
    stream.deliver(*[c.emits("y", reply=True) for c in clients[:2]])
    for _ in range(2):
        await stream.next("commands")
        await stream.next("reply")
    assert stream.batches[2:] == [1, 1]


async def test_long_handlers_are_extended(edge) -> None:
    sio = sio_edge.AsyncServer(edge.address, ack_deadline=0.15)
    gate = asyncio.Event()

    @sio.event
    async def slow(sid: str) -> None:
        await gate.wait()

    a = Client("a")
    stream = await begin(edge, sio, a)
    (one,) = stream.deliver(a.emits("slow"))
    ack = await stream.next("ack")
    assert [(r.first, r.last) for r in ack.extend] == [(one, one)]
    gate.set()
    while not (ack := await stream.next("ack")).done:
        pass
    await sio.shutdown()


async def test_a_trace_goes_on(edge: FakeEdge, sio: sio_edge.AsyncServer) -> None:
    parents = []

    @sio.event
    async def say(sid: str, text: str) -> None:
        parents.append(sio_edge.trace_parent.get())
        await asyncio.sleep(0)
        await sio.emit("said", text, room=sid)

    a = Client("a")
    stream = await begin(edge, sio, a)
    followed = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for parent in (followed, ""):
        stream.deliver(a.emits("say", "hi"), trace_parent=parent)
        assert (await stream.command()).trace_parent == parent
    assert parents == [followed, ""]
