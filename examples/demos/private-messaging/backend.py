"""People write to each other, from any number of tabs, and find it when they come back.

Whatever tabs somebody has open are sessions of one user at the edge.
"""

import os
import secrets
from typing import Any

import sio_edge
from store import Store

sio = sio_edge.AsyncServer(
    os.environ.get("SIO_EDGE", "127.0.0.1:7070"), group="demo-messages", member="demo-messages", logger=True
)
store = Store(os.environ.get("DATA", "messages.jsonl"))


@sio.event
async def connect(sid: str, environ: dict[str, Any], auth: dict[str, Any] | None) -> Any:
    auth = auth or {}
    session = store.sessions.get(auth.get("sessionID", ""))
    if session is None:
        username = auth.get("username")
        if not isinstance(username, str) or not username:
            raise sio_edge.exceptions.ConnectionRefusedError("invalid username")
        ids = {key: secrets.token_urlsafe(12) for key in ("sessionID", "userID")}
        session = {**ids, "username": username[:32]}
        store.add(session)
    user = session["userID"]
    await sio.emit("session", {"sessionID": session["sessionID"], "userID": user}, to=sid)
    await sio.emit("users", await users(user), to=sid)
    came = {"userID": user, "username": session["username"], "connected": True, "messages": []}
    await sio.emit("user connected", came, skip_sid=sid)
    return sio_edge.Accept(user_id=user)


@sio.on("private message")
async def private_message(sid: str, message: dict[str, Any]) -> None:
    user, to = sio.get_socket(sid).user_id, message["to"]
    message = {"content": message["content"], "from": user, "to": to}
    store.add(message)
    await sio.emit("private message", message, user=[to, user], skip_sid=sid)


@sio.event
async def disconnect(sid: str, reason: str) -> None:
    user = sio.get_socket(sid).user_id
    if not [s async for s in sio.fetch_sockets() if s.user_id == user and s.sid != sid]:
        await sio.emit("user disconnected", user, skip_sid=sid)


async def users(reader: str) -> list[dict[str, Any]]:
    """Everyone who has ever been here, with what they and this user wrote to each other."""
    here = {s.user_id async for s in sio.fetch_sockets()} | {reader}
    return [
        {
            "userID": s["userID"],
            "username": s["username"],
            "connected": s["userID"] in here,
            "messages": [m for m in store.messages if {m["from"], m["to"]} == {reader, s["userID"]}],
        }
        for s in store.sessions.values()
    ]


sio.run()
