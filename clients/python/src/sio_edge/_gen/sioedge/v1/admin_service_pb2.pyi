import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sio_edge._gen.sioedge.v1 import command_pb2 as _command_pb2
from sio_edge._gen.sioedge.v1 import event_pb2 as _event_pb2
from sio_edge._gen.sioedge.v1 import event_service_pb2 as _event_service_pb2
from sio_edge._gen.sioedge.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EdgeState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EDGE_STATE_UNSPECIFIED: _ClassVar[EdgeState]
    EDGE_STATE_READY: _ClassVar[EdgeState]
    EDGE_STATE_DRAINING: _ClassVar[EdgeState]
EDGE_STATE_UNSPECIFIED: EdgeState
EDGE_STATE_READY: EdgeState
EDGE_STATE_DRAINING: EdgeState

class GetEdgeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetEdgeResponse(_message.Message):
    __slots__ = ("edge",)
    EDGE_FIELD_NUMBER: _ClassVar[int]
    edge: Edge
    def __init__(self, edge: _Optional[_Union[Edge, _Mapping]] = ...) -> None: ...

class Edge(_message.Message):
    __slots__ = ("edge_id", "epoch", "version", "state", "open_sessions", "suspended_sessions", "connections", "started_at", "namespaces")
    EDGE_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    edge_id: str
    epoch: int
    version: str
    state: EdgeState
    open_sessions: int
    suspended_sessions: int
    connections: int
    started_at: _timestamp_pb2.Timestamp
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, edge_id: _Optional[str] = ..., epoch: _Optional[int] = ..., version: _Optional[str] = ..., state: _Optional[_Union[EdgeState, str]] = ..., open_sessions: _Optional[int] = ..., suspended_sessions: _Optional[int] = ..., connections: _Optional[int] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., namespaces: _Optional[_Iterable[str]] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGroupsResponse(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    def __init__(self, groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("name", "spec", "members", "backlog_events", "backlog_bytes", "backlog_age", "in_flight", "redelivered", "dead_letters", "paused_clients", "retained_events", "paused")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_EVENTS_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_AGE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    REDELIVERED_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_CLIENTS_FIELD_NUMBER: _ClassVar[int]
    RETAINED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: _event_service_pb2.GroupSpec
    members: _containers.RepeatedCompositeFieldContainer[Member]
    backlog_events: int
    backlog_bytes: int
    backlog_age: _duration_pb2.Duration
    in_flight: int
    redelivered: int
    dead_letters: int
    paused_clients: int
    retained_events: int
    paused: bool
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[_event_service_pb2.GroupSpec, _Mapping]] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., backlog_events: _Optional[int] = ..., backlog_bytes: _Optional[int] = ..., backlog_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., in_flight: _Optional[int] = ..., redelivered: _Optional[int] = ..., dead_letters: _Optional[int] = ..., paused_clients: _Optional[int] = ..., retained_events: _Optional[int] = ..., paused: _Optional[bool] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("member_id", "attached", "sdk", "in_flight", "sessions")
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    member_id: str
    attached: bool
    sdk: str
    in_flight: int
    sessions: int
    def __init__(self, member_id: _Optional[str] = ..., attached: _Optional[bool] = ..., sdk: _Optional[str] = ..., in_flight: _Optional[int] = ..., sessions: _Optional[int] = ...) -> None: ...

class ListDeadLettersRequest(_message.Message):
    __slots__ = ("group", "page_size", "page_token")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    group: str
    page_size: int
    page_token: str
    def __init__(self, group: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeadLettersResponse(_message.Message):
    __slots__ = ("dead_letters", "next_page_token")
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    dead_letters: _containers.RepeatedCompositeFieldContainer[DeadLetter]
    next_page_token: str
    def __init__(self, dead_letters: _Optional[_Iterable[_Union[DeadLetter, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("event", "attempts", "member_id", "reason", "set_aside_at")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SET_ASIDE_AT_FIELD_NUMBER: _ClassVar[int]
    event: _event_pb2.Event
    attempts: int
    member_id: str
    reason: str
    set_aside_at: _timestamp_pb2.Timestamp
    def __init__(self, event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., attempts: _Optional[int] = ..., member_id: _Optional[str] = ..., reason: _Optional[str] = ..., set_aside_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RedriveDeadLettersRequest(_message.Message):
    __slots__ = ("group", "offsets", "discard")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    DISCARD_FIELD_NUMBER: _ClassVar[int]
    group: str
    offsets: _containers.RepeatedScalarFieldContainer[int]
    discard: bool
    def __init__(self, group: _Optional[str] = ..., offsets: _Optional[_Iterable[int]] = ..., discard: _Optional[bool] = ...) -> None: ...

class RedriveDeadLettersResponse(_message.Message):
    __slots__ = ("done", "unknown_offsets")
    DONE_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    done: int
    unknown_offsets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, done: _Optional[int] = ..., unknown_offsets: _Optional[_Iterable[int]] = ...) -> None: ...

class SeekGroupRequest(_message.Message):
    __slots__ = ("group", "latest", "cursor", "time")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    group: str
    latest: bool
    cursor: _event_service_pb2.Cursor
    time: _timestamp_pb2.Timestamp
    def __init__(self, group: _Optional[str] = ..., latest: _Optional[bool] = ..., cursor: _Optional[_Union[_event_service_pb2.Cursor, _Mapping]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SeekGroupResponse(_message.Message):
    __slots__ = ("dropped", "replayed")
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    dropped: int
    replayed: int
    def __init__(self, dropped: _Optional[int] = ..., replayed: _Optional[int] = ...) -> None: ...

class PauseGroupRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class PauseGroupResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeGroupRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: str
    def __init__(self, group: _Optional[str] = ...) -> None: ...

class ResumeGroupResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSlowClientsRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListSlowClientsResponse(_message.Message):
    __slots__ = ("clients", "max_queued_bytes", "max_queued_packets")
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    clients: _containers.RepeatedCompositeFieldContainer[SlowClient]
    max_queued_bytes: int
    max_queued_packets: int
    def __init__(self, clients: _Optional[_Iterable[_Union[SlowClient, _Mapping]]] = ..., max_queued_bytes: _Optional[int] = ..., max_queued_packets: _Optional[int] = ...) -> None: ...

class SlowClient(_message.Message):
    __slots__ = ("remote_addr", "transport", "queued_bytes", "queued_packets", "paused", "sessions")
    REMOTE_ADDR_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    QUEUED_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUEUED_PACKETS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    remote_addr: str
    transport: str
    queued_bytes: int
    queued_packets: int
    paused: bool
    sessions: _containers.RepeatedCompositeFieldContainer[_session_pb2.Session]
    def __init__(self, remote_addr: _Optional[str] = ..., transport: _Optional[str] = ..., queued_bytes: _Optional[int] = ..., queued_packets: _Optional[int] = ..., paused: _Optional[bool] = ..., sessions: _Optional[_Iterable[_Union[_session_pb2.Session, _Mapping]]] = ...) -> None: ...

class ListRefusalsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRefusalsResponse(_message.Message):
    __slots__ = ("refusals",)
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    refusals: _containers.RepeatedCompositeFieldContainer[Refusal]
    def __init__(self, refusals: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("layer", "reason", "count", "last_at", "meaning")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_AT_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    layer: str
    reason: str
    count: int
    last_at: _timestamp_pb2.Timestamp
    meaning: str
    def __init__(self, layer: _Optional[str] = ..., reason: _Optional[str] = ..., count: _Optional[int] = ..., last_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., meaning: _Optional[str] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DrainResponse(_message.Message):
    __slots__ = ("within", "connections")
    WITHIN_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    within: _duration_pb2.Duration
    connections: int
    def __init__(self, within: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., connections: _Optional[int] = ...) -> None: ...

class BackupRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BackupResponse(_message.Message):
    __slots__ = ("size", "data")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    size: int
    data: bytes
    def __init__(self, size: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class TailEventsRequest(_message.Message):
    __slots__ = ("filter", "events")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    filter: _command_pb2.Target
    events: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, filter: _Optional[_Union[_command_pb2.Target, _Mapping]] = ..., events: _Optional[_Iterable[str]] = ...) -> None: ...

class TailEventsResponse(_message.Message):
    __slots__ = ("at", "event", "emitted", "settled", "missed")
    AT_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    EMITTED_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    event: _event_pb2.Event
    emitted: Emitted
    settled: Settled
    missed: int
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., emitted: _Optional[_Union[Emitted, _Mapping]] = ..., settled: _Optional[_Union[Settled, _Mapping]] = ..., missed: _Optional[int] = ...) -> None: ...

class Emitted(_message.Message):
    __slots__ = ("emit", "receipt")
    EMIT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    emit: _command_pb2.Emit
    receipt: _command_pb2.Receipt
    def __init__(self, emit: _Optional[_Union[_command_pb2.Emit, _Mapping]] = ..., receipt: _Optional[_Union[_command_pb2.Receipt, _Mapping]] = ...) -> None: ...

class Settled(_message.Message):
    __slots__ = ("offset", "sid", "group", "member_id", "took", "nacked", "reply", "refusal")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SID_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    TOOK_FIELD_NUMBER: _ClassVar[int]
    NACKED_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    offset: int
    sid: str
    group: str
    member_id: str
    took: _duration_pb2.Duration
    nacked: bool
    reply: _event_pb2.Payload
    refusal: str
    def __init__(self, offset: _Optional[int] = ..., sid: _Optional[str] = ..., group: _Optional[str] = ..., member_id: _Optional[str] = ..., took: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., nacked: _Optional[bool] = ..., reply: _Optional[_Union[_event_pb2.Payload, _Mapping]] = ..., refusal: _Optional[str] = ...) -> None: ...
