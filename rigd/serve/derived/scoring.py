"""What the scoring stream of a session says by a tick: who drives what, in which place, and where."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from rig import parse
from rig.channels import SCORING
from rig.columns import Layouts, read_head
from rig.v1 import scoring_pb2, session_pb2
from rigd import ring as rings
from rigd.serve.derived.references import Who
from rigd.serve.history import RingHistory
from rigd.serve.recent import capture_ns
from riglap.circuits.line import Floats

_SCORED_NS: Final = 250_000_000
"""A scoring update counts for ticks captured so much later: by then it is in the ring, also live."""
_LOOK_BACK: Final = 64
_LOOK_AHEAD: Final = 8
_BYTES: Final = 1 << 24
_MOVES_MPS: Final = 10.0


class ScoringUpdate(NamedTuple):
    """What is taken of a scoring update."""

    state: session_pb2.SessionState
    position: Floats
    """Of the cars that move on the track [m], shape (cars, 3)."""
    distance: Floats
    """Of the same along the lap [m]."""


class ScoringFollower:
    """Follows the scoring updates of one session after another."""

    def __init__(self, history: RingHistory) -> None:
        self._history = history
        self._layouts = Layouts(SCORING, whole=True)
        self._session, self._seq = -1, 0
        self._next: list[tuple[int, bytes]] = []
        self.update: ScoringUpdate | None = None
        self.entries: Mapping[int, Who] = {}
        """By slot id; another object whenever it is another list."""
        self.places: Mapping[int, int] = {}
        """By slot id; another object whenever it is another order."""

    def enter(self, session: int, now_ns: int) -> None:
        """Begin with a session of the ring, as it is known at a tick's time."""
        self._session, self._next = session, []
        self.update, self.entries, self.places = None, {}, {}
        due_ns = now_ns - _SCORED_NS
        self._seq = self._history.bisect(rings.SCORING, lambda value: capture_ns(value) <= due_ns)
        found = self._history.read(rings.SCORING, max(self._seq - _LOOK_BACK, 0), _LOOK_BACK, _BYTES)
        for seq, data in found:
            if seq <= self._seq:
                self._take(data)

    def advance(self, now_ns: int) -> None:
        """Take the updates that count by now."""
        while self._next or self._peeked():
            (seq, data), *_ = self._next
            if capture_ns(data) > now_ns - _SCORED_NS:
                return
            self._seq, self._next = seq, []
            self._take(data)

    def brings_entries(self, now_ns: int) -> bool:
        """Return whether advancing to a tick's time takes another list of entries."""
        due_ns = now_ns - _SCORED_NS
        if not (self._next or self._peeked()) or capture_ns(self._next[0][1]) > due_ns:
            return False
        found = self._history.read(rings.SCORING, self._seq, _LOOK_AHEAD, _BYTES)
        return any(capture_ns(data) <= due_ns and self._lists_entries(data) for _, data in found)

    def _peeked(self) -> bool:
        """Look at the next update, once: it is due some ticks later."""
        self._next = self._history.read(rings.SCORING, self._seq, 1, _BYTES)
        return bool(self._next)

    def _lists_entries(self, data: bytes) -> bool:
        layout = self._layouts.of(read_head(data), data, 0, len(data))
        return parse.message(scoring_pb2.Scoring, data[layout.end :]).HasField("entry_list")

    def _take(self, data: bytes) -> None:
        head = read_head(data)
        if head.session != self._session:
            return
        layout = self._layouts.of(head, data, 0, len(data))
        view, beside = layout.view(data, 0), parse.message(scoring_pb2.Scoring, data[layout.end :])
        if beside.HasField("entry_list"):
            entries = {one.id: Who(one.vehicle_class, one.driver_name) for one in beside.entry_list.entries}
            if entries != self.entries:
                self.entries = entries
        places = dict(zip(view["id"].tolist(), view["place"].tolist(), strict=True))
        if places != self.places:
            self.places = places
        moves = (view["speed"] > _MOVES_MPS) & ~view["in_pits"]
        self.update = ScoringUpdate(
            beside.session_state,
            view["position"][moves].astype(float),
            view["lap_distance"][moves].astype(float),
        )
