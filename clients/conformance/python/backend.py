"""Plays the backend's half of the conformance cases with the Python SDK. See ../README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import sio_edge

Action = dict[str, Any]


class Scene:
    """What actions are about: something that happened to a client."""

    def __init__(self, backend: Backend, sid: str, what: str, args: tuple[Any, ...] = ()) -> None:
        self.backend = backend
        self.sid = sid
        self.what = what
        self.args = args
        self.auth: Any = None
        self.reason = ""
        self.answer: Any = None  # of the last ask
        self.accept = sio_edge.Accept()

    def value(self, expression: Any) -> Any:
        """What an expression stands for."""
        if isinstance(expression, list):
            return [self.value(e) for e in expression]
        if not isinstance(expression, dict):
            return expression
        if len(expression) == 1:
            ((key, operand),) = expression.items()
            if key.startswith("$"):
                return self.special(key[1:], operand)
        return {key: self.value(e) for key, e in expression.items()}

    def special(self, key: str, operand: Any) -> Any:
        sio, namespace = self.backend.sio, self.backend.namespace
        match key:
            case "bytes":
                return bytes.fromhex(operand)
            case "integer":
                return int(operand)
            case "args":
                return list(self.args)
            case "arg":
                return self.args[operand] if operand < len(self.args) else None
            case "kinds":
                return kinds(list(self.args))
            case "rooms":
                return sorted(sio.rooms(self.sid, namespace)[1:])
            case "user":
                return self.accept.user_id or sio.get_socket(self.sid, namespace).user_id
            case "attribute":
                kept = sio.get_socket(self.sid, namespace).attributes
                return {**kept, **self.accept.attributes}.get(operand, "")
            case "member":
                return self.backend.options.member
            case "life":
                return self.backend.options.life
            case "auth" | "answer" | "sid" | "reason":
                return getattr(self, key)
        raise ValueError(f"unknown expression ${key}")

    async def run(self, actions: list[Action]) -> Any:
        """Does the actions in order and returns the reply as a handler does."""
        for action in actions:
            if "reply" in action:
                return tuple(self.value(action["reply"]))
            await self.do(action)
        return None

    async def do(self, action: Action) -> None:
        sio, namespace = self.backend.sio, self.backend.namespace
        verb, operand = next(iter(action.items()))
        args = tuple(self.value(action.get("args", [])))
        match verb:
            case "emit":
                await sio.emit(operand, args, namespace=namespace, **self.target(action))
            case "ask":
                self.answer = await self.ask(operand, args, action["timeout"] / 1000)
            case "join":
                for room in self.value(operand):
                    await sio.enter_room(self.sid, room, namespace)
            case "leave":
                for room in self.value(operand):
                    await sio.leave_room(self.sid, room, namespace)
            case "set" if self.what == "connect":
                self.accept.attributes.update(operand)
            case "set":
                await sio.set_attributes(self.sid, operand, namespace)
            case "user":
                self.accept = sio_edge.Accept(operand, self.accept.attributes)
            case "reject":
                raise sio_edge.exceptions.ConnectionRefusedError(
                    operand, *([action["data"]] if "data" in action else [])
                )
            case "disconnect":
                await sio.disconnect(self.sid, namespace)
            case "note":
                tell(note=self.value(operand))
            case "fail":
                self.backend.tries[self.what] += 1
                if self.backend.tries[self.what] <= operand:
                    raise RuntimeError("told to fail")
            case "exit":
                if operand == self.backend.options.life:
                    os._exit(1)
            case "wait":
                await asyncio.sleep(operand / 1000)
            case _:
                raise ValueError(f"unknown action {verb}")

    async def ask(self, event: str, args: tuple[Any, ...], timeout: float) -> Any:
        namespace = self.backend.namespace
        try:
            answer = await self.backend.sio.call(
                event, args, to=self.sid, namespace=namespace, timeout=timeout
            )
        except sio_edge.exceptions.TimeoutError:
            return "no answer in time"
        if isinstance(answer, tuple):
            return list(answer)
        return [] if answer is None else [answer]

    def target(self, action: Action) -> dict[str, Any]:
        """The arguments of emit() that select whom it is for."""
        out: dict[str, Any] = {}
        to = self.value(action.get("to", "self"))
        if "toUsers" in action:
            out["user"] = action["toUsers"]
        elif to == "self":
            out["to"] = self.sid
        elif to != "everyone":
            out["to"] = to
        excepted = action.get("except", [])
        if "self" in excepted:
            out["skip_sid"] = self.sid
        rooms = [room for room in excepted if room != "self"]
        if rooms:
            out["skip_room"] = rooms
        return out


class Backend:
    """A member with the handlers that its part asks for."""

    def __init__(self, options: argparse.Namespace, part: dict[str, Any]) -> None:
        self.options = options
        self.namespace: str = part["namespace"]
        self.tries: Counter[str] = Counter()
        self.sio = sio_edge.AsyncServer(
            options.edge, group=options.group, member=options.member, namespaces=self.namespace
        )
        if "connect" in part:
            self.sio.on("connect", self.connect(part["connect"]), namespace=self.namespace)
        disconnect = self.disconnect(part.get("disconnect", []))
        self.sio.on("disconnect", disconnect, namespace=self.namespace)
        for event, actions in part["on"].items():
            self.sio.on(event, self.event(event, actions), namespace=self.namespace)

    def connect(self, actions: list[Action]) -> Any:
        async def handler(sid: str, environ: dict[str, Any], auth: Any) -> sio_edge.Accept:
            scene = Scene(self, sid, "connect")
            scene.auth = auth
            await scene.run(actions)
            return scene.accept

        return handler

    def disconnect(self, actions: list[Action]) -> Any:
        async def handler(sid: str, reason: str) -> None:
            scene = Scene(self, sid, "disconnect")
            scene.reason = reason
            await scene.run(actions)

        return handler

    def event(self, event: str, actions: list[Action]) -> Any:
        async def handler(sid: str, *args: Any) -> Any:
            return await Scene(self, sid, event, args).run(actions)

        return handler

    async def serve(self) -> None:
        """Runs until SIGTERM."""
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: self.sio.start_background_task(self.sio.shutdown)
        )
        watching = asyncio.create_task(self.watch())
        await self.sio.wait()
        watching.cancel()

    async def watch(self) -> None:
        async for status in self.sio.statuses():
            if status.state is sio_edge.State.ATTACHED:
                tell(attached=True)


def kinds(value: Any) -> Any:
    """The value with the kind of each leaf in its place."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case bytes():
            return f"{len(value)} bytes"
        case list():
            return [kinds(v) for v in value]
        case dict():
            return {key: kinds(v) for key, v in value.items()}
    return type(value).__name__


def tell(**line: Any) -> None:
    """Says something to the runner."""
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("edge", "group", "member", "part"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--life", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(Backend(options, json.loads(Path(options.part).read_text())).serve())
