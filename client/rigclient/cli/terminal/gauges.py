"""Gauges one row tall: bars from the left, from the middle, and along a lap."""

import math
from collections.abc import Sequence
from typing import Final

from rich.style import Style

from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import FAINT, SECTORS, TEXT

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_RISING: Final = "▁▂▃▄▅▆▇█"
_GROOVE: Final = Style.parse("on #20262d")


def bar(share: float, cells: int, style: Style) -> Line:
    """Return a bar filled from the left in eighths of a cell; `share` is 0 to 1, NaN is empty."""
    eighths = 0 if math.isnan(share) else round(min(max(share, 0.0), 1.0) * cells * 8)
    full, rest = divmod(eighths, 8)
    line = Line("█" * full, style)
    if rest:
        line.put(_EIGHTHS[rest], style + _GROOVE)
    return line.to(cells, _GROOVE)


def spark(shares: Sequence[float | None], style: Style) -> Line:
    """Return a bar of a cell for each share of 0 to 1, from the bottom; None is a dot."""
    line = Line()
    for share in shares:
        if share is None:
            line.put("·", FAINT)
        else:
            line.put(_RISING[round(min(max(share, 0.0), 1.0) * (len(_RISING) - 1))], style)
    return line


def centred(value: float, cells: int, style: Style) -> Line:
    """Return a bar filled from the middle to where `value` lies between -1 (left) and +1 (right)."""
    middle = cells // 2
    reach = 0 if math.isnan(value) else round(min(max(value, -1.0), 1.0) * middle)
    left, right = max(-reach, 0), max(reach, 0)
    line = Line(" " * (middle - left), _GROOVE).put("█" * left, style).put("┃", TEXT + _GROOVE)
    return line.put("█" * right, style).to(cells, _GROOVE)


def zones(share: float, cells: int, steps: Sequence[tuple[float, Style]]) -> Line:
    """Return a bar whose cells have the style of the zone they lie in; `steps` are (upper end, style)."""
    line, begin = Line(), 0
    for end, style in steps:
        stop = round(end * cells)
        part = stop - begin
        if part > 0:
            line.add(bar((share * cells - begin) / part, part, style))
        begin = max(stop, begin)
    return line


def lap(share: float, cells: int, ends: tuple[float, float]) -> Line:
    """Return how far round the lap: driven cells in the colour of their sector, the rest faint.

    `ends` are the ends of sectors 1 and 2 as shares of the lap.
    """
    halves = 0 if math.isnan(share) else int(min(max(share, 0.0), 1.0) * cells * 2)
    driven, rest = divmod(halves, 2)
    line, begin = Line(), 0
    for end, style in zip((*ends, 1.0), SECTORS, strict=True):
        stop = min(round(end * cells), driven)
        line.put("━" * (stop - begin), style)
        begin = max(begin, stop)
    if rest:
        sector = sum(driven >= round(end * cells) for end in ends)
        line.put("╸", SECTORS[sector])
    return line.put("━" * (cells - driven - rest), FAINT)
