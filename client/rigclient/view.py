"""The view: which panels stand where in a terminal of a given size."""

import textwrap
from dataclasses import dataclass
from typing import Final

from rigclient import cockpit, footer, headline, leaderboard, trace, tyres
from rigclient.board import Board, Condition
from rigclient.terminal.line import Line, beside
from rigclient.terminal.palette import DIM, FAINT, STRONG, TEXT, WARNING

_LEAST_WIDTH, _LEAST_HEIGHT = 60, 16
_LEAST_SIDE, _MOST_SIDE = 35, 80
"""Width of the cockpit's side, cells."""
_TRACE: Final = 4
_MOST_TRACE: Final = 18
_RULE: Final = Line("│", FAINT)


@dataclass
class Choice:
    """What the keys have changed."""

    pedals: bool = False
    """The small trace shows pedals instead of speed."""
    keys: bool = False
    """Keys work."""


def lines(board: Board, width: int, height: int, choice: Choice, reconnects: int = 0) -> list[Line]:
    """The whole screen: `height` lines, each exactly `width` cells wide."""
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        return _too_small(width, height)
    foot = footer.line(board, width, reconnects, choice.keys)
    inner = height - 3
    body = _nothing(board, width) if board.physics is None else _body(board, width, inner, choice)
    rows = [*headline.lines(board, width), *body[:inner]]
    rows += [Line().to(width) for _ in range(height - 1 - len(rows))]
    return [*rows, foot]


def _body(board: Board, width: int, height: int, choice: Choice) -> list[Line]:
    side = min(max(width * 2 // 5, _LEAST_SIDE), _MOST_SIDE)
    left = width - side - 1
    rows = _left(board, left, height, choice)
    roomy = len(rows) > _table_height(board, height)
    right = _right(board, side, height, choice, with_trace=not roomy)
    return beside(rows, [row.to(side) for row in right], left, height, _RULE)


def _table_height(board: Board, height: int) -> int:
    cars = 0 if board.scoring is None else len(board.scoring)
    return min(cars + 1, height)


def _left(board: Board, width: int, height: int, choice: Choice) -> list[Line]:
    """The leaderboard, and the trace below when all cars are shown and there is room."""
    table = _table_height(board, height)
    rows = leaderboard.lines(board, width, table)
    spare = height - table - 1
    if spare < _TRACE:
        return rows
    below = trace.lines(board, width, min(spare, _MOST_TRACE), choice.pedals)
    return [*rows, Line("─" * width, FAINT), *below]


def _right(board: Board, width: int, height: int, choice: Choice, *, with_trace: bool) -> list[Line]:
    """Cockpit and tyres from the top, and the trace in what is left."""
    tyre_rows = 10 if height >= 28 else 7
    cockpit_rows = min(height - tyre_rows, 17)
    if with_trace:
        cockpit_rows = min(cockpit_rows, max(height - tyre_rows - _TRACE, 10))
    rows = cockpit.lines(board, width, cockpit_rows)
    rows += tyres.lines(board, width, min(tyre_rows, height - len(rows)))
    spare = height - len(rows)
    if with_trace and spare > 1:
        rows += trace.lines(board, width, min(spare, _MOST_TRACE), choice.pedals)
    return rows


def _nothing(board: Board, width: int) -> list[Line]:
    """No telemetry yet: say why, in full."""
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
