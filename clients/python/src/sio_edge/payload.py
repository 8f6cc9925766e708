"""Arguments of events and acknowledgements: Python values to JSON with attachments and back.

A ``bytes`` at any depth travels as an attachment and stands in the JSON as a placeholder.
"""

from __future__ import annotations

import json as _json
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sio_edge._gen.sioedge.v1 import event_pb2

Payload = event_pb2.Payload


class JSONModule(Protocol):
    """What a replacement for the ``json`` module offers. ``dumps`` is called with ``default``."""

    dumps: Callable[..., Any]
    loads: Callable[..., Any]


class _Standard:
    """The standard library's json, writing what JavaScript can read."""

    loads = staticmethod(_json.loads)

    @staticmethod
    def dumps(value: Any, default: Callable[[Any], Any]) -> bytes:
        # NaN and Infinity are no JSON: refused here, where the program that made them can be told.
        encoder = _json.JSONEncoder(
            separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=default
        )
        text = encoder.encode(value)
        try:
            return text.encode()
        except UnicodeEncodeError:  # a lone surrogate has no UTF-8, but it has an escape
            return _escape(text)


def _escape(text: str) -> bytes:
    return "".join(
        f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text
    ).encode()


class Codec:
    """Encodes and decodes payloads with one JSON module. It may be shared."""

    def __init__(self, json: JSONModule | None = None) -> None:
        self._dumps = json.dumps if json else _Standard.dumps
        self._loads = json.loads if json else _Standard.loads

    def encode(self, args: Iterable[Any]) -> Payload:
        """Packs arguments.

        Raises:
            TypeError: An argument is of a type that JSON does not have.
            ValueError: A float is not finite, or the value contains itself.
        """
        attachments: list[bytes] = []

        def place(value: Any) -> Any:
            if isinstance(value, bytes | bytearray | memoryview):
                attachments.append(bytes(value))
                return {"_placeholder": True, "num": len(attachments) - 1}
            raise TypeError(f"{type(value).__name__} cannot be sent to a client")

        text = self._dumps(list(args), default=place)
        if isinstance(text, str):
            text = text.encode()
        return Payload(json=text, attachments=attachments)

    def decode(self, payload: Payload) -> list[Any]:
        """Unpacks arguments, putting the attachments back where they belong."""
        text = payload.json
        if not text:
            return []
        attachments = payload.attachments
        if not attachments:
            return self._loads(str(text, "utf-8"))

        def put_back(value: dict[str, Any]) -> Any:
            if value.get("_placeholder") is True:
                return attachments[value["num"]]
            return value

        return self._loads(str(text, "utf-8"), object_hook=put_back)

    def dump(self, value: Any) -> bytes:
        """One JSON value without attachments, for connect_error's data."""
        text = self._dumps(value, default=_refuse)
        return text.encode() if isinstance(text, str) else text

    def load(self, text: bytes) -> Any:
        """One JSON value, or None for no bytes."""
        return self._loads(str(text, "utf-8")) if text else None


def _refuse(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} cannot be sent to a client here")


def arguments(data: Any) -> Iterable[Any]:
    """The arguments that python-socketio makes of `data`: a tuple is several, None is none."""
    if isinstance(data, tuple):
        return data
    return () if data is None else (data,)
