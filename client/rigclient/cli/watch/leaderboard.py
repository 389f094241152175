"""The leaderboard: who is where, how fast, and what they are doing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rich.style import Style

from rig.v1 import session_pb2
from rigclient.cli.terminal import gauges
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import (
    BLUE,
    CHOSEN,
    CLASSES,
    CYAN,
    DIM,
    FLAGS,
    GOOD,
    PURPLE,
    RED,
    STRONG,
    TEXT,
    TITLE,
    WARNING,
    YELLOW,
)
from rigclient.cli.watch.board import Board
from rigclient.frames import ScoringFrame
from riglap.times import gap, lap_time

_FINISHED: Final = {1: ("FIN", STRONG), 2: ("DNF", RED), 3: ("DSQ", RED)}
_PIT: Final = {2: ("IN", CYAN), 3: ("BOX", WARNING), 4: ("OUT", CYAN)}
_REQUESTED: Final = 1
_BLUE_FLAG: Final = 6
_COUNTS: Final = 2
_SAME_S: Final = 5e-4
_KEPT_ON_TOP: Final = 3

SORTS: Final = ("position", "gap", "best", "last", "class")
"""What rows can be sorted by."""
_SORTED: Final = {"position": "P", "gap": "gap", "best": "best", "last": "last"}
"""The heading that says so."""

_COMPOUNDS: Final = (
    ("soft", "S", RED),
    ("medium", "M", YELLOW),
    ("hard", "H", STRONG),
    ("inter", "I", GOOD),
    ("wet", "W", BLUE),
    ("rain", "W", BLUE),
)
"""Words in the names of tyre compounds, the letter shown, and its colour."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class BoardRow:
    """One car, ready to be written."""

    slot: int
    chosen: bool
    place: int
    driver: str
    vehicle: str
    style: Style
    laps: int
    last: tuple[str, Style]
    best: tuple[str, Style]
    gap: str
    interval: str
    share: float
    state: tuple[str, Style]
    tyre: tuple[str, Style]
    stops: int


@dataclass(frozen=True)
class BoardColumn:
    """A column: its heading, its cells, and how one row of it is put on a line."""

    title: str
    cells: int
    put: Callable[[Line, BoardRow, int], object]
    rank: int
    """The higher, the sooner it gives way on a narrow terminal."""
    most: int = 0
    """Cells it may grow to."""
    heads_left: bool = False


def order(board: Board, sort: str = "position") -> list[int]:
    """Return slot ids in the order of one of SORTS; who has no such time comes last."""
    frame = board.scoring
    if frame is None:
        return []
    classes = [board.entries[i].vehicle_class if i in board.entries else "" for i in frame.id.tolist()]
    keys: dict[str, tuple[Array, ...]] = {
        "position": (frame.place,),
        "gap": (frame.place, frame.time_behind_leader, frame.laps_behind_leader),
        "best": (frame.place, frame.best_lap_time),
        "last": (frame.place, frame.last_lap_time),
        "class": (frame.place, np.array(classes)),
    }
    ids: list[int] = frame.id[np.lexsort(keys[sort])].tolist()
    return ids


def lines(board: Board, width: int, height: int, sort: str = "position") -> list[Line]:
    """Return the panel in `width` x `height` cells: headings and the rows around the car shown."""
    if board.scoring is None:
        return [Line("waiting for scoring", DIM).to(width)]
    columns = _chosen(board, width)
    focus = board.focus
    rows = _rows(board, sort)
    shown = _window([row.slot for row in rows], focus, height - 1)
    heading = Line()
    for column, cells in columns:
        title = column.title[:cells]
        style = STRONG if column.title == _SORTED.get(sort) else TITLE
        heading.put(title.ljust(cells) if column.heads_left else title.rjust(cells), style).put(" ")
    return [heading.to(width), *(_line(rows[at], columns).to(width) for at in shown)]


def _line(row: BoardRow, columns: list[tuple[BoardColumn, int]]) -> Line:
    line = Line()
    for column, cells in columns:
        column.put(line, row, cells)
        line.put(" ")
    return line


def _columns(board: Board) -> tuple[BoardColumn, ...]:
    ends = board.sector_ends
    return (
        BoardColumn(
            "P", 2, lambda line, row, n: line.right(str(row.place), n, CHOSEN if row.chosen else STRONG), 0
        ),
        BoardColumn("", 1, lambda line, row, n: line.fit("▌", n, row.style), 0),
        BoardColumn(
            "driver",
            11,
            lambda line, row, n: line.fit(row.driver, n, STRONG if row.chosen else TEXT),
            0,
            18,
            True,
        ),
        BoardColumn("car", 10, lambda line, row, n: line.fit(row.vehicle, n, DIM), 9, 30, True),
        BoardColumn("laps", 4, lambda line, row, n: line.right(str(row.laps), n, DIM), 5),
        BoardColumn("last", 8, lambda line, row, n: line.right(row.last[0], n, row.last[1]), 1),
        BoardColumn("best", 8, lambda line, row, n: line.right(row.best[0], n, row.best[1]), 4),
        BoardColumn("gap", 8, lambda line, row, n: line.right(row.gap, n, TEXT), 0),
        BoardColumn("interval", 8, lambda line, row, n: line.right(row.interval, n, DIM), 6),
        BoardColumn("lap", 5, lambda line, row, n: line.add(gauges.lap(row.share, n, ends)), 2, 20, True),
        BoardColumn("st", 3, lambda line, row, n: line.fit(row.state[0], n, row.state[1]), 0, 0, True),
        BoardColumn("t", 2, lambda line, row, n: line.fit(row.tyre[0], n, row.tyre[1]), 3, 0, True),
        BoardColumn("pit", 3, lambda line, row, n: line.right(str(row.stops or ""), n, DIM), 8),
    )


def _chosen(board: Board, width: int) -> list[tuple[BoardColumn, int]]:
    """Return the columns that fit, and their widths: what is left over goes to those that can grow."""
    columns = list(_columns(board))
    while sum(column.cells + 1 for column in columns) > width + 1 and any(c.rank for c in columns):
        columns.remove(max(columns, key=lambda column: column.rank))
    spare = width + 1 - sum(column.cells + 1 for column in columns)
    growing = [column for column in columns if column.most]
    widths = {column.title: column.cells for column in columns}
    while spare > 0 and growing:
        column = min(growing, key=lambda column: widths[column.title] / column.most)
        widths[column.title] += 1
        spare -= 1
        growing = [column for column in growing if widths[column.title] < column.most]
    return [(column, widths[column.title]) for column in columns]


def _window(slots: list[int], focus: int | None, height: int) -> list[int]:
    """Return indices of the rows shown: all, or the first three and those around the car shown."""
    if len(slots) <= height:
        return list(range(len(slots)))
    rest = max(height - _KEPT_ON_TOP, 1)
    top = list(range(min(_KEPT_ON_TOP, height - rest)))
    middle = slots.index(focus) if focus in slots else 0
    begin = min(max(middle - rest // 2, len(top)), len(slots) - rest)
    return top + list(range(begin, begin + rest))


def _rows(board: Board, sort: str) -> list[BoardRow]:
    """Return one row per car, the first first."""
    frame = board.scoring
    assert frame is not None
    shared = _Shared.of(board, frame)
    at = {slot: row for row, slot in enumerate(frame.id.tolist())}
    return [_row(board, frame, shared, at[slot]) for slot in order(board, sort)]


@dataclass(frozen=True)
class _Shared:
    """What is worked out once for all rows, by row of the scoring table where it is a sequence."""

    focus: int | None
    classes: list[str]
    purple: Array
    gaps: list[str]
    intervals: list[str]
    shares: Array
    compounds: dict[int, int]

    @classmethod
    def of(cls, board: Board, frame: ScoringFrame) -> "_Shared":
        racing = board.session is not None and board.session.kind == session_pb2.SESSION_KIND_RACE
        gaps, intervals = _race_gaps(frame) if racing else _time_gaps(frame)
        classes = sorted({entry.vehicle_class for entry in board.entries.values()})
        purple, shares = _class_bests(board, frame), board.lap_shares()
        return cls(board.focus, classes, purple, gaps, intervals, shares, _compound_indices(board))


def _row(board: Board, frame: ScoringFrame, shared: _Shared, at: int) -> BoardRow:
    slot = int(frame.id[at])
    entry = board.entries.get(slot, session_pb2.Entry())
    return BoardRow(
        chosen=slot == shared.focus,
        slot=slot,
        place=int(frame.place[at]),
        driver=board.name(slot),
        vehicle=entry.vehicle_name,
        style=_class_style(shared.classes, entry.vehicle_class),
        laps=int(frame.laps[at]),
        last=_last(frame, at, shared.purple[at]),
        best=_best(frame, at, shared.purple[at]),
        gap=shared.gaps[at],
        interval=shared.intervals[at],
        share=float(shared.shares[at]),
        state=_state(frame, at),
        tyre=_tyre(entry, shared.compounds.get(slot)),
        stops=int(frame.pit_stops[at]),
    )


def _class_style(classes: list[str], name: str) -> Style:
    return CLASSES[classes.index(name) % len(CLASSES)] if name in classes else CLASSES[0]


def _class_bests(board: Board, frame: ScoringFrame) -> Array:
    """Return for each car the best lap of its class, inf when there is none."""
    names = np.array(
        [board.entries[i].vehicle_class if i in board.entries else "" for i in frame.id.tolist()]
    )
    times = np.where(np.isnan(frame.best_lap_time), np.inf, frame.best_lap_time)
    bests = np.full(len(times), np.inf)
    for name in set(names.tolist()):
        bests[names == name] = times[names == name].min()
    return bests


def _last(frame: ScoringFrame, at: int, purple: float) -> tuple[str, Style]:
    last, best = float(frame.last_lap_time[at]), float(frame.best_lap_time[at])
    if abs(last - purple) < _SAME_S:
        return lap_time(last), PURPLE
    return lap_time(last), GOOD if abs(last - best) < _SAME_S else TEXT


def _best(frame: ScoringFrame, at: int, purple: float) -> tuple[str, Style]:
    best = float(frame.best_lap_time[at])
    return lap_time(best), PURPLE if abs(best - purple) < _SAME_S else DIM


def _race_gaps(frame: ScoringFrame) -> tuple[list[str], list[str]]:
    """Return the gaps to the leader and to the car ahead, in seconds or laps."""
    return (
        _behind(frame.place, frame.time_behind_leader, frame.laps_behind_leader),
        _behind(frame.place, frame.time_behind_next, frame.laps_behind_next),
    )


def _behind(places: Array, seconds: Array, laps: Array) -> list[str]:
    out = []
    for place, time_s, count in zip(places.tolist(), seconds.tolist(), laps.tolist(), strict=True):
        if place == 1:
            out.append("leader")
        elif count > 0:
            out.append(f"+{count} lap" + "s" * (count > 1))
        else:
            out.append(gap(time_s))
    return out


def _time_gaps(frame: ScoringFrame) -> tuple[list[str], list[str]]:
    """Return the gaps outside races: best lap against the best of all, and against the car ahead."""
    times = frame.best_lap_time
    order = np.argsort(frame.place, kind="stable")
    ahead = np.full(len(times), np.nan)
    ahead[order[1:]] = times[order[:-1]]
    best = np.nanmin(times) if np.isfinite(times).any() else np.nan
    leader = np.where(times == best, np.nan, times - best)
    return [gap(t) for t in leader.tolist()], [gap(t) for t in (times - ahead).tolist()]


def _state(frame: ScoringFrame, at: int) -> tuple[str, Style]:
    """Return the most telling of: out of the race, in the pits, blue flag, penalty, invalid lap, rear
    flap.
    """
    finished = _FINISHED.get(int(frame.finish_status[at]))
    if finished is not None:
        return finished
    return _pit_state(frame, at) or _race_state(frame, at)


def _pit_state(frame: ScoringFrame, at: int) -> tuple[str, Style] | None:
    if frame.in_garage[at]:
        return "GAR", DIM
    pit_state = int(frame.pit_state[at])
    if frame.in_pits[at] or pit_state > _REQUESTED:
        return _PIT.get(pit_state, ("PIT", CYAN))
    return None


def _race_state(frame: ScoringFrame, at: int) -> tuple[str, Style]:
    if frame.flag[at] == _BLUE_FLAG:
        return "BLU", FLAGS["blue"]
    if frame.penalties[at] > 0:
        return f"!{min(int(frame.penalties[at]), 99)}", RED
    if frame.pit_state[at] == _REQUESTED:
        return "req", CYAN
    if frame.count_lap_flag[at] != _COUNTS and frame.laps[at] > 0:
        return "inv", YELLOW
    return ("DRS", GOOD) if frame.drs_active[at] else ("", DIM)


def _compound_indices(board: Board) -> dict[int, int]:
    frame = board.physics
    if frame is None:
        return {}
    return dict(zip(frame.id.tolist(), frame.front_compound_index.tolist(), strict=True))


def _tyre(entry: session_pb2.Entry, index: int | None) -> tuple[str, Style]:
    """Return a letter for a compound whose name is known, else its number."""
    name = entry.front_compound.lower()
    for word, letter, style in _COMPOUNDS:
        if word in name:
            return letter, style
    if name:
        return entry.front_compound[:2], TEXT
    return ("" if index is None else str(index)), DIM
