"""Laps analysed: circuits, corners, laps against each other, findings, seasons. `riglap` computes.

All of this reads files, so it is for threads. What is asked and answered are messages of the contract, each
for a viewer: there is what that viewer may see.
"""

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rig.errors import BadRequest, NotFound, RigError
from rig.regular import is_regular
from rig.v1 import analysis_pb2, archive_pb2, lap_pb2, laps_pb2, season_pb2
from rigd.serve.analysis.messages import circuit_message, compared_message, finding_message
from rigd.serve.analysis.season import season_of
from rigd.serve.laplookup import lap_of_file, listed_lap
from rigd.store.corners import pass_messages, read_corners
from rigd.store.store import StoreReader, circuits_path
from rigd.store.viewer import Viewer
from riglap.alignment import align
from riglap.circuits.circuit import Circuit, encoded
from riglap.circuits.shelf import Shelf
from riglap.compare import Comparison, Trace, against, check_same_track, ideal, traces, way_of
from riglap.cornering import circuit_driven, cornering, fingerprint
from riglap.findings import doubtful, findings, tips
from riglap.formulas import chosen, with_formulas
from riglap.lap import Lap
from riglap.references import Reference, WantedLaps, reference

MAX_LAPS: Final = 20
MAX_CHANNELS: Final = 20
MAX_GIVEN: Final = 1000
_LEAST_STEP_M: Final = 0.5
_FASTEST: Final = 200
"""Laps among which a clean one is looked for."""
_UNSURVEYED: Final = "the track has not been surveyed yet: corner numbers are those of these laps alone"

_NO_FORMULAS: Final[Mapping[str, str]] = MappingProxyType({})


class LapAnalysis:
    """Answers from the folder of laps and the folder of circuits."""

    def __init__(self, data: Path) -> None:
        self._store = StoreReader(data)
        self._shelf = Shelf(circuits_path(data))

    def list_circuits(
        self, _: analysis_pb2.ListCircuitsRequest, __: Viewer
    ) -> analysis_pb2.ListCircuitsResponse:
        """Return all circuits as they are now."""
        newest = (self._shelf.newest(layout) for layout in self._shelf.layouts())
        return analysis_pb2.ListCircuitsResponse(circuits=[circuit_message(circuit) for circuit in newest])

    def get_circuit(
        self, request: analysis_pb2.GetCircuitRequest, viewer: Viewer
    ) -> analysis_pb2.GetCircuitResponse:
        """Return a circuit with its file. Raises as the call does."""
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
        laps = [compared_message(found, at, wanted.channels, rows) for at in range(len(found.traces))]
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
            findings=map(finding_message, found),
            tips=told,
            notes=notes,
            reference="" if held.ideal else held.laps[0].name,
            reference_about=held.about,
            lost=compared.lost(),
        )

    def season(self, request: season_pb2.GetSeasonRequest, viewer: Viewer) -> season_pb2.GetSeasonResponse:
        """Return a season. Raises as the call does."""
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

        return reference(self.lap_facts(name, viewer), ask, word)

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
        return lap_of_file(self._store, name)

    def list_laps(self, request: laps_pb2.ListLapsRequest, viewer: Viewer) -> Sequence[lap_pb2.Lap]:
        """Return a page of the laps that the viewer sees. Raises BadRequest."""
        return self._store.index.list_laps(request, viewer).laps

    def lap_facts(self, name: str, viewer: Viewer) -> lap_pb2.Lap:
        """Return what the index knows of a lap. Raises NotFound, also where there is none for the viewer."""
        return listed_lap(self._store, name, viewer)

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
