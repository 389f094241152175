"""A session of Le Mans Ultimate's telemetry: its channels by one clock, and its laps."""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.lmu.database import LmuDatabase
from rigclient.imports.recording import RecordedLap, RecordedSession, Refuse
from rigclient.imports.text import cells
from rigclient.imports.text.cells import Malformed

Array = np.ndarray[Any, np.dtype[Any]]

WHEELS: Final = ("value1", "value2", "value3", "value4")
CLOCK: Final = "GPS Time"
_MOST_ROWS: Final = 20_000_000
"""Of one channel: two days at 100 Hz."""
_MOST_HZ: Final = 1000
_UNEVEN: Final = 0.01
_UNEVEN_S: Final = 1.0
"""By which share, and by how long besides, a channel may be longer or shorter than the clock."""
_MOST_TEXT: Final = 1 << 20
_MOST_SETTINGS: Final = 500
_OFFICIAL_S: Final = 0.1
"""The game's lap time and the lap's two ends differ by less: rows come a hundredth of a second apart."""
_FEWEST: Final = 2
"""Samples of a lap."""
_SHORTEST_S: Final = 1.0
"""What is driven after the last line counts as a piece of a lap from here on."""
_AFTER_S: Final = 1.0
"""The game tells times of a lap up to so much after its end."""
_STEPS: Final = ("SurfaceTypes",)
"""Channels that have no value between two."""
_KINDS: Final = {
    "practice": "practice",
    "qualify": "qualifying",
    "warmup": "warmup",
    "race": "race",
    "test": "test_day",
}
_FACTS: Final = ("Version", "TrackLayout", "WeatherConditions", "SessionTime")
"""Not the driver's account number, which is there too."""


class LmuChannel(NamedTuple):
    """A table of one value, or of the four wheels', at a frequency of its own."""

    name: str
    hertz: int
    unit: str
    columns: tuple[str, ...]
    rows: int


class LmuSession:
    """What the tables hold, by the clock of the session. `known` are the channels that are wanted."""

    def __init__(self, file: LmuDatabase, known: Container[str], refuse: Refuse) -> None:
        self.file, self._refuse = file, refuse
        self._said = {
            str(key): str(value or "") for key, value in file.rows("SELECT key, value FROM metadata", 1000)
        }
        self.channels = {one.name: one for one in self._listed()}
        """By name; of those that are as long as the clock."""
        used = [one.hertz for one in self.channels.values() if one.name in known]
        if not used:
            raise BadRequest(
                "none of its channels is known", hint="it has " + ", ".join(list(self.channels)[:5])
            )
        self.hertz: int = max(used)
        self.times = self._clock()
        """Clock at every row of the fastest channels [s], shape (rows,)."""
        self.channels = {name: one for name, one in self.channels.items() if self._is_whole(one)}

    def names(self) -> list[str]:
        """Return the names of all channels and events."""
        events = [name for name, columns in self.file.tables.items() if "ts" in columns]
        return [*self.channels, *events]

    def _listed(self) -> Iterator[LmuChannel]:
        sql = "SELECT channelName, CAST(frequency AS DOUBLE), unit FROM channelsList"
        for name, hertz, unit in self.file.rows(sql, 1000):
            columns = self.file.tables.get(str(name), [])
            values = ("value",) if "value" in columns else WHEELS
            if not set(values) <= set(columns) or not hertz or not 1 <= hertz <= _MOST_HZ:
                continue
            rows = self.file.count(str(name))
            if 0 < rows <= _MOST_ROWS:
                yield LmuChannel(str(name), round(hertz), str(unit or ""), values, rows)

    def _clock(self) -> Array:
        """Return the session's clock at every row of the fastest channels [s]."""
        told = self.channels.get(CLOCK)
        timed = [told] if told is not None else list(self.channels.values())
        rows = max(one.rows * self.hertz // one.hertz for one in timed)
        if rows > _MOST_ROWS:
            raise BadRequest(f"it has {rows} rows, more than {_MOST_ROWS}")
        steps = np.arange(rows) / self.hertz
        if told is None:
            began, _ = self.file.events("Lap")
            return steps + (float(began[0]) if len(began) else 0.0)
        (clock,) = self.file.numbers(CLOCK, ("value",), 0, told.rows)
        return np.interp(steps, np.arange(told.rows) / told.hertz, clock)

    def _is_whole(self, channel: LmuChannel) -> bool:
        """Return whether a channel has as many rows as its frequency wants; others are told."""
        wanted = len(self.times) * channel.hertz // self.hertz
        whole = abs(channel.rows - wanted) <= _UNEVEN * wanted + _UNEVEN_S * channel.hertz
        if not whole:
            detail = f"{channel.name} has {channel.rows} rows, at {channel.hertz} Hz it would have {wanted}"
            self._refuse(0, "a channel of another length", detail)
        return whole

    def recorded(self) -> RecordedSession:
        """Return what the file says of the session."""
        said = self._said
        try:
            began = cells.moment_ns("RecordingTime", said.get("RecordingTime", "").replace("_", ":"))
        except Malformed:
            began = 0
        kind = said.get("SessionType", "").lower()
        return RecordedSession(
            track=said.get("TrackLayout") or said.get("TrackName", ""),
            kind=next((ours for theirs, ours in _KINDS.items() if kind.startswith(theirs)), "practice"),
            start_time_ns=began,
            facts={name: said[name] for name in ("TrackName", *_FACTS) if said.get(name)},
        )

    def setup(self) -> dict[str, tuple[str, str]]:
        """Return the settings of the car."""
        text = self._said.get("CarSetup", "")
        try:
            said = json.loads(text) if len(text) <= _MOST_TEXT else {}
        except (ValueError, RecursionError):
            return {}
        return dict(list(_settings(said))[:_MOST_SETTINGS]) if isinstance(said, dict) else {}

    def laps(self) -> list[RecordedLap]:
        """Return the laps, without samples. Raises BadRequest where there is none."""
        clocks, numbers = self.file.events("Lap")
        if not len(clocks):
            raise BadRequest("it has no lap: the car did not leave the garage")
        ends = [*clocks[1:].tolist(), float(self.times[-1])]
        found: list[RecordedLap] = []
        for at, (start, end) in enumerate(zip(clocks.tolist(), ends, strict=True)):
            final = at == len(clocks) - 1
            first, last = np.searchsorted(self.times, [start, end])
            if last - first > _FEWEST and (not final or end - start >= _SHORTEST_S):
                found.append(self._lap(len(found), int(numbers[at]), start, end, complete=not final))
        if not found:
            raise BadRequest("no lap lies in the time of its channels")
        return found

    def _lap(self, at: int, number: int, start: float, end: float, *, complete: bool) -> RecordedLap:
        said = self._said
        stated = self._soon_after("Lap Time", end) if complete else None
        official = stated is not None and abs(stated - (end - start)) < _OFFICIAL_S
        out_lap, in_lap = self._in_pits(start), self._in_pits(end)
        time_s = (stated if official else end - start) if complete else None
        return RecordedLap(
            car=0,
            index=at + 1,
            number=max(number, 0),
            start_s=start,
            end_s=end,
            driver=said.get("DriverName", ""),
            vehicle=said.get("CarName", ""),
            vehicle_class=said.get("CarClass", ""),
            lap_time_s=time_s,
            official=official,
            sectors_s=self._sectors(start, end, time_s),
            complete=complete,
            valid=official,
            out_lap=out_lap,
            in_lap=in_lap,
        )

    def _soon_after(self, table: str, clock: float) -> float | None:
        """Return a time that the game told when a lap ended; None where it told none above 0."""
        clocks, values = self.file.events(table)
        at = np.flatnonzero((clocks >= clock - 1 / self.hertz) & (clocks <= clock + _AFTER_S) & (values > 0))
        return float(values[at[0]]) if len(at) else None

    def _in_pits(self, clock: float) -> bool:
        clocks, values = self.file.events("In Pits")
        before = int(np.searchsorted(clocks, clock, side="right"))
        return bool(before and values[before - 1])

    def _sectors(
        self, start: float, end: float, time_s: float | None
    ) -> tuple[float | None, float | None, float | None]:
        """Return the sectors as the game told them, else by when it counted on."""
        if time_s is None:
            return None, None, None
        one, two = self._soon_after("Last Sector1", end), self._soon_after("Last Sector2", end)
        if one is None or two is None or not one < two < time_s:
            clocks, _ = self.file.events("Current Sector")
            within = clocks[(clocks > start) & (clocks < end - 1 / self.hertz)]
            if len(within) != 2:
                return None, None, None
            one, two = float(within[0] - start), float(within[1] - start)
        return one, two - one, time_s - two

    def values(self, name: str, rows: Array) -> list[Array]:
        """Return a channel at rows of the clock: between two values on the line that joins them."""
        channel = self.channels[name]
        share = channel.hertz / self.hertz
        begin = max(int(rows[0] * share) - 1, 0)
        end = min(int(rows[-1] * share) + 2, channel.rows)
        found = self.file.numbers(name, channel.columns, begin, end)
        at = rows * share - begin
        if name in _STEPS:
            return [one[np.clip(at.astype(np.int64), 0, len(one) - 1)] for one in found]
        return [
            np.interp(at, np.arange(len(one)), one) if len(one) else np.full(len(at), np.nan) for one in found
        ]


def _settings(said: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the settings of a tree of them, with the names above each."""
    for key, value in said.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, dict) and "stringValue" in value:
            yield name, (str(value["stringValue"])[:200], "")
        elif isinstance(value, dict):
            yield from _settings(value, name)
        elif isinstance(value, str | int | float):
            yield name, (str(value)[:200], "")
