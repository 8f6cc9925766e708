from sio_edge._gen.sioedge.v1 import command_pb2 as _command_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecuteRequest(_message.Message):
    __slots__ = ("commands",)
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    commands: _containers.RepeatedCompositeFieldContainer[_command_pb2.Command]
    def __init__(self, commands: _Optional[_Iterable[_Union[_command_pb2.Command, _Mapping]]] = ...) -> None: ...

class ExecuteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_command_pb2.CommandResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_command_pb2.CommandResult, _Mapping]]] = ...) -> None: ...

class EmitWithAckRequest(_message.Message):
    __slots__ = ("command_id", "emit", "trace_parent")
    COMMAND_ID_FIELD_NUMBER: _ClassVar[int]
    EMIT_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    command_id: str
    emit: _command_pb2.Emit
    trace_parent: str
    def __init__(self, command_id: _Optional[str] = ..., emit: _Optional[_Union[_command_pb2.Emit, _Mapping]] = ..., trace_parent: _Optional[str] = ...) -> None: ...

class EmitWithAckResponse(_message.Message):
    __slots__ = ("ack", "summary")
    ACK_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ack: _command_pb2.ClientAck
    summary: _command_pb2.AckSummary
    def __init__(self, ack: _Optional[_Union[_command_pb2.ClientAck, _Mapping]] = ..., summary: _Optional[_Union[_command_pb2.AckSummary, _Mapping]] = ...) -> None: ...
