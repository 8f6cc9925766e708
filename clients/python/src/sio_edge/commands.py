"""Builds commands from the arguments of python-socketio's methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf import duration_pb2

from sio_edge._gen.sioedge.v1 import command_pb2
from sio_edge.payload import Codec, arguments

Command = command_pb2.Command
Target = command_pb2.Target

# Names that Socket.IO keeps for itself; the edge refuses them.
RESERVED = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)

# What the edge's socket ids look like.
_SID = re.compile(r"[A-Za-z0-9_-]{20}")


def names(value: Any) -> list[str]:
    """Room names or sids from one value or several. Numbers are names too."""
    if isinstance(value, str):
        values: Iterable[Any] = (value,)
    elif isinstance(value, list | tuple | set | frozenset):
        values = value
    else:
        values = (value,)
    out = [v if isinstance(v, str) else str(v) for v in values]
    if "" in out:
        raise ValueError("an empty string is neither a room nor a sid")
    return out


def target(
    namespace: str, to: Any, known: Callable[[str], bool],
    skip_sid: Any = None, user: Any = None, skip_room: Any = None,
) -> Target | None:
    """The target that `to`, a sid, a room or several of both, stands for.

    None stands for everyone, unless `user` names users. A list without entries is nobody, for
    which there is no target. A name is a sid if `known` says so and a room otherwise; one that
    looks like the sid of another process's client is tried as both.
    """
    out = Target(namespace=namespace)
    if to is None and user is None:
        out.everyone = True
    if to is not None:
        for name in names(to):
            mine = known(name)
            if mine or _SID.fullmatch(name):
                out.sids.append(name)
            if not mine:
                out.rooms.append(name)
    if user is not None:
        out.user_ids.extend(names(user))
    if not (out.everyone or out.sids or out.rooms or out.user_ids):
        return None
    if skip_sid is not None:
        out.except_sids.extend(n for n in names(_without_none(skip_sid)))
    if skip_room is not None:
        out.except_rooms.extend(names(skip_room))
    return out


def _without_none(value: Any) -> Any:
    # python-socketio allows None among the sids to skip.
    return [v for v in value if v is not None] if isinstance(value, list | tuple | set) else value


def emit(
    codec: Codec, event: str, data: Any, to: Target | None,
    volatile: bool = False, compress: bool | None = None, ttl: float | None = None,
) -> command_pb2.Emit:
    """An emit of python-socketio's `data`.

    Raises:
        ValueError: The name is reserved by Socket.IO, or a number is not finite.
        TypeError: `data` holds something that cannot be sent.
    """
    if event in RESERVED:
        raise ValueError(f"{event!r} is an event of Socket.IO itself")
    out = command_pb2.Emit(target=to, event=event, payload=codec.encode(arguments(data)))
    if volatile:
        out.volatile = True
    if compress is not None:
        out.compress = compress
    if ttl is not None:
        out.ttl.CopyFrom(duration(ttl))
    return out


def join(namespace: str, sid: str, room: Any) -> Command:
    """Adds a client to a room."""
    return Command(join=command_pb2.Join(target=_one(namespace, sid), rooms=names(room)))


def leave(namespace: str, sid: str, room: Any) -> Command:
    """Removes a client from a room."""
    return Command(leave=command_pb2.LeaveRooms(target=_one(namespace, sid), rooms=names(room)))


def close(namespace: str, room: Any) -> Command:
    """Removes every client from a room."""
    rooms = names(room)
    return Command(
        leave=command_pb2.LeaveRooms(target=Target(namespace=namespace, rooms=rooms), rooms=rooms)
    )


def disconnect(namespace: str, sid: str, connection: bool = False) -> Command:
    """Ends a client's session, or all of the client's sessions and its connection."""
    return Command(
        disconnect=command_pb2.Disconnect(
            target=_one(namespace, sid), close_connection=connection
        )
    )


def _one(namespace: str, sid: str) -> Target:
    return Target(namespace=namespace, sids=[sid])


def duration(seconds: float) -> duration_pb2.Duration:
    """A Duration of so many seconds."""
    out = duration_pb2.Duration()
    out.FromNanoseconds(round(seconds * 1e9))
    return out
