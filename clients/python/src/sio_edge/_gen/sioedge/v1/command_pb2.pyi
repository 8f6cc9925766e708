import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.rpc import status_pb2 as _status_pb2
from sio_edge._gen.sioedge.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AckOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACK_OUTCOME_UNSPECIFIED: _ClassVar[AckOutcome]
    ACK_OUTCOME_ACKED: _ClassVar[AckOutcome]
    ACK_OUTCOME_TIMED_OUT: _ClassVar[AckOutcome]
    ACK_OUTCOME_DISCONNECTED: _ClassVar[AckOutcome]
    ACK_OUTCOME_DROPPED: _ClassVar[AckOutcome]
ACK_OUTCOME_UNSPECIFIED: AckOutcome
ACK_OUTCOME_ACKED: AckOutcome
ACK_OUTCOME_TIMED_OUT: AckOutcome
ACK_OUTCOME_DISCONNECTED: AckOutcome
ACK_OUTCOME_DROPPED: AckOutcome

class Command(_message.Message):
    __slots__ = ("command_id", "emit", "join", "leave", "disconnect", "update", "tell", "answer", "quiet", "trace_parent")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    EMIT_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    TELL_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    emit: Emit
    join: Join
    leave: LeaveRooms
    disconnect: Disconnect
    update: UpdateSession
    tell: Tell
    answer: Answer
    quiet: bool
    trace_parent: str
    def __init__(self, command_id: _Optional[str] = ..., emit: _Optional[_Union[Emit, _Mapping]] = ..., join: _Optional[_Union[Join, _Mapping]] = ..., leave: _Optional[_Union[LeaveRooms, _Mapping]] = ..., disconnect: _Optional[_Union[Disconnect, _Mapping]] = ..., update: _Optional[_Union[UpdateSession, _Mapping]] = ..., tell: _Optional[_Union[Tell, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., quiet: _Optional[bool] = ..., trace_parent: _Optional[str] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("namespace", "rooms", "sids", "user_ids", "everyone", "except_rooms", "except_sids")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    SIDS_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    EVERYONE_FIELD_NUMBER: _ClassVar[int]
    EXCEPT_ROOMS_FIELD_NUMBER: _ClassVar[int]
    EXCEPT_SIDS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    rooms: _containers.RepeatedScalarFieldContainer[str]
    sids: _containers.RepeatedScalarFieldContainer[str]
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    everyone: bool
    except_rooms: _containers.RepeatedScalarFieldContainer[str]
    except_sids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, namespace: _Optional[str] = ..., rooms: _Optional[_Iterable[str]] = ..., sids: _Optional[_Iterable[str]] = ..., user_ids: _Optional[_Iterable[str]] = ..., everyone: _Optional[bool] = ..., except_rooms: _Optional[_Iterable[str]] = ..., except_sids: _Optional[_Iterable[str]] = ...) -> None: ...

class Emit(_message.Message):
    __slots__ = ("target", "event", "payload", "args", "volatile", "compress", "ttl", "ack")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    VOLATILE_FIELD_NUMBER: _ClassVar[int]
    COMPRESS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    target: Target
    event: str
    payload: _event_pb2.Payload
    args: _struct_pb2.ListValue
    volatile: bool
    compress: bool
    ttl: _duration_pb2.Duration
    ack: AckRequest
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., event: _Optional[str] = ..., payload: _Optional[_Union[_event_pb2.Payload, _Mapping]] = ..., args: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., volatile: _Optional[bool] = ..., compress: _Optional[bool] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ack: _Optional[_Union[AckRequest, _Mapping]] = ...) -> None: ...

class AckRequest(_message.Message):
    __slots__ = ("timeout",)
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    timeout: _duration_pb2.Duration
    def __init__(self, timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Join(_message.Message):
    __slots__ = ("target", "rooms")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    target: Target
    rooms: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., rooms: _Optional[_Iterable[str]] = ...) -> None: ...

class LeaveRooms(_message.Message):
    __slots__ = ("target", "rooms", "all")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ROOMS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    target: Target
    rooms: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., rooms: _Optional[_Iterable[str]] = ..., all: _Optional[bool] = ...) -> None: ...

class Disconnect(_message.Message):
    __slots__ = ("target", "close_connection")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    CLOSE_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    target: Target
    close_connection: bool
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., close_connection: _Optional[bool] = ...) -> None: ...

class UpdateSession(_message.Message):
    __slots__ = ("sid", "namespace", "set", "unset", "if_revision")
    class SetEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    UNSET_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    sid: str
    namespace: str
    set: _containers.ScalarMap[str, str]
    unset: _containers.RepeatedScalarFieldContainer[str]
    if_revision: int
    def __init__(self, sid: _Optional[str] = ..., namespace: _Optional[str] = ..., set: _Optional[_Mapping[str, str]] = ..., unset: _Optional[_Iterable[str]] = ..., if_revision: _Optional[int] = ...) -> None: ...

class Tell(_message.Message):
    __slots__ = ("group", "namespace", "event", "payload", "args", "ack")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    group: str
    namespace: str
    event: str
    payload: _event_pb2.Payload
    args: _struct_pb2.ListValue
    ack: AckRequest
    def __init__(self, group: _Optional[str] = ..., namespace: _Optional[str] = ..., event: _Optional[str] = ..., payload: _Optional[_Union[_event_pb2.Payload, _Mapping]] = ..., args: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., ack: _Optional[_Union[AckRequest, _Mapping]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("told_id", "payload", "absent")
    TOLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    told_id: int
    payload: _event_pb2.Payload
    absent: bool
    def __init__(self, told_id: _Optional[int] = ..., payload: _Optional[_Union[_event_pb2.Payload, _Mapping]] = ..., absent: _Optional[bool] = ...) -> None: ...

class CommandResult(_message.Message):
    __slots__ = ("command_id", "status", "receipt")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    status: _status_pb2.Status
    receipt: Receipt
    def __init__(self, command_id: _Optional[str] = ..., status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("matched", "written", "dropped", "repeated_command")
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    REPEATED_COMMAND_FIELD_NUMBER: _ClassVar[int]
    matched: int
    written: int
    dropped: int
    repeated_command: bool
    def __init__(self, matched: _Optional[int] = ..., written: _Optional[int] = ..., dropped: _Optional[int] = ..., repeated_command: _Optional[bool] = ...) -> None: ...

class ClientAck(_message.Message):
    __slots__ = ("command_id", "sid", "outcome", "payload", "member_id")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    SID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ID_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    sid: str
    outcome: AckOutcome
    payload: _event_pb2.Payload
    member_id: str
    def __init__(self, command_id: _Optional[str] = ..., sid: _Optional[str] = ..., outcome: _Optional[_Union[AckOutcome, str]] = ..., payload: _Optional[_Union[_event_pb2.Payload, _Mapping]] = ..., member_id: _Optional[str] = ...) -> None: ...

class AckSummary(_message.Message):
    __slots__ = ("command_id", "expected", "acked", "timed_out", "disconnected", "dropped")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    ACKED_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    expected: int
    acked: int
    timed_out: int
    disconnected: int
    dropped: int
    def __init__(self, command_id: _Optional[str] = ..., expected: _Optional[int] = ..., acked: _Optional[int] = ..., timed_out: _Optional[int] = ..., disconnected: _Optional[int] = ..., dropped: _Optional[int] = ...) -> None: ...
