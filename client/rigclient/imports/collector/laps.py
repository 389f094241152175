"""Laps out of the files of a session: those of a lap joined on their clock, and timed as the game did.

The game's time of a lap stands in the rows of the next one, which the scoring updates a fifth of a second
after the line: `last_laptime`, and `last_sector2` for the first two sectors together.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest, Exhausted
from rig.lapfile import ROWS_LIMIT
from rigclient.imports.channels.builder import ChannelBuilder
from rigclient.imports.channels.column import To
from rigclient.imports.collector.columns import CLOCK, LAP, TEXTS, as_channel, known_columns, stated
from rigclient.imports.collector.files import CollectorFile, LapGroup
from rigclient.imports.recording import MappedColumn, Progress, RecordedLap, RecordedSession, Refuse
from rigclient.imports.signals.clock import clock
from rigclient.imports.signals.units import sane
from rigclient.imports.text.table import SampleTable

Array = np.ndarray[Any, np.dtype[Any]]

_OFFICIAL_S: Final = 0.25
"""The game's lap time and the clocks at its two ends differ by less: the scoring is up to 0.2 s late."""
_AT_LINE_S: Final = 1.0
"""A lap whose first row is later has lost its beginning."""
_STALE: Final = 0.5
"""Steps of a file with a row for most samples: a row that is older stands where others are lost."""
_PLACES: Final = ("position_xyz_0", "pos_x")
_RESULT: Final = ("qualification", "number_pitstops", "number_penalties", "finish_state", "lap_valid")


class _Block(NamedTuple):
    """The rows of one lap in one file."""

    file: CollectorFile
    lap: int
    lines: Array
    numbers: dict[str, Array]
    texts: dict[str, str]
    """What the last row says in words."""

    @property
    def clock(self) -> Array:
        """Clock of the session [s]; it grows."""
        return self.numbers[CLOCK]


class CollectedLap(NamedTuple):
    """The rows of a lap in all files that have some."""

    lap: int
    blocks: tuple[_Block, ...]

    @property
    def base(self) -> _Block:
        """The rows that are its samples: those with positions, else the most."""
        placed = [block for block in self.blocks if set(_PLACES) & block.numbers.keys()]
        return max(placed or self.blocks, key=lambda block: len(block.lines))

    def last(self, name: str) -> float | None:
        """Return the last number of a column; None where no file has one."""
        for block in self.blocks:
            values = block.numbers.get(name)
            if values is not None and np.isfinite(values).any():
                return float(values[np.isfinite(values)][-1])
        return None

    def said(self, name: str) -> str:
        """Return the last words of a column, "" where no file has some."""
        return next((block.texts[name] for block in self.blocks if block.texts.get(name)), "")

    @property
    def start_s(self) -> float:
        """Clock at which it began: the game's own, else that of its first row."""
        last = float(self.base.clock[-1])
        start = self.last("start")  # the first rows of a lap may still hold that of the lap before
        if start is not None and start <= last:
            return start
        for block in self.blocks:
            running = block.numbers.get("current_laptime")
            if running is not None and running[-1] > 0:
                return float(block.clock[-1] - running[-1])
        return float(self.base.clock[0])


def _sound_blocks(file: CollectorFile, refuse: Refuse) -> Iterator[_Block]:
    """Yield the rows of a file lap by lap; none of a lap whose rows all have no clock."""
    return (block for block in _blocks(file, refuse) if len(block.lines))


def collected_laps(groups: Sequence[LapGroup], refuse: Refuse, progress: Progress) -> Iterator[CollectedLap]:
    """Yield the laps of a session in their order, one in memory. Raises BadRequest where a clock starts again
    within a file, Exhausted for a lap with more rows than one can have.
    """
    done = 0
    for group in groups:
        waiting = {file: _sound_blocks(file, refuse) for file in group.files}
        current = {file: block for file, blocks in waiting.items() if (block := next(blocks, None))}
        while current:
            lap = min(block.lap for block in current.values())
            found = [block for block in current.values() if block.lap == lap]
            yield CollectedLap(lap, tuple(found))
            for block in found:
                following = next(waiting[block.file], None)
                if following is None:
                    del current[block.file]
                else:
                    current[block.file] = following
        done += sum(file.path.stat().st_size for file in group.files)
        progress(done)


def _blocks(file: CollectorFile, refuse: Refuse) -> Iterator[_Block]:
    """Yield the rows of a file lap by lap."""
    wanted = [name for name in file.columns if name not in TEXTS]
    texts = [name for name in file.columns if name in TEXTS]

    def tell(line: int, reason: str, detail: str) -> None:
        refuse(line, reason, f"{file.path.name}: {detail}")

    with file.path.open("rb") as opened:
        table = SampleTable(file.path.name, opened, (CLOCK, LAP))
        parts: list[tuple[Array, dict[str, Array]]] = []
        words: dict[str, str] = {}
        lap: int | None = None
        for chunk in table.chunks(wanted, texts, tell):
            numbers = chunk.numbers[LAP]
            ends = [*(np.flatnonzero(np.diff(numbers) != 0) + 1).tolist(), len(numbers)]
            first = 0
            for end in ends:
                if lap is not None and numbers[first] != lap:
                    yield _block(file, lap, parts, words, tell)
                    parts = []
                lap = int(numbers[first]) if np.isfinite(numbers[first]) else -1
                rows = slice(first, end)
                parts.append((chunk.lines[rows], {name: one[rows] for name, one in chunk.numbers.items()}))
                words = {name: one[end - 1] for name, one in chunk.texts.items()}
                if sum(len(lines) for lines, _ in parts) > ROWS_LIMIT:
                    raise Exhausted(f"{file.path.name}: lap {lap} has more than {ROWS_LIMIT} rows")
                first = end
        if lap is not None:
            yield _block(file, lap, parts, words, tell)


def _block(
    file: CollectorFile,
    lap: int,
    parts: Sequence[tuple[Array, dict[str, Array]]],
    words: dict[str, str],
    refuse: Refuse,
) -> _Block:
    lines = np.concatenate([one for one, _ in parts])
    numbers = {name: sane(np.concatenate([one[name] for _, one in parts])) for name in parts[0][1]}
    sound = clock(numbers[CLOCK])
    if len(sound.begins) > 1:
        line = int(lines[sound.rows[sound.begins[1]]])
        raise BadRequest(
            f"{file.path.name}: the clock starts again in line {line}: it holds two sessions",
            hint="divide the file there",
        )
    sound.tell(refuse, lines)
    rows = sound.rows
    return _Block(file, lap, lines[rows], {name: one[rows] for name, one in numbers.items()}, words)


def recorded_laps(groups: Sequence[LapGroup], refuse: Refuse, progress: Progress) -> Iterator[RecordedLap]:
    """Yield the laps of a session, with samples. Raises as `collected_laps`."""
    current: CollectedLap | None = None
    for following in _and_none(collected_laps(groups, refuse, progress)):
        if current is not None and len(current.base.lines) > 1:
            yield _recorded(current, following, refuse)
        current = following


def _and_none(laps: Iterator[CollectedLap]) -> Iterator[CollectedLap | None]:
    yield from laps
    yield None


def _recorded(lap: CollectedLap, after: CollectedLap | None, refuse: Refuse) -> RecordedLap:
    builder, others = mapped(lap, refuse)
    samples = builder.samples()
    start, last = lap.start_s, float(lap.base.clock[-1])
    follows = after is not None and after.lap == lap.lap + 1 and after.base.clock[0] - last <= _AT_LINE_S
    end = after.start_s if after is not None and follows else last
    complete = follows and float(lap.base.clock[0]) - start <= _AT_LINE_S and end > start
    time_s, sectors = _told(after) if after is not None and complete else (None, (None, None, None))
    official = time_s is not None and abs(time_s - (end - start)) <= _OFFICIAL_S
    if not official:
        time_s, sectors = end - start if complete else None, (None, None, None)
    pits = samples.get("in_pit_lane")
    valid = lap.last("lap_valid")
    return RecordedLap(
        car=int(lap.last("slot_id") or 0),
        index=lap.lap + 1,
        number=lap.lap,
        start_s=start,
        end_s=end,
        driver=lap.said("driver_name"),
        vehicle=lap.said("vehicle_name"),
        vehicle_class=lap.said("class_name"),
        lap_time_s=time_s,
        official=official,
        sectors_s=sectors,
        complete=complete,
        valid=official if valid is None else bool(valid),
        out_lap=bool(pits is not None and pits[0]),
        in_lap=bool(pits is not None and pits[-1]),
        place=int(lap.last("place") or 0),
        compounds=(lap.said("compound_name_front"), lap.said("compound_name_rear")),
        facts=_facts(lap),
        samples=samples,
        others=others,
    )


def _told(after: CollectedLap) -> tuple[float | None, tuple[float | None, float | None, float | None]]:
    """Return the time of the lap before and its sectors, as the game tells them once that lap is over."""
    time_s = after.last("last_laptime")
    if time_s is None or time_s <= 0:
        return None, (None, None, None)
    one, two = after.last("last_sector1"), after.last("last_sector2")
    if one is None or two is None or not 0 < one < two < time_s:
        return time_s, (None, None, None)
    return time_s, (one, two - one, time_s - two)


def _facts(lap: CollectedLap) -> dict[str, str]:
    numbers = {name: lap.last(name) for name in _RESULT}
    return {name: f"{value:g}" for name, value in numbers.items() if value is not None}


def mapped(lap: CollectedLap, refuse: Refuse) -> tuple[ChannelBuilder, dict[str, Array]]:
    """Return the channels of a lap, and the columns of numbers that no channel holds."""
    base = lap.base
    builder = ChannelBuilder(len(base.lines))
    builder.put(CLOCK, base.clock - lap.start_s, To("lap_time", "s"))
    done: set[tuple[str, int]] = set()
    others: dict[str, Array] = {}
    for block in sorted(lap.blocks, key=lambda one: one is not base):
        rows = _rows(base, block, refuse)
        known = known_columns(block.file.columns)
        for name, values in block.numbers.items():
            there = np.where(rows >= 0, values[np.maximum(rows, 0)], np.nan)
            for to in known.get(name, ()):
                if (to.channel, to.at) not in done and np.isfinite(there).any():
                    done.add((to.channel, to.at))
                    builder.put(name, as_channel(name, there), stated(to, there))
            if name not in known and name != LAP:
                others[name] = there
    return builder, others


def _rows(base: _Block, block: _Block, refuse: Refuse) -> Array:
    """Return the row of a file for each sample, -1 where it has none: of the same clock, and of a file that
    is written on changes the one before.
    """
    if block is base:
        return np.arange(len(base.lines))
    rows = np.searchsorted(block.clock, base.clock, side="right") - 1
    missing = ~np.isin(block.clock, base.clock)
    if len(block.lines) > 1 and len(block.lines) * 2 > len(base.lines):
        step = float(np.median(np.diff(block.clock)))
        old = base.clock - block.clock[np.maximum(rows, 0)] > _STALE * step
        rows = np.where(old, -1, rows)
        for at in np.flatnonzero(missing):
            detail = f"{block.file.path.name}: not at that time in {base.file.path.name}"
            refuse(int(block.lines[at]), "no sample", detail)
    return rows


def mapping_of(lap: CollectedLap) -> tuple[tuple[MappedColumn, ...], tuple[str, ...]]:
    """Return the columns that become channels, and those that do not."""
    builder, _ = mapped(lap, lambda _line, _reason, _detail: None)
    used = {one.column for one in builder.mapped} | {LAP}
    names = dict.fromkeys(name for block in lap.blocks for name in block.file.columns)
    return tuple(builder.mapped), tuple(name for name in names if name not in used)


def recorded_session(lap: CollectedLap) -> RecordedSession:
    """Return what the files say of the session: they name no track, and have no wall clock."""
    return RecordedSession(
        track="",
        kind="race" if lap.last("in_race") else "practice",
        track_length_m=lap.last("track_length") or 0.0,
    )
