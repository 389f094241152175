"""Laps against each other: where one of them wins the time.

All times are read at places of the reference line. A lap's time at the line is the official one, so that the
delta there is the official difference, and what corners and straights add up to.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from rig.errors import BadRequest, Mismatch, Unavailable
from riglap.alignment import POSITIONS, Alignment, Flags, align, name_of
from riglap.circuits.circuit import Circuit
from riglap.circuits.driven import driven
from riglap.circuits.line import Floats
from riglap.lap import Lap

MOST_LAPS: Final = 100
_SAME_LENGTH: Final = 0.005
_MINI_M: Final = 100.0
"""Length of a mini-sector: some 45 in a lap, 1.5 to 5 s each."""
SPLIT_NOTE_S: Final = 0.005


@dataclasses.dataclass(frozen=True)
class Segment:
    """A part of the lap: `pieces` of (begin, end) in metres from the line, two where it lies across it."""

    kind: str
    """corner, straight, start, sector or mini."""
    title: str
    pieces: tuple[tuple[float, float], ...]
    corner: int = 0
    """Number of the corner; of a straight that of the corner before it."""

    @property
    def begin(self) -> float:
        """Metres from the line where it begins."""
        return self.pieces[0][0] if self.pieces else 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """A lap, or the ideal of several, read along the line: arrays of shape (places,)."""

    title: str
    lap_time: float
    """s, official."""
    places: Floats
    """m from the line, from 0 to the length."""
    time: Floats
    """s since the lap began; NaN where the lap did not get."""
    doubtful: Flags
    how: str
    error_s: float
    notes: tuple[str, ...]
    read: Callable[[str], Floats]
    """Return a channel at the places, NaN where it is not available or the place doubtful."""
    aligned: Alignment | None = None
    """None for an ideal lap."""
    sources: tuple["Trace", ...] = ()
    """Of an ideal lap: the laps it is made of."""

    def span(self, segment: Segment) -> float:
        """Return seconds spent in a segment; NaN where a part of it is doubtful."""
        if segment.kind == "start":
            return float(self.time[0])
        return sum(self._between(begin, end) for begin, end in segment.pieces)

    def at(self, s: float) -> float:
        """Return seconds since the lap began at a place; NaN where that is doubtful."""
        cell = np.searchsorted(self.places, s)
        if self.doubtful[max(cell - 1, 0) : cell + 1].any():
            return math.nan
        return float(np.interp(s, self.places, self.time))

    def _between(self, begin: float, end: float) -> float:
        first, last = np.searchsorted(self.places, (begin, end))
        if self.doubtful[max(first - 1, 0) : last + 1].any():
            return math.nan
        return float(np.diff(np.interp((begin, end), self.places, self.time))[0])


@dataclasses.dataclass(frozen=True)
class LapPart:
    """What one lap loses to the reference in a segment."""

    segment: Segment
    reference_s: float
    """Seconds of the reference in there."""
    lost_s: float
    """Seconds lost, above zero, or won; NaN where it is not compared."""

    @property
    def compared(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.lost_s)


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Laps against the first of `traces`, the reference."""

    circuit: Circuit | None
    """None where the laps have no positions."""
    traces: tuple[Trace, ...]

    @property
    def reference(self) -> Trace:
        """What all others are compared with."""
        return self.traces[0]

    @property
    def others(self) -> tuple[Trace, ...]:
        """The compared laps."""
        return self.traces[1:]

    @property
    def places(self) -> Floats:
        """Metres from the line, from 0 to the length."""
        return self.reference.places

    def delta(self, other: int = 0) -> Floats:
        """Return seconds that a lap has lost to the reference, at the places; NaN where it is doubtful."""
        trace = self.others[other]
        lost = trace.time - self.reference.time
        return np.where(trace.doubtful | self.reference.doubtful, np.nan, lost)

    def lost(self, other: int = 0) -> float:
        """Return seconds between the lap times, official where both are."""
        return self.others[other].lap_time - self.reference.lap_time

    def parts(self, other: int = 0) -> list[LapPart]:
        """Return corners and straights in the order of the lap: with `uncompared` they add up to `lost`."""
        return [self._part(segment, other) for segment in self.segments]

    def minis(self, other: int = 0) -> list[LapPart]:
        """Return mini-sectors of some 100 m in the order of the lap."""
        return [self._part(segment, other) for segment in mini_sectors(self.reference.places[-1])]

    def sectors(self, other: int = 0) -> list[LapPart]:
        """Return the three sectors: official times where both laps have them, else by the timing lines of the
        circuit; nothing where neither is known.
        """
        theirs, ours = (_official(trace) for trace in (self.others[other], self.reference))
        segments = sector_segments(self.circuit)
        if ours and theirs:
            segments = segments or [Segment("sector", f"S{at}", ()) for at in (1, 2, 3)]
            return [
                LapPart(segment, our, their - our)
                for segment, our, their in zip(segments, ours, theirs, strict=True)
            ]
        return [self._part(segment, other) for segment in segments]

    def uncompared(self, other: int = 0) -> float:
        """Return seconds lost in the parts that are not compared."""
        return self.lost(other) - sum(part.lost_s for part in self.parts(other) if part.compared)

    @cached_property
    def segments(self) -> list[Segment]:
        """Corners and straights, the whole lap in its order; before them the way from the grid to the line,
        where a lap began there.
        """
        cut = (
            segments(self.circuit)
            if self.circuit
            else [Segment("straight", "lap", ((0.0, self.places[-1]),))]
        )
        started = any(trace.time[0] > 0 for trace in self.traces)
        return [Segment("start", "start", ())] * started + cut

    @property
    def notes(self) -> list[str]:
        """What a reader should know, a sentence each."""
        return list(dict.fromkeys(note for trace in self.traces for note in trace.notes))

    def _part(self, segment: Segment, other: int) -> LapPart:
        ours = self.reference.span(segment)
        return LapPart(segment, ours, self.others[other].span(segment) - ours)


def compare(laps: Sequence[Lap], circuit: Circuit | None = None) -> Comparison:
    """Return laps against the first of them.

    Without a circuit along the way of one of them; laps without positions by scaled distance, which `notes`
    says. Raises BadRequest, Mismatch for different circuits or layouts, Unavailable for what the laps lack.
    """
    if not 2 <= len(laps) <= MOST_LAPS:
        raise BadRequest(f"{len(laps)} laps to compare", hint=f"from 2 to {MOST_LAPS}")
    check_same_track(laps, circuit)
    circuit = circuit or way_of(laps)
    return Comparison(circuit, tuple(traces(laps, circuit)))


def against(reference: Trace, laps: Sequence[Trace], circuit: Circuit | None) -> Comparison:
    """Return laps against a reference that may be an ideal lap. All are read along one line."""
    return Comparison(circuit, (reference, *laps))


def way_of(laps: Sequence[Lap]) -> Circuit | None:
    """Return the way of one of the laps as a circuit; None where none has positions."""
    try:
        return driven(laps)
    except Unavailable:
        return None


def traces(laps: Iterable[Lap], circuit: Circuit | None) -> Iterator[Trace]:
    """Yield laps along the line. Raises as `align`."""
    for lap in laps:
        yield trace(align(lap, circuit))


def trace(aligned: Alignment) -> Trace:
    """Return a lap along its line, on a grid of about a metre."""
    cells = round(aligned.length)
    places = np.linspace(0.0, aligned.length, cells + 1)
    time, doubtful = aligned.times(places), aligned.doubtful(places)
    doubtful |= ~np.isfinite(time)

    def read(name: str) -> Floats:
        column = aligned.lateral if name == "lateral" else aligned.column(name)
        if name in _STEPS:
            values = column[np.clip(np.searchsorted(aligned.s, places, "right") - 1, 0, None)]
        else:
            values = np.interp(places, aligned.s, column)
        return np.where(doubtful, np.nan, values)

    return Trace(
        _title(aligned.lap),
        float(aligned.lap.info.lap_time or math.nan),
        places,
        time,
        doubtful,
        aligned.how,
        aligned.error_s,
        aligned.notes,
        read,
        aligned,
    )


_STEPS: Final = {"gear"}
"""Nothing lies between second and fourth."""


def ideal(laps: Sequence[Trace]) -> Trace:
    """Return the ideal lap: of every mini-sector the best of these laps, one after the other.

    Raises BadRequest without laps, Unavailable where some mini-sector is doubtful in all of them.
    """
    if not laps:
        raise BadRequest("an ideal lap of no laps")
    places, cut = laps[0].places, mini_sectors(laps[0].places[-1])
    spans = np.array([[lap.span(segment) for segment in cut] for lap in laps])
    if not np.isfinite(spans).any(axis=0).all():
        raise Unavailable("some part of the track is doubtful in all of these laps")
    best = np.nanargmin(np.where(np.isfinite(spans), spans, np.inf), axis=0)
    edges = np.searchsorted(places, [segment.begin for segment in cut[1:]])
    mini = np.searchsorted(edges, np.arange(len(places)), "right")
    whose = best[mini]
    rates = np.stack([np.gradient(lap.time, places) for lap in laps])
    steps = rates[whose, np.arange(len(places))]
    time = np.concatenate(([0.0], np.cumsum((steps[1:] + steps[:-1]) / 2 * np.diff(places))))
    total = float(spans[best, np.arange(len(cut))].sum())
    time *= total / time[-1]

    def read(name: str) -> Floats:
        columns = np.stack([lap.read(name) for lap in laps])
        return np.asarray(columns[whose, np.arange(len(places))])

    notes = (f"the ideal lap is made of the best of {len(cut)} mini-sectors of {len(laps)} laps",)
    error = max(lap.error_s for lap in laps)
    how = POSITIONS if all(lap.how == POSITIONS for lap in laps) else laps[0].how
    clear = np.zeros(len(places), bool)
    return Trace("ideal lap", total, places, time, clear, how, error, notes, read, sources=tuple(laps))


def segments(circuit: Circuit) -> list[Segment]:
    """Return corners and the straights between them, in the order of the lap: all of it, once."""
    length, corners = circuit.length, sorted(circuit.corners, key=lambda corner: corner.begin)
    if not corners:
        return [Segment("straight", "lap", ((0.0, length),))]
    found = []
    for corner, after in zip(corners, [*corners[1:], corners[0]], strict=True):
        found.append(
            Segment("corner", corner.title, _pieces(corner.begin, corner.end, length), corner.number)
        )
        until = after.begin + (length if after is corners[0] else 0.0)
        if until > corner.end:
            found += _straight(corner.number, after.number, _pieces(corner.end, until, length))
    return sorted(found, key=lambda segment: min(begin for begin, _ in segment.pieces))


def mini_sectors(length: float) -> list[Segment]:
    """Return mini-sectors of some 100 m, all of one length."""
    edges = np.linspace(0.0, length, max(round(length / _MINI_M), 1) + 1)
    return [
        Segment("mini", f"M{at + 1}", ((float(edges[at]), float(edges[at + 1])),))
        for at in range(len(edges) - 1)
    ]


def sector_segments(circuit: Circuit | None) -> list[Segment]:
    """Return the sectors by the timing lines of the circuit, none where they are not known."""
    if circuit is None or not circuit.splits:
        return []
    edges = (0.0, *circuit.splits, circuit.length)
    return [Segment("sector", f"S{at + 1}", ((edges[at], edges[at + 1]),)) for at in range(3)]


def check_same_track(laps: Sequence[Lap], circuit: Circuit | None) -> None:
    """Raise Mismatch for laps of tracks of different length."""
    lengths = {name_of(lap): lap.info.track_length for lap in laps}
    if circuit:
        lengths[circuit.name] = circuit.track_length
    least, most = min(lengths.values()), max(lengths.values())
    if most - least > _SAME_LENGTH * most:
        told = ", ".join(f"{name} {length:.0f} m" for name, length in lengths.items())
        raise Mismatch(f"these laps are of different circuits or layouts: {told}")


def with_splits(circuit: Circuit, laps: Iterable[Lap]) -> Circuit:
    """Return the circuit with its timing lines: where these laps were at their official sector times."""
    found = [places for lap in laps if (places := _split_places(lap, circuit))]
    if not found:
        return circuit
    first, second = np.median(np.array(found), axis=0).tolist()
    return dataclasses.replace(circuit, splits=(round(first, 2), round(second, 2)))


def _split_places(lap: Lap, circuit: Circuit) -> tuple[float, float] | None:
    info = lap.info
    if not info.complete or info.sector1 is None or info.sector2 is None:
        return None
    try:
        aligned = align(lap, circuit)
    except (Mismatch, Unavailable, BadRequest):
        return None
    ends = np.interp([info.sector1, info.sector1 + info.sector2], aligned.time, aligned.s)
    clear = aligned.how == POSITIONS and not aligned.doubtful(ends).any()
    return (float(ends[0]), float(ends[1])) if clear else None


def _straight(before: int, after: int, pieces: tuple[tuple[float, float], ...]) -> Iterator[Segment]:
    """Yield the straight between two corners; of one that the line divides both parts."""
    titles = [f"T{before}-T{after}"] if len(pieces) == 1 else [f"T{before}-line", f"line-T{after}"]
    for title, piece in zip(titles, pieces, strict=True):
        yield Segment("straight", title, (piece,), before)


def _pieces(begin: float, end: float, length: float) -> tuple[tuple[float, float], ...]:
    if begin >= length:
        return ((begin - length, end - length),)
    if end <= length:
        return ((begin, end),)
    return ((begin, length), (0.0, end - length))


def _official(trace: Trace) -> list[float]:
    """Return the official sector times; nothing where the lap has not all of them."""
    if trace.aligned is None:
        return []
    info = trace.aligned.lap.info
    times = [info.sector1, info.sector2, info.sector3]
    return [] if None in times else [float(time) for time in times if time is not None]


def _title(lap: Lap) -> str:
    return " ".join(filter(None, (name_of(lap), lap.info.driver)))
