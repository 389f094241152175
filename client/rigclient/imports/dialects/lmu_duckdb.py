"""The telemetry files that Le Mans Ultimate writes itself, a DuckDB database for every session of the player.

    channelsList(channelName, frequency, unit), eventsList(eventName, unit), metadata(key, value)
    "Ground Speed"(value), "Susp Pos"(value1, value2, value3, value4), ...     rows at the channel's frequency
    "Lap"(ts, value), "Lap Time"(ts, value), "Gear"(ts, value), ...            a row when it changes

The clock of row n of a channel is that of "GPS Time" there. Laps lie between two rows of "Lap"; the lap
distance tells none, for it falls back also where no lap ends. The file is opened read-only, and nothing of it
is run.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest, Unavailable
from rig.lapfile import ROWS_LIMIT
from rigclient.imports.channels.builder import ChannelBuilder
from rigclient.imports.channels.column import To, X, Y, Z, has_unit
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.signals import directions
from rigclient.imports.signals.clock import clock
from rigclient.imports.signals.geography import local_metres
from rigclient.imports.signals.units import sane
from rigclient.imports.text import cells
from rigclient.imports.text.cells import Malformed
from riglap.extras import need

Array = np.ndarray[Any, np.dtype[Any]]

_MAGIC: Final = slice(8, 12)
_DUCK: Final = b"DUCK"
_CONFIG: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "1",
    "memory_limit": "200MB",
}
_NEEDED: Final = {
    "channelsList": ("channelName", "frequency", "unit"),
    "metadata": ("key", "value"),
    "Lap": ("ts", "value"),
}
_WHEELS: Final = ("value1", "value2", "value3", "value4")
_CLOCK: Final = "GPS Time"
_PLACE: Final = ("GPS Latitude", "GPS Longitude")
_MOST_ROWS: Final = 20_000_000
"""Of one channel: two days at 100 Hz."""
_MOST_HZ: Final = 1000
_UNEVEN: Final = 0.01
_UNEVEN_S: Final = 1.0
"""By which share, and by how long besides, a channel may be longer or shorter than the clock."""
_MOST_EVENTS: Final = 1_000_000
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

_CHANNELS: Final = {
    "Ground Speed": To("speed"),
    "Engine RPM": To("engine_rpm"),
    "Clutch RPM": To("clutch_rpm"),
    "Throttle Pos": To("throttle_applied"),
    "Throttle Pos Unfiltered": To("throttle"),
    "Brake Pos": To("brake_applied"),
    "Brake Pos Unfiltered": To("brake"),
    "Clutch Pos": To("clutch_applied"),
    "Clutch Pos Unfiltered": To("clutch"),
    "Steering Pos": To("steering_applied"),
    "Steering Pos Unfiltered": To("steering"),
    "Steering Shaft Torque": To("steering_torque"),
    "Fuel Level": To("fuel"),
    "SoC": To("battery_charge"),
    "Engine Oil Temp": To("engine_oil_temp"),
    "Engine Water Temp": To("engine_water_temp"),
    "Turbo Boost Pressure": To("turbo_boost"),
    "FrontRideHeight": To("front_ride_height"),
    "RearRideHeight": To("rear_ride_height"),
    "Front3rdDeflection": To("front_third_deflection"),
    "Rear3rdDeflection": To("rear_third_deflection"),
    "Lap Dist": To("game_distance"),
    "G Force Lat": To("local_acceleration", at=X),
    "G Force Vert": To("local_acceleration", at=Y),
    "G Force Long": To("local_acceleration", at=Z),
}
"""Channels of one value. Their units are the file's."""
_OF_WHEELS: Final = {
    "Brakes Temp": ("brake_temp", 1, 0),
    "Susp Pos": ("suspension_deflection", 1, 0),
    "RideHeights": ("wheel_ride_height", 1, 0),
    "TyresPressure": ("tyre_pressure", 1, 0),
    "TyresCarcassTemp": ("tyre_carcass_temp", 1, 0),
    "TyresTempLeft": ("tyre_temp", 3, 0),
    "TyresTempCentre": ("tyre_temp", 3, 1),
    "TyresTempRight": ("tyre_temp", 3, 2),
    "SurfaceTypes": ("surface_type", 1, 0),
}
"""Channels of four: what they are, the values a wheel has there, and which of them this is."""
_WEAR: Final = "Tyres Wear"
_EVENTS: Final = {
    "Gear": To("gear"),
    "In Pits": To("in_pit_lane"),
    "Speed Limiter": To("speed_limiter"),
    "Headlights State": To("headlights"),
    "FrontFlapActivated": To("front_flap"),
    "RearFlapActivated": To("rear_flap"),
    "AntiStall Activated": To("anti_stall"),
}
_PEDALS: Final = ("Throttle Pos", "Brake Pos", "Clutch Pos", "Steering Pos")
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


class _Channel(NamedTuple):
    name: str
    hertz: int
    unit: str
    columns: tuple[str, ...]
    rows: int


class LmuDuckDB:
    """Reads them."""

    name = "LMU telemetry"
    program = "Le Mans Ultimate"

    def recognises(self, head: Head) -> bool:
        """Return whether it is a DuckDB file with the game's tables; by its name where it does not open."""
        if head.first[_MAGIC] != _DUCK:
            return False
        try:
            with _opened(head.path) as file:
                return not file.missing()
        except BadRequest:
            return head.path.suffix == ".duckdb"

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording of all laps. Raises BadRequest for a file without a lap, or without tables that
        it needs, and where duckdb is not installed.
        """
        with _opened(path) as file:
            if missing := file.missing():
                raise BadRequest(f"it is a DuckDB file without {missing[0]}, which Le Mans Ultimate writes")
            session = _Session(file, _quiet)
            laps = session.laps()
            first = next((lap for lap in laps if lap.complete), laps[0])
            mapped = tuple(session.samples(first)[1].mapped)
        left = tuple(
            name for name in session.names() if name not in {one.column.partition(".")[0] for one in mapped}
        )
        return [
            Recording(
                self.name,
                session.recorded(),
                _read_laps(path, refuse, progress),
                float(session.hertz),
                mapped,
                left,
                session.setup(),
            )
        ]


def _quiet(_line: int, _reason: str, _detail: str) -> None:
    """Do nothing: what is refused is told when the laps are read."""


def _read_laps(path: Path, refuse: Refuse, progress: Progress) -> Iterator[RecordedLap]:
    """Yield the laps with their samples, one in memory."""
    size = path.stat().st_size
    with _opened(path) as file:
        session = _Session(file, refuse)
        laps = session.laps()
        for n, lap in enumerate(laps, start=1):
            samples, _ = session.samples(lap)
            if len(samples["lap_time"]) > ROWS_LIMIT:
                refuse(
                    0,
                    "too long a lap",
                    f"lap {lap.index} has {len(samples['lap_time'])} samples, the most is {ROWS_LIMIT}",
                )
            else:
                lap.samples = samples
                yield lap
            progress(size * n // len(laps))


@contextlib.contextmanager
def _opened(path: Path) -> "Iterator[_File]":
    try:
        duckdb = need("duckdb", "warehouse")
    except Unavailable as error:
        raise BadRequest(error.message, hint=error.hint) from None
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
    except duckdb.Error as error:
        raise BadRequest(f"DuckDB cannot open it: {str(error).splitlines()[0]}") from None
    try:
        yield _File(connection)
    except duckdb.Error as error:
        raise BadRequest(f"DuckDB cannot read it: {str(error).splitlines()[0]}") from None
    finally:
        connection.close()


class _File:
    """Tables of an open file."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        found: dict[str, list[str]] = {}
        for table, column in connection.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE t.table_schema = 'main' AND t.table_type = 'BASE TABLE'"
            " ORDER BY c.table_name, c.ordinal_position LIMIT 10000"
        ).fetchall():
            found.setdefault(table, []).append(column)
        self.tables: Final[Mapping[str, list[str]]] = found

    def missing(self) -> list[str]:
        """Return the tables that are not there, or not as they have to be."""
        return [
            f'a table "{name}"'
            for name, needed in _NEEDED.items()
            if not set(needed) <= set(self.tables.get(name, ()))
        ]

    def rows(self, sql: str, most: int) -> list[tuple[Any, ...]]:
        """Return rows. Raises BadRequest for more than `most`."""
        found: list[tuple[Any, ...]] = self._connection.execute(f"{sql} LIMIT {most + 1}").fetchall()
        if len(found) > most:
            raise BadRequest(f"a table has more than {most} rows")
        return found

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._connection.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()[0])  # noqa: S608

    def numbers(self, table: str, columns: tuple[str, ...], first: int, end: int) -> list[Array]:
        """Return columns of the rows from `first` to before `end`, float64."""
        wanted = ", ".join(f"CAST({_quoted(name)} AS DOUBLE) AS {_quoted(name)}" for name in columns)
        sql = f"SELECT {wanted} FROM {_quoted(table)} WHERE rowid >= {first} AND rowid < {end} ORDER BY rowid"  # noqa: S608
        found = self._connection.execute(sql).fetchnumpy()
        return [sane(np.ma.filled(np.ma.asarray(found[name], np.float64), np.nan)) for name in columns]

    def events(self, table: str) -> tuple[Array, Array]:
        """Return clocks [s] and values of what changes; none where there is no such table."""
        if not {"ts", "value"} <= set(self.tables.get(table, ())):
            return np.zeros(0), np.zeros(0)
        sql = f"SELECT CAST(ts AS DOUBLE), CAST(value AS DOUBLE) FROM {_quoted(table)} ORDER BY ts, rowid"  # noqa: S608
        rows = sane(np.array(self.rows(sql, _MOST_EVENTS), np.float64).reshape(-1, 2))
        rows = rows[np.isfinite(rows).all(axis=1)]
        return rows[:, 0], rows[:, 1]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _Session:
    """What the tables hold, by the clock of the session."""

    def __init__(self, file: _File, refuse: Refuse) -> None:
        self._file, self._refuse = file, refuse
        self._said = {
            str(key): str(value or "") for key, value in file.rows("SELECT key, value FROM metadata", 1000)
        }
        self._channels = {one.name: one for one in self._listed()}
        used = [
            one.hertz for one in self._channels.values() if one.name in _CHANNELS or one.name in _OF_WHEELS
        ]
        if not used:
            raise BadRequest(
                "none of its channels is known", hint="it has " + ", ".join(list(self._channels)[:5])
            )
        self.hertz: int = max(used)
        self._times = self._clock()
        self._channels = {name: one for name, one in self._channels.items() if self._is_whole(one)}
        self._plane: Array | None = None
        """Positions at all rows, once they are asked for."""

    def names(self) -> list[str]:
        """Return the names of all channels and events."""
        events = [name for name, columns in self._file.tables.items() if "ts" in columns]
        return [*self._channels, *events]

    def _listed(self) -> Iterator[_Channel]:
        sql = "SELECT channelName, CAST(frequency AS DOUBLE), unit FROM channelsList"
        for name, hertz, unit in self._file.rows(sql, 1000):
            columns = self._file.tables.get(str(name), [])
            values = ("value",) if "value" in columns else _WHEELS
            if not set(values) <= set(columns) or not hertz or not 1 <= hertz <= _MOST_HZ:
                continue
            rows = self._file.count(str(name))
            if 0 < rows <= _MOST_ROWS:
                yield _Channel(str(name), round(hertz), str(unit or ""), values, rows)

    def _clock(self) -> Array:
        """Return the session's clock at every row of the fastest channels [s]."""
        told = self._channels.get(_CLOCK)
        timed = [told] if told is not None else list(self._channels.values())
        rows = max(one.rows * self.hertz // one.hertz for one in timed)
        if rows > _MOST_ROWS:
            raise BadRequest(f"it has {rows} rows, more than {_MOST_ROWS}")
        steps = np.arange(rows) / self.hertz
        if told is None:
            began, _ = self._file.events("Lap")
            return steps + (float(began[0]) if len(began) else 0.0)
        (clock,) = self._file.numbers(_CLOCK, ("value",), 0, told.rows)
        return np.interp(steps, np.arange(told.rows) / told.hertz, clock)

    def _is_whole(self, channel: _Channel) -> bool:
        """Return whether a channel has as many rows as its frequency wants; others are told."""
        wanted = len(self._times) * channel.hertz // self.hertz
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
        clocks, numbers = self._file.events("Lap")
        if not len(clocks):
            raise BadRequest("it has no lap: the car did not leave the garage")
        ends = [*clocks[1:].tolist(), float(self._times[-1])]
        found: list[RecordedLap] = []
        for at, (start, end) in enumerate(zip(clocks.tolist(), ends, strict=True)):
            final = at == len(clocks) - 1
            first, last = np.searchsorted(self._times, [start, end])
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
        clocks, values = self._file.events(table)
        at = np.flatnonzero((clocks >= clock - 1 / self.hertz) & (clocks <= clock + _AFTER_S) & (values > 0))
        return float(values[at[0]]) if len(at) else None

    def _in_pits(self, clock: float) -> bool:
        clocks, values = self._file.events("In Pits")
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
            clocks, _ = self._file.events("Current Sector")
            within = clocks[(clocks > start) & (clocks < end - 1 / self.hertz)]
            if len(within) != 2:
                return None, None, None
            one, two = float(within[0] - start), float(within[1] - start)
        return one, two - one, time_s - two

    def samples(self, lap: RecordedLap) -> tuple[dict[str, Array], ChannelBuilder]:
        """Return the channels of a lap, and how they were made."""
        first, end = np.searchsorted(self._times, [lap.start_s, lap.end_s])
        times = self._times[first:end]
        sound = clock(times)
        rows = sound.runs()[0] if len(times) else np.zeros(0, np.int64)
        if len(rows) < 2:
            raise BadRequest(f"lap {lap.number} has {len(rows)} samples")
        builder = ChannelBuilder(len(rows))
        builder.put(_CLOCK, times[rows] - lap.start_s, To("lap_time", "s"))
        self._put_way(builder, rows + first, times[rows])
        self._put_channels(builder, rows + first)
        self._put_events(builder, times[rows])
        return builder.samples(), builder

    def _values(self, name: str, rows: Array) -> list[Array]:
        """Return a channel at rows of the clock: between two values on the line that joins them."""
        channel = self._channels[name]
        share = channel.hertz / self.hertz
        begin = max(int(rows[0] * share) - 1, 0)
        end = min(int(rows[-1] * share) + 2, channel.rows)
        found = self._file.numbers(name, channel.columns, begin, end)
        at = rows * share - begin
        if name in _STEPS:
            return [one[np.clip(at.astype(np.int64), 0, len(one) - 1)] for one in found]
        return [
            np.interp(at, np.arange(len(one)), one) if len(one) else np.full(len(at), np.nan) for one in found
        ]

    def _put(self, builder: ChannelBuilder, column: str, values: Array, to: To, unit: str) -> None:
        stated = to._replace(unit=unit) if unit else to
        if has_unit(stated) and np.isfinite(values).any():
            builder.put(column, values, stated)

    def _put_channels(self, builder: ChannelBuilder, rows: Array) -> None:
        for name, channel in self._channels.items():
            to = self._driver_or_applied(name)
            if to is not None and to.channel != "local_acceleration":
                values = self._values(name, rows)[0]
                if to.channel == "game_distance":
                    values = _without_last_lap(values)
                self._put(builder, name, values, to, channel.unit)
            elif name in _OF_WHEELS and len(channel.columns) == len(_WHEELS):
                kind, width, part = _OF_WHEELS[name]
                for at, values in enumerate(self._values(name, rows)):
                    self._put(
                        builder, f"{name}.{_WHEELS[at]}", values, To(kind, at=width * at + part), channel.unit
                    )
            elif name == _WEAR and len(channel.columns) == len(_WHEELS):
                self._put_wear(builder, rows)
        self._put_forces(builder, rows)

    def _driver_or_applied(self, name: str) -> To | None:
        """Return what a channel is; a pedal is the driver's where the file has no unfiltered one."""
        to = _CHANNELS.get(name)
        if name in _PEDALS and f"{name} Unfiltered" not in self._channels and to is not None:
            return To(to.channel.removesuffix("_applied"), note="after driving aids: the file has no other")
        return to

    def _put_wear(self, builder: ChannelBuilder, rows: Array) -> None:
        """Put the tread: what is left of it falls, what is worn grows."""
        unit = self._channels[_WEAR].unit
        whole = 100.0 if unit == "%" else 1.0
        for at, values in enumerate(self._values(_WEAR, rows)):
            worn = bool(values[-1] > values[0])
            note = "the whole less what is worn" if worn else ""
            self._put(
                builder,
                f"{_WEAR}.{_WHEELS[at]}",
                whole - values if worn else values,
                To("tyre_tread", at=at, note=note),
                unit,
            )

    def _put_way(self, builder: ChannelBuilder, rows: Array, times: Array) -> None:
        """Put positions: metres east, and south, of where the recording began."""
        if not set(_PLACE) <= self._channels.keys():
            return
        if self._plane is None:
            degrees = (self._values(name, np.arange(len(self._times)))[0] for name in _PLACE)
            self._plane = local_metres(*degrees)
        plane = self._plane[rows]
        builder.put("GPS Longitude", plane[:, 0], To("position", "m", X, note="metres east"))
        builder.put("GPS Latitude", plane[:, 1], To("position", "m", Z, note="metres north"))
        builder.put(
            "GPS Latitude", np.zeros(len(times)), To("position", "m", Y, note="the file has no height")
        )

    def _put_forces(self, builder: ChannelBuilder, rows: Array) -> None:
        """Put accelerations, signed as the car moved."""
        made = builder.samples()
        if "speed" not in made or "position" not in made:
            return
        times = made["lap_time"]
        plane = made["position"].astype(np.float64)[:, [X, Z]]
        expected = {
            "G Force Lat": directions.leftward_acceleration(plane, times),
            "G Force Long": -directions.forward_acceleration(made["speed"].astype(np.float64), times),
        }
        for name in ("G Force Lat", "G Force Vert", "G Force Long"):
            if name in self._channels:
                values = self._values(name, rows)[0]
                sign = directions.sign_of(values, expected[name]) if name in expected else 1.0
                if sign:
                    self._put(
                        builder, name, values, _CHANNELS[name]._replace(times=sign), self._channels[name].unit
                    )

    def _put_events(self, builder: ChannelBuilder, times: Array) -> None:
        for name, to in _EVENTS.items():
            self._put_event(builder, name, times, to, 0.0)
        _, sectors = self._file.events("Current Sector")
        if len(sectors):
            self._put_event(builder, "Current Sector", times, To("sector"), float(sectors.min() == 0))

    def _put_event(self, builder: ChannelBuilder, name: str, times: Array, to: To, add: float) -> None:
        clocks, values = self._file.events(name)
        if len(clocks):
            at = np.searchsorted(clocks, times + _SHORTEST_S / 1000, side="right") - 1
            builder.put(name, np.where(at >= 0, values[np.maximum(at, 0)], np.nan) + add, to)


def _without_last_lap(distance: Array) -> Array:
    """Return the distance of a lap; NaN where it is that of the lap before or after, or on its way there."""
    steps = np.flatnonzero(np.diff(distance) < 0)
    middle = len(distance) // 2
    before, after = steps[steps < middle], steps[steps >= middle]
    first = int(before[-1]) + 1 if len(before) else 0
    end = int(after[0]) + 1 if len(after) else len(distance)
    at = np.arange(len(distance))
    return np.where((at >= first) & (at < end), distance, np.nan)


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


DIALECT: Final = LmuDuckDB()
