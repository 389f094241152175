"""What a file of another program is once it is understood: a session, and laps in the registry's channels.

A dialect makes it and knows nothing of what becomes of it; what makes lap files of it knows no dialect.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

Refuse = Callable[[int, str, str], None]
"""Told of a row left out: its line (0: none), the reason, in few words that many rows share, the detail."""

Progress = Callable[[int], None]
"""Told how many bytes of the file have been read."""


class Head(NamedTuple):
    """What a dialect is recognised by."""

    path: Path
    first: bytes
    """The first 64 KiB of the file, or all of it."""
    text: str
    """The same decoded, without a mark of byte order; empty where it is no text."""


class MappedColumn(NamedTuple):
    """A column of the file that became a channel, or part of one."""

    column: str
    """Its name in the file."""
    unit: str
    """Its unit there: as the file says, or as positions and clocks show it is."""
    channel: str
    """Name in the registry."""
    note: str = ""
    """What was found about it, such as "labelled m/s, holds km/h"."""


class Reading(NamedTuple):
    """Time of a lap at an intermediate point, seconds since the line."""

    point: str
    time_s: float
    since_s: float | None = None
    """Since the point before; None where one of the two did not see the car."""


@dataclass(frozen=True)
class RecordedSession:
    """What the file says of the session. What it does not say is empty, 0 or None."""

    track: str
    kind: str = "practice"
    """test_day, practice, qualifying, warmup or race; empty: the path of the file has to tell it."""
    number: int = 1
    """First, second, ... of its kind."""
    start_time_ns: int = 0
    """Wall clock of its beginning, unix nanoseconds."""
    local_clock_s: float | None = None
    """Clock of its beginning at the track, seconds since midnight, where the file has clocks and no date."""
    identity: tuple[str | int, ...] = ()
    """What the file says that all files of the session say and no other; empty: its start, or the file."""
    whole: bool = False
    """The file has all of the session: a later one of it takes its place, and never adds to it."""
    track_length_m: float = 0.0
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else the file says of it, by the file's own words."""


@dataclass
class RecordedLap:
    """A lap, or the piece of one, as the file has it. Clocks are seconds of the session."""

    car: int
    """Slot, from 0; cars of one session differ in it."""
    index: int
    """Position among the laps of the car, from 1."""
    start_s: float
    end_s: float
    number: int = 0
    """Laps completed before it."""
    car_number: str = ""
    """As it is painted on the car, 021 say."""
    driver: str = ""
    vehicle: str = ""
    vehicle_class: str = ""
    team: str = ""
    lap_time_s: float | None = None
    """As the file states it; where only samples tell, their difference."""
    official: bool = False
    """The file carries the time of the timekeeper, or of the game."""
    sectors_s: tuple[float | None, float | None, float | None] = (None, None, None)
    """Each by itself, not summed."""
    complete: bool = True
    """From line to line."""
    valid: bool = True
    out_lap: bool = False
    in_lap: bool = False
    place: int = 0
    stint: int = 1
    pit_s: float | None = None
    """Time in the pit lane."""
    compounds: tuple[str, str] = ("", "")
    """Tyres at front and rear."""
    readings: tuple[Reading, ...] = ()
    flag: str = ""
    """Shown at the line when it ended, in the timekeeper's letters: GF, FCY, FF."""
    green: bool | None = None
    """No yellow at either end; None where nobody knows."""
    top_speed_mps: float | None = None
    """As the file states it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else the file says of the lap, by the file's own words."""
    samples: Mapping[str, Array] = field(default_factory=dict)
    """By channel of the registry, in its unit and type, `(rows,)` or `(rows, 4)` by wheel (FL, FR, RL, RR).
    With samples there is `lap_time`, seconds since the line, growing. A value the file left out is NaN, or
    the one before where the channel holds no NaN. With `capture_time_ns` it says the wall clock of each.
    """
    others: Mapping[str, Array] = field(default_factory=dict)
    """Columns that no channel holds, by their names in the file and as they stand there: float64, (rows,)."""


@dataclass
class Recording:
    """A file that is understood. `laps` may be run through once: that is when the file is read."""

    dialect: str
    """Name of the dialect, "MoTeC CSV"."""
    session: RecordedSession
    laps: Iterator[RecordedLap]
    rate_hz: float | None = None
    """Of its samples, as it was recorded; None without samples."""
    mapped: tuple[MappedColumn, ...] = ()
    left: tuple[str, ...] = ()
    """Columns without a channel."""
    setup: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Value and unit of what the file says of the car's setup, by name."""


class Dialect(Protocol):
    """How the files of one program are read. A module in `dialects` has one as DIALECT.

    Where several files make one recording it also has `together(path)`, which returns all of them for any of
    them, in a fixed order; `read` is given the first.
    """

    name: str
    """As people call it: "MoTeC CSV"."""
    program: str
    """What writes such files."""

    def recognises(self, head: Head) -> bool:
        """Return whether the file is of this dialect, by its content."""

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every session in the file. Raises BadRequest for a file that is of the
        dialect and holds nothing that can be used.
        """
