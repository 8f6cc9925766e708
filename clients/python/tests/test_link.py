"""Losing the edge and finding it again."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import grpc
import pytest

import sio_edge
from fake_edge import Client, refusal, session
from sio_edge import State
from sio_edge._gen.sioedge.v1 import event_pb2, event_service_pb2
from sio_edge.exceptions import DisconnectedError, EdgeError, FencedError
from test_events import begin

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def test_hello(edge) -> None:
    sio = sio_edge.AsyncServer(
        edge.address, group="chat", member="m7", durable=True, ack_deadline=5, max_attempts=3,
        member_grace=1.5, window=10, window_per_session=2,
    )
    stream = await begin(edge, sio)
    hello = stream.hello
    assert (hello.protocol_version, hello.group, hello.member_id) == (1, "chat", "m7")
    assert hello.sdk.startswith("python/") and hello.instance_id
    assert hello.spec.ack_deadline.seconds == 5 and hello.spec.max_attempts == 3
    assert hello.spec.member_grace.nanos == 500_000_000
    assert hello.spec.delivery == event_service_pb2.DELIVERY_MODE_DURABLE
    assert hello.flow.max_outstanding_events == 10
    assert hello.flow.max_outstanding_per_session == 2
    assert not hello.HasField("resume")
    await sio.shutdown()


async def test_status_is_visible(edge, sio, caplog) -> None:
    caplog.set_level(logging.INFO)
    seen: list[State] = []

    async def watch() -> None:
        async for status in sio.statuses():
            seen.append(status.state)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    stream = await begin(edge, sio)
    assert sio.connected and sio.status.edge_id == "e1" and sio.status.epoch == 1
    stream.send(draining=event_service_pb2.Draining())
    stream.end(UNAVAILABLE)
    again = await edge.attach(continued=True, epoch=2)
    assert again.hello.instance_id == stream.hello.instance_id
    await sio.emit("x", confirm=True)
    assert sio.status.epoch == 2
    await sio.shutdown()
    await watching
    s = State
    assert seen == [
        s.IDLE, s.CONNECTING, s.ATTACHED, s.DRAINING, s.LOST, s.CONNECTING, s.ATTACHED, s.STOPPED,
    ]
    assert "lost the edge" in caplog.text


async def test_the_edge_may_come_late_and_come_back(edge, sio) -> None:
    await edge.stop()
    starting = asyncio.create_task(sio.start())
    async for status in sio.statuses():
        if status.state is State.LOST:
            assert status.error is not None and "next attempt" in status.detail
            break
    await edge.start()
    await edge.attach()
    await starting
    await edge.stop()
    await edge.start()
    await edge.attach(continued=True)
    await sio.emit("x", confirm=True)


async def test_resume_names_the_highest_offset(edge, sio) -> None:
    a = Client("a")
    stream = await begin(edge, sio, a)
    events = [a.emits("x"), a.emits("x")]
    await stream.settled(*stream.deliver(*events))
    stream.end(UNAVAILABLE)
    resume = (await edge.accept()).hello.resume
    assert (resume.edge_id, resume.log_id, resume.offset) == ("e1", "log", events[1].offset)


async def test_commands_are_sent_again_with_their_keys_until_confirmed(edge, sio) -> None:
    stream = await begin(edge, sio)
    await sio.emit("kept", confirm=True)
    await stream.command()
    stream.confirm = False
    await sio.emit("one")
    await sio.emit("volatile", volatile=True)
    receipt = asyncio.create_task(sio.emit("two", confirm=True))
    sent = [await stream.command() for _ in range(3)]
    stream.end(UNAVAILABLE)
    await sio.emit("while away")
    again = await edge.attach(continued=True)
    resent = [await again.command() for _ in range(3)]
    assert [c.emit.event for c in resent] == ["one", "two", "while away"]
    assert [c.command_id for c in resent][:2] == [sent[0].command_id, sent[2].command_id]
    # The edge takes a repeat for another command unless every byte is the same.
    assert resent[:2] == [sent[0], sent[2]]
    assert not resent[2].quiet
    assert (await receipt).matched == 1
    assert sio._member.outbox.unconfirmed == 0


async def test_the_last_commands_to_be_confirmed_may_be_volatile(edge, sio) -> None:
    stream = await begin(edge, sio)
    stream.confirm = False
    await sio.emit("one")
    await sio.emit("two")
    await sio.emit("gone", volatile=True)
    sent = [await stream.command() for _ in range(3)]
    assert [c.quiet for c in sent] == [True, False, False]
    stream.end(UNAVAILABLE)
    again = await edge.attach(continued=True)
    assert [(await again.command()).emit.event for _ in range(2)] == ["one", "two"]
    while sio._member.outbox.unconfirmed:
        await asyncio.sleep(0)
    await sio.emit("gone", volatile=True)
    while sio._member.outbox.unconfirmed:
        await asyncio.sleep(0)


async def test_volatile_emits_are_not_kept_for_later(edge, sio) -> None:
    await sio.emit("gone", volatile=True)
    assert (await sio.emit("gone", volatile=True, confirm=True)).matched == 0
    stream = await begin(edge, sio)
    await sio.emit("kept")
    assert (await stream.command()).emit.event == "kept"


async def test_a_redelivery_does_not_run_a_handler_twice(edge, sio) -> None:
    """The ack of a settled event was lost with the stream: it is given again."""
    log = []

    @sio.event
    async def x(sid: str, n: int) -> str:
        log.append(n)
        return f"reply {n}"

    a = Client("a")
    stream = await begin(edge, sio, a)
    events = [a.emits("x", 1, reply=True), a.emits("x", 2), a.emits("x", 3)]
    stream.deliver(*events[:2])
    await stream.next("reply")
    await stream.next("ack")
    stream.end(UNAVAILABLE)
    again = await edge.attach(continued=True)
    again.deliver(*events[:2], attempt=2)
    reply = await again.next("reply")
    assert (reply.delivery_id, json.loads(reply.payload.json)) == (1, ["reply 1"])
    await again.settled(2)
    again.deliver(events[2])
    await again.settled(3)
    assert log == [1, 2, 3]


async def test_a_handler_that_outlives_its_stream_settles_on_the_next(edge, sio) -> None:
    log = []
    gate = asyncio.Event()

    @sio.event
    async def x(sid: str, n: int) -> None:
        log.append(n)
        await gate.wait()

    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a, b)
    events = [a.emits("x", 1), a.emits("x", 2), b.emits("x", 3)]
    stream.deliver(*events)
    while log != [1, 3]:
        await asyncio.sleep(0)
    stream.end(UNAVAILABLE)
    again = await edge.attach(continued=True)
    again.deliver(b.emits("x", 4))  # ids are others on this stream
    ids = again.deliver(*events, attempt=2)
    await sio.emit("x", confirm=True)  # the deliveries have arrived when this has
    gate.set()
    await again.settled(1, *ids)
    assert log == [1, 3, 4, 2] or log == [1, 3, 2, 4]


async def test_ids_of_a_stream_mean_nothing_on_the_next(edge, sio) -> None:
    gates = {n: asyncio.Event() for n in (1, 2)}
    started = asyncio.Event()

    @sio.event
    async def x(sid: str, n: int) -> None:
        started.set()
        await gates[n].wait()

    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a, b)
    one = a.emits("x", 1)
    assert stream.deliver(one) == [1]
    await started.wait()
    stream.end(UNAVAILABLE)
    again = await edge.attach(continued=True)
    assert again.deliver(b.emits("x", 2)) == [1]
    await sio.emit("x", confirm=True)
    gates[1].set()
    again.deliver(one, attempt=2)
    await again.settled(2)
    gates[2].set()
    await again.settled(1)


async def test_a_snapshot_makes_the_table_true(edge, sio) -> None:
    gone = []
    sio.on("disconnect", lambda sid, reason: gone.append((sid, reason)))
    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a, b)
    await sio.save_session("a", {"n": 1})
    await sio.save_session("b", {"n": 2})
    stream.end(UNAVAILABLE)
    again = await edge.accept()
    again.welcome(session("a", rooms=["r"]), session("c"))
    await sio.emit("x", confirm=True)
    assert sio.rooms("a") == ["a", "r"] and sio.rooms("c") == ["c"] and sio.rooms("b") == []
    assert await sio.get_session("a") == {"n": 1}
    assert gone == []  # b is another member's, or its end is still to come

    again.deliver(Client("b").closed())
    await again.settled(1)
    assert gone == [("b", sio.reason.CLIENT_DISCONNECT)]


async def test_a_lost_log_ends_the_sessions_that_nobody_else_will(edge, sio) -> None:
    gone = []
    sio.on("disconnect", lambda sid, reason: gone.append((sid, reason)))
    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a, b)
    first = a.emits("x")
    await stream.settled(*stream.deliver(first))
    stream.end(UNAVAILABLE)
    again = await edge.accept()
    again.welcome(session("b"), log_id="another", epoch=2)
    fresh = Client("b").emits("x")
    fresh.offset = first.offset  # offsets of the old log mean nothing
    ran = []
    sio.on("x", lambda sid: ran.append(sid))
    again.deliver(fresh)
    await again.settled(1)
    assert ran == ["b"]
    assert gone == [("a", sio.reason.EDGE_RESTART)]


async def test_assignment(edge, sio) -> None:
    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a, b)
    await sio.save_session("a", {"n": 1})
    stream.send(
        assignment=event_service_pb2.Assignment(lost_sids=["a"], gained=[session("c", rooms=["r"])])
    )
    await sio.emit("x", confirm=True)
    assert sio.rooms("a") == [] and sio.rooms("c") == ["c", "r"]
    stream.send(assignment=event_service_pb2.Assignment(gained=[session("a")]))
    await sio.emit("x", confirm=True)
    assert await sio.get_session("a") == {"n": 1}


async def test_what_others_do_to_sessions(edge, sio) -> None:
    change = event_service_pb2.SessionChange
    a = Client("a")
    stream = await begin(edge, sio, a)

    async def told(**fields: Any) -> list[str]:
        batch = [change(sid=sid, namespace="/", **fields) for sid in ("a", "unknown")]
        stream.send(changes=event_service_pb2.SessionChangeBatch(changes=batch))
        await sio.emit("x", confirm=True)
        return sio.rooms("a")

    assert await told(joined=["x", "y"]) == ["a", "x", "y"]
    assert await told(joined=["z"], left=["x", "nowhere"]) == ["a", "y", "z"]
    assert await told(joined=["w", "z"], all_rooms=True) == ["a", "z", "w"]
    assert await told(transport="websocket") == ["a", "z", "w"]
    assert sio.transport("a") == "websocket"

    # A change that overtakes the beginning, which waits for its turn.
    b = Client("b")
    stream.deliver(b.opened(rooms=["r"]))
    early = change(sid="b", namespace="/", joined=["s"], left=["r"])
    stream.send(changes=event_service_pb2.SessionChangeBatch(changes=[early]))
    await sio.emit("x", confirm=True)
    assert sio.rooms("b") == ["b", "s"]


async def test_what_other_members_say_is_heard_by_nobody(edge, sio) -> None:
    stream = await begin(edge, sio)
    told = [event_service_pb2.Told(told_id=7), event_service_pb2.Told(told_id=8, asks=True)]
    stream.send(told=event_service_pb2.ToldBatch(told=told))
    answer = (await stream.command()).answer
    assert (answer.told_id, answer.absent) == (8, True)
    assert (await stream.next("ack")).told == 8


async def test_a_fenced_member_stops(edge, sio) -> None:
    stream = await begin(edge, sio)
    waiting = asyncio.create_task(sio.wait())
    stream.end(grpc.StatusCode.FAILED_PRECONDITION, "FENCED")
    with pytest.raises(FencedError, match="its own member"):
        await waiting
    assert sio.status.state is State.STOPPED
    assert isinstance(sio.status.error, FencedError)


async def test_a_refused_hello_is_an_error(edge, sio) -> None:
    starting = asyncio.create_task(sio.start())
    stream = await edge.accept()
    stream.end(grpc.StatusCode.INVALID_ARGUMENT)
    with pytest.raises(EdgeError, match="told so"):
        await starting


async def test_a_handler_registered_later_attaches_again(edge, sio) -> None:
    await begin(edge, sio)
    states = []

    async def watch() -> None:
        async for status in sio.statuses():
            states.append(status.state)

    watching = asyncio.create_task(watch())
    sio.on("x", lambda sid: None)  # changes nothing
    sio.on("x", lambda sid: None, namespace="/late")
    stream = await edge.attach(continued=True)
    assert "/late" in {r.namespace for r in stream.hello.spec.routes}
    assert stream.hello.HasField("resume")
    await sio.emit("x", confirm=True)
    assert states == [State.ATTACHED, State.CONNECTING, State.ATTACHED]  # at once, and nothing lost
    watching.cancel()


async def test_shutdown_lets_handlers_finish(edge, sio) -> None:
    gate, started = asyncio.Event(), asyncio.Event()
    sio._drain_timeout = 5

    @sio.event
    async def slow(sid: str) -> str:
        started.set()
        await gate.wait()
        await sio.emit("last words")
        return "done"

    a = Client("a")
    stream = await begin(edge, sio, a)
    waiting = asyncio.create_task(sio.wait())
    stream.deliver(a.emits("slow", reply=True))
    await started.wait()
    stopping = asyncio.create_task(sio.shutdown())
    await stream.next("leave")
    gate.set()
    assert (await stream.command()).emit.event == "last words"
    assert json.loads((await stream.next("reply")).payload.json) == ["done"]
    await stream.ended()
    await stopping
    await waiting
    with pytest.raises(DisconnectedError):
        await sio.emit("too late")


async def test_shutdown_cancels_what_does_not_finish(edge, sio) -> None:
    ended = []
    started = asyncio.Event()

    @sio.event
    async def stuck(sid: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(sid)

    sio._drain_timeout = 0.01
    a = Client("a")
    stream = await begin(edge, sio, a)
    stream.deliver(a.emits("stuck"))
    await started.wait()
    await sio.shutdown()
    assert ended == ["a"]
    acks = []
    while (r := stream.requests.get_nowait()) is not None:
        acks += [r] if r.HasField("ack") else []
    assert acks == []  # neither settled nor handed back: it goes to whoever is next


async def test_gaps_are_told(edge, sio, caplog) -> None:
    a = Client("a")
    stream = await begin(edge, sio, a)
    first, _, third = a.emits("x"), a.emits("x"), a.emits("x")
    await stream.settled(*stream.deliver(first, third))
    assert "events 2 to 2 never came" in caplog.text


async def test_kinds_that_are_newer_than_this_code_are_settled(edge, sio) -> None:
    stream = await begin(edge, sio)
    await stream.settled(*stream.deliver(event_pb2.Event(offset=10**9, sid="z", namespace="/")))


async def test_quiet_commands_that_fail_are_logged(edge, sio, caplog) -> None:
    stream = await begin(edge, sio)
    stream.confirm = False
    await sio.emit("x")
    command = await stream.command()
    stream.send(
        results=event_service_pb2.CommandResultBatch(
            results=[
                refusal(
                    command.command_id, grpc.StatusCode.INVALID_ARGUMENT, "PAYLOAD_INVALID"
                )
            ]
        )
    )
    stream.confirm = True
    await sio.emit("y", confirm=True)
    assert "emit failed: PAYLOAD_INVALID: told so" in caplog.text
