"""python-socketio's server API for programs whose clients are connected to sio-edge.

The edge process holds the connections; this package holds your handlers::

    import sio_edge
    sio = sio_edge.AsyncServer("127.0.0.1:7070", group="chat")   # was: socketio.AsyncServer()
"""

from sio_edge import exceptions
from sio_edge._gen.sioedge.v1.command_pb2 import Receipt
from sio_edge._gen.sioedge.v1.session_pb2 import Session
from sio_edge.asgi import ASGIApp
from sio_edge.emitter import AsyncEmitter
from sio_edge.member import Accept
from sio_edge.namespace import AsyncNamespace, Namespace
from sio_edge.server import AsyncServer
from sio_edge.sockets import Socket
from sio_edge.status import Reason, State, Status
from sio_edge.sync import Server
from sio_edge.trace import trace_parent

__version__ = "0.1.0"

__all__ = [
    "ASGIApp",
    "Accept",
    "AsyncEmitter",
    "AsyncNamespace",
    "AsyncServer",
    "Namespace",
    "Reason",
    "Receipt",
    "Server",
    "Session",
    "Socket",
    "State",
    "Status",
    "exceptions",
    "trace_parent",
]
