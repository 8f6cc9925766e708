"""What one draws the others see. Nothing is kept: who comes later begins with an empty board."""

import os
from typing import Any

import sio_edge

sio = sio_edge.AsyncServer(
    os.environ.get("SIO_EDGE", "127.0.0.1:7070"), group="demo-whiteboard", member="demo-whiteboard", logger=True
)


@sio.event
async def drawing(sid: str, stroke: Any) -> None:
    await sio.emit("drawing", stroke, skip_sid=sid)


sio.run()
