"""AnalysisService: circuits, corners, laps against each other, findings.

Laps are read and compared in a few threads, so that live telemetry does not wait.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from rig.errors import Exhausted
from rig.v1 import analysis_pb2, season_pb2
from rigd.auth.caller import CALLER, Scope
from rigd.serve.analysis.lapanalysis import LapAnalysis
from rigd.serve.seats import Seats
from rigd.serve.workers import Workers
from rigd.store.viewer import EVERYTHING, Viewer

SERVICE: Final = "rig.v1.AnalysisService"
THREADS: Final = 2
MAX_WAITING: Final = 8
"""Requests at once: each holds up to 20 decoded laps, 100 MB together at the very most."""

Context = Any
A = TypeVar("A")
Q = TypeVar("Q")


class AnalysisService:
    """Answers what `LapAnalysis` does, a few at a time."""

    def __init__(self, data: Path, seats: Seats) -> None:
        self.laps, self._seats = LapAnalysis(data), seats
        self._work = Workers(THREADS, "analysis")
        self._waiting = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a server."""
        laps = self.laps
        answers: dict[str, tuple[Callable[[Any, Viewer], Any], Any]] = {
            "ListCircuits": (laps.list_circuits, analysis_pb2.ListCircuitsRequest),
            "GetCircuit": (laps.get_circuit, analysis_pb2.GetCircuitRequest),
            "ListCorners": (laps.list_corners, analysis_pb2.ListCornersRequest),
            "CompareLaps": (laps.compare, analysis_pb2.CompareLapsRequest),
            "Coach": (laps.coach, analysis_pb2.CoachRequest),
            "GetSeason": (laps.season, season_pb2.GetSeasonRequest),
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
        self._work.close()

    def _answering(self, answer: Callable[[Any, Viewer], Any]) -> Callable[[Any, Context], Any]:
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
            return await self._work(self._answer, answer, request)
        finally:
            self._waiting -= 1

    def _answer(self, answer: Callable[[Q, Viewer], A], request: Q) -> A:
        """Answer with what the caller may see."""
        caller = CALLER.get()
        return answer(request, EVERYTHING if caller.may(Scope.LAPS_ALL) else self._seats.viewer(caller))
