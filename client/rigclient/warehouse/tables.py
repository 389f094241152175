"""The tables of a warehouse: those of samples are derived from the channel registry.

Names are in upper case and never quoted, types mean the same in every warehouse: FLOAT keeps a float32 (it
has 64 bits in Snowflake), BIGINT is NUMBER(38,0) there, TIMESTAMP is UTC to the microsecond. Keys are
declared where that costs nothing: Snowflake enforces none, DuckDB keeps an index for each. Exactly once is
proved by counting, in `loading`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from rig import channels as registry
from rig.channels import LAP, PHYSICS, SCORING, Channel

VERSION: Final = 1
"""Of what the tables mean. A column more is no new version, another meaning of one is."""

TEXT: Final = "VARCHAR"
WHOLE: Final = "BIGINT"
REAL32: Final = "FLOAT"
REAL64: Final = "DOUBLE"
FLAG: Final = "BOOLEAN"
STAMP: Final = "TIMESTAMP"

_SAMPLES_ALONE: Final = ("distance", "game_distance", "whole")
"""Channels of LapTable that scoring updates do not have."""


class Column(NamedTuple):
    """One column. What is not `needed` may be NULL."""

    name: str
    type: str
    about: str
    needed: bool = False
    of: str = ""
    """The column with the unix nanoseconds of which a TIMESTAMP is made."""


class WarehouseTable(NamedTuple):
    """One table. Within a load no two rows have the same `key`."""

    name: str
    about: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    once: bool = False
    """Nor have two rows of the whole table: a load that brings one again is refused."""
    replaced: tuple[str, ...] = ()
    """Rows that share these columns with new ones go when a load brings those."""
    few: bool = False
    """So few rows come at a time that DuckDB may keep an index of the key, and refuse a second row itself."""

    @property
    def unique(self) -> tuple[str, ...]:
        """What no two rows of the whole table share; nothing where two may."""
        if self.once or self.replaced or self.few:
            return self.key
        return ("LOAD_ID", *self.key) if self.type_of("LOAD_ID") else ()

    def type_of(self, name: str) -> str | None:
        """Return the type of a column, None when there is no such column."""
        return next((column.type for column in self.columns if column.name == name), None)


def components(name: str, width: int) -> list[str]:
    """Return columns of a channel: tyre_load has TYRE_LOAD_FL, _FR, _RL and _RR, position POSITION_X, _Y and
    _Z, any other width _0, _1, ...
    """
    return [column.upper() for column in registry.components(name, width)]


def type_of(dtype: np.dtype[Any]) -> str:
    """Return the type of a column for values of a channel."""
    if dtype.kind == "f":
        return REAL32 if dtype.itemsize == 4 else REAL64
    return FLAG if dtype.kind == "b" else WHOLE


def fits(wanted: str, there: str) -> bool:
    """Return whether a column of one type can hold values of another as they are."""
    return there == wanted or (wanted == REAL32 and there == REAL64)


def _stamp(name: str, of: str) -> Column:
    return Column(name, STAMP, f"{of} as UTC.", of=of)


def _of_channels(channels: Iterable[Channel]) -> Iterator[Column]:
    for channel in channels:
        about = f"{channel.description} [{channel.unit}]" if channel.unit else channel.description
        for name in components(channel.name, channel.width):
            yield Column(name, type_of(channel.dtype), about)


_RIG: Final = Column("RIG_ID", TEXT, "Identity of the rig's data directory, or of an import.", needed=True)
_SESSION: Final = Column("SESSION", TEXT, "Session, as in sessions/{session} of the rig.", needed=True)
_LAP: Final = Column("LAP", TEXT, "Lap within the session, as in laps/{lap} of the rig.", needed=True)
_LOAD: Final = Column("LOAD_ID", TEXT, "The load that brought the row; see RIG_LOADS.", needed=True)

_OF_ROWS: Final = (
    _RIG,
    _SESSION,
    _LAP,
    Column("CAR", WHOLE, "Slot id of the car.", needed=True),
    Column("LAP_INDEX", WHOLE, "Position among the laps of that slot, from 1; 0 for excerpts.", needed=True),
    Column("SEQ", WHOLE, "Sequence number in the ring; rises with time within a lap.", needed=True),
)
_ADDED: Final = tuple(channel for channel in LAP.channels if channel.name != "seq")


def _rows(name: str, about: str, channels: Iterable[Channel]) -> WarehouseTable:
    columns = (*_OF_ROWS, *_of_channels(channels), _LOAD)
    return WarehouseTable(name, about, columns, ("RIG_ID", "SESSION", "LAP", "SEQ"))


SAMPLES: Final = _rows("PHYSICS", "Telemetry samples of laps.", (*_ADDED, *PHYSICS.channels))
UPDATES: Final = _rows(
    "SCORING",
    "Scoring updates of laps.",
    (*(channel for channel in _ADDED if channel.name not in _SAMPLES_ALONE), *SCORING.channels),
)

LAPS: Final = WarehouseTable(
    "LAPS",
    "Laps, pieces of laps, and excerpts around marks.",
    (
        _RIG,
        _SESSION,
        _LAP,
        Column("KIND", TEXT, "lap, or excerpt: a stretch of time around a mark, whatever lap it is in."),
        Column("CAR", WHOLE, "Slot id of the car."),
        Column("CAR_NUMBER", TEXT, "What is painted on the car, where somebody said so."),
        Column("LAP_INDEX", WHOLE, "Position among the laps of that slot, from 1; 0 for excerpts."),
        Column("LAP_NUMBER", WHOLE, "Laps completed before this one."),
        Column("STINT", WHOLE, "Position of the stint among those of that slot, from 1."),
        Column("DRIVER", TEXT, "Driver in the seat when the lap ended."),
        Column("RIG_USER", TEXT, "User who was in the seat of the rig when its own car began the lap."),
        Column("FORMER_DRIVERS", TEXT, "Any other driver of the lap, separated by ', '."),
        Column("VEHICLE", TEXT, "Vehicle name."),
        Column("VEHICLE_CLASS", TEXT, "Vehicle class."),
        Column("TEAM", TEXT, "Pit group, as a rule the team."),
        Column("PLAYER", FLAG, "The local player drove it."),
        Column("START_TIME", REAL64, "Session clock when the lap began [s]."),
        Column("END_TIME", REAL64, "Session clock when the lap ended or was broken off [s]."),
        Column("LAP_TIME", REAL64, "Time of a complete lap [s]."),
        Column(
            "OFFICIAL", FLAG, "The time is the game's own, or the timekeeper's; VALID says whether it counts."
        ),
        Column("SECTOR1", REAL64, "Time of the first sector [s]."),
        Column("SECTOR2", REAL64, "Time of the second sector [s]."),
        Column("SECTOR3", REAL64, "Time of the third sector [s]."),
        Column("VALID", FLAG, "The lap is valid: it counts. NULL when nobody knows."),
        Column("AI_TAKEOVER", FLAG, "The game's own driver had a person's car for some or all of it."),
        Column("UNDRIVEN", FLAG, "Nobody had the wheel for some or all of it."),
        Column("COMPLETE", FLAG, "From line to line."),
        Column("OUT_LAP", FLAG, "Began in the pit lane or the garage."),
        Column("IN_LAP", FLAG, "Ended in the pit lane or the garage."),
        Column("GREEN", FLAG, "No yellow, full-course or local, during it; NULL when nobody knows."),
        Column("FLAG", TEXT, "Shown when the lap ended, in the timekeeper's letters: GF, FCY, FF."),
        Column("PIT_VISITS", WHOLE, "Stays in the pit lane that touch the lap."),
        Column("PIT_TIME", REAL64, "Time of those that ended, entry to exit [s]."),
        Column("PLACE", WHOLE, "Position at the end of the lap, 1 is first."),
        Column("TOP_SPEED", REAL64, "Greatest speed of the lap [m/s]."),
        Column("FRONT_COMPOUND", TEXT, "Tyre compound at the front."),
        Column("REAR_COMPOUND", TEXT, "Tyre compound at the rear."),
        Column("TRACK", TEXT, "Track name."),
        Column("TRACK_LENGTH", REAL64, "Length of the track [m]."),
        Column("START_TIME_NS", WHOLE, "Wall clock of the first sample, unix time [ns]."),
        Column("END_TIME_NS", WHOLE, "Wall clock of the last sample, unix time [ns]."),
        _stamp("START_TS", "START_TIME_NS"),
        _stamp("END_TS", "END_TIME_NS"),
        Column("SAMPLES", WHOLE, "Rows in PHYSICS."),
        Column("MISSING", WHOLE, "Samples declared missing in between; see GAPS."),
        Column("TORN_SAMPLES", WHOLE, "Samples out of frames that were not whole; see WHOLE in PHYSICS."),
        Column("SCORINGS", WHOLE, "Rows in SCORING."),
        Column("BYTES", WHOLE, "Bytes of the lap's file."),
        Column("DIGEST", TEXT, "Fingerprint of the lap's file.", needed=True),
        Column("SCHEMA_CRC", WHOLE, "Fingerprint of its channels: names, types and widths."),
        _LOAD,
    ),
    ("RIG_ID", "SESSION", "LAP"),
    once=True,
)

CORNERS: Final = WarehouseTable(
    "CORNERS",
    "What laps did in the corners of their circuit, as the rig has computed it last. Places are metres from "
    "the line, lateral places metres left of the reference line; NULL: it did not happen, or nobody knows.",
    (
        _RIG,
        _SESSION,
        _LAP,
        Column("CIRCUIT", TEXT, "Layout and version that the numbers belong to.", needed=True),
        Column("CORNER", WHOLE, "Number of the corner on that circuit, from 1.", needed=True),
        Column("CLEAR", FLAG, "Nothing of it is doubtful. FALSE: there are no numbers."),
        Column("SPEED_CLASS", TEXT, "slow, medium or fast, by the least speed."),
        Column("TIME", REAL64, "From its begin to its end [s]."),
        Column("ENTRY_SPEED", REAL64, "Speed at its begin [m/s]."),
        Column("LEAST_SPEED", REAL64, "Least speed [m/s]."),
        Column("LEAST_PLACE", REAL64, "Where the car is slowest [m]."),
        Column("EXIT_SPEED", REAL64, "Speed at its end [m/s]."),
        Column("BRAKE_PLACE", REAL64, "Where braking for it begins [m]."),
        Column("BRAKE_PEAK", REAL64, "Greatest brake pedal, 0 to 1."),
        Column("RELEASE_PLACE", REAL64, "Where braking ends [m]."),
        Column("TRAIL", REAL64, "Braking behind the turn-in [m]."),
        Column("TURN_IN_PLACE", REAL64, "Where the car is turned in [m]."),
        Column("THROTTLE_PLACE", REAL64, "Where the throttle is picked up [m]."),
        Column("FULL_THROTTLE_PLACE", REAL64, "Where the throttle is full [m]."),
        Column("COAST", REAL64, "Without either pedal [s]."),
        Column("GEAR", REAL64, "Gear where the car is slowest."),
        Column("ENTRY_LATERAL", REAL64, "Lateral place at its begin [m]."),
        Column("APEX_LATERAL", REAL64, "Lateral place at its apex [m]."),
        Column("EXIT_LATERAL", REAL64, "Lateral place at its end [m]."),
        Column("GRIP_USE", REAL64, "Acceleration against the most that the lap shows at such speeds."),
        Column("SLIP", REAL64, "Sliding of the worst wheel against the speed."),
        Column("FINGERPRINT", WHOLE, "Of what it was computed from; another one on the rig replaces it."),
        _LOAD,
    ),
    ("RIG_ID", "SESSION", "LAP", "CORNER"),
    replaced=("RIG_ID", "SESSION", "LAP"),
)

SESSIONS: Final = WarehouseTable(
    "SESSIONS",
    "Sessions, as they were when a load last brought one.",
    (
        _RIG,
        _SESSION,
        Column("TRACK", TEXT, "Track name."),
        Column("TRACK_LENGTH", REAL64, "Length of the track [m]."),
        Column("KIND", TEXT, "test_day, practice, qualifying, warmup or race."),
        Column("SESSION_NUMBER", WHOLE, "The game's session number."),
        Column("SOURCE", TEXT, "live, demo, replay or import."),
        Column("STATUS", TEXT, "recording, or completed."),
        Column("START_TIME_NS", WHOLE, "Wall clock at which it was first seen, unix time [ns]."),
        Column("END_TIME_NS", WHOLE, "Wall clock at which it was over, unix time [ns]."),
        _stamp("START_TS", "START_TIME_NS"),
        _stamp("END_TS", "END_TIME_NS"),
        Column("LOCAL_DATE", TEXT, "Date at the track, 2023-06-10 or a year; NULL: nobody said so."),
        Column("RING", TEXT, "Identity of the ring it was recorded in; see EVENTS."),
        Column("RING_SESSION", WHOLE, "Number of the session within that ring; see EVENTS."),
        Column("MAX_LAPS", WHOLE, "Laps of the session, where there is a limit."),
        Column("LENGTH_S", REAL64, "Session clock at which it ends, where there is a limit [s]."),
        Column("PLAYER_NAME", TEXT, "The local player."),
        Column("SERVER_NAME", TEXT, "Server; NULL offline."),
        Column("AMBIENT_TEMP", REAL64, "Air, as last told [°C]."),
        Column("TRACK_TEMP", REAL64, "Track, as last told [°C]."),
        Column("RAINING", REAL64, "Rain, as last told, 0 to 1."),
        _LOAD,
    ),
    ("RIG_ID", "SESSION"),
    replaced=("RIG_ID", "SESSION"),
)

EVENTS: Final = WarehouseTable(
    "EVENTS",
    "What happened, in the order it was recorded.",
    (
        _RIG,
        Column("RING", TEXT, "Identity of the ring.", needed=True),
        Column("SEQ", WHOLE, "Position among the events of the ring, from 1.", needed=True),
        Column("RING_SESSION", WHOLE, "Number of the session within the ring; 0 before the first."),
        Column("CAPTURE_TIME_NS", WHOLE, "Wall clock, unix time [ns]."),
        _stamp("CAPTURE_TS", "CAPTURE_TIME_NS"),
        Column("SESSION_TIME", REAL64, "Session clock [s]."),
        Column("KIND", TEXT, "What happened, by the contract's name: lap_closed, pit_entered, ..."),
        Column("CAR", WHOLE, "Slot id of the car it happened to; NULL: to none."),
        Column("DRIVER", TEXT, "The driver it names, if it names one."),
        Column("BODY", TEXT, "All that is known of it, as JSON with the contract's names."),
        _LOAD,
    ),
    ("RIG_ID", "RING", "SEQ"),
    once=True,
)

GAPS: Final = WarehouseTable(
    "GAPS",
    "Declared losses: with a LAP those within it, without one those of the ring.",
    (
        _RIG,
        Column("N", WHOLE, "Position among the gaps of the load, from 0.", needed=True),
        Column("SESSION", TEXT, "Session of the lap."),
        Column("LAP", TEXT, "The lap whose samples are missing; NULL: the loss is the ring's."),
        Column("RING", TEXT, "Identity of the ring whose loss it is, or checksum of the file."),
        Column("STREAM", TEXT, "What is missing: physics, scoring, events, or rows of a file."),
        Column("FIRST_SEQ", WHOLE, "First missing sequence number; of a file its line."),
        Column("LAST_SEQ", WHOLE, "Last missing sequence number; FIRST_SEQ - 1 when none were given."),
        Column("MISSING", WHOLE, "How many are missing; NULL when nobody can know."),
        Column("REASON", TEXT, "missed, torn, recorder_down, disk, evicted, ...; refused: rows of a file."),
        Column("BEGIN_TIME_NS", WHOLE, "Wall clock of the last record before, unix time [ns]."),
        Column("END_TIME_NS", WHOLE, "Wall clock of the first record after, unix time [ns]."),
        _stamp("BEGIN_TS", "BEGIN_TIME_NS"),
        _stamp("END_TS", "END_TIME_NS"),
        Column("DETAIL", TEXT, "A sentence for people."),
        _LOAD,
    ),
    ("RIG_ID", "N"),
)

READINGS: Final = WarehouseTable(
    "READINGS",
    "What files of other programs tell and no channel holds: intermediate times, foreign sensors.",
    (
        *_OF_ROWS[:-1],
        Column(
            "SEQ",
            WHOLE,
            "SEQ of its sample; without samples its place in the lap.",
            needed=True,
        ),
        Column("NAME", TEXT, "What it is, in the file's own words.", needed=True),
        Column("LAP_TIME", REAL64, "Since the lap began [s]."),
        Column("VALUE", REAL64, "In the file's own unit; of intermediates since the one before [s]."),
        _LOAD,
    ),
    ("RIG_ID", "SESSION", "LAP", "SEQ", "NAME"),
)

FILES: Final = WarehouseTable(
    "FILES",
    "Files of other programs that were loaded, each once: what has the same checksum is the same file.",
    (
        _RIG,
        Column("SHA256", TEXT, "Of its bytes.", needed=True),
        Column("PATH", TEXT, "Where it lay."),
        Column("KIND", TEXT, "chart, or telemetry."),
        Column("SESSION", TEXT, "The session that it is of.", needed=True),
        Column("BYTES", WHOLE, "Its size."),
        Column("LAPS", WHOLE, "Laps that came from it."),
        Column("REFUSED", WHOLE, "Rows that did not; see GAPS."),
        _LOAD,
    ),
    ("RIG_ID", "SHA256"),
    once=True,
    few=True,
)

LOADS: Final = WarehouseTable(
    "RIG_LOADS",
    "The ledger: one row per load. Per rig and stream the ranges follow each other without gap or overlap.",
    (
        _RIG,
        Column("STREAM", TEXT, "laps, events/{ring}, or files.", needed=True),
        Column("FROM_N", WHOLE, "First number of the load.", needed=True),
        Column("TO_N", WHOLE, "First number after it.", needed=True),
        Column("ROW_COUNTS", TEXT, "Rows by table, as JSON.", needed=True),
        _LOAD,
        Column("STAGE_PATH", TEXT, "Where the files were staged, separated by blanks."),
        Column("SHA256", TEXT, "Of the files, in the order of their tables."),
        Column("WRITER", TEXT, "Program, version, machine and process that loaded it."),
        Column("LOADED_AT_MS", WHOLE, "Wall clock of the load, unix time [ms]."),
        Column("REMOVED", TEXT, "LOAD_IDs whose rows went with this load, separated by blanks."),
        Column(
            "NOTE",
            TEXT,
            "As JSON: path and checksum of files and of those that went; rows it replaced.",
        ),
    ),
    ("LOAD_ID",),
    few=True,
)

WATERMARK: Final = WarehouseTable(
    "RIG_WATERMARK",
    "How far each stream of a rig is loaded. The last statement of a load moves it from where it was.",
    (
        _RIG,
        Column("STREAM", TEXT, "As in RIG_LOADS.", needed=True),
        Column("NEXT_N", WHOLE, "First number that is not loaded.", needed=True),
    ),
    ("RIG_ID", "STREAM"),
)

SCHEMA: Final = WarehouseTable(
    "RIG_SCHEMA",
    "What the tables mean: one row, or several that agree.",
    (
        Column("VERSION", WHOLE, "See `rig warehouse init`.", needed=True),
        Column("WRITER", TEXT, "Program, version and machine that made the tables."),
        Column("MADE_AT_MS", WHOLE, "Wall clock, unix time [ms]."),
    ),
    ("VERSION",),
)

TABLES: Final = (
    WATERMARK,
    LOADS,
    SESSIONS,
    LAPS,
    CORNERS,
    SAMPLES,
    UPDATES,
    EVENTS,
    GAPS,
    READINGS,
    FILES,
    SCHEMA,
)
"""In the order in which they are made; the version comes last."""
LOADED: Final = tuple(table for table in TABLES if table.type_of("LOAD_ID") and table is not LOADS)
"""The tables whose rows come with loads."""
OF_LAPS: Final = tuple(table for table in LOADED if table.type_of("LAP"))
"""Those whose rows belong to a lap."""
