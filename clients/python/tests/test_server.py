"""What handlers call."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import grpc
import pytest

import sio_edge
from fake_edge import Client, payload, refusal, session
from sio_edge._gen.sioedge.v1 import command_pb2, event_service_pb2
from sio_edge.exceptions import ClientGoneError, EdgeError, TimeoutError
from test_events import begin

SID = "k3FzAAAAAAAAAAAAAAQa"  # looks like one, and is not ours


def answer(stream, command: command_pb2.Command, *acks: command_pb2.ClientAck) -> None:
    for ack in acks:
        ack.command_id = command.command_id
    stream.send(
        client_acks=event_service_pb2.ClientAckBatch(
            acks=acks,
            summaries=[
                command_pb2.AckSummary(command_id=command.command_id, expected=len(acks))
            ],
        )
    )


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ({}, {"everyone": True}),
        ({"to": "a"}, {"sids": ["a"]}),
        ({"room": "a"}, {"sids": ["a"]}),
        ({"to": "lobby"}, {"rooms": ["lobby"]}),
        ({"to": ["a", "lobby", 7]}, {"sids": ["a"], "rooms": ["lobby", "7"]}),
        ({"to": SID}, {"sids": [SID], "rooms": [SID]}),
        ({"skip_sid": "a"}, {"everyone": True, "except_sids": ["a"]}),
        ({"skip_room": ["x", 1]}, {"everyone": True, "except_rooms": ["x", "1"]}),
        ({"to": "r", "skip_sid": ["a", None]}, {"rooms": ["r"], "except_sids": ["a"]}),
        ({"user": "u"}, {"user_ids": ["u"]}),
        ({"user": ["u", "v"], "to": "r"}, {"user_ids": ["u", "v"], "rooms": ["r"]}),
    ],
)
async def test_targets(edge, sio, arguments, target) -> None:
    stream = await begin(edge, sio, Client("a"))
    await sio.emit("x", 1, **arguments)
    assert (await stream.command()).emit.target == command_pb2.Target(namespace="/", **target)


@pytest.mark.parametrize(
    ("data", "json", "attachments"),
    [
        (None, b"[]", []),
        ("é\u2028", '["é\u2028"]'.encode(), []),
        ("\ud800", b'["\\ud800"]', []),
        ([1, [2]], b"[[1,[2]]]", []),
        ((1, 2), b"[1,2]", []),
        ((), b"[]", []),
        (False, b"[false]", []),
        (2**63, b"[9223372036854775808]", []),
        ((b"x", {"b": b"y"}), b'[{"_placeholder":true,"num":0},{"b":'
                              b'{"_placeholder":true,"num":1}}]', [b"x", b"y"]),
    ],
)
async def test_data(edge, sio, data, json, attachments) -> None:
    stream = await begin(edge, sio)
    await sio.emit("x", data)
    sent = (await stream.command()).emit.payload
    assert (sent.json, list(sent.attachments)) == (json, attachments)


async def test_what_cannot_be_sent(edge, sio) -> None:
    stream = await begin(edge, sio)
    with pytest.raises(ValueError, match=r"event of Socket\.IO"):
        await sio.emit("disconnect")
    with pytest.raises(ValueError, match="JSON"):
        await sio.emit("x", float("nan"))
    with pytest.raises(TypeError, match="set cannot be sent"):
        await sio.emit("x", {1})
    with pytest.raises(ValueError, match="empty string"):
        await sio.emit("x", to="")
    await sio.emit("x", to=[])  # nobody
    await sio.emit("last", confirm=True)
    assert (await stream.command()).emit.event == "last"


async def test_options_of_emit(edge, sio) -> None:
    stream = await begin(edge, sio)
    await sio.send("hi", namespace="/n", volatile=True, compress=False, ttl=1.5)
    emit = (await stream.command()).emit
    assert (emit.event, emit.target.namespace, emit.volatile) == ("message", "/n", True)
    assert emit.HasField("compress") and not emit.compress
    assert emit.ttl.nanos == 500_000_000


async def test_commands_of_one_turn_are_one_message(edge, sio) -> None:
    stream = await begin(edge, sio)
    for n in range(1500):
        await sio.emit("x", n)
    first = await stream.next("commands")
    second = await stream.next("commands")
    assert (len(first.commands), len(second.commands)) == (1024, 476)
    assert [c.quiet for c in first.commands] == [True] * 1023 + [False]


async def test_who_sends_too_much_waits(edge, sio, monkeypatch) -> None:
    monkeypatch.setattr("sio_edge.outbox.PENDING_COMMANDS", 10)
    stream = await begin(edge, sio)
    stream.confirm = False
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while sent < 25:
            await sio.emit("x", sent)
            sent += 1

    flooding = asyncio.create_task(flood())
    for _ in range(2):
        batch = await stream.next("commands")
        await asyncio.sleep(0)
        assert sent in (10, 20)
        edge.results(stream, batch.commands)
    await flooding


async def test_call(edge, sio) -> None:
    stream = await begin(edge, sio, Client("a"))

    async def call(*acks: command_pb2.ClientAck, **options) -> object:
        calling = asyncio.create_task(sio.call("ask", 1, to="a", **options))
        command = await stream.command()
        answer(stream, command, *acks)
        return await calling

    acked = command_pb2.ACK_OUTCOME_ACKED
    assert await call(command_pb2.ClientAck(outcome=acked, payload=payload())) is None
    assert await call(command_pb2.ClientAck(outcome=acked, payload=payload(7))) == 7
    assert await call(command_pb2.ClientAck(outcome=acked, payload=payload(7, 8))) == (7, 8)
    with pytest.raises(TimeoutError) as timeout:
        await call(command_pb2.ClientAck(outcome=command_pb2.ACK_OUTCOME_TIMED_OUT), timeout=3)
    assert not isinstance(timeout.value, ClientGoneError)
    for outcome in (command_pb2.ACK_OUTCOME_DISCONNECTED, command_pb2.ACK_OUTCOME_DROPPED):
        with pytest.raises(ClientGoneError):
            await call(command_pb2.ClientAck(outcome=outcome))
    with pytest.raises(ClientGoneError):
        await call()
    with pytest.raises(ValueError, match="one client"):
        await sio.call("ask")
    assert len(sio._member.acks) == 0


async def test_a_refused_call(edge, sio) -> None:
    stream = await begin(edge, sio)
    stream.confirm = False
    for reason, error in (("SESSION_GONE", ClientGoneError), ("PAYLOAD_INVALID", EdgeError)):
        calling = asyncio.create_task(sio.call("ask", to=SID))
        command = await stream.command()
        result = refusal(command.command_id, grpc.StatusCode.NOT_FOUND, reason)
        stream.send(results=event_service_pb2.CommandResultBatch(results=[result]))
        with pytest.raises(error):
            await calling


async def test_call_does_not_wait_for_the_handlers_of_its_client(edge, sio) -> None:
    @sio.event
    async def x(sid: str) -> int:
        return await sio.call("ask", to=sid)

    a = Client("a")
    stream = await begin(edge, sio, a)
    stream.deliver(a.emits("x", reply=True))
    ack = command_pb2.ClientAck(outcome=command_pb2.ACK_OUTCOME_ACKED, payload=payload(5))
    answer(stream, await stream.command(), ack)
    assert (await stream.next("reply")).payload.json == b"[5]"


async def test_call_gives_up_when_the_answer_was_lost(edge, sio, monkeypatch) -> None:
    monkeypatch.setattr("sio_edge.acks.GRACE", 0.0)
    await begin(edge, sio)
    with pytest.raises(TimeoutError):
        await sio.call("ask", to="a", timeout=0.01)


async def test_callbacks(edge, sio) -> None:
    stream = await begin(edge, sio, Client("a"))
    got: asyncio.Queue = asyncio.Queue()

    async def callback(*args: int) -> None:
        got.put_nowait(args)

    await sio.emit("ask", to="a", callback=callback, ack_timeout=2)
    command = await stream.command()
    assert command.emit.ack.timeout.seconds == 2
    acked = command_pb2.ACK_OUTCOME_ACKED
    answer(stream, command, command_pb2.ClientAck(outcome=acked, payload=payload(1, 2)))
    assert await got.get() == (1, 2)


async def test_rooms(edge, sio) -> None:
    stream = await begin(edge, sio, Client("a"), Client("b"))
    await sio.enter_room("a", "r")
    await sio.enter_room("a", 7)
    await sio.enter_room("b", "r")
    assert sio.rooms("a") == ["a", "r", "7"]
    join = (await stream.command()).join
    assert (list(join.target.sids), list(join.rooms)) == (["a"], ["r"])
    await sio.leave_room("a", 7)
    assert sio.rooms("a") == ["a", "r"]
    await sio.close_room("r")
    assert sio.rooms("a") == ["a"] and sio.rooms("b") == ["b"]
    commands = [await stream.command() for _ in range(4)]
    assert list(commands[2].leave.rooms) == ["7"] and list(commands[2].leave.target.sids) == ["a"]
    assert list(commands[3].leave.target.rooms) == ["r"] == list(commands[3].leave.rooms)


async def test_rooms_of_nobody(edge, sio) -> None:
    stream = await begin(edge, sio)
    stream.confirm = False
    for reason in ("", "SESSION_GONE"):
        entering = asyncio.create_task(sio.enter_room("gone", "r"))
        command = await stream.command()
        result = command_pb2.CommandResult(command_id=command.command_id)
        if reason:
            result = refusal(command.command_id, grpc.StatusCode.NOT_FOUND, reason)
        stream.send(results=event_service_pb2.CommandResultBatch(results=[result]))
        with pytest.raises(ValueError, match="not connected"):
            await entering
    assert sio.rooms("gone") == []


async def test_sessions(edge, sio) -> None:
    await begin(edge, sio, Client("a"), Client("b", "/n"))
    async with sio.session("a") as kept:
        kept["n"] = 1
    assert await sio.get_session("a") == {"n": 1}
    await sio.save_session("b", {"m": 2}, namespace="/n")
    async with sio.session("b", namespace="/n") as kept:
        assert kept == {"m": 2}
    with pytest.raises(KeyError):
        await sio.get_session("b")  # not in this namespace
    with pytest.raises(KeyError):
        await sio.save_session("gone", {})


async def test_disconnect_commands(edge, sio) -> None:
    stream = await begin(edge, sio, Client("a"))
    await sio.disconnect("a")
    await sio.disconnect("a", namespace="/n", close_connection=True)
    one, two = [(await stream.command()).disconnect for _ in range(2)]
    assert (list(one.target.sids), one.close_connection) == (["a"], False)
    assert (two.target.namespace, two.close_connection) == ("/n", True)


async def test_attributes(edge, sio) -> None:
    stream = await begin(edge, sio, Client("a"))
    await sio.set_attributes("a", {"k": "v", "gone": None})
    update = (await stream.command()).update
    assert (dict(update.set), list(update.unset)) == ({"k": "v"}, ["gone"])
    assert sio.get_socket("a").attributes == {"k": "v"}


async def test_questions_to_the_edge(edge, sio) -> None:
    await begin(edge, sio)
    edge.sessions = {s: session(s) for s in ("a", "b", "c")}
    assert [s.sid async for s in sio.fetch_sockets()] == ["a", "b", "c"]
    assert [s.sid async for s in sio.fetch_sockets(to=[])] == []
    assert (await sio.fetch_socket("b")).sid == "b"
    with pytest.raises(EdgeError) as gone:
        await sio.fetch_socket("z")
    assert gone.value.reason == "SESSION_GONE"


async def test_transport_and_background_tasks(edge, sio) -> None:
    stream = await begin(edge, sio)
    a = Client("a")
    await stream.settled(*stream.deliver(a.opened(transport="polling")))
    assert sio.transport("a") == "polling"

    async def add(x: int, y: int) -> int:
        await sio.sleep(0)
        return x + y

    assert await sio.start_background_task(add, 1, y=2) == 3


def test_parameters_of_python_socketio() -> None:
    with pytest.warns(UserWarning, match="cors_allowed_origins is for the edge"):
        sio_edge.AsyncServer(cors_allowed_origins="*")
    with pytest.raises(TypeError, match="no_such"):
        sio_edge.AsyncServer(no_such=1)


async def test_another_json(edge) -> None:
    import json

    class Loud:
        loads = staticmethod(lambda text, **options: json.loads(text.upper(), **options))
        dumps = staticmethod(lambda value, default: json.dumps(value, default=default).upper())

    sio = sio_edge.AsyncServer(edge.address, json=Loud)
    stream = await begin(edge, sio)
    await sio.emit("x", "quiet")
    assert (await stream.command()).emit.payload.json == b'["QUIET"]'
    await sio.shutdown()


def test_api_table_names_tests_that_exist() -> None:
    here = Path(__file__).parent
    named = set(re.findall(r"`(test_\w+)`", (here.parent / "API.md").read_text()))
    source = "".join(f.read_text() for f in here.rglob("test_*.py"))
    assert named and named <= set(re.findall(r"def (test_\w+)", source))
