"""What a lap did in every corner: speeds, brake, throttle, gear and line, at the places of the circuit."""

import dataclasses
import hashlib
import math
from typing import Final

import numpy as np

from riglap.alignment import Alignment, places_of
from riglap.circuits.circuit import Circuit
from riglap.circuits.corners import Corner
from riglap.circuits.line import Floats
from riglap.circuits.shelf import Shelf
from riglap.lap import Lap

_REVISION: Final = 1
"""Raised with every change of what is computed here or in the alignment: what was kept is computed anew."""
_FINGERPRINT_BYTES: Final = 5
"""Sums over a million laps still fit into 64 bits."""
_EVERY: Final = 25
"""Of the samples: two a second tell a layout."""
_NAN: Final = math.nan
_BRAKING: Final = 0.10
"""Pedals resting on a foot, and their noise, stay below."""
_OFF: Final = 0.05
_THROTTLE: Final = 0.15
_FULL: Final = 0.95
_TURNING: Final = 0.25
"""Share of the most steering in a corner at which it is turned in."""
_APPROACH_M: Final = 300.0
"""Before a corner, where its braking is looked for: 90 m/s to 20 at 14 m/s² are 275 m."""
_BINS: Final = 8
_ENVELOPE: Final = 97.0
_USED: Final = 80.0
_LEAST_MPS: Final = 5.0


@dataclasses.dataclass(frozen=True)
class CornerPass:
    """One lap through one corner. Places are metres from the line as those of the corner; NaN for what did
    not happen, or is not available.
    """

    corner: int
    clear: bool
    """Nothing of it is doubtful. False: all numbers are NaN."""
    time_s: float = _NAN
    """From its begin to its end."""
    speed_class: str = ""
    """slow, medium or fast, by the least speed and the circuit's thresholds."""
    entry_mps: float = _NAN
    least_mps: float = _NAN
    least_m: float = _NAN
    """Where the car is slowest."""
    exit_mps: float = _NAN
    brake_m: float = _NAN
    """Where braking for the corner begins."""
    brake_peak: float = _NAN
    """Greatest pedal, 0 to 1."""
    release_m: float = _NAN
    """Where braking ends."""
    trail_m: float = _NAN
    """Metres of braking behind the turn-in."""
    turn_in_m: float = _NAN
    throttle_m: float = _NAN
    """Where the throttle is picked up behind the slowest place."""
    full_throttle_m: float = _NAN
    coast_s: float = _NAN
    """Seconds without either pedal, from the begin of braking to full throttle."""
    gear: float = _NAN
    """At the slowest place."""
    entry_lateral_m: float = _NAN
    """Left of the line."""
    apex_lateral_m: float = _NAN
    exit_lateral_m: float = _NAN
    grip_use: float = _NAN
    """Acceleration against the most that this lap shows at such speeds."""
    slip: float = _NAN
    """Sliding of the worst wheel against the speed."""


def cornering(aligned: Alignment, circuit: Circuit) -> tuple[CornerPass, ...]:
    """Return what a lap did in the corners of its circuit, in their order."""
    reader = _Reader(aligned)
    starts = approaches(circuit)
    return tuple(
        _passed(reader, circuit, corner, starts[corner.number])
        if aligned.clear(corner.begin, corner.end)
        else CornerPass(corner.number, clear=False)
        for corner in circuit.corners
    )


def fingerprint(circuit: Circuit) -> int:
    """Return a number of 40 bits, never 0, that changes with the circuit and with how it is used here."""
    digest = hashlib.blake2b(circuit.content + bytes([_REVISION]), digest_size=_FINGERPRINT_BYTES).digest()
    return int.from_bytes(digest, "little") or 1


def circuit_driven(shelf: Shelf, lap: Lap) -> Circuit | None:
    """Return the newest version of the layout that a lap was driven on; None where no layout is so, and for a
    lap without positions.
    """
    places = places_of(lap)
    if places is None or "distance" not in lap:
        return None
    distance = lap["distance"][::_EVERY].astype(float)
    return shelf.find(lap.info.track_name, lap.info.track_length, places[::_EVERY], distance)


def approaches(circuit: Circuit) -> dict[int, float]:
    """Return where the way to every corner begins: at the end of the one before, 300 m at most."""
    ordered = sorted(circuit.corners, key=lambda corner: corner.begin)
    ends = [ordered[-1].end - circuit.length, *(corner.end for corner in ordered[:-1])] if ordered else []
    return {
        corner.number: max(end, corner.begin - _APPROACH_M, 0.0)
        for corner, end in zip(ordered, ends, strict=True)
    }


class _Reader:
    """Channels of a lap over the samples of its alignment, read once."""

    def __init__(self, aligned: Alignment) -> None:
        self.aligned, self.length = aligned, aligned.length
        self.s, self.time, self.lateral = aligned.s, aligned.time, aligned.lateral
        names = ("speed", "throttle", "brake", "steering", "gear")
        self.columns = {name: aligned.column(name) for name in names}
        self.columns |= {
            "grip": _grip(aligned, self.columns["speed"]),
            "slip": _slip(aligned, self.columns["speed"]),
        }
        self.columns |= {"time": self.time, "lateral": self.lateral}

    def window(self, begin: float, end: float) -> tuple[Floats, dict[str, Floats]]:
        """Return places, rising, and channels between two places; those beyond the length are behind it."""
        parts = [np.searchsorted(self.s, (begin + lap, end + lap)) for lap in (0.0, -self.length)]
        rows = np.concatenate([np.arange(*part) for part in parts])
        s = np.concatenate(
            [self.s[slice(*part)] - lap for part, lap in zip(parts, (0.0, -self.length), strict=True)]
        )
        return s, {name: column[rows] for name, column in self.columns.items()}

    def at(self, name: str, place: float) -> float:
        """Return a channel at a place."""
        return float(np.interp(place % self.length, self.s, self.columns[name]))

    def seconds(self, begin: float, end: float) -> float:
        """Return seconds between two places."""
        if end <= self.length:
            return float(np.diff(np.interp((begin, end), self.s, self.time))[0])
        return self.seconds(begin, self.length) + self.seconds(0.0, end - self.length)


def _passed(reader: _Reader, circuit: Circuit, corner: Corner, start: float) -> CornerPass:
    s, told = reader.window(corner.begin, corner.end)
    if len(s) < 3:
        return CornerPass(corner.number, clear=False)
    slowest = int(np.argmin(told["speed"])) if np.isfinite(told["speed"]).all() else len(s) // 2
    least, place = float(told["speed"][slowest]), float(s[slowest])
    braked = _braking(reader, start, max(place, corner.apex))
    turn_in = _turn_in(reader, start, corner)
    picked, full = _throttle(reader, place, corner.end + _APPROACH_M, circuit.length)
    begin = braked["brake_m"] if math.isfinite(braked["brake_m"]) else corner.begin
    release = braked["release_m"]
    return CornerPass(
        corner.number,
        clear=True,
        time_s=reader.seconds(corner.begin, corner.end),
        speed_class=circuit.thresholds.of(least) if math.isfinite(least) else "",
        entry_mps=reader.at("speed", corner.begin),
        least_mps=least,
        least_m=place,
        exit_mps=reader.at("speed", corner.end),
        **braked,
        trail_m=max(release - turn_in, 0.0) if math.isfinite(release + turn_in) else _NAN,
        turn_in_m=turn_in,
        throttle_m=picked,
        full_throttle_m=full,
        coast_s=_coasted(reader, begin, full if math.isfinite(full) else corner.end),
        gear=float(told["gear"][slowest]),
        entry_lateral_m=reader.at("lateral", corner.begin),
        apex_lateral_m=reader.at("lateral", corner.apex),
        exit_lateral_m=reader.at("lateral", corner.end),
        grip_use=_share(told["grip"], _USED),
        slip=_share(told["slip"], 95.0),
    )


def _braking(reader: _Reader, start: float, until: float) -> dict[str, float]:
    """Return the braking before a place: the hardest, from where the pedal goes down to where it comes up."""
    s, told = reader.window(start, until)
    brake = told["brake"]
    none = {"brake_m": _NAN, "brake_peak": _NAN, "release_m": _NAN}
    if not len(s) or not np.nanmax(brake, initial=0.0) >= _BRAKING:
        return none
    peak = int(np.nanargmax(brake))
    up = np.flatnonzero(brake[:peak] < _BRAKING)
    begin = int(up[-1]) + 1 if len(up) else 0
    off = np.flatnonzero(brake[peak:] < _OFF)
    end = peak + int(off[0]) if len(off) else len(s) - 1
    return {
        "brake_m": _reached(s, brake, begin, _BRAKING),
        "brake_peak": float(brake[peak]),
        "release_m": float(s[end]),
    }


def _reached(s: Floats, column: Floats, at: int, level: float) -> float:
    """Return where a rising column passes a level, between the sample before and this one."""
    if at == 0 or column[at] <= column[at - 1]:
        return float(s[at])
    share = min(max((level - column[at - 1]) / (column[at] - column[at - 1]), 0.0), 1.0)
    return float(s[at - 1] + share * (s[at] - s[at - 1]))


def _turn_in(reader: _Reader, start: float, corner: Corner) -> float:
    s, told = reader.window(start, corner.apex)
    steering = told["steering"] * (1.0 if corner.right else -1.0)
    if not len(s) or not np.isfinite(steering).all() or steering.max() <= 0.02:
        return _NAN
    limit = _TURNING * steering.max()
    last = np.flatnonzero(steering < limit)
    return float(s[min(last[-1] + 1, len(s) - 1)]) if len(last) else float(s[0])


def _throttle(reader: _Reader, place: float, until: float, length: float) -> tuple[float, float]:
    """Return where the throttle is picked up and where it is full, behind the slowest place of this lap."""
    s, told = reader.window(place, until if place >= length else min(until, length))
    throttle = told["throttle"]
    if not np.isfinite(throttle).all():
        return _NAN, _NAN
    found = []
    for level in (_THROTTLE, _FULL):
        above = np.flatnonzero(throttle >= level)
        found.append(_reached(s, throttle, int(above[0]), level) if len(above) else _NAN)
    return found[0], found[1]


def _coasted(reader: _Reader, begin: float, end: float) -> float:
    s, told = reader.window(begin, end)
    if len(s) < 2 or not np.isfinite(told["throttle"] + told["brake"]).all():
        return _NAN
    steps = np.clip(np.diff(told["time"]), 0.0, 1.0)
    return float(steps[((told["throttle"] < _OFF) & (told["brake"] < _OFF))[:-1]].sum())


def _grip(aligned: Alignment, speed: Floats) -> Floats:
    """Return acceleration on the road against the most at such speeds in this lap."""
    told = aligned.columns("local_acceleration")
    if told is None or not np.isfinite(speed).all():
        return np.full(len(speed), _NAN)
    push = np.hypot(told[:, 0], told[:, 2])
    edges = np.quantile(speed, np.linspace(0, 1, _BINS + 1))
    which = np.clip(np.searchsorted(edges, speed, "right") - 1, 0, _BINS - 1)
    most = np.array([_share(push[which == at], _ENVELOPE) for at in range(_BINS)])
    known = np.isfinite(most)
    middle = (edges[1:] + edges[:-1]) / 2
    return np.asarray(
        push / np.maximum(np.interp(speed, middle[known], np.maximum.accumulate(most[known])), 1.0)
    )


def _slip(aligned: Alignment, speed: Floats) -> Floats:
    side, along = aligned.columns("lateral_patch_velocity"), aligned.columns("longitudinal_patch_velocity")
    if side is None or along is None:
        return np.full(len(speed), _NAN)
    worst = np.hypot(side, along).max(axis=1)
    return np.asarray(worst / np.maximum(speed, _LEAST_MPS))


def _share(values: Floats, percent: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if len(known) else _NAN
