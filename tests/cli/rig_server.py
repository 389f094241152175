"""A rig that tells a script: both services on a loopback port, without a ring or a recorder behind."""

import struct
import threading
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from rig import columns
from rig.channels import PHYSICS, SCORING
from rig.errors import RigError
from rig.v1 import event_pb2, rig_pb2, rig_pb2_grpc, telemetry_pb2

_CURSOR, _RECORDS, _GAPS = 1, 2, 3
_SEQ = struct.Struct("<Q")


@dataclass
class Script:
    """What one stream says: messages of records, the gaps before them, and where it breaks."""

    messages: list[list[tuple[int, bytes]]] = field(default_factory=list)
    """Each message holds records as (seq, bytes)."""
    gaps: dict[int, event_pb2.Gap] = field(default_factory=dict)
    """By the number of the record they stand before."""
    breaks: dict[int, list[RigError | None]] = field(default_factory=dict)
    """After this number the connection breaks, once per item: with this error, or as a lost server does."""
    earliest: int = 1
    """Oldest number held, for those who ask for it by name."""
    refusal: RigError | None = None
    """Every request fails with this."""

    def after(self, seq: int) -> Iterator[bytes]:
        """The messages after record `seq`, as wire bytes."""
        for message in self.messages:
            if message[-1][0] > seq:
                yield self._wire([(number, data) for number, data in message if number > seq])

    def _wire(self, message: list[tuple[int, bytes]]) -> bytes:
        parts = [columns.field(_CURSOR, _SEQ.pack(message[-1][0]))]
        parts += [columns.field(_RECORDS, data) for _, data in message]
        gaps = (self.gaps[number] for number, _ in message if number in self.gaps)
        return b"".join((*parts, *(columns.field(_GAPS, gap.SerializeToString()) for gap in gaps)))


class Server(rig_pb2_grpc.RigServiceServicer):
    """The scripted rig. `requests` are the stream requests it got, in order."""

    def __init__(self, port: int = 0) -> None:
        self.physics, self.scoring, self.events = Script(), Script(), Script()
        self.status = rig_pb2.GetStatusResponse()
        self.losses = rig_pb2.GetLossesResponse()
        self.checks: list[rig_pb2.VerifyResponse] = []
        self.backup: list[rig_pb2.BackupResponse] = []
        self.requests: list[Any] = []
        self._stop = threading.Event()
        self._server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        rig_pb2_grpc.add_RigServiceServicer_to_server(self, self._server)
        self._server.add_generic_rpc_handlers((self._handler(),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End all streams and let go of the port."""
        self._stop.set()
        self._server.stop(None).wait()

    def GetStatus(self, request: Any, context: Any) -> rig_pb2.GetStatusResponse:
        return self.status

    def GetLosses(self, request: Any, context: Any) -> rig_pb2.GetLossesResponse:
        return self.losses

    def Verify(self, request: Any, context: Any) -> Iterator[rig_pb2.VerifyResponse]:
        yield from self.checks

    def Backup(self, request: Any, context: Any) -> Iterator[rig_pb2.BackupResponse]:
        self.requests.append(request)
        yield from self.backup

    def ListChannels(self, request: Any, context: Any) -> rig_pb2.ListChannelsResponse:
        tables = {event_pb2.STREAM_PHYSICS: PHYSICS, event_pb2.STREAM_SCORING: SCORING}
        return rig_pb2.ListChannelsResponse(
            channels=[
                rig_pb2.ChannelInfo(
                    name=c.name, stream=stream, dtype=c.dtype.str, width=c.width, unit=c.unit, source=c.source
                )
                for stream, table in tables.items()
                for c in table.columns.values()
            ]
        )

    def _handler(self) -> grpc.GenericRpcHandler:
        streams: dict[str, tuple[Script, Any]] = {
            "StreamPhysics": (self.physics, telemetry_pb2.StreamPhysicsRequest),
            "StreamScoring": (self.scoring, telemetry_pb2.StreamScoringRequest),
            "StreamEvents": (self.events, telemetry_pb2.StreamEventsRequest),
        }
        return grpc.method_handlers_generic_handler(
            "rig.v1.TelemetryService",
            {
                name: grpc.unary_stream_rpc_method_handler(self._behavior(script), request.FromString)
                for name, (script, request) in streams.items()
            },
        )

    def _behavior(self, script: Script) -> Any:
        def stream(request: Any, context: Any) -> Iterator[bytes]:
            self.requests.append(request)
            if script.refusal is not None:
                _abort(context, script.refusal)
            for data in script.after(_position(script, request.start)):
                yield data
                _break(script, context, data)
            while context.is_active() and not self._stop.wait(0.02):
                pass

        return stream


def cursor(seq: int) -> bytes:
    """The scripted rig's cursor after record `seq`."""
    return _SEQ.pack(seq)


def _position(script: Script, start: telemetry_pb2.Start) -> int:
    if start.earliest:
        return script.earliest - 1
    return int(_SEQ.unpack(start.cursor)[0]) if start.cursor else 0


def _break(script: Script, context: Any, data: bytes) -> None:
    waiting = script.breaks.get(_SEQ.unpack_from(data, 2)[0])
    if not waiting:
        return
    error = waiting.pop(0)
    if error is not None:
        _abort(context, error)
    context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


def _abort(context: Any, error: RigError) -> None:
    info = error_details_pb2.ErrorInfo(reason=error.reason(), domain="rigd", metadata=error.facts)
    details = any_pb2.Any()
    details.Pack(info)
    code = grpc.StatusCode[error.status].value[0]
    status = status_pb2.Status(code=code, message=str(error), details=[details])
    context.abort_with_status(rpc_status.to_status(status))
