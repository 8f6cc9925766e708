from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import sio_edge
from fake_edge import FakeEdge


@pytest.fixture
async def edge() -> AsyncIterator[FakeEdge]:
    edge = FakeEdge()
    await edge.start()
    yield edge
    await edge.stop()


@pytest.fixture
async def sio(edge: FakeEdge) -> AsyncIterator[sio_edge.AsyncServer]:
    """A server that the test starts, or that attaches in the background once it has handlers."""
    server = sio_edge.AsyncServer(edge.address, group="test", member="m1", drain_timeout=0.5)
    yield server
    await server.shutdown()
