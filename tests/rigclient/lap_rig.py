"""A rig of lap files: LapService and a status on a loopback port, no daemon behind it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from rig.errors import MalformedToken, NotFound, Pinned, Raced, RigError
from rig.lapfile import LapFile
from rig.v1 import archive_pb2, lap_pb2, laps_pb2, laps_pb2_grpc, rig_pb2, session_pb2

PAGE = 3
"""Fewer than any test has, so that whoever lists has to turn pages."""
PART = 4096

_KEYS: dict[int, str] = {laps_pb2.BEST_OF_CAR: "car", laps_pb2.BEST_OF_DRIVER: "driver"}


def _answering(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """A method of the service that may raise errors of the tree; it notes its requests."""

    def answer(self: "LapRig", request: Any, context: Any) -> Any:
        self.requests.append(type(request).FromString(request.SerializeToString()))
        try:
            return method(self, request)
        except RigError as error:
            _abort(context, error)

    return answer


def _answering_all(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """The same of a method that takes a stream."""

    def answer(self: "LapRig", requests: Iterator[Any], context: Any) -> Any:
        came = list(requests)
        self.requests += came
        try:
            return method(self, came)
        except RigError as error:
            _abort(context, error)

    return answer


class LapRig(laps_pb2_grpc.LapServiceServicer):
    """Serves these sessions and laps, newest sessions first. `requests` are those it got, in order."""

    def __init__(self, sessions: Sequence[session_pb2.Session] = (), files: Sequence[bytes] = ()) -> None:
        self.sessions = list(sessions)
        self.files = {LapFile(data).header.lap.name: data for data in files}
        self.laps = {name: LapFile(data).header.lap for name, data in self.files.items()}
        self.marks: list[laps_pb2.Moment] = []
        self.requests: list[Any] = []
        self.status = rig_pb2.GetStatusResponse(archiver=rig_pb2.ArchiverStatus(laps=len(files)))
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        laps_pb2_grpc.add_LapServiceServicer_to_server(self, self._server)
        self._server.add_generic_rpc_handlers((self._status_handler(),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def keep(self, data: bytes) -> None:
        """One more lap."""
        lap = LapFile(data).header.lap
        self.files[lap.name], self.laps[lap.name] = data, lap

    def stop(self) -> None:
        self._server.stop(None).wait()

    def asked(self, kind: type[Any]) -> list[Any]:
        """The requests of one kind."""
        return [request for request in self.requests if isinstance(request, kind)]

    def _status_handler(self) -> grpc.GenericRpcHandler:
        answer = grpc.unary_unary_rpc_method_handler(
            lambda request, context: self.status,
            rig_pb2.GetStatusRequest.FromString,
            rig_pb2.GetStatusResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler("rig.v1.RigService", {"GetStatus": answer})

    @_answering
    def ListSessions(self, request: Any) -> laps_pb2.ListSessionsResponse:
        found = [one for one in self.sessions if request.track.lower() in one.track_name.lower()]
        page, token = _page(found, request)
        return laps_pb2.ListSessionsResponse(sessions=page, next_page_token=token)

    @_answering
    def GetSession(self, request: Any) -> laps_pb2.GetSessionResponse:
        for session in self.sessions:
            if session.name == request.name:
                return laps_pb2.GetSessionResponse(session=session)
        raise NotFound(f"there is no session {request.name!r}")

    @_answering
    def ListLaps(self, request: Any) -> laps_pb2.ListLapsResponse:
        found = [lap for lap in self.laps.values() if _passes(lap, request)]
        fields = [field.split() for field in (request.order_by or "start_time").split(",")]
        for name, *desc in reversed(fields):
            found.sort(key=lambda lap: getattr(lap, name), reverse=bool(desc))
        if request.best_of:
            found = _best(found, request.best_of)
        page, token = _page(found, request)
        return laps_pb2.ListLapsResponse(laps=page, next_page_token=token)

    @_answering
    def GetLap(self, request: Any) -> laps_pb2.GetLapResponse:
        return laps_pb2.GetLapResponse(lap=self._lap(request.name))

    @_answering
    def ReadLap(self, request: Any) -> Iterator[laps_pb2.ReadLapResponse]:
        self._lap(request.name)
        data = self.files[request.name]
        if request.channels:
            data = LapFile(data).cut({*request.channels, "lap_time"})
        parts = [data[at : at + PART] for at in range(0, len(data), PART)]
        return iter([laps_pb2.ReadLapResponse(data=part) for part in parts])

    @_answering
    def ReadScoring(self, request: Any) -> Iterator[laps_pb2.ReadScoringResponse]:
        file = LapFile(self.files[request.name])
        columns = file.columns(request.channels, archive_pb2.SECTION_SCORING)
        plain = [
            laps_pb2.PlainColumn(
                name=name, dtype=values.dtype.str, width=1, rows=len(values), values=values.tobytes()
            )
            for name, values in columns.items()
        ]
        return iter([laps_pb2.ReadScoringResponse(columns=[column]) for column in plain])

    @_answering
    def Mark(self, request: Any) -> laps_pb2.MarkResponse:
        made = laps_pb2.Moment(
            name=f"marks/{len(self.marks) + 1}",
            time_ns=request.time_ns or 1_795_180_000_000_000_000,
            before_s=request.before_s,
            after_s=request.after_s,
            cars=request.cars,
            note=request.note,
            status=laps_pb2.MOMENT_STATUS_PENDING,
        )
        self.marks.insert(0, made)
        return laps_pb2.MarkResponse(mark=made)

    @_answering
    def ListMarks(self, request: Any) -> laps_pb2.ListMarksResponse:
        page, token = _page(self.marks, request)
        return laps_pb2.ListMarksResponse(marks=page, next_page_token=token)

    @_answering
    def PinLap(self, request: Any) -> laps_pb2.PinLapResponse:
        self._lap(request.name).pinned = True
        return laps_pb2.PinLapResponse(lap=self._lap(request.name))

    @_answering
    def UnpinLap(self, request: Any) -> laps_pb2.UnpinLapResponse:
        self._lap(request.name).pinned = False
        return laps_pb2.UnpinLapResponse(lap=self._lap(request.name))

    @_answering
    def DeleteLap(self, request: Any) -> laps_pb2.DeleteLapResponse:
        if self._lap(request.name).pinned:
            raise Pinned(f"{request.name} is pinned", hint="unpin it first")
        del self.laps[request.name]
        return laps_pb2.DeleteLapResponse()

    @_answering_all
    def ImportLap(self, requests: Any) -> laps_pb2.ImportLapResponse:
        start, *parts = requests
        data = b"".join(part.data for part in parts)
        existed = self.files.get(start.start.lap) == data
        if start.start.lap in self.files and not existed and not start.start.replace:
            raise Raced(f"{start.start.lap} is there and is another file", hint="replace it")
        if start.start.session.name not in [one.name for one in self.sessions]:
            self.sessions.append(start.start.session)
        self.keep(data)
        return laps_pb2.ImportLapResponse(lap=start.start.lap, existed=existed)

    @_answering
    def MarkLapsSynced(self, request: Any) -> laps_pb2.MarkLapsSyncedResponse:
        unmarked = [shown.name for shown in request.laps if shown.name not in self.laps]
        for shown in request.laps:
            if shown.name in self.laps:
                self.laps[shown.name].synced = True
        return laps_pb2.MarkLapsSyncedResponse(unmarked=unmarked)

    def _lap(self, name: str) -> lap_pb2.Lap:
        if name not in self.laps:
            raise NotFound(f"there is no lap {name!r}")
        return self.laps[name]


def _page(found: Sequence[Any], request: Any) -> tuple[Sequence[Any], str]:
    """At most PAGE of them; the token is what was asked for and how far that went."""
    asked = type(request).FromString(request.SerializeToString())
    asked.page_token = ""
    question, _, at = request.page_token.rpartition(":")
    if request.page_token and question != asked.SerializeToString().hex():
        raise MalformedToken("the page token is of another question")
    begin, size = int(at or 0), min(request.page_size or PAGE, PAGE)
    end = begin + size
    token = f"{asked.SerializeToString().hex()}:{end}" if end < len(found) else ""
    return found[begin:end], token


def _passes(lap: lap_pb2.Lap, request: laps_pb2.ListLapsRequest) -> bool:
    wanted = request.filter
    return (
        request.parent in ("sessions/-", lap.name.partition("/laps/")[0])
        and all(
            getattr(lap, name) == getattr(wanted, name)
            for name in ("valid", "complete", "pinned", "synced")
            if wanted.HasField(name)
        )
        and (not wanted.cars or lap.car in wanted.cars)
        and wanted.kind in (lap_pb2.LAP_KIND_UNSPECIFIED, lap.kind)
        and wanted.driver.lower() in lap.driver.lower()
        and wanted.vehicle_class.lower() in lap.vehicle_class.lower()
    )


def _best(found: Sequence[lap_pb2.Lap], of: int) -> list[lap_pb2.Lap]:
    key = _KEYS.get(of, "vehicle_class")
    best: dict[Any, lap_pb2.Lap] = {}
    for lap in sorted((lap for lap in found if lap.valid), key=lambda lap: lap.lap_time):
        best.setdefault(getattr(lap, key), lap)
    return list(best.values())


def _abort(context: Any, error: RigError) -> None:
    info = error_details_pb2.ErrorInfo(reason=error.reason(), domain="rigd", metadata=error.facts)
    details = any_pb2.Any()
    details.Pack(info)
    code = grpc.StatusCode[error.status].value[0]
    status = status_pb2.Status(code=code, message=str(error), details=[details])
    context.abort_with_status(rpc_status.to_status(status))
