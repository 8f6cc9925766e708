"""Who may come in, and what becomes of what a connect handler does."""

from __future__ import annotations

import asyncio
import json

import pytest

import sio_edge
from fake_edge import Client
from sio_edge._gen.sioedge.v1 import event_pb2
from sio_edge.exceptions import ConnectionRefusedError
from test_events import begin


def kinds(stream, namespace: str) -> set[int]:
    (route,) = [r for r in stream.hello.spec.routes if r.namespace == namespace]
    return set(route.kinds)


async def test_connect_requests_are_asked_for_where_they_are_handled(edge, sio) -> None:
    sio.on("connect", lambda sid, environ: None, namespace="/asked")
    sio.on("x", lambda sid: None, namespace="/free")
    stream = await begin(edge, sio)
    assert {r.namespace for r in stream.hello.spec.routes} == {"/", "/asked", "/free"}
    asked = event_pb2.EVENT_KIND_CONNECT_REQUESTED
    assert asked in kinds(stream, "/asked")
    assert asked not in kinds(stream, "/free")
    assert event_pb2.EVENT_KIND_CLOSED in kinds(stream, "/free")


async def test_catch_all_namespaces_and_names(edge) -> None:
    sio = sio_edge.AsyncServer(edge.address, namespaces="*")
    sio.on("connect", lambda namespace, sid, environ, auth: None, namespace="*")
    stream = await begin(edge, sio)
    assert event_pb2.EVENT_KIND_CONNECT_REQUESTED in kinds(stream, "*")
    await sio.shutdown()


async def test_environ_and_auth(edge, sio) -> None:
    got = {}

    @sio.event
    async def connect(sid: str, environ: dict, auth: dict) -> None:
        got.update(environ, sid=sid, auth=auth, later=sio.get_environ(sid) is environ)

    a = Client("a")
    stream = await begin(edge, sio)
    stream.deliver(
        a.asks(
            {"token": "t"}, remote_addr="[2001:db8::1]:51000", path="/socket.io/", secure=True,
            query={"EIO": "4", "q": "a b"}, transport="websocket",
            headers={"host": "example.org:8443", "x-two": "1, 2", "content-type": "text/plain"},
        )
    )
    assert (await stream.next("decision")).HasField("accept")
    assert got["sid"] == "a" and got["auth"] == {"token": "t"} and got["later"]
    assert (got["REMOTE_ADDR"], got["REMOTE_PORT"]) == ("2001:db8::1", "51000")
    assert (got["SERVER_NAME"], got["SERVER_PORT"]) == ("example.org", "8443")
    assert got["QUERY_STRING"] == "EIO=4&q=a+b"
    assert got["PATH_INFO"] == "/socket.io/" and got["REQUEST_METHOD"] == "GET"
    assert got["HTTP_X_TWO"] == "1, 2" and got["CONTENT_TYPE"] == "text/plain"
    assert got["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize(
    ("raised", "message", "data"),
    [
        (ConnectionRefusedError(), "Connection rejected by server", None),
        (ConnectionRefusedError("no"), "no", None),
        (ConnectionRefusedError("no", {"code": 1}), "no", {"code": 1}),
        (ConnectionRefusedError("no", 1, 2), "no", [1, 2]),
        (__builtins__["ConnectionRefusedError"]("no"), "Connection refused by server", None),
        (False, "Connection rejected by server", None),
    ],
)
async def test_refusals(edge, sio, raised, message, data) -> None:
    @sio.event
    async def connect(sid: str, environ: dict) -> bool | None:
        await sio.enter_room(sid, "lobby")
        if raised is False:
            return False
        raise raised

    a = Client("a")
    stream = await begin(edge, sio)
    stream.deliver(a.asks())
    reject = (await stream.next("decision")).reject
    assert reject.message == message
    assert (json.loads(reject.data_json) if reject.data_json else None) == data
    with pytest.raises(KeyError):
        await sio.get_session("a")


async def test_a_failing_connect_handler_is_no_refusal(edge, sio) -> None:
    @sio.event
    async def connect(sid: str, environ: dict) -> None:
        raise OSError(111, "database down")

    stream = await begin(edge, sio)
    (one,) = stream.deliver(Client("a").asks())
    assert [n.delivery_id for n in (await stream.next("ack")).nacks] == [one]


async def test_what_happens_in_connect_is_part_of_the_decision(edge, sio) -> None:
    @sio.event
    async def connect(sid: str, environ: dict) -> sio_edge.Accept:
        await sio.save_session(sid, {"name": "Ann"})
        await sio.enter_room(sid, "lobby")
        await sio.enter_room(sid, "left")
        await sio.leave_room(sid, "left")
        assert sio.rooms(sid) == [sid, "lobby"]
        await sio.emit("welcome", "Ann", to=sid)
        await sio.emit("joined", "Ann", room="lobby")
        await sio.emit("joined", "others only", room="lobby", skip_sid=sid)
        await sio.emit("elsewhere", room="bar")
        await sio.emit("all")
        return sio_edge.Accept(user_id="u1", attributes={"k": "v"})

    @sio.event
    async def who(sid: str) -> str:
        return (await sio.get_session(sid))["name"]

    a = Client("a")
    stream = await begin(edge, sio)
    stream.deliver(a.asks())
    accept = (await stream.next("decision")).accept
    assert list(accept.rooms) == ["lobby"]
    assert [e.event for e in accept.greeting] == ["welcome", "joined", "all"]
    assert (accept.user_id, dict(accept.attributes)) == ("u1", {"k": "v"})
    sent = [(await stream.command()).emit for _ in range(4)]
    assert [e.event for e in sent] == ["joined", "joined", "elsewhere", "all"]
    # The others got it at once, the new client gets it in its greeting: nobody gets it twice.
    assert [list(e.target.except_sids) for e in sent] == [["a"], ["a"], [], ["a"]]

    stream.deliver(a.opened(rooms=["lobby"], user_id="u1"), a.emits("who", reply=True))
    assert json.loads((await stream.next("reply")).payload.json) == ["Ann"]
    assert sio.rooms("a") == ["a", "lobby"]
    assert sio.get_socket("a").user_id == "u1"


async def test_call_to_the_connecting_client_is_an_error(edge, sio) -> None:
    @sio.event
    async def connect(sid: str, environ: dict) -> None:
        with pytest.raises(ValueError, match="connect handler"):
            await sio.call("x", to=sid)

    stream = await begin(edge, sio)
    stream.deliver(Client("a").asks())
    assert (await stream.next("decision")).HasField("accept")


async def test_a_resumed_client_gets_what_connect_sent(edge, sio) -> None:
    """The greeting is not written to a resumed session, so it is emitted to it."""

    @sio.event
    async def connect(sid: str, environ: dict) -> None:
        await sio.emit("welcome", to=sid)

    back = []
    sio.on_resume(lambda sid, complete: back.append((sid, complete)))
    away = []
    sio.on_suspend(lambda sid, reason: away.append((sid, reason)))
    a = Client("a")
    stream = await begin(edge, sio, a)
    await sio.save_session("a", {"kept": 1})
    await stream.settled(*stream.deliver(a.suspended()))
    assert away == [("a", sio.reason.TRANSPORT_CLOSE)] and sio.get_socket("a").suspended
    stream.deliver(a.asks(resuming=True))
    assert [e.event for e in (await stream.next("decision")).accept.greeting] == ["welcome"]
    assert stream.commands.empty()
    await stream.settled(*stream.deliver(a.resumed(rooms=["r"])))
    emit = (await stream.command()).emit
    assert emit.event == "welcome" and list(emit.target.sids) == ["a"]
    assert back == [("a", True)]
    assert await sio.get_session("a") == {"kept": 1}
    assert sio.rooms("a") == ["a", "r"] and not sio.get_socket("a").suspended


async def test_a_session_that_could_not_be_resumed_after_all(edge, sio) -> None:
    @sio.event
    async def connect(sid: str, environ: dict) -> None:
        await sio.save_session(sid, {"for": sid})

    a, b = Client("a"), Client("b")
    stream = await begin(edge, sio, a)
    await stream.settled(*stream.deliver(a.suspended()))
    stream.deliver(a.asks(resuming=True, remote_addr="192.0.2.1:5"))
    await stream.next("decision")
    await stream.settled(*stream.deliver(b.opened(handshake={"remote_addr": "192.0.2.1:5"})))
    assert await sio.get_session("b") == {"for": "a"}
    await stream.settled(*stream.deliver(Client("c").opened()))
    assert await sio.get_session("c") == {}


async def test_a_decision_does_not_wait_for_the_handlers_of_its_session(edge, sio) -> None:
    gate = asyncio.Event()

    @sio.event
    async def connect(sid: str, environ: dict) -> None: ...

    @sio.event
    async def waits(sid: str) -> None:
        await gate.wait()

    a = Client("a")
    stream = await begin(edge, sio, a)
    stream.deliver(a.emits("waits"), a.suspended())
    stream.deliver(a.asks(resuming=True))
    assert (await stream.next("decision")).HasField("accept")
    gate.set()


async def test_disconnect(edge, sio) -> None:
    log = []

    @sio.event
    async def disconnect(sid: str, reason: str) -> None:
        session = await sio.get_session(sid)
        log.append((sid, reason, session, sio.rooms(sid), sio.get_environ(sid)["REMOTE_ADDR"]))

    sio.on("disconnect", lambda sid: log.append(sid), namespace="/old")
    a, b = Client("a"), Client("b", "/old")
    stream = await begin(edge, sio)
    ids = stream.deliver(
        a.opened(rooms=["r"], handshake={"remote_addr": "192.0.2.1:5"}), b.opened()
    )
    await stream.settled(*ids)
    await sio.save_session("a", {"n": 1})
    await stream.settled(*stream.deliver(a.closed(rooms=["r"]), b.closed()))
    assert log == [("a", sio.reason.CLIENT_DISCONNECT, {"n": 1}, ["a", "r"], "192.0.2.1"), "b"]
    assert sio.rooms("a") == [] and sio.get_environ("a") is None
