"""The server of the echo benchmark. With --reference it is python-socketio's own, on aiohttp.

python echo.py ADDRESS, ADDRESS being the edge's for backends, or where the reference listens
(it needs python-socketio and aiohttp). Then: node load.mjs URL emit|ack PID
"""

from __future__ import annotations

import sys
from typing import Any

address, reference = sys.argv[1], "--reference" in sys.argv
sio: Any
if reference:
    import socketio
    from aiohttp import web

    sio = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
else:
    import sio_edge

    sio = sio_edge.AsyncServer(address)


@sio.event
async def ask(sid: str, message: Any) -> Any:
    return message


@sio.event
async def say(sid: str, message: Any) -> None:
    await sio.emit("said", message, to=sid)


if reference:
    app = web.Application()
    sio.attach(app)
    host, port = address.split(":")
    web.run_app(app, host=host, port=int(port))
else:
    sio.run()
