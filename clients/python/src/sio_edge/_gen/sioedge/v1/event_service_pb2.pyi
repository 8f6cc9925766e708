import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from sio_edge._gen.sioedge.v1 import command_pb2 as _command_pb2
from sio_edge._gen.sioedge.v1 import event_pb2 as _event_pb2
from sio_edge._gen.sioedge.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeliveryMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_MODE_UNSPECIFIED: _ClassVar[DeliveryMode]
    DELIVERY_MODE_AT_LEAST_ONCE: _ClassVar[DeliveryMode]
    DELIVERY_MODE_DURABLE: _ClassVar[DeliveryMode]

class OverflowAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERFLOW_ACTION_UNSPECIFIED: _ClassVar[OverflowAction]
    OVERFLOW_ACTION_PAUSE_CLIENTS: _ClassVar[OverflowAction]
    OVERFLOW_ACTION_REJECT: _ClassVar[OverflowAction]
    OVERFLOW_ACTION_DROP_OLDEST: _ClassVar[OverflowAction]

class ResumeOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESUME_OUTCOME_UNSPECIFIED: _ClassVar[ResumeOutcome]
    RESUME_OUTCOME_FRESH: _ClassVar[ResumeOutcome]
    RESUME_OUTCOME_CONTINUED: _ClassVar[ResumeOutcome]
    RESUME_OUTCOME_SNAPSHOT: _ClassVar[ResumeOutcome]
DELIVERY_MODE_UNSPECIFIED: DeliveryMode
DELIVERY_MODE_AT_LEAST_ONCE: DeliveryMode
DELIVERY_MODE_DURABLE: DeliveryMode
OVERFLOW_ACTION_UNSPECIFIED: OverflowAction
OVERFLOW_ACTION_PAUSE_CLIENTS: OverflowAction
OVERFLOW_ACTION_REJECT: OverflowAction
OVERFLOW_ACTION_DROP_OLDEST: OverflowAction
RESUME_OUTCOME_UNSPECIFIED: ResumeOutcome
RESUME_OUTCOME_FRESH: ResumeOutcome
RESUME_OUTCOME_CONTINUED: ResumeOutcome
RESUME_OUTCOME_SNAPSHOT: ResumeOutcome

class SubscribeRequest(_message.Message):
    __slots__ = ("hello", "flow", "ack", "reply", "decision", "commands", "heartbeat", "replies", "leave")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    flow: FlowControl
    ack: Ack
    reply: Reply
    decision: ConnectDecision
    commands: CommandBatch
    heartbeat: Heartbeat
    replies: ReplyBatch
    leave: Leave
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., flow: _Optional[_Union[FlowControl, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., reply: _Optional[_Union[Reply, _Mapping]] = ..., decision: _Optional[_Union[ConnectDecision, _Mapping]] = ..., commands: _Optional[_Union[CommandBatch, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., replies: _Optional[_Union[ReplyBatch, _Mapping]] = ..., leave: _Optional[_Union[Leave, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_version", "sdk", "group", "member_id", "instance_id", "spec", "flow", "resume")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    sdk: str
    group: str
    member_id: str
    instance_id: str
    spec: GroupSpec
    flow: FlowControl
    resume: Cursor
    def __init__(self, protocol_version: _Optional[int] = ..., sdk: _Optional[str] = ..., group: _Optional[str] = ..., member_id: _Optional[str] = ..., instance_id: _Optional[str] = ..., spec: _Optional[_Union[GroupSpec, _Mapping]] = ..., flow: _Optional[_Union[FlowControl, _Mapping]] = ..., resume: _Optional[_Union[Cursor, _Mapping]] = ...) -> None: ...

class GroupSpec(_message.Message):
    __slots__ = ("routes", "ack_deadline", "max_attempts", "member_grace", "delivery", "max_backlog_events", "max_backlog_bytes", "on_overflow", "retention")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    ACK_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_GRACE_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKLOG_EVENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKLOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    ON_OVERFLOW_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    ack_deadline: _duration_pb2.Duration
    max_attempts: int
    member_grace: _duration_pb2.Duration
    delivery: DeliveryMode
    max_backlog_events: int
    max_backlog_bytes: int
    on_overflow: OverflowAction
    retention: _duration_pb2.Duration
    def __init__(self, routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., ack_deadline: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_attempts: _Optional[int] = ..., member_grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., delivery: _Optional[_Union[DeliveryMode, str]] = ..., max_backlog_events: _Optional[int] = ..., max_backlog_bytes: _Optional[int] = ..., on_overflow: _Optional[_Union[OverflowAction, str]] = ..., retention: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("namespace", "events", "kinds")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    events: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[_event_pb2.EventKind]
    def __init__(self, namespace: _Optional[str] = ..., events: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[_event_pb2.EventKind, str]]] = ...) -> None: ...

class FlowControl(_message.Message):
    __slots__ = ("max_outstanding_events", "max_outstanding_bytes", "max_outstanding_per_session", "paused")
    MAX_OUTSTANDING_EVENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTSTANDING_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTSTANDING_PER_SESSION_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    max_outstanding_events: int
    max_outstanding_bytes: int
    max_outstanding_per_session: int
    paused: bool
    def __init__(self, max_outstanding_events: _Optional[int] = ..., max_outstanding_bytes: _Optional[int] = ..., max_outstanding_per_session: _Optional[int] = ..., paused: _Optional[bool] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("done", "nacks", "extend", "told")
    DONE_FIELD_NUMBER: _ClassVar[int]
    NACKS_FIELD_NUMBER: _ClassVar[int]
    EXTEND_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    done: _containers.RepeatedCompositeFieldContainer[DeliveryRange]
    nacks: _containers.RepeatedCompositeFieldContainer[Nack]
    extend: _containers.RepeatedCompositeFieldContainer[DeliveryRange]
    told: int
    def __init__(self, done: _Optional[_Iterable[_Union[DeliveryRange, _Mapping]]] = ..., nacks: _Optional[_Iterable[_Union[Nack, _Mapping]]] = ..., extend: _Optional[_Iterable[_Union[DeliveryRange, _Mapping]]] = ..., told: _Optional[int] = ...) -> None: ...

class DeliveryRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class Nack(_message.Message):
    __slots__ = ("delivery_id", "retry_after", "dead_letter", "reason")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    delivery_id: int
    retry_after: _duration_pb2.Duration
    dead_letter: bool
    reason: str
    def __init__(self, delivery_id: _Optional[int] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., dead_letter: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("delivery_id", "payload")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    delivery_id: int
    payload: _event_pb2.Payload
    def __init__(self, delivery_id: _Optional[int] = ..., payload: _Optional[_Union[_event_pb2.Payload, _Mapping]] = ...) -> None: ...

class ReplyBatch(_message.Message):
    __slots__ = ("replies",)
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    replies: _containers.RepeatedCompositeFieldContainer[Reply]
    def __init__(self, replies: _Optional[_Iterable[_Union[Reply, _Mapping]]] = ...) -> None: ...

class ConnectDecision(_message.Message):
    __slots__ = ("delivery_id", "accept", "reject")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    delivery_id: int
    accept: Accept
    reject: Reject
    def __init__(self, delivery_id: _Optional[int] = ..., accept: _Optional[_Union[Accept, _Mapping]] = ..., reject: _Optional[_Union[Reject, _Mapping]] = ...) -> None: ...

class Accept(_message.Message):
    __slots__ = ("user_id", "attributes", "rooms", "greeting")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    GREETING_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    attributes: _containers.ScalarMap[str, str]
    rooms: _containers.RepeatedScalarFieldContainer[str]
    greeting: _containers.RepeatedCompositeFieldContainer[_command_pb2.Emit]
    def __init__(self, user_id: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., rooms: _Optional[_Iterable[str]] = ..., greeting: _Optional[_Iterable[_Union[_command_pb2.Emit, _Mapping]]] = ...) -> None: ...

class Reject(_message.Message):
    __slots__ = ("message", "data_json")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    message: str
    data_json: bytes
    def __init__(self, message: _Optional[str] = ..., data_json: _Optional[bytes] = ...) -> None: ...

class CommandBatch(_message.Message):
    __slots__ = ("commands",)
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    commands: _containers.RepeatedCompositeFieldContainer[_command_pb2.Command]
    def __init__(self, commands: _Optional[_Iterable[_Union[_command_pb2.Command, _Mapping]]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class Leave(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("welcome", "deliveries", "results", "client_acks", "assignment", "snapshot", "draining", "progress", "told", "changes")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ACKS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    deliveries: DeliveryBatch
    results: CommandResultBatch
    client_acks: ClientAckBatch
    assignment: Assignment
    snapshot: Snapshot
    draining: Draining
    progress: Progress
    told: ToldBatch
    changes: SessionChangeBatch
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., deliveries: _Optional[_Union[DeliveryBatch, _Mapping]] = ..., results: _Optional[_Union[CommandResultBatch, _Mapping]] = ..., client_acks: _Optional[_Union[ClientAckBatch, _Mapping]] = ..., assignment: _Optional[_Union[Assignment, _Mapping]] = ..., snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., told: _Optional[_Union[ToldBatch, _Mapping]] = ..., changes: _Optional[_Union[SessionChangeBatch, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("protocol_version", "edge_id", "epoch", "log_id", "resume", "flow", "version")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    EDGE_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    edge_id: str
    epoch: int
    log_id: str
    resume: ResumeOutcome
    flow: FlowControl
    version: str
    def __init__(self, protocol_version: _Optional[int] = ..., edge_id: _Optional[str] = ..., epoch: _Optional[int] = ..., log_id: _Optional[str] = ..., resume: _Optional[_Union[ResumeOutcome, str]] = ..., flow: _Optional[_Union[FlowControl, _Mapping]] = ..., version: _Optional[str] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("edge_id", "log_id", "offset")
    EDGE_ID_FIELD_NUMBER: _ClassVar[int]
    LOG_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    edge_id: str
    log_id: str
    offset: int
    def __init__(self, edge_id: _Optional[str] = ..., log_id: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class DeliveryBatch(_message.Message):
    __slots__ = ("deliveries",)
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("delivery_id", "attempt", "event", "trace_parent")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    delivery_id: int
    attempt: int
    event: _event_pb2.Event
    trace_parent: str
    def __init__(self, delivery_id: _Optional[int] = ..., attempt: _Optional[int] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., trace_parent: _Optional[str] = ...) -> None: ...

class CommandResultBatch(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_command_pb2.CommandResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_command_pb2.CommandResult, _Mapping]]] = ...) -> None: ...

class ClientAckBatch(_message.Message):
    __slots__ = ("acks", "summaries")
    ACKS_FIELD_NUMBER: _ClassVar[int]
    SUMMARIES_FIELD_NUMBER: _ClassVar[int]
    acks: _containers.RepeatedCompositeFieldContainer[_command_pb2.ClientAck]
    summaries: _containers.RepeatedCompositeFieldContainer[_command_pb2.AckSummary]
    def __init__(self, acks: _Optional[_Iterable[_Union[_command_pb2.ClientAck, _Mapping]]] = ..., summaries: _Optional[_Iterable[_Union[_command_pb2.AckSummary, _Mapping]]] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("gained", "lost_sids")
    GAINED_FIELD_NUMBER: _ClassVar[int]
    LOST_SIDS_FIELD_NUMBER: _ClassVar[int]
    gained: _containers.RepeatedCompositeFieldContainer[_session_pb2.Session]
    lost_sids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, gained: _Optional[_Iterable[_Union[_session_pb2.Session, _Mapping]]] = ..., lost_sids: _Optional[_Iterable[str]] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("sessions", "last")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[_session_pb2.Session]
    last: bool
    def __init__(self, sessions: _Optional[_Iterable[_Union[_session_pb2.Session, _Mapping]]] = ..., last: _Optional[bool] = ...) -> None: ...

class ToldBatch(_message.Message):
    __slots__ = ("told",)
    TOLD_FIELD_NUMBER: _ClassVar[int]
    told: _containers.RepeatedCompositeFieldContainer[Told]
    def __init__(self, told: _Optional[_Iterable[_Union[Told, _Mapping]]] = ...) -> None: ...

class Told(_message.Message):
    __slots__ = ("told_id", "member_id", "namespace", "event", "payload", "asks")
    TOLD_ID_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    told_id: int
    member_id: str
    namespace: str
    event: str
    payload: _event_pb2.Payload
    asks: bool
    def __init__(self, told_id: _Optional[int] = ..., member_id: _Optional[str] = ..., namespace: _Optional[str] = ..., event: _Optional[str] = ..., payload: _Optional[_Union[_event_pb2.Payload, _Mapping]] = ..., asks: _Optional[bool] = ...) -> None: ...

class SessionChangeBatch(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[SessionChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[SessionChange, _Mapping]]] = ...) -> None: ...

class SessionChange(_message.Message):
    __slots__ = ("sid", "namespace", "joined", "left", "all_rooms", "transport")
    SID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    ALL_ROOMS_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    sid: str
    namespace: str
    joined: _containers.RepeatedScalarFieldContainer[str]
    left: _containers.RepeatedScalarFieldContainer[str]
    all_rooms: bool
    transport: str
    def __init__(self, sid: _Optional[str] = ..., namespace: _Optional[str] = ..., joined: _Optional[_Iterable[str]] = ..., left: _Optional[_Iterable[str]] = ..., all_rooms: _Optional[bool] = ..., transport: _Optional[str] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ("within",)
    WITHIN_FIELD_NUMBER: _ClassVar[int]
    within: _duration_pb2.Duration
    def __init__(self, within: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("nonce", "backlog_events", "backlog_age")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_EVENTS_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_AGE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    backlog_events: int
    backlog_age: _duration_pb2.Duration
    def __init__(self, nonce: _Optional[int] = ..., backlog_events: _Optional[int] = ..., backlog_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
