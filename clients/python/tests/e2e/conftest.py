"""The real edge and stock JavaScript clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
WITHIN = 20.0


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The edge: SIO_EDGE_BINARY, or built from this repository."""
    if given := os.environ.get("SIO_EDGE_BINARY"):
        return given
    assert shutil.which("go"), "these tests need go, or SIO_EDGE_BINARY"
    out = tmp_path_factory.mktemp("edge") / "sio-edge"
    subprocess.run(["go", "build", "-o", out, "./cmd/sio-edge"], cwd=ROOT, check=True)
    return str(out)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Edge:
    """The edge's process; it keeps its addresses and its data over restarts."""

    def __init__(self, binary: str, data: Path, *flags: object) -> None:
        self._binary = binary
        self._data = data
        self._flags = flags
        self._clients, self._backends = free_port(), free_port()
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{self._clients}"
        self.address = f"127.0.0.1:{self._backends}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            self._binary, "serve", f"--listen=127.0.0.1:{self._clients}",
            f"--control-listen={self.address}", "--ops-listen=", f"--data-dir={self._data}",
            "--log-level=warn", *map(str, self._flags),
        )
        async with deadline():
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self._backends)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class deadline:
    """asyncio.timeout() for Python 3.10 too: cancels the task that is in it."""

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._timer = asyncio.get_running_loop().call_later(WITHIN, task.cancel)

    async def __aexit__(self, *exc: object) -> None:
        self._timer.cancel()


class Clients:
    """JavaScript clients by name."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, recovery: bool) -> None:
        self._process = process
        self._url = url
        self._recovery = recovery
        self._told: dict[str, asyncio.Queue[list[Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            name, *what = json.loads(line)
            self._queue(name).put_nowait(what)

    def _queue(self, name: str) -> asyncio.Queue[list[Any]]:
        return self._told.setdefault(name, asyncio.Queue())

    def _say(self, *words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")

    def start(self, name: str, namespace: str = "/", **options: Any) -> None:
        options.setdefault("transports", ["websocket"])
        options["forceNew"] = True
        self._say("connect", name, self._url + namespace, options)

    async def connect(self, name: str, namespace: str = "/", **options: Any) -> str:
        """Connects and returns the sid."""
        self.start(name, namespace, **options)
        what, sid, _ = await self.told(name)
        assert what == "connect"
        return sid

    def emit(self, name: str, *event: Any) -> None:
        self._say("emit", name, *event)

    async def ask(self, name: str, *event: Any) -> list[Any]:
        """Emits with a callback and returns what it was called with."""
        self._say("ask", name, *event)
        what, *answer = await self.told(name)
        assert what == "ack", what
        return answer

    def drop(self, name: str) -> None:
        self._say("drop", name)

    def disconnect(self, name: str) -> None:
        self._say("disconnect", name)

    async def told(self, name: str) -> list[Any]:
        """The next thing that happens to a client, without the offset of recovery."""
        return await asyncio.wait_for(self._queue(name).get(), WITHIN)

    async def got(self, name: str, event: str) -> list[Any]:
        """The arguments of the next event, which must be this one, without recovery's offset."""
        what, *args = await self.told(name)
        assert what == event, (what, args)
        return args[:-1] if self._recovery and args and isinstance(args[-1], str) else args

    async def close(self) -> None:
        self._reader.cancel()
        self._process.kill()
        await self._process.communicate()


@pytest.fixture
async def real(binary: str, tmp_path: Path) -> AsyncIterator[Edge]:
    edge = Edge(binary, tmp_path / "data")
    await edge.start()
    yield edge
    await edge.kill()


@contextlib.asynccontextmanager
async def start_clients(url: str, recovery: bool = True) -> AsyncIterator[Clients]:
    """Clients of the server at url. With recovery each event has an offset behind its arguments."""
    assert shutil.which("node"), "these tests need node"
    assert (HERE / "node_modules").exists(), "these tests need npm ci in tests/e2e"
    process = await asyncio.create_subprocess_exec(
        "node", HERE / "client.mjs", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    clients = Clients(process, url, recovery)
    yield clients
    await clients.close()


@pytest.fixture
async def js(real: Edge) -> AsyncIterator[Clients]:
    async with start_clients(real.url) as clients:
        yield clients
