"""Which files of the collector belong together: the ten of a lap, physics and scoring, the laps of a session.

Their names say nothing that could be relied upon. Files of one lap have its number and the same clock, and
each has other columns; a lap follows another where it begins as that one ends.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import BadRequest
from rigclient.imports.collector.columns import CLOCK, KNOWN, LAP
from rigclient.imports.text import cells, encoding
from rigclient.imports.text.cells import Malformed

_HEAD: Final = 1 << 16
_KNOWN: Final = 3
"""Columns besides clock and lap that make a file the collector's."""
_MOST: Final = 20_000
"""Files of a folder that are looked at: ten of each of 2,000 laps."""
_GAP_S: Final = 2.0
"""Between two laps that follow each other: none at all, but for a pause of the collector."""


class CollectorFile(NamedTuple):
    """A file, by its first row and its last."""

    path: Path
    columns: tuple[str, ...]
    first_lap: int
    last_lap: int
    begin_s: float
    end_s: float
    """Clock of the session."""


class LapGroup(NamedTuple):
    """Files of the same laps, one per set of columns, in the order of their names."""

    files: tuple[CollectorFile, ...]

    @property
    def begin_s(self) -> float:
        """Clock of its first row."""
        return min(one.begin_s for one in self.files)

    @property
    def end_s(self) -> float:
        """Clock of its last row."""
        return max(one.end_s for one in self.files)

    @property
    def first_lap(self) -> int:
        """Number of its first lap."""
        return self.files[0].first_lap

    @property
    def last_lap(self) -> int:
        """Number of its last lap."""
        return max(one.last_lap for one in self.files)


def columns_of(text: str) -> tuple[str, ...]:
    """Return the columns of a file of the collector by its beginning; none where it is no such file."""
    names = tuple(name.strip() for name in text.partition("\n")[0].split(","))
    if not {CLOCK, LAP} <= set(names) or len(KNOWN.intersection(names) - {CLOCK, LAP}) < _KNOWN:
        return ()
    return names


def file_of(path: Path) -> CollectorFile | None:
    """Return the file, None for any other. Raises BadRequest for one without a sound row, OSError."""
    with path.open("rb") as file:
        if not file.read(1):
            return None
        try:
            head = encoding.opened(file).read(_HEAD)
        except BadRequest:
            return None
        columns = columns_of(head)
        if not columns:
            return None
        size = file.seek(0, 2)
        file.seek(max(size - _HEAD, 0))
        tail = file.read().decode("utf-8", "replace")
    first = _rows(head.split("\n")[1:], columns)
    last = _rows(reversed(tail.split("\n")[1 if size > _HEAD else 0 :]), columns)
    begin, end = next(first, None), next(last, None)
    if begin is None or end is None:
        raise BadRequest(f"{path.name} has no sound row below its header")
    return CollectorFile(path, columns, begin[0], end[0], begin[1], end[1])


def _rows(lines: Sequence[str] | Iterator[str], columns: tuple[str, ...]) -> Iterator[tuple[int, float]]:
    """Yield lap and clock of the rows that have both."""
    at_lap, at_clock = columns.index(LAP), columns.index(CLOCK)
    for line in lines:
        row = line.strip().split(",")
        if len(row) == len(columns):
            try:
                lap = cells.number(LAP, row[at_lap])
                yield int(lap), cells.number(CLOCK, row[at_clock])
            except Malformed:
                continue


def sessions_in(folder: Path) -> list[list[LapGroup]]:
    """Return the sessions of a folder, each the groups of its laps in their order. Files that cannot be read
    are left out. Raises BadRequest for too many files.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    if len(paths) > _MOST:
        raise BadRequest(f"{folder} has {len(paths)} files, the most is {_MOST}", hint="divide the folder")
    files = []
    for path in paths:
        try:
            files.append(file_of(path))
        except (BadRequest, OSError):
            continue
    return _sessions(_groups([one for one in files if one is not None]))


def session_of(path: Path) -> list[LapGroup]:
    """Return the session that a file is of. Raises BadRequest for a file without a sound row."""
    for session in sessions_in(path.parent):
        if any(one.path == path for group in session for one in group.files):
            return session
    file = file_of(path)
    if file is None:
        raise BadRequest("it is no file of the collector")
    return [LapGroup((file,))]


def _groups(files: Sequence[CollectorFile]) -> list[LapGroup]:
    """Return files of the same laps together: of the same clocks rather than those that only overlap, and
    among equals of the most similar name.
    """
    groups: list[list[CollectorFile]] = []
    for file in sorted(files, key=lambda one: (one.begin_s - one.end_s, one.path)):
        fits = [group for group in groups if _fits(file, group)]
        if fits:
            max(fits, key=lambda group: _likeness(file, group[0])).append(file)
        else:
            groups.append([file])
    return [LapGroup(tuple(sorted(group, key=lambda one: one.path))) for group in groups]


def _fits(file: CollectorFile, group: Sequence[CollectorFile]) -> bool:
    """Return whether a file can be of the laps of a group: the same laps, clocks that overlap, and columns of
    its own.
    """
    other = group[0]
    same_laps = file.first_lap >= other.first_lap and file.last_lap <= other.last_lap
    overlaps = file.begin_s <= other.end_s and other.begin_s <= file.end_s
    return same_laps and overlaps and all(set(one.columns) != set(file.columns) for one in group)


def _likeness(file: CollectorFile, other: CollectorFile) -> tuple[bool, int]:
    same = abs(file.begin_s - other.begin_s) < 1e-6
    names = zip(file.path.name, other.path.name, strict=False)
    return same, next((n for n, (a, b) in enumerate(names) if a != b), len(file.path.name))


def _sessions(groups: Sequence[LapGroup]) -> list[list[LapGroup]]:
    """Return the groups by session: a lap belongs to the session whose last lap ended as it began."""
    sessions: list[list[LapGroup]] = []
    for group in sorted(groups, key=lambda one: (one.first_lap, one.begin_s)):
        fits = [session for session in sessions if _follows(group, session[-1])]
        if fits:
            min(fits, key=lambda session: group.begin_s - session[-1].end_s).append(group)
        else:
            sessions.append([group])
    return sessions


def _follows(group: LapGroup, before: LapGroup) -> bool:
    later = group.first_lap > before.last_lap and group.begin_s >= before.end_s - 1e-6
    next_lap = group.first_lap == before.last_lap + 1
    return later and (not next_lap or group.begin_s - before.end_s <= _GAP_S)
