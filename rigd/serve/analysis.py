"""AnalysisService: circuits, corners, laps against each other, findings. What it answers `riglap` computes.

Laps are read and compared in a few threads, so that live telemetry does not wait.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import grpc

from rig.errors import BadRequest, Exhausted, NotFound, RigError
from rig.regular import is_regular
from rig.v1 import analysis_pb2, archive_pb2, lap_pb2, laps_pb2, season_pb2
from rigd.auth.caller import CALLER, Caller, Scope
from rigd.serve.season import season_of
from rigd.serve.seats import Seats
from rigd.store.corners import pass_messages, read_corners
from rigd.store.store import StoreReader, circuits_path
from rigd.store.viewer import EVERYTHING, Viewer
from riglap.alignment import align
from riglap.circuits.circuit import Circuit, encoded
from riglap.circuits.shelf import Shelf
from riglap.compare import Comparison, LapPart, Trace, against, check_same_track, ideal, traces, way_of
from riglap.cornering import circuit_driven, cornering, fingerprint
from riglap.findings import Finding, doubtful, findings, tips
from riglap.formulas import chosen, with_formulas
from riglap.lap import Lap
from riglap.references import Reference, WantedLaps, reference

SERVICE: Final = "rig.v1.AnalysisService"
THREADS: Final = 2
MAX_WAITING: Final = 8
"""Requests at once: each holds up to 20 decoded laps, 100 MB together at the very most."""
MAX_LAPS: Final = 20
MAX_CHANNELS: Final = 20
MAX_GIVEN: Final = 1000
_LEAST_STEP_M: Final = 0.5
_FASTEST: Final = 200
"""Laps among which a clean one is looked for."""
_UNSURVEYED: Final = "the track has not been surveyed yet: corner numbers are those of these laps alone"

_NO_FORMULAS: Final[Mapping[str, str]] = MappingProxyType({})

Context = Any
A = TypeVar("A")
Q = TypeVar("Q")


class AnalysisService:
    """Answers from the folder of laps and the folder of circuits."""

    def __init__(self, data: Path, seats: Seats) -> None:
        self._seats = seats
        self._store = StoreReader(data)
        self._shelf = Shelf(circuits_path(data))
        self._threads = ThreadPoolExecutor(THREADS, "analysis")
        self._waiting = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a server."""
        answers: dict[str, tuple[Callable[[Any, Viewer], Any], Any]] = {
            "ListCircuits": (self._list_circuits, analysis_pb2.ListCircuitsRequest),
            "GetCircuit": (self._get_circuit, analysis_pb2.GetCircuitRequest),
            "ListCorners": (self.list_corners, analysis_pb2.ListCornersRequest),
            "CompareLaps": (self.compare, analysis_pb2.CompareLapsRequest),
            "Coach": (self.coach, analysis_pb2.CoachRequest),
            "GetSeason": (self._get_season, season_pb2.GetSeasonRequest),
        }
        methods: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(
                self._answering(answer), request.FromString, lambda response: response.SerializeToString()
            )
            for name, (answer, request) in answers.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def close(self) -> None:
        """Let go of threads."""
        self._threads.shutdown(cancel_futures=True)

    def _answering(self, answer: Callable[[Any, Viewer], Any]) -> Callable[[Any, Context], Any]:
        """Return a handler that answers in a thread, and refuses where too many wait."""

        async def handle(request: Any, _: Context) -> Any:
            return await self.computed(answer, request)

        return handle

    async def computed(self, answer: Callable[[Q, Viewer], A], request: Q) -> A:
        """Return what `answer` makes of a request of the caller, in a thread. Raises Exhausted where too many
        wait.
        """
        if self._waiting >= MAX_WAITING:
            raise Exhausted(f"{MAX_WAITING} analyses are under way, which is the limit", limit=MAX_WAITING)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._answer, answer, request, CALLER.get()
            )
        finally:
            self._waiting -= 1

    def _answer(self, answer: Callable[[Q, Viewer], A], request: Q, caller: Caller) -> A:
        """Answer with what the caller may see."""
        return answer(request, EVERYTHING if caller.may(Scope.LAPS_ALL) else self._seats.viewer(caller))

    def _list_circuits(
        self, _: analysis_pb2.ListCircuitsRequest, __: Viewer
    ) -> analysis_pb2.ListCircuitsResponse:
        newest = (self._shelf.newest(layout) for layout in self._shelf.layouts())
        return analysis_pb2.ListCircuitsResponse(circuits=[circuit_message(circuit) for circuit in newest])

    def _get_circuit(
        self, request: analysis_pb2.GetCircuitRequest, viewer: Viewer
    ) -> analysis_pb2.GetCircuitResponse:
        if bool(request.name) == bool(request.lap):
            raise BadRequest("a circuit is asked for by its name or by a lap", hint="give one of them")
        circuit = (
            self.circuit(request.name) if request.name else self._surveyed(self._lap(request.lap, viewer))
        )
        if circuit is None:
            raise NotFound(
                f"the track of {request.lap} has not been surveyed yet",
                hint="the archiver does so after four to nine laps",
            )
        answer = circuit_message(circuit)
        answer.file = encoded(circuit)
        return analysis_pb2.GetCircuitResponse(circuit=answer)

    def list_corners(
        self, request: analysis_pb2.ListCornersRequest, viewer: Viewer
    ) -> analysis_pb2.ListCornersResponse:
        """Return what a lap did in the corners of its circuit. Raises as the call does."""
        if kept := self._kept(request.lap, viewer):
            return analysis_pb2.ListCornersResponse(
                circuit=kept.circuit, corners=kept.corners, fingerprint=kept.fingerprint
            )
        lap = self._lap(request.lap, viewer)
        circuit = self._surveyed(lap) or way_of([lap])
        if circuit is None:
            return analysis_pb2.ListCornersResponse()
        corners = pass_messages(cornering(align(lap, circuit), circuit))
        if not circuit.version:
            return analysis_pb2.ListCornersResponse(corners=corners)
        return analysis_pb2.ListCornersResponse(
            circuit=circuit.name, corners=corners, fingerprint=fingerprint(circuit)
        )

    def _kept(self, name: str, viewer: Viewer) -> archive_pb2.LapCorners | None:
        """Return the corners beside a lap that the viewer may see, if they are of this lap file and of the
        circuit as it is now.
        """
        row = self._store.index.lap(name, viewer)
        if row is None or not row.corners or not is_regular(self._store.folder.path(name)):
            return None
        with contextlib.suppress(RigError, OSError):
            kept, _ = read_corners(self._store.folder.corners_path(name)) or (None, 0)
            if kept and kept.corners and kept.digest == row.digest:
                newest = self._shelf.newest(kept.circuit.partition("/")[0])
                return kept if kept.fingerprint == fingerprint(newest) else None
        return None

    def compare(
        self, request: analysis_pb2.CompareLapsRequest, viewer: Viewer
    ) -> analysis_pb2.CompareLapsResponse:
        """Return laps against a reference. Raises as the call does."""
        _check(request)
        wanted = chosen(request.channels)
        found = self._compared(request, viewer, wanted.formulas)
        circuit = found.circuit
        step = max(request.step, 1.0) if request.step else 1.0
        rows = slice(None, None, max(round(step / (found.places[1] - found.places[0])), 1))
        laps = [_compared(found, at, wanted.channels, rows) for at in range(len(found.traces))]
        answer = analysis_pb2.CompareLapsResponse(places=found.places[rows], laps=laps, notes=found.notes)
        if circuit is not None:
            answer.circuit.CopyFrom(circuit_message(circuit))
        return answer

    def coach(self, request: analysis_pb2.CoachRequest, viewer: Viewer) -> analysis_pb2.CoachResponse:
        """Return what costs a lap time, and tips. Raises as the call does."""
        if len(request.given) > MAX_GIVEN:
            raise BadRequest(
                f"{len(request.given)} findings that were given before", hint=f"{MAX_GIVEN} at most"
            )
        held = self._reference(request.lap, request.reference, viewer)
        compared = self._against(held, [request.lap], viewer)
        circuit, found = compared.circuit, findings(compared)
        told = [analysis_pb2.Tip(id=tip.id, text=tip.text) for tip in tips(found, request.given)]
        surveyed = bool(circuit and circuit.version)
        notes = [*compared.notes, *filter(None, [doubtful(compared), "" if surveyed else _UNSURVEYED])]
        return analysis_pb2.CoachResponse(
            circuit=circuit.name if circuit and surveyed else "",
            findings=map(_finding, found),
            tips=told,
            notes=notes,
            reference="" if held.ideal else held.laps[0].name,
            reference_about=held.about,
            lost=compared.lost(),
        )

    def _get_season(
        self, request: season_pb2.GetSeasonRequest, viewer: Viewer
    ) -> season_pb2.GetSeasonResponse:
        return season_pb2.GetSeasonResponse(season=season_of(self._store.index, request, viewer))

    def _compared(
        self, request: analysis_pb2.CompareLapsRequest, viewer: Viewer, formulas: Mapping[str, str]
    ) -> Comparison:
        if request.reference:
            held = self._reference(request.laps[0], request.reference, viewer)
            return self._against(held, request.laps, viewer, formulas)
        circuit, read = self._traces(request.laps, viewer, formulas)
        return against(ideal(read), read, circuit) if request.ideal else against(read[0], read[1:], circuit)

    def _reference(self, name: str, word: str, viewer: Viewer) -> Reference:
        """Return the lap of that name, or what the word or the rule gives for a lap."""
        if "/" in word:
            return Reference((self.lap_facts(word, viewer),), False, "")

        def ask(wanted: WantedLaps) -> Iterable[lap_pb2.Lap]:
            request = laps_pb2.ListLapsRequest(
                parent=wanted.session or "sessions/-",
                filter=laps_pb2.LapFilter(
                    track=wanted.track,
                    vehicle_class=wanted.vehicle_class,
                    driver=wanted.driver,
                    valid=True,
                    complete=True,
                ),
                order_by="lap_time",
                page_size=_FASTEST,
            )
            return self._store.index.list_laps(request, viewer).laps

        def compare(one: lap_pb2.Lap) -> None:
            self._traces([one.name, name], viewer)

        return reference(self.lap_facts(name, viewer), ask, compare, word)

    def _against(
        self,
        held: Reference,
        names: Sequence[str],
        viewer: Viewer,
        formulas: Mapping[str, str] = _NO_FORMULAS,
    ) -> Comparison:
        circuit, read = self._traces([*(lap.name for lap in held.laps), *names], viewer, formulas)
        references, laps = read[: len(held.laps)], read[len(held.laps) :]
        return against(ideal(references) if held.ideal else references[0], laps, circuit)

    def _traces(
        self, names: Iterable[str], viewer: Viewer, formulas: Mapping[str, str] = _NO_FORMULAS
    ) -> tuple[Circuit | None, list[Trace]]:
        """Return laps with formulas along the line of their circuit, or along the way of one of them."""
        laps = [self._lap(name, viewer) for name in names]
        if formulas:
            laps = [with_formulas(lap, formulas) for lap in laps]
        check_same_track(laps, None)
        circuit = self._surveyed(laps[0]) or way_of(laps)
        return circuit, list(traces(laps, circuit))

    def _lap(self, name: str, viewer: Viewer) -> Lap:
        """Return a lap. Raises NotFound, also where there is none for the viewer, Corrupt, Newer."""
        self.lap_facts(name, viewer)
        try:
            return Lap.open(self._store.folder.path(name))
        except FileNotFoundError as error:
            raise NotFound(f"there is no lap {name!r}", name=name) from error

    def list_laps(self, request: laps_pb2.ListLapsRequest, viewer: Viewer) -> Sequence[lap_pb2.Lap]:
        """Return a page of the laps that the viewer sees. Raises BadRequest."""
        return self._store.index.list_laps(request, viewer).laps

    def lap_facts(self, name: str, viewer: Viewer) -> lap_pb2.Lap:
        """Return what the index knows of a lap. Raises NotFound, also where there is none for the viewer."""
        if (lap := self._store.index.lap(name, viewer)) is None:
            raise NotFound(f"there is no lap {name!r}", name=name)
        return lap

    def circuit(self, name: str) -> Circuit:
        """Return a circuit by its name, `{layout}` or `{layout}/{version}`. Raises NotFound."""
        layout, _, version = name.partition("/")
        if (
            layout not in self._shelf.layouts()
            or not (version.isdecimal() or not version)
            or len(version) > 6
        ):
            raise NotFound(
                f"there is no circuit {name!r}", hint=", ".join(self._shelf.layouts()) or "none yet"
            )
        return self._shelf.version(layout, int(version)) if version else self._shelf.newest(layout)

    def _surveyed(self, lap: Lap) -> Circuit | None:
        return circuit_driven(self._shelf, lap)


def _check(request: analysis_pb2.CompareLapsRequest) -> None:
    if request.ideal and request.reference:
        raise BadRequest("ideal and reference both name what is compared with", hint="give one of them")
    if not 2 - (request.ideal or bool(request.reference)) <= len(request.laps) <= MAX_LAPS:
        raise BadRequest(f"{len(request.laps)} laps to compare", hint=f"from 2 to {MAX_LAPS}")
    if len(request.channels) > MAX_CHANNELS:
        raise BadRequest(f"{len(request.channels)} channels", hint=f"{MAX_CHANNELS} at most")
    if request.step and not (math.isfinite(request.step) and request.step >= _LEAST_STEP_M):
        raise BadRequest(f"a step of {request.step:g} m", hint=f"0, or {_LEAST_STEP_M:g} and more")


def circuit_message(circuit: Circuit) -> analysis_pb2.Circuit:
    """Return what the contract says of a circuit, without its file."""
    return analysis_pb2.Circuit(
        name=circuit.name if circuit.version else "",
        track_name=circuit.track_name,
        track_length=circuit.track_length,
        length=circuit.length,
        frozen=circuit.frozen,
        coverage=circuit.coverage,
        residual=circuit.residual_m,
        corners=[
            analysis_pb2.Corner(
                number=corner.number,
                name=corner.name,
                begin=corner.begin,
                apex=corner.apex,
                end=corner.end,
                right=corner.right,
                radius=corner.radius_m,
                angle=corner.angle_rad,
                weak=corner.weak,
            )
            for corner in circuit.corners
        ],
        splits=circuit.splits,
    )


def _compared(found: Comparison, at: int, channels: Sequence[str], rows: slice) -> analysis_pb2.ComparedLap:
    trace = found.traces[at]
    lap = analysis_pb2.ComparedLap(
        name=trace.aligned.lap.info.name if trace.aligned else trace.title,
        lap_time=trace.lap_time,
        alignment=trace.how,
        error=trace.error_s,
        channels=[
            analysis_pb2.ComparedChannel(name=name, values=trace.read(name)[rows]) for name in channels
        ],
    )
    if at:
        other = at - 1
        lap.delta.extend(found.delta(other)[rows])
        lap.parts.extend(map(_part, found.parts(other)))
        lap.sectors.extend(map(_part, found.sectors(other)))
        lap.minis.extend(map(_part, found.minis(other)))
        lap.uncompared = found.uncompared(other)
    return lap


def _part(part: LapPart) -> analysis_pb2.ComparedPart:
    segment = part.segment
    told = {"reference": part.reference_s, "lost": part.lost_s}
    known = {name: value for name, value in told.items() if math.isfinite(value)}
    return analysis_pb2.ComparedPart(
        title=segment.title, kind=segment.kind, corner=segment.corner, begin=segment.begin, **known
    )


def _finding(finding: Finding) -> analysis_pb2.LapFinding:
    return analysis_pb2.LapFinding(
        id=finding.id,
        rule=finding.rule,
        corner=finding.corner,
        place=finding.place,
        lost=finding.lost_s,
        against=finding.against,
        confidence=finding.confidence,
        evidence=finding.evidence,
        begin=finding.begin,
        end=finding.end,
    )
