import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sio_edge._gen.sioedge.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_CONNECT_REQUESTED: _ClassVar[EventKind]
    EVENT_KIND_OPENED: _ClassVar[EventKind]
    EVENT_KIND_SUSPENDED: _ClassVar[EventKind]
    EVENT_KIND_RESUMED: _ClassVar[EventKind]
    EVENT_KIND_CLOSED: _ClassVar[EventKind]
    EVENT_KIND_CLIENT_EVENT: _ClassVar[EventKind]

class CloseReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSE_REASON_UNSPECIFIED: _ClassVar[CloseReason]
    CLOSE_REASON_CLIENT: _ClassVar[CloseReason]
    CLOSE_REASON_BACKEND: _ClassVar[CloseReason]
    CLOSE_REASON_TRANSPORT_CLOSE: _ClassVar[CloseReason]
    CLOSE_REASON_TRANSPORT_ERROR: _ClassVar[CloseReason]
    CLOSE_REASON_PING_TIMEOUT: _ClassVar[CloseReason]
    CLOSE_REASON_PARSE_ERROR: _ClassVar[CloseReason]
    CLOSE_REASON_FORCED_CLOSE: _ClassVar[CloseReason]
    CLOSE_REASON_FORCED_SERVER_CLOSE: _ClassVar[CloseReason]
    CLOSE_REASON_EDGE_DRAIN: _ClassVar[CloseReason]
    CLOSE_REASON_SLOW_CONSUMER: _ClassVar[CloseReason]
    CLOSE_REASON_EDGE_RESTART: _ClassVar[CloseReason]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_CONNECT_REQUESTED: EventKind
EVENT_KIND_OPENED: EventKind
EVENT_KIND_SUSPENDED: EventKind
EVENT_KIND_RESUMED: EventKind
EVENT_KIND_CLOSED: EventKind
EVENT_KIND_CLIENT_EVENT: EventKind
CLOSE_REASON_UNSPECIFIED: CloseReason
CLOSE_REASON_CLIENT: CloseReason
CLOSE_REASON_BACKEND: CloseReason
CLOSE_REASON_TRANSPORT_CLOSE: CloseReason
CLOSE_REASON_TRANSPORT_ERROR: CloseReason
CLOSE_REASON_PING_TIMEOUT: CloseReason
CLOSE_REASON_PARSE_ERROR: CloseReason
CLOSE_REASON_FORCED_CLOSE: CloseReason
CLOSE_REASON_FORCED_SERVER_CLOSE: CloseReason
CLOSE_REASON_EDGE_DRAIN: CloseReason
CLOSE_REASON_SLOW_CONSUMER: CloseReason
CLOSE_REASON_EDGE_RESTART: CloseReason

class Payload(_message.Message):
    __slots__ = ("json", "attachments")
    JSON_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    attachments: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, json: _Optional[bytes] = ..., attachments: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("offset", "sid", "namespace", "seq", "prev_seq", "received_at", "connect_requested", "opened", "suspended", "resumed", "closed", "client_event")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    PREV_SEQ_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    CLIENT_EVENT_FIELD_NUMBER: _ClassVar[int]
    offset: int
    sid: str
    namespace: str
    seq: int
    prev_seq: int
    received_at: _timestamp_pb2.Timestamp
    connect_requested: ConnectRequested
    opened: Opened
    suspended: Suspended
    resumed: Resumed
    closed: Closed
    client_event: ClientEvent
    def __init__(self, offset: _Optional[int] = ..., sid: _Optional[str] = ..., namespace: _Optional[str] = ..., seq: _Optional[int] = ..., prev_seq: _Optional[int] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., connect_requested: _Optional[_Union[ConnectRequested, _Mapping]] = ..., opened: _Optional[_Union[Opened, _Mapping]] = ..., suspended: _Optional[_Union[Suspended, _Mapping]] = ..., resumed: _Optional[_Union[Resumed, _Mapping]] = ..., closed: _Optional[_Union[Closed, _Mapping]] = ..., client_event: _Optional[_Union[ClientEvent, _Mapping]] = ...) -> None: ...

class ConnectRequested(_message.Message):
    __slots__ = ("handshake", "auth_json", "answer_by", "resuming", "user_id", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HANDSHAKE_FIELD_NUMBER: _ClassVar[int]
    AUTH_JSON_FIELD_NUMBER: _ClassVar[int]
    ANSWER_BY_FIELD_NUMBER: _ClassVar[int]
    RESUMING_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    handshake: _session_pb2.Handshake
    auth_json: bytes
    answer_by: _timestamp_pb2.Timestamp
    resuming: bool
    user_id: str
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, handshake: _Optional[_Union[_session_pb2.Handshake, _Mapping]] = ..., auth_json: _Optional[bytes] = ..., answer_by: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resuming: _Optional[bool] = ..., user_id: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("session", "auth_json")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AUTH_JSON_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    auth_json: bytes
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., auth_json: _Optional[bytes] = ...) -> None: ...

class Suspended(_message.Message):
    __slots__ = ("reason", "resumable_until")
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESUMABLE_UNTIL_FIELD_NUMBER: _ClassVar[int]
    reason: CloseReason
    resumable_until: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[_Union[CloseReason, str]] = ..., resumable_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Resumed(_message.Message):
    __slots__ = ("replayed", "complete", "session", "auth_json")
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AUTH_JSON_FIELD_NUMBER: _ClassVar[int]
    replayed: int
    complete: bool
    session: _session_pb2.Session
    auth_json: bytes
    def __init__(self, replayed: _Optional[int] = ..., complete: _Optional[bool] = ..., session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., auth_json: _Optional[bytes] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("reason", "detail", "session")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    reason: CloseReason
    detail: str
    session: _session_pb2.Session
    def __init__(self, reason: _Optional[_Union[CloseReason, str]] = ..., detail: _Optional[str] = ..., session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class ClientEvent(_message.Message):
    __slots__ = ("event", "payload", "wants_reply", "numeric_name")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    WANTS_REPLY_FIELD_NUMBER: _ClassVar[int]
    NUMERIC_NAME_FIELD_NUMBER: _ClassVar[int]
    event: str
    payload: Payload
    wants_reply: bool
    numeric_name: bool
    def __init__(self, event: _Optional[str] = ..., payload: _Optional[_Union[Payload, _Mapping]] = ..., wants_reply: _Optional[bool] = ..., numeric_name: _Optional[bool] = ...) -> None: ...
