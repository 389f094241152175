"""A logger's recording: columns on one clock, cut into laps in the registry's channels.

What the columns claim is checked on a stretch of some minutes before the first lap is made: speed against the
way, kelvin against Celsius, 0 to 1 against per cent, and on which side a turn pulls.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from rig.channels import Channel
from rig.errors import BadRequest
from rigclient.imports import geography
from rigclient.imports.geography import Origin
from rigclient.imports.naming import STEERING, TURN_NOTE, TURN_RAD, Source, plain_name
from rigclient.imports.plausible import LapCut, laps_by_times, speed_unit, temperature_unit
from rigclient.imports.recording import MappedColumn, Reading, RecordedLap
from rigclient.imports.spooled import Columns

Array = np.ndarray[Any, np.dtype[Any]]

_GLIMPSE_ROWS: Final = 20_000
"""200 s at 100 Hz: a lap or two, on which units and signs are checked."""
_MARGIN_ROWS: Final = 128
"""Beyond a lap's ends, so that what comes once a second is known at its first row too."""
_LONGEST_GAP_S: Final = 1.25
"""Between two values that are joined by a line: receivers tell places once a second."""
MOST_ROWS: Final = 120_000
"""Of one lap: 20 minutes at 100 Hz. What is longer, a day without a line say, becomes several pieces."""
_AT_LINE_M: Final = 30.0
_ROLLING_MPS: Final = 5.0
_FALL_M: Final = 1.0
"""Where the distance falls back by more, it is that of the lap; else it is of the whole drive."""
_LOCKS: Final = ("physical_steering_range", "visual_steering_range")
"""Lock to lock of the driver's wheel, of the one on screen."""
_PEDALS: Final = ("throttle", "brake", "clutch", "throttle_applied", "brake_applied", "clutch_applied")
_FEW: Final = 50
"""Rows at least that a sign is judged by."""
_CALM: Final = 98
"""Percentile of what is compared: a place that jumps makes a turn that nobody drove."""
_SURE: Final = 0.3
"""Least correlation that tells a sign."""
_LATITUDE: Final = ("latitude", "gps latitude", "lat", "gps lat")
_LONGITUDE: Final = ("longitude", "gps longitude", "lon", "lng", "long", "gps lon", "gps long")
_ALTITUDE: Final = ("altitude", "gps altitude", "alt", "height", "gps height", "altitude m")


class Ground(NamedTuple):
    """Columns that tell where on earth the car is: degrees, east and north positive; metres."""

    latitude: str
    longitude: str
    altitude: str = ""

    @classmethod
    def among(cls, columns: Sequence[str]) -> "Ground | None":
        """Return those among the names of a file; None without."""
        found = [_first(columns, names) for names in (_LATITUDE, _LONGITUDE, _ALTITUDE)]
        return cls(*found) if found[0] and found[1] else None


def _first(columns: Sequence[str], names: Sequence[str]) -> str:
    return next((one for name in names for one in columns if plain_name(one) == name), "")


class Driven(NamedTuple):
    """Who drove what, as far as the file says."""

    driver: str = ""
    vehicle: str = ""
    vehicle_class: str = ""
    car_number: str = ""


class Stated(NamedTuple):
    """What the file states of a lap: its time [s], its sectors, intermediates."""

    lap_time_s: float | None = None
    sectors_s: tuple[float | None, float | None, float | None] = (None, None, None)
    readings: tuple[Reading, ...] = ()
    facts: Mapping[str, str] = {}
    official: bool = True


@dataclass
class Log:
    """One run of a recording: rows whose clock grows."""

    columns: Columns
    rows: Array
    """Positions of its rows among those of the columns."""
    times: Array
    """Clock of these [s], from 0 where the file's is a wall clock."""
    sources: Sequence[Source] = ()
    ground: Ground | None = None
    since: float = 0.0
    """What the file's clock showed at 0 [s]."""
    origin: Origin | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if len(self.times) < 2:
            raise BadRequest(f"{len(self.times)} rows with a time are no recording", limit=2)
        if self.ground is not None:
            self.origin = geography.origin_of(
                self.column(self.ground.latitude), self.column(self.ground.longitude)
            )
        self.sources = _checked(self)
        self._odometer = next((one for one in self.sources if one.channel.name == "distance"), None)
        if self._odometer is not None and (np.diff(self.column(self._odometer.column)) < -_FALL_M).any():
            self._odometer = None

    @property
    def rate_hz(self) -> float:
        """Rows a second, by the step that most have."""
        steps = np.diff(self.times)
        return round(1 / float(np.median(steps)), 3)

    @property
    def mapped(self) -> tuple[MappedColumn, ...]:
        """The columns that became channels."""
        ground = self.ground if self.origin is not None else None
        note = f"metres from {self.origin}"
        units = (("deg", note), ("deg", note), ("m", "")) if ground else ()
        places = [
            MappedColumn(name, unit, "position", why)
            for name, (unit, why) in zip(ground or (), units, strict=False)
            if name
        ]
        return (*(one.mapped for one in self.sources), *places)

    def column(self, name: str, first: int = 0, end: int | None = None) -> Array:
        """Return rows of a column as the file has it, float64."""
        rows = self.rows[first:end]
        if not len(rows):
            return np.empty(0)
        return np.asarray(self.columns.values(name, int(rows[0]), int(rows[-1]) + 1)[rows - rows[0]])

    def places(self, first: int = 0, end: int | None = None) -> Array | None:
        """Return positions [m], shape (rows, 3), of x, y (up) and z; None where the file has none."""
        if self.ground is None or self.origin is None:
            return self._own_places(first, end)
        times = self.times[first:end]
        latitude, longitude = (self.column(name, first, end) for name in self.ground[:2])
        flat = geography.metres(latitude, longitude, self.origin)
        height = (
            self.column(self.ground.altitude, first, end) if self.ground.altitude else np.zeros(len(flat))
        )
        columns = (flat[:, 0], height, flat[:, 1])
        return np.stack([filled(one, times) for one in columns], axis=1)

    def _own_places(self, first: int, end: int | None) -> Array | None:
        found = [one for one in self.sources if one.channel.name == "position"]
        if {one.place for one in found} < {0, 2}:
            return None
        places = np.zeros((len(self.rows[first:end]), 3))
        for one in found:
            places[:, one.place] = self.column(one.column, first, end) * one.factor
        return places

    def glimpse(self) -> slice:
        """Return the rows that units are checked on: from the middle."""
        first = max(len(self.rows) - _GLIMPSE_ROWS, 0) // 2
        return slice(first, first + _GLIMPSE_ROWS)

    def samples(self, cut: LapCut) -> dict[str, Array]:
        """Return the channels of a lap, in their units and types."""
        low, high = max(cut.first - _MARGIN_ROWS, 0), min(cut.end + _MARGIN_ROWS, len(self.rows))
        inner = slice(cut.first - low, cut.end - low)
        found = {"lap_time": self.times[cut.rows] - cut.begin_s}
        values = {one: self._values(one, low, high) for one in self.sources}
        if self._odometer is not None and cut.first:
            way = values[self._odometer]
            values[self._odometer] = way - np.interp(cut.begin_s, self.times[low:high], way)
        for channel in dict.fromkeys(one.channel for one in self.sources):
            parts = {one.place: part[inner] for one, part in values.items() if one.channel == channel}
            found[channel.name] = _shaped(channel, parts, cut.end - cut.first)
        if self.origin is not None and (places := self.places(low, high)) is not None:
            found["position"] = places[inner].astype(np.float32)
        if any(one.channel.name in STEERING and one.note == TURN_NOTE for one in self.sources):
            found.setdefault(
                "physical_steering_range", np.full(cut.end - cut.first, 2 * TURN_RAD, np.float32)
            )
        return found

    def _values(self, one: Source, first: int, end: int) -> Array:
        known = self.column(one.column, first, end) * one.factor + one.offset
        smooth = one.channel.dtype.kind == "f"
        return filled(known, self.times[first:end]) if smooth else held(known)


def filled(values: Array, times: Array) -> Array:
    """Return the values with those missing on the line between the two around them, where these are not
    further than a receiver's second apart.
    """
    known = np.flatnonzero(np.isfinite(values))
    if len(known) in (0, len(values)):
        return values
    joined = np.interp(times, times[known], values[known], left=np.nan, right=np.nan)
    before = np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)
    after = np.minimum(before + 1, len(known) - 1)
    near = times[known[after]] - times[known[before]] <= _LONGEST_GAP_S
    return np.where(np.isfinite(values) | near, np.where(np.isfinite(values), values, joined), np.nan)


def held(values: Array) -> Array:
    """Return the values with those missing as the one before; at the beginning as the first; 0 without
    any.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros(len(values))
    before = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return np.asarray(values[known[np.maximum(before, 0)]])


def _shaped(channel: Channel, parts: Mapping[int, Array], rows: int) -> Array:
    """Return a channel's values in its type, shape (rows,) or (rows, width)."""
    columns = [parts.get(place) for place in range(channel.width)]
    missing = np.full(rows, np.nan if channel.dtype.kind == "f" else 0)
    whole = np.stack([missing if one is None else one for one in columns], axis=1)
    if channel.dtype.kind == "b":
        whole = whole > 0.5
    elif channel.dtype.kind in "iu":
        limits = np.iinfo(channel.dtype)
        whole = np.clip(np.rint(whole), limits.min, limits.max)
    shaped = whole.astype(channel.dtype)
    return shaped if channel.width > 1 else shaped[:, 0]


def _checked(log: Log) -> list[Source]:
    """Return the sources with the units and signs that the rows show."""
    rows = log.glimpse()
    times, places = log.times[rows], log.places(rows.start, rows.stop)
    flat = None if places is None else places[:, ::2]
    found = []
    for one in _locked(log, rows):
        values = log.column(one.column, rows.start, rows.stop)
        if one.channel.name == "speed":
            one = _checked_speed(log, one, values, flat)
        elif one.channel.unit == "°C":
            one = _checked_temperature(one, values)
        elif one.channel.name in _PEDALS:
            one = _checked_share(one, values)
        found.append(one)
    return _turned(found, log, rows, flat, times) if flat is not None else found


def _locked(log: Log, rows: slice) -> list[Source]:
    """Return the sources, the steering as a share of the wheel's lock where the file tells this."""
    for name in _LOCKS:
        lock = next((one for one in log.sources if one.channel.name == name), None)
        if lock is None:
            continue
        known = log.column(lock.column, rows.start, rows.stop) * lock.factor
        known = known[np.isfinite(known) & (known > 0)]
        if len(known):
            turn = TURN_RAD / (float(np.median(known)) / 2)
            return [
                one._replace(factor=one.factor * turn, note="") if one.note == TURN_NOTE else one
                for one in log.sources
            ]
    return [one for one in log.sources if one.channel.name not in _LOCKS]


def _checked_speed(log: Log, one: Source, values: Array, flat: Array | None) -> Source:
    rows = log.glimpse()
    way = flat
    if way is None:
        distance = next((other for other in log.sources if other.channel.name == "distance"), None)
        if distance is not None:
            way = log.column(distance.column, rows.start, rows.stop) * distance.factor
    found = speed_unit(filled(values, log.times[rows]), way, log.times[rows], one.unit)
    return one._replace(unit=found.unit, factor=found.factor, offset=0.0, note=found.note)


def _checked_temperature(one: Source, values: Array) -> Source:
    found = temperature_unit(values, one.unit)
    if not found.note:
        return one
    return one._replace(unit=found.unit, factor=found.factor, offset=found.offset, note=found.note)


def _checked_share(one: Source, values: Array) -> Source:
    """Return the source by what is its greatest value: 1 or 100."""
    most = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    labelled = f"labelled {one.unit}, holds" if one.unit else "no unit stated, holds"
    if one.unit == "%" and 0.05 < most <= 1.001:
        return one._replace(unit="", factor=np.sign(one.factor), note=f"{labelled} 0 to 1")
    if one.unit != "%" and 1.5 < most <= 110:
        return one._replace(unit="%", factor=np.sign(one.factor) / 100, note=f"{labelled} per cent")
    return one


def _turned(found: list[Source], log: Log, rows: slice, flat: Array, times: Array) -> list[Source]:
    """Return the sources with accelerations and yaw the way that the car goes."""
    turn = geography.turning(flat, times)
    speed = np.hypot(*np.gradient(flat, times, axis=0).T)
    # To the right is -x, forward -z.
    expected = {
        ("local_acceleration", 0): -turn * speed,
        ("local_acceleration", 2): -np.gradient(speed, times),
        ("local_rotation", 1): turn,
    }
    turned = []
    for one in found:
        wanted = expected.get((one.channel.name, one.place))
        if wanted is not None:
            values = log.column(one.column, rows.start, rows.stop) * one.factor
            if _against(values, wanted):
                one = one._replace(factor=-one.factor, note="counts the other way, as its way shows")
        turned.append(one)
    return turned


def _against(values: Array, wanted: Array) -> bool:
    """Return whether the two go against each other."""
    both = np.isfinite(values) & np.isfinite(wanted)
    if both.sum() < _FEW:
        return False
    both &= np.abs(wanted) < np.percentile(np.abs(wanted[both]), _CALM)
    if both.sum() < _FEW or not values[both].std() or not wanted[both].std():
        return False
    return bool(np.corrcoef(values[both], wanted[both])[0, 1] < -_SURE)


class Ends(NamedTuple):
    """Whether the first and the last piece touch the line; None where nothing tells."""

    first: bool | None
    last: bool | None


def at_line(log: Log, cuts: Sequence[LapCut]) -> Ends:
    """Return whether the recording begins and ends at the line, rolling: by the places where the laps
    begin, or, with one piece, where it begins.
    """
    ends = (0, len(log.times) - 1)
    here = [_place(log, at) for at in ends]
    lines = [place for cut in cuts[1:] if (place := _place(log, cut.first)) is not None]
    if not lines:
        lines = [here[0]] if here[0] is not None else []
    if not lines or here[0] is None or here[1] is None:
        return Ends(None, None)
    line = np.median(np.array(lines), axis=0)
    found = [bool(np.hypot(*(place - line)) < _AT_LINE_M) for place in here if place is not None]
    rolling = [_rolling(log, at) for at in ends]
    return Ends(found[0] and rolling[0] and (len(cuts) > 1 or found[1]), found[1] and rolling[1])


def _place(log: Log, at: int) -> Array | None:
    places = log.places(at, at + 1)
    return None if places is None or not np.isfinite(places[0, ::2]).all() else places[0, ::2]


def _rolling(log: Log, at: int) -> bool:
    begin = max(min(at, len(log.times) - 2), 0)
    places = log.places(begin, begin + 2)
    if places is None:
        return False
    step = places[1, ::2] - places[0, ::2]
    return bool(np.hypot(*step) > _ROLLING_MPS * (log.times[begin + 1] - log.times[begin]))


def recorded_laps(
    log: Log,
    cuts: Iterable[LapCut],
    driven: Driven,
    stated: Mapping[int, Stated] | None = None,
    counted: bool = False,
) -> Iterator[RecordedLap]:
    """Yield the laps; `stated` is what the file says of the lap at each of its positions among the cuts.
    Their numbers are those of the file where it counts, else from 0.
    """
    every = list(cuts)
    told = stated or {}
    base = min([1, *(cut.number for cut in every if cut.number >= 0)])
    index = 0
    for at, cut in enumerate(every):
        said = told.get(at, Stated(cut.lap_time_s, official=False))
        for piece in _pieces(cut, log.times):
            index += 1
            whole = piece == cut and cut.complete
            yield RecordedLap(
                car=0,
                index=index,
                start_s=piece.begin_s,
                end_s=piece.begin_s + said.lap_time_s if whole and said.lap_time_s else piece.end_s,
                number=max(cut.number - base, 0) if counted else at,
                lap_time_s=said.lap_time_s if whole else None,
                official=whole and said.official,
                sectors_s=said.sectors_s if whole else (None, None, None),
                readings=said.readings if whole else (),
                facts=said.facts,
                complete=whole,
                valid=whole,
                out_lap=at == 0 and not whole,
                in_lap=at == len(every) - 1 and at > 0 and not whole,
                driver=driven.driver,
                vehicle=driven.vehicle,
                vehicle_class=driven.vehicle_class,
                car_number=driven.car_number,
                samples=log.samples(piece),
            )


def _pieces(cut: LapCut, times: Array) -> Iterator[LapCut]:
    """Yield the lap, in pieces where it has too many rows for one; without any none."""
    if 0 < cut.end - cut.first <= MOST_ROWS:
        yield cut
        return
    for first in range(cut.first, cut.end, MOST_ROWS):
        end = min(first + MOST_ROWS, cut.end)
        yield cut._replace(
            first=first, end=end, begin_s=float(times[first]), end_s=float(times[end - 1]), complete=False
        )


def whole_run(log: Log) -> list[LapCut]:
    """Return the run as one piece, where nothing tells of laps."""
    return [LapCut(0, len(log.times), 0, float(log.times[0]), float(log.times[-1]), False)]


def by_beacons(log: Log, beacons: Sequence[float], trusted: bool = False) -> list[LapCut]:
    """Return the laps by the clock of the beacons at their ends [s], exactly. The first and the last piece
    are laps where their places tell that they begin and end at the line, or with `trusted`.
    """
    end, reach = float(log.times[-1]), 2 / log.rate_hz
    closing = next((one for one in beacons if abs(one - end) <= reach), None)
    cuts = laps_by_times([one for one in beacons if one < end - reach], log.times)
    ends = Ends(True, True) if trusted else at_line(log, cuts)
    first = bool(ends.first) and (len(cuts) > 1 or (closing is not None and bool(ends.last)))
    last = closing is not None and bool(ends.last) and (len(cuts) > 1 or first)
    cuts[0] = cuts[0]._replace(complete=first)
    if closing is not None and last:
        cuts[-1] = cuts[-1]._replace(end_s=closing, complete=True)
    return cuts


def by_their_ends(cuts: Sequence[LapCut]) -> dict[int, Stated]:
    """Return what beacons state of the laps: their times, to the microsecond."""
    return {at: Stated(round(cut.end_s - cut.begin_s, 6)) for at, cut in enumerate(cuts) if cut.complete}


def lap_numbers(column: Array) -> Array:
    """Return the numbers of laps, whole, with -1 where there is none."""
    return np.where(np.isfinite(column), column, -1).astype(np.int64)


def session_kind(text: str) -> str:
    """Return the kind of session that a word such as HOTLAP or Qualifying means."""
    word = text.lower()
    kinds = {"qual": "qualifying", "race": "race", "warm": "warmup", "test": "test_day"}
    return next((kind for part, kind in kinds.items() if part in word), "practice")
