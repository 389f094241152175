"""Laps of the Telemetry Tool for rFactor 2 and Le Mans Ultimate: the player's (v8) and opponents' (v3).

    player,v8,A. Alder,0,2025111417168338
    Game,version,date,track,car,event,laptime [s],S1 [s],S2 [s],S3 [s],S4+ [s]
    ...
    LapDistance [m],LapTime [s],Sector [int],Speed [km/h],...
    0.71162486,0.025,0.0,256.24097,...

A file is a lap. Three traps, all under the same header: hundredths of a second and centimetres as whole
numbers without a mark, found by the lap's time and the track's length; blank cells for what has not changed;
and a speed labelled m/s that holds km/h, which positions show.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.channels.builder import ChannelBuilder, filled
from rigclient.imports.channels.column import FL, FR, RL, RR, To, X, Y, Z, has_unit
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.signals import directions
from rigclient.imports.signals.clock import clock, rate_hz
from rigclient.imports.signals.units import speed_unit
from rigclient.imports.text import cells
from rigclient.imports.text.cells import Malformed
from rigclient.imports.text.table import SampleTable
from rigclient.imports.text.whole_table import WholeTable, all_rows
from riglap.formulas.units import known

Array = np.ndarray[Any, np.dtype[Any]]

_WHO: Final = ("player", "opponent")
_NEEDED: Final = ("lapdistance", "laptime", "speed", "x", "z")
_FIRST: Final = ("lapdistance [m]", "laptime [s]", "x [m]", "z [m]")
"""Names that make a line the header: the speed has another unit in each of the two kinds."""
_KINDS: Final = {
    "testday": "test_day",
    "test day": "test_day",
    "practice": "practice",
    "qualify": "qualifying",
    "qualifying": "qualifying",
    "warmup": "warmup",
    "race": "race",
}
_HUNDREDTHS: Final = 2.0
"""A lap that lasts longer than twice its time, or goes twice around, is told in hundredths."""
_G: Final = "G"
_CORNERS: Final = (("rearleft", RL), ("rearright", RR), ("frontleft", FL), ("frontright", FR))
_ACROSS: Final = {
    **{f"{corner}outside": (at, 0 if at in (FL, RL) else 2) for corner, at in _CORNERS},
    **{f"{corner}middle": (at, 1) for corner, at in _CORNERS},
    **{f"{corner}inside": (at, 2 if at in (FL, RL) else 0) for corner, at in _CORNERS},
}
"""Wheel, and place from left to right as the driver sees it."""
_ONE_VALUE: Final = "one value a tyre, given to left, centre and right"

_COLUMNS: Final = {
    "enginerevs": To("engine_rpm"),
    "revs": To("engine_rpm"),
    "throttlepercentage": To("throttle", "%"),
    "throttle": To("throttle", "%"),
    "brakepercentage": To("brake", "%"),
    "brake": To("brake", "%"),
    "steer": To("steering", "%"),
    "clutch": To("clutch", "%"),
    "gear": To("gear"),
    "drs": To("rear_flap"),
    "inpits": To("in_pit_lane"),
    "fuelremaining": To("fuel"),
    "torque": To("engine_torque"),
    "frontrideheight": To("front_ride_height"),
    "rearrideheight": To("rear_ride_height"),
    **{f"localangularvelocity{axis}": To("local_rotation", at=at) for at, axis in enumerate("xyz")},
    **{
        f"{name}{corner}": To(channel, at=at)
        for corner, at in _CORNERS
        for name, channel in (
            ("braketemperature", "brake_temp"),
            ("suspensionposition", "suspension_deflection"),
            ("tyrecarcasstemperature", "tyre_carcass_temp"),
            ("tyrepressure", "tyre_pressure"),
            ("load", "tyre_load"),
        )
    },
    **{corner: To("tyre_inner_temp", at=3 * at + part) for corner, (at, part) in _ACROSS.items()},
}
"""By name without unit, in lower case."""
_WORLD: Final = ("woldspeedx", "woldspeedz")
"""The speed in the game's axes, spelled as the tool does."""
_SURFACE: Final = {f"tyretemperature{corner}": at for corner, at in _CORNERS}
_WEAR: Final = {f"tyrewear{corner}": at for corner, at in _CORNERS}
_FORCES: Final = {
    "gforcelatitudinal": X,
    "glat": X,
    "gforcevertical": Y,
    "gforcelongitudinal": Z,
    "glon": Z,
}


class TelemetryTool:
    """Reads them."""

    name = "Telemetry Tool"
    program = "Telemetry Tool for rFactor 2 and Le Mans Ultimate"

    def recognises(self, head: Head) -> bool:
        """Return whether the first two lines are the tool's."""
        first, second = (*head.text.split("\n", 2)[:2], "", "")[:2]
        who, _, version = first.partition(",")
        return (
            who in _WHO and version.startswith("v") and second.startswith("Game,version,date,track,car,event")
        )

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording of one lap. Raises BadRequest for a file without rows, or without its lap."""
        with path.open("rb") as file:
            table = SampleTable("it", file, _FIRST)
            said, who = _said(table.before)
            columns = all_rows(table, refuse, progress)
        lap = _Lap(said, who, columns)
        samples, builder = lap.samples(refuse)
        driven = lap.driven(samples, builder)
        session = _session(said, driven.driver)
        left = tuple(name for name in table.columns if name not in {one.column for one in builder.mapped})
        setup = {name: (value, "") for name, value in lap.setup.items()}
        rate = rate_hz(samples["lap_time"])
        return [Recording(self.name, session, iter([driven]), rate, tuple(builder.mapped), left, setup)]


def _said(before: Sequence[Sequence[str]]) -> tuple[dict[str, str], list[str]]:
    """Return what the lines before the header say by name, without units, and the first of them."""
    lines = [cells for cells in before if any(cells)]
    said: dict[str, str] = {}
    for names, values in zip(lines[1::2], lines[2::2], strict=False):
        for name, value in zip(names, values, strict=False):
            said[name.partition("[")[0].strip()] = value
    return said, list(lines[0]) if lines else []


def _session(said: Mapping[str, str], driver: str) -> RecordedSession:
    """Return the session. Nobody tells the slots of cars: one of each driver is by itself."""
    try:
        began = cells.moment_ns("date", said.get("date", ""))
    except Malformed:
        began = 0
    return RecordedSession(
        track=said.get("track", ""),
        kind=_KINDS.get(said.get("event", "").lower(), "practice"),
        start_time_ns=began,
        identity=("telemetry tool", began, driver) if began else (),
        track_length_m=_positive(said.get("Tracklen", "")) or 0.0,
        facts={
            name: said[name]
            for name in ("Game", "version", "Weather", "TrackTemp", "AmbientTemp")
            if name in said
        },
    )


def _positive(text: str) -> float | None:
    """Return a number above zero, None for anything else."""
    try:
        value = cells.number("", text)
    except Malformed:
        return None
    return value if value > 0 else None


class _Lap:
    """The rows of a file, and what stands above them."""

    def __init__(self, said: Mapping[str, str], who: Sequence[str], columns: WholeTable) -> None:
        self._said, self._who, self._columns = said, who, columns
        self._by_name = {name.partition("[")[0].strip().lower(): name for name in columns.values}
        self._time_s = _positive(said.get("laptime", ""))
        self._length_m = _positive(said.get("Tracklen", ""))
        names = list(said)
        first = names.index("FWing") if "FWing" in said else len(names)
        self.setup: dict[str, str] = {name: said[name] for name in names[first:] if _positive(said[name])}
        """Settings of the car that are not 0, by name."""

    def samples(self, refuse: Refuse) -> tuple[dict[str, Array], ChannelBuilder]:
        """Return the channels, and how they were made."""
        self._check()
        self._unpack()
        times = self._of("laptime")
        sound = clock(times)
        sound.tell(refuse, self._columns.lines)
        runs = sound.runs()
        rows = max(runs, key=len)
        for run in runs:
            if run is not rows:
                refuse(
                    int(self._columns.lines[run[0]]),
                    "the clock starts again",
                    f"{len(run)} rows of another lap",
                )
        if len(rows) < 2:
            raise BadRequest("it has no two rows with a clock that grows")
        self._columns = self._columns.picked(rows)
        return self._mapped()

    def driven(self, samples: Mapping[str, Array], builder: ChannelBuilder) -> RecordedLap:
        """Return the lap."""
        used = {one.column for one in builder.mapped}
        others = {name: values for name, values in self._columns.values.items() if name not in used}
        said, time_s = self._said, self._time_s
        index = max(int(_positive(said.get("Lap", "")) or 1), 1)
        pits = samples.get("in_pit_lane")
        sectors = tuple(_positive(said.get(f"S{n}", "")) for n in (1, 2, 3))
        last = float(samples["lap_time"][-1])
        tyre = said.get("Tyre", "")
        return RecordedLap(
            car=0,
            index=index,
            number=index - 1,
            start_s=0.0,
            end_s=time_s or last,
            driver=self._who[2].strip() if len(self._who) > 2 else "",
            vehicle=said.get("car", ""),
            lap_time_s=time_s,
            official=time_s is not None,
            sectors_s=sectors,  # type: ignore[arg-type]
            complete=time_s is not None,
            valid=time_s is not None and said.get("Valid", "").lower() in ("true", "valid"),
            out_lap=bool(pits is not None and pits[0]),
            in_lap=bool(pits is not None and pits[-1]),
            compounds=(tyre, tyre),
            facts={
                name: said[name] for name in ("Fuel at Start", "Pitlap", "Online", "Valid") if name in said
            },
            samples=samples,
            others=others,
        )

    def _of(self, name: str) -> Array:
        return self._columns.values[self._by_name[name]]

    def _check(self) -> None:
        """Raise BadRequest for a column without which there is no lap."""
        for name in _NEEDED:
            if not self._has(name) or not np.isfinite(self._of(name)).any():
                raise BadRequest(f"no row of it has a number as {name}")

    def _has(self, name: str) -> bool:
        return name in self._by_name

    def _unpack(self) -> None:
        """Make seconds and metres of hundredths, and values of blank cells."""
        values = self._columns.values
        times, distance = self._of("laptime"), self._of("lapdistance")
        by_distance = bool(np.isnan(times).any())
        for name, column in values.items():
            if np.isnan(column).any() and name != self._by_name["laptime"]:
                values[name] = filled(column)
        if by_distance:
            values[self._by_name["laptime"]] = _times_between(times, self._of("lapdistance"))
        self._hundredths = _is_scaled(times, self._time_s)
        if self._hundredths:
            values[self._by_name["laptime"]] = self._of("laptime") / 100
        if _is_scaled(distance, self._length_m) or (self._length_m is None and self._hundredths):
            for name in ("lapdistance", "x", "y", "z"):
                if self._has(name):
                    values[self._by_name[name]] = self._of(name) / 100

    def _mapped(self) -> tuple[dict[str, Array], ChannelBuilder]:
        builder = ChannelBuilder(len(self._columns.lines))
        scaled = "hundredths without a mark" if self._hundredths else ""
        builder.put(self._by_name["laptime"], self._of("laptime"), To("lap_time", "s", note=scaled))
        distance = _without_last_lap(self._of("lapdistance"))
        builder.put(self._by_name["lapdistance"], distance, To("game_distance", "m", note=scaled))
        self._put_way(builder, scaled)
        self._put_forces(builder)
        self._put_tyres(builder)
        for name, to in _COLUMNS.items():
            if self._has(name):
                self._put(builder, name, to)
        if self._has("sector") and np.isfinite(sector := self._of("sector")).any():
            builder.put(self._by_name["sector"], sector + (np.nanmin(sector) == 0), To("sector"))
        return builder.samples(), builder

    def _put(self, builder: ChannelBuilder, name: str, to: To) -> None:
        unit = self._columns.units.get(self._by_name[name], "")
        stated = to._replace(unit=unit) if known(unit) and unit != to.unit else to
        if has_unit(stated):
            builder.put(self._by_name[name], self._of(name), stated)

    def _put_plane(self, builder: ChannelBuilder, scaled: str) -> None:
        """Put x and z in the game's axes: the tool's x is the game's z, its z the game's -x."""
        if self._is_straight():
            builder.put(self._by_name["x"], self._of("x"), To("position", "m", X, note=scaled))
            builder.put(self._by_name["z"], self._of("z"), To("position", "m", Z, note=scaled))
        else:
            notes = [scaled or note for note in ("the game's z", "the game's -x")]
            builder.put(self._by_name["x"], self._of("x"), To("position", "m", Z, note=notes[0]))
            builder.put(self._by_name["z"], self._of("z"), To("position", "m", X, -1.0, note=notes[1]))

    def _is_straight(self) -> bool:
        """Return whether positions lie in the axes of the world speed beside them; few files have one."""
        if not all(self._has(name) for name in _WORLD):
            return False
        times = self._of("laptime")
        pairs = zip(("x", "z"), _WORLD, strict=True)
        return all(
            directions.sign_of(directions.slope(self._of(axis), times), self._of(world)) > 0
            for axis, world in pairs
        )

    def _put_way(self, builder: ChannelBuilder, scaled: str) -> None:
        """Put speed and positions."""
        plane = np.stack([self._of("x"), self._of("z")], axis=1)
        name = self._by_name["speed"]
        unit = speed_unit(self._of("speed"), plane, self._of("laptime"), self._columns.units.get(name, ""))
        builder.put(name, self._of("speed"), To("speed", unit.unit, note=unit.note))
        self._put_plane(builder, scaled)
        height = self._of("y") if self._has("y") else np.zeros(len(plane))
        builder.put(self._by_name.get("y", "Y"), height, To("position", "m", Y, note=scaled))

    def _put_forces(self, builder: ChannelBuilder) -> None:
        """Put accelerations, signed as the car moved: the file does not say which way they count."""
        times, speed = self._of("laptime"), builder.samples()["speed"].astype(np.float64)
        plane = builder.samples()["position"].astype(np.float64)[:, [X, Z]]
        expected = {
            X: directions.leftward_acceleration(plane, times),
            Z: -directions.forward_acceleration(speed, times),
        }
        for name, axis in _FORCES.items():
            if self._has(name):
                values = self._of(name)
                sign = directions.sign_of(values, expected[axis]) if axis in expected else 1.0
                if sign:
                    builder.put(self._by_name[name], values, To("local_acceleration", _G, axis, sign))

    def _put_tyres(self, builder: ChannelBuilder) -> None:
        for name, at in _SURFACE.items():
            if self._has(name):
                for part in range(3):
                    note = _ONE_VALUE if part == 0 else ""
                    builder.put(
                        self._by_name[name], self._of(name), To("tyre_temp", "C", 3 * at + part, note=note)
                    )
        for name, at in _WEAR.items():
            if self._has(name):
                worn = self._of(name)
                builder.put(
                    self._by_name[name], 100 - worn, To("tyre_tread", "%", at, note="100 less what is worn")
                )


def _is_scaled(values: Array, expected: float | None) -> bool:
    """Return whether a clock or a distance goes far beyond the lap."""
    finite = values[np.isfinite(values)]
    return bool(expected and len(finite) and float(finite.max()) > _HUNDREDTHS * expected)


def _times_between(times: Array, distance: Array) -> Array:
    """Return a clock with blank cells, by the distance between those that are told."""
    told = np.isfinite(times)
    if told.sum() < 2 or (np.diff(distance) < 0).any():
        return filled(times)
    return np.interp(distance, distance[told], times[told])


def _without_last_lap(distance: Array) -> Array:
    """Return the distance; NaN in the first rows where it is the previous lap's still."""
    falls = np.flatnonzero(np.diff(distance) < -np.nanmax(distance) / 2) + 1
    begin = int(falls[0]) if len(falls) else 0
    return np.where(np.arange(len(distance)) < begin, np.nan, distance)


DIALECT: Final = TelemetryTool()
