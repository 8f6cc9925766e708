"""A chat room in which everyone sees who comes, goes and types.

Who is in it is known to the edge, so this process can be killed and started again.
"""

import os
from typing import Any

import sio_edge

INSIDE = "inside"
sio = sio_edge.AsyncServer(
    os.environ.get("SIO_EDGE", "127.0.0.1:7070"), group="demo-chat", member="demo-chat", logger=True
)


def name(sid: str) -> str | None:
    return sio.get_socket(sid).attributes.get("username")


async def others(sid: str) -> int:
    """How many people are in the room beside this one."""
    return len([s async for s in sio.fetch_sockets(INSIDE) if s.sid != sid])


@sio.on("add user")
async def add_user(sid: str, username: Any) -> None:
    if not isinstance(username, str) or not username or name(sid) is not None:
        return
    username = username[:32]
    await sio.set_attributes(sid, {"username": username})
    await sio.enter_room(sid, INSIDE)
    count = await others(sid) + 1
    await sio.emit("login", {"numUsers": count}, to=sid)
    await sio.emit("user joined", {"username": username, "numUsers": count}, skip_sid=sid)


@sio.on("new message")
async def new_message(sid: str, message: Any) -> None:
    if username := name(sid):
        await sio.emit("new message", {"username": username, "message": message}, skip_sid=sid)


@sio.on("typing")
async def typing(sid: str) -> None:
    await sio.emit("typing", {"username": name(sid)}, skip_sid=sid)


@sio.on("stop typing")
async def stop_typing(sid: str) -> None:
    await sio.emit("stop typing", {"username": name(sid)}, skip_sid=sid)


@sio.event
async def disconnect(sid: str, reason: str) -> None:
    if username := name(sid):
        left = {"username": username, "numUsers": await others(sid)}
        await sio.emit("user left", left, skip_sid=sid)


sio.run()
