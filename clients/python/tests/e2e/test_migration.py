"""A program of python-socketio's moves to the edge by its import and its constructor."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

import sio_edge
from conftest import WITHIN, Clients, deadline, free_port, start_clients
from sio_edge._gen.sioedge.v1.admin_service_pb2 import ListGroupsRequest
from sio_edge._gen.sioedge.v1.admin_service_pb2_grpc import AdminServiceStub

PROGRAM = (Path(__file__).parent / "programs" / "chat.py").read_text()
SOURCE = str(Path(sio_edge.__file__).parents[1])
IMPORT = ("import socketio\n", "import sio_edge as socketio\n")
CONSTRUCTOR = 'socketio.AsyncServer(async_mode="asgi")'


def moved(address: str) -> str:
    """The program for the edge: two lines are others."""
    assert PROGRAM.count(IMPORT[0]) == 1 and PROGRAM.count(CONSTRUCTOR) == 1
    ours = PROGRAM.replace(*IMPORT)
    return ours.replace(CONSTRUCTOR, f'socketio.AsyncServer("{address}", group="chat")')


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Any]:
    running = []

    async def start(source: str, port: int) -> None:
        (tmp_path / "chat.py").write_text(source)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uvicorn", "chat:app", f"--port={port}", "--log-level=error",
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": SOURCE},
        )
        running.append(process)

    yield start
    for process in running:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), WITHIN)


async def conversation(clients: Clients) -> list[Any]:
    """What stock clients see, in an order that does not depend on chance."""
    seen: list[Any] = []

    async def got(name: str, event: str) -> None:
        seen.append([name, event, await clients.got(name, event)])

    async def ask(name: str, *event: Any) -> None:
        seen.append([name, event[0], await clients.ask(name, *event)])

    clients.start("nobody")
    seen.append(await clients.told("nobody"))
    ann = await clients.connect("ann", auth={"name": "Ann"}, query={"x": "1"})
    await clients.connect("bob", auth={"name": "Bob"})
    await ask("ann", "join", "games")
    await ask("bob", "join", "games")
    await got("ann", "joined")
    await ask("bob", "say", "games", "né")
    await got("ann", "said")
    clients.emit("ann", "picture", {"$bytes": "00ff80"})
    await got("ann", "picture")
    await got("bob", "picture")
    clients._say("ask", "bob", "vote", 41)
    await got("bob", "question")
    seen.append(await clients.told("bob"))
    await ask("ann", "whatever", 1.5, [None, {"a": [True]}], 2**53)
    await clients.connect("root", "/admin")
    await ask("root", "kick", ann)
    seen.append(await clients.told("ann"))
    await got("bob", "left")
    return seen


async def attached(address: str) -> None:
    """Until a backend is attached: of clients that come earlier nobody is told."""
    async with grpc.aio.insecure_channel(address) as channel:
        edge = AdminServiceStub(channel)
        async with deadline():
            while not (groups := (await edge.ListGroups(ListGroupsRequest())).groups) or not any(
                m.attached for m in groups[0].members
            ):
                await asyncio.sleep(0.05)


async def test_the_same_program_behind_the_edge(real: Any, js: Clients, run: Any) -> None:
    await run(moved(real.address), free_port())
    await attached(real.address)
    ours = await conversation(js)

    port = free_port()
    await run(PROGRAM, port)
    async with start_clients(f"http://127.0.0.1:{port}", recovery=False) as reference:
        # It tries until the server is there.
        await reference.connect("first", auth={"name": "first"})
        reference.disconnect("first")
        theirs = await conversation(reference)
    assert ours == theirs
    assert len(ours) == 14
