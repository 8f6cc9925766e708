"""The exceptions of sio_edge.

The first five have the names and meanings that they have in python-socketio, so that
``from sio_edge.exceptions import ConnectionRefusedError`` is the only line that changes.
"""

from __future__ import annotations

import builtins
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2


class SocketIOError(Exception):
    """The base of every exception here."""


class ConnectionError(SocketIOError, builtins.ConnectionError):
    """The connection to the edge failed for good, or was refused."""


class ConnectionRefusedError(ConnectionError, builtins.ConnectionRefusedError):
    """Raised in a connect handler, it refuses the client.

    The first argument is the message of the client's ``connect_error``. A second argument is its
    data; more than one become its data as a list.

    Attributes:
        error_args: What the client gets, a dict with ``message`` and perhaps ``data``.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.error_args: dict[str, Any] = {
            "message": str(args[0]) if args else "Connection rejected by server"
        }
        if len(args) > 1:
            self.error_args["data"] = args[1] if len(args) == 2 else args[1:]


class TimeoutError(SocketIOError, builtins.TimeoutError):
    """A client did not acknowledge an event in time."""


class BadNamespaceError(SocketIOError):
    """The namespace is not one of this server's."""


class DisconnectedError(SocketIOError):
    """The client, or the server itself, is gone."""


class ClientGoneError(TimeoutError, DisconnectedError):
    """A client's session ended, or the event was not written, before the acknowledgement.

    python-socketio waits for the timeout in this case; code that catches its ``TimeoutError``
    works unchanged.
    """


class EdgeError(SocketIOError):
    """A command or a question that the edge refused.

    Attributes:
        code: The gRPC status.
        reason: One of the edge's reasons, such as ``TARGET_EMPTY``, ``SESSION_GONE``,
            ``PAYLOAD_INVALID``, ``NAMESPACE_UNKNOWN``; empty if it gave none.
        message: What the edge said.
    """

    def __init__(self, code: grpc.StatusCode, reason: str, message: str) -> None:
        super().__init__(f"{reason or code.name}: {message}")
        self.code = code
        self.reason = reason
        self.message = message

    @classmethod
    def of(cls, status: status_pb2.Status) -> EdgeError:
        """The error that a status in a CommandResult stands for."""
        code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
        return cls(code, _reason(status), status.message)

    @classmethod
    def of_call(cls, error: grpc.RpcError) -> EdgeError:
        """The error that a failed call stands for."""
        status = status_pb2.Status()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status.ParseFromString(value)
        return cls(error.code(), _reason(status), error.details() or "")


class FencedError(ConnectionError):
    """Another process attached under the same group and member; this one has stopped."""


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return info.reason
    return ""
