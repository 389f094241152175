"""The view: which panels stand where in a terminal of a given size."""

import textwrap
from dataclasses import dataclass, field
from typing import Final

from rigclient.cli.terminal.line import Line, beside
from rigclient.cli.terminal.palette import DIM, FAINT, STRONG, TEXT, WARNING
from rigclient.cli.watch import cockpit, footer, headline, leaderboard, trace, tyres
from rigclient.cli.watch.board import Board, Condition

_LEAST_WIDTH, _LEAST_HEIGHT = 60, 16
_LEAST_SIDE, _MOST_SIDE = 35, 80
"""Width of the cockpit's side, cells."""
_LEAST_COCKPIT: Final = 10
_TALL_FROM: Final = 28
"""Rows from which the tyres are drawn taller."""
_TRACE, _MOST_TRACE = 4, 30
"""Rows of a curve."""
_RULE: Final = Line("│", FAINT)


_KEYS: Final = (
    ("j k", "the next car, the one before; arrow keys as well"),
    ("s", "sort by the next of: " + ", ".join(leaderboard.SORTS)),
    ("t", "pedals instead of speed in the large curve, and back"),
    ("p", "pause the picture; every record is still counted"),
    ("?", "these lines, and away again"),
    ("q", "leave"),
)


@dataclass
class ViewSettings:
    """What the keys have changed."""

    sort: str = leaderboard.SORTS[0]
    """What the leaderboard is sorted by."""
    paused: bool = False
    helping: bool = False
    """The keys are explained over the picture."""

    pedals: bool = False
    """The first trace shows pedals instead of speed; where there are two, they change places."""
    keys: bool = False
    """Keys work."""
    said: list[str] = field(default_factory=list)
    """What is said of the lap before: a headline, then tips."""


def lines(board: Board, width: int, height: int, choice: ViewSettings, reconnects: int = 0) -> list[Line]:
    """Return the whole screen: `height` lines, each exactly `width` cells wide."""
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        return _too_small(width, height)
    foot = footer.line(board, width, reconnects, choice.keys, _said(board, choice))
    tips = _tips(choice.said, width, max(height - _LEAST_HEIGHT, 1))
    inner = height - 3 - len(tips)
    body = _nothing(board, width) if board.physics is None else _body(board, width, inner, choice)
    rows = [*headline.lines(board, width), *body[:inner]]
    rows += [Line().to(width) for _ in range(height - 1 - len(tips) - len(rows))]
    rows += tips
    return _explained([*rows, foot], width) if choice.helping else [*rows, foot]


def _tips(said: list[str], width: int, room: int) -> list[Line]:
    """Return the tips in at most `room` rows, whole ones: what has no room is left out. Where there is none
    for a headline and a tip, the first tip is cut.
    """
    rows: list[Line] = []
    for at, text in enumerate(said):
        wrapped = textwrap.wrap(text, width - 4, subsequent_indent="   ")
        if len(rows) + len(wrapped) > room:
            if at == 1:
                return [Line(f" {text}", TEXT).to(width)]
            break
        rows += [Line(f" {one}", TEXT if at else STRONG).to(width) for one in wrapped]
    return rows


def _said(board: Board, choice: ViewSettings) -> str:
    """Return what is not as at the beginning, or as was asked for."""
    absent = f"car {board.absent} is not there" if board.absent is not None else ""
    sort = f"by {choice.sort}" if choice.sort != leaderboard.SORTS[0] else ""
    return "  ".join(filter(None, ("PAUSED, p goes on" if choice.paused else "", absent, sort)))


def _explained(rows: list[Line], width: int) -> list[Line]:
    """Return the keys in a box over the middle of the screen."""
    inner = min(max(len(text) for _, text in _KEYS) + 9, width - 4)
    box = [Line("┌" + "─" * inner + "┐", DIM)]
    for key, text in _KEYS:
        line = Line("│", DIM).put(f"  {key:<4} ", STRONG).put(text, TEXT)
        box.append(line.to(inner + 1).put("│", DIM))
    box.append(Line("└" + "─" * inner + "┘", DIM))
    top, margin = (len(rows) - len(box)) // 2, (width - inner - 2) // 2
    for at, line in enumerate(box, start=top):
        rows[at] = Line(" " * margin).add(line).to(width)
    return rows


def _body(board: Board, width: int, height: int, choice: ViewSettings) -> list[Line]:
    side = min(max(width * 2 // 5, _LEAST_SIDE), _MOST_SIDE)
    left = width - side - 1
    table = min(1 if board.scoring is None else len(board.scoring) + 1, height)
    below = height - table - 1 >= _TRACE
    rows = leaderboard.lines(board, left, table, choice.sort)
    if below:
        rows += _trace(board, left, height - table - 1, choice.pedals)
    right = _side(board, side, height, choice.pedals != below)
    return [row.to(width) for row in beside(rows, right, left, height, _RULE)]


def _side(board: Board, width: int, height: int, pedals: bool) -> list[Line]:
    """Return cockpit and tyres from the top, and a trace in what is left."""
    tyre_rows = 10 if height >= _TALL_FROM else 7
    cockpit_rows = max(height - tyre_rows - _TRACE - 1, _LEAST_COCKPIT)
    rows = cockpit.lines(board, width, cockpit_rows)
    rows += tyres.lines(board, width, min(tyre_rows, height - len(rows)))
    spare = height - len(rows)
    if spare > _TRACE:
        return rows + _trace(board, width, spare - 1, pedals)
    return rows + trace.lines(board, width, spare, pedals)


def _trace(board: Board, width: int, height: int, pedals: bool) -> list[Line]:
    """Return a curve below a rule."""
    return [Line("─" * width, FAINT), *trace.lines(board, width, min(height, _MOST_TRACE), pedals)]


def _nothing(board: Board, width: int) -> list[Line]:
    """Return that there is no telemetry yet, and in full why."""
    state = board.state
    word, text = state.word, state.sentence
    if state.condition is Condition.LIVE:
        word, text = "WAITING", "the recorder is live; the first frame is on its way"
    rows = [Line(), Line("   ").put(f" {word} ", WARNING), Line()]
    rows += [Line("   ").put(part, TEXT) for part in textwrap.wrap(text, min(width - 6, 90))]
    rows += [Line(), Line("   ").put("This view goes on by itself.", DIM)]
    return [row.to(width) for row in rows]


def _too_small(width: int, height: int) -> list[Line]:
    text = f"needs {_LEAST_WIDTH}x{_LEAST_HEIGHT}, has {width}x{height}"
    return [Line(text, STRONG).to(width), *(Line().to(width) for _ in range(height - 1))]
