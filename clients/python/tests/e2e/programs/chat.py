"""A chat for python-socketio: rooms, callbacks, refusals, sessions, binary. uvicorn chat:app"""

import socketio

sio = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(sio)


@sio.event
async def connect(sid, environ, auth):
    if not auth or "name" not in auth:
        raise socketio.exceptions.ConnectionRefusedError("who are you?", {"code": 401})
    await sio.save_session(sid, {"name": auth["name"], "page": environ["QUERY_STRING"]})
    await sio.enter_room(sid, "lobby")


@sio.event
async def join(sid, room):
    await sio.enter_room(sid, room)
    await sio.emit("joined", (await name_of(sid), room), room=room, skip_sid=sid)
    return sorted(r for r in sio.rooms(sid) if r != sid)


@sio.event
async def say(sid, room, text):
    await sio.emit("said", {"name": await name_of(sid), "text": text}, to=room, skip_sid=sid)
    return "ok", len(text)


@sio.on("picture")
async def on_picture(sid, picture):
    data = (await name_of(sid), {"bytes": picture[::-1], "size": len(picture)})
    await sio.emit("picture", data, room="lobby")


@sio.event
async def vote(sid, question):
    return await sio.call("question", question, to=sid, timeout=5)


@sio.on("*")
async def anything(event, sid, *args):
    return event, list(args)


class Admin(socketio.AsyncNamespace):
    async def on_kick(self, sid, who):
        await self.server.disconnect(who, namespace="/")
        return (await self.get_session(sid) or {}).get("kicks", 0)


@sio.event
async def disconnect(sid, reason):
    await sio.emit("left", await name_of(sid), room="lobby")


async def name_of(sid):
    async with sio.session(sid) as session:
        session["asked"] = session.get("asked", 0) + 1
        return session["name"]


sio.register_namespace(Admin("/admin"))
