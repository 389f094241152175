"""A logger's recording: columns on one clock, and what of them becomes channels of the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from rig.channels import Channel
from rig.errors import BadRequest
from rigclient.imports.channels.builder import typed
from rigclient.imports.channels.column import ChannelSource
from rigclient.imports.channels.naming import STEERING, TURN_NOTE, TURN_RAD, plain_name
from rigclient.imports.loggers import claims
from rigclient.imports.loggers.columns import RecordedColumns
from rigclient.imports.recording import MappedColumn
from rigclient.imports.signals import geography
from rigclient.imports.signals.cuts import LapCut
from rigclient.imports.signals.filling import filled, held, moving
from rigclient.imports.signals.geography import MapOrigin

Array = np.ndarray[Any, np.dtype[Any]]

_MARGIN_ROWS: Final = 128
"""Beyond a lap's ends, so that what comes once a second is known at its first row too."""
_FALL_M: Final = 1.0
"""Where the distance falls back by more, it is that of the lap; else it is of the whole drive."""
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


@dataclass
class LoggedRun:
    """One run of a recording: rows whose clock grows."""

    columns: RecordedColumns
    rows: Array
    """Positions of its rows among those of the columns."""
    times: Array
    """Clock of these [s], from 0 where the file's is a wall clock."""
    sources: Sequence[ChannelSource] = ()
    ground: Ground | None = None
    since: float = 0.0
    """What the file's clock showed at 0 [s]."""
    origin: MapOrigin | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if len(self.times) < 2:
            raise BadRequest(f"{len(self.times)} rows with a time are no recording", limit=2)
        if self.ground is not None:
            self.origin = geography.origin_of(
                self.column(self.ground.latitude), self.column(self.ground.longitude)
            )
        self.sources = claims.checked(self)
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
        north, east = (self.column(name, first, end) for name in self.ground[:2])
        latitude, longitude = moving(north, east, times)
        flat = geography.metres(latitude, longitude, self.origin)
        height = (
            self.column(self.ground.altitude, first, end) if self.ground.altitude else np.zeros(len(flat))
        )
        columns = (flat[:, 0], height, flat[:, 1])
        return np.stack([filled(one, times) for one in columns], axis=1)

    def _own_places(self, first: int, end: int | None) -> Array | None:
        found = [one for one in self.sources if one.channel.name == "position"]
        if not {0, 2} <= {one.place for one in found}:
            return None
        places = np.zeros((len(self.rows[first:end]), 3))
        for one in found:
            places[:, one.place] = self.column(one.column, first, end) * one.factor
        return places

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

    def _values(self, one: ChannelSource, first: int, end: int) -> Array:
        known = self.column(one.column, first, end) * one.factor + one.offset
        smooth = one.channel.dtype.kind == "f"
        return filled(known, self.times[first:end]) if smooth else held(known)


def _shaped(channel: Channel, parts: Mapping[int, Array], rows: int) -> Array:
    """Return a channel's values in its type, shape (rows,) or (rows, width)."""
    columns = [parts.get(place) for place in range(channel.width)]
    missing = np.full(rows, np.nan if channel.dtype.kind == "f" else 0)
    whole = np.stack([missing if one is None else one for one in columns], axis=1)
    return typed(channel, whole > 0.5 if channel.dtype.kind == "b" else whole)
