"""An edge that wants to know who calls it, with certificates and a token of its own commands."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import sio_edge
from conftest import Edge, deadline
from sio_edge.exceptions import EdgeError

ACCESS = """
callers:
  chat: {certificates: [chat], roles: ["backend:/"]}
  cron: {tokens: ["HASH"], roles: ["backend:/room", "emitter:/"]}
"""


@pytest.fixture
def secrets(binary: str, tmp_path: Path) -> Path:
    """A folder of certificates and a token, known to the access file in it."""
    there = tmp_path / "certs"
    subprocess.run([binary, "certs", "--dir", there, "chat"], check=True)
    made = subprocess.run(
        [binary, "token", there / "cron.token"], check=True, capture_output=True, text=True
    )
    access = there / "access.yaml"
    access.write_text(ACCESS.replace("HASH", made.stdout.strip()))
    access.chmod(0o600)
    return there


@pytest.fixture
async def edge(binary: str, secrets: Path, tmp_path: Path) -> AsyncIterator[Edge]:
    edge = Edge(
        binary, tmp_path / "data", "--control-tls-cert-file", secrets / "edge.crt",
        "--control-tls-key-file", secrets / "edge.key",
        "--control-client-ca-file", secrets / "ca.crt", "--access-file", secrets / "access.yaml",
    )
    await edge.start()
    yield edge
    await edge.kill()


def certificate(secrets: Path) -> dict[str, Any]:
    return {
        "ca_file": str(secrets / "ca.crt"),
        "cert_file": str(secrets / "chat.crt"),
        "key_file": str(secrets / "chat.key"),
    }


def token(secrets: Path) -> dict[str, Any]:
    return {"ca_file": str(secrets / "ca.crt"), "token_file": str(secrets / "cron.token")}


async def test_a_certificate(edge: Edge, secrets: Path) -> None:
    sio = sio_edge.AsyncServer(edge.address, group="chat", **certificate(secrets))

    @sio.event
    async def say(sid: str, text: str) -> None: ...

    async with deadline(), sio:
        assert sio.status.state is sio_edge.State.ATTACHED
        assert [s async for s in sio.fetch_sockets()] == []
        # The same process, over a restart of the edge.
        await edge.kill()
        await edge.start()
        async for status in sio.statuses():
            if status.state is sio_edge.State.ATTACHED and status.epoch == 2:
                break


async def test_a_token(edge: Edge, secrets: Path) -> None:
    async with deadline(), sio_edge.AsyncEmitter(edge.address, **token(secrets)) as emitter:
        receipt = await emitter.emit("news", 1, room="lobby")
        assert receipt.matched == 0
        with pytest.raises(EdgeError, match="may not leave"):
            await emitter.close_room("lobby")
    sio = sio_edge.AsyncServer(edge.address, group="room", namespaces="/room", **token(secrets))

    @sio.on("x", namespace="/room")
    async def x(sid: str) -> None: ...

    async with deadline(), sio:
        assert sio.status.state is sio_edge.State.ATTACHED


@pytest.mark.parametrize(
    ("namespace", "given", "why"),
    [
        ("/", {}, "no certificate and no token"),
        ("/", {"token": "guess"}, "no certificate and no token"),
        ("/secret", "chat", 'may not get events of "/secret"'),
    ],
)
async def test_who_is_not_let_in_learns_why(
    edge: Edge, secrets: Path, namespace: str, given: Any, why: str
) -> None:
    nobody = {"ca_file": str(secrets / "ca.crt")}
    shown = certificate(secrets) if given == "chat" else {**nobody, **given}
    sio = sio_edge.AsyncServer(edge.address, group="g", **shown)

    @sio.on("x", namespace=namespace)
    async def x(sid: str) -> None: ...

    async with deadline():
        with pytest.raises(EdgeError, match=why):
            await sio.wait()


def test_what_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="over TLS only"):
        sio_edge.AsyncServer("192.0.2.1:7070", token="t")
    with pytest.raises(ValueError, match="over TLS only"):
        sio_edge.AsyncEmitter("edge.example:7070", token_file="t")
    with pytest.raises(ValueError, match="belong together"):
        sio_edge.AsyncServer("127.0.0.1:7070", cert_file="chat.crt")
    with pytest.raises(ValueError, match="not both"):
        sio_edge.AsyncServer("127.0.0.1:7070", token="t", token_file="t")
