"""The WSGI environ that python-socketio's connect handlers expect, from a Handshake."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import urlencode

from sio_edge._gen.sioedge.v1 import session_pb2

# Headers that CGI names without HTTP_.
_BARE = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def environ(handshake: session_pb2.Handshake) -> dict[str, Any]:
    """Builds an environ. The request was made to the edge: there is no body and no socket.

    Beside the usual keys there is ``sioedge.transport``, "polling" or "websocket", and
    ``sioedge.issued_at``, when the connection began, as seconds since the epoch.
    """
    scheme = "https" if handshake.secure else "http"
    address, port = split_address(handshake.remote_addr)
    headers = handshake.headers
    name, server_port = split_address(headers["host"] if "host" in headers else "")
    query = urlencode(sorted(handshake.query.items()))  # a map has no order
    env: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": handshake.path,
        "QUERY_STRING": query,
        "RAW_URI": handshake.path + ("?" + query if query else ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": name or "sio-edge",
        "SERVER_PORT": server_port or ("443" if handshake.secure else "80"),
        "SERVER_SOFTWARE": "sio-edge",
        "REMOTE_ADDR": address,
        "REMOTE_PORT": port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "sioedge.transport": handshake.transport,
        "sioedge.issued_at": handshake.issued_at.seconds + handshake.issued_at.nanos / 1e9,
    }
    for key, value in headers.items():
        env[_BARE.get(key) or "HTTP_" + key.upper().replace("-", "_")] = value
    return env


def split_address(address: str) -> tuple[str, str]:
    """Splits "192.0.2.7:80", "[::1]:80", "host" and "::1" into host and port."""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host, rest.removeprefix(":")
    host, colon, port = address.rpartition(":")
    if not colon or ":" in host:
        return address, ""
    return host, port
