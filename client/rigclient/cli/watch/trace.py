"""The rolling trace: speed and pedals of the car shown over the last ten seconds."""

import math
from typing import Any, Final

import numpy as np
from rich.style import Style

from rigclient.cli.terminal import braille
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import CYAN, DIM, GOOD, RED, TITLE
from rigclient.cli.watch.board import Board
from rigclient.cli.watch.history import SPAN_S, Values

_STEP_KMH: Final = 50.0
_TOUCHED: Final = 0.01
"""Share of the brake pedal below which it draws nothing."""


def lines(board: Board, width: int, height: int, pedals: bool) -> list[Line]:
    """Return one curve: speed, or throttle and brake."""
    if height < 2:
        return []
    board.history.follow(board.focus)
    curves = board.history.curves(2 * width)
    return _pedals(curves, width, height) if pedals else _speed(curves, width, height)


def _speed(curves: dict[str, Values], width: int, height: int) -> list[Line]:
    kmh = curves["speed"] * 3.6
    known = kmh[~np.isnan(kmh)]
    low, high = _scale(known)
    title = Line("speed ", TITLE)
    if len(known):
        title.put(f"{low:.0f} to {high:.0f} km/h, {SPAN_S:.0f} s", DIM)
    rows = braille.cells(braille.curve((kmh - low) / (high - low), height - 1))
    return [title.to(width), *(Line(braille.text(row), CYAN).to(width) for row in rows)]


def _scale(kmh: Values) -> tuple[float, float]:
    """Return steps of 50 km/h around all values, so that the axis rarely changes."""
    if not len(kmh):
        return 0.0, _STEP_KMH
    low = math.floor(float(kmh.min()) / _STEP_KMH) * _STEP_KMH
    return low, max(math.ceil(float(kmh.max()) / _STEP_KMH) * _STEP_KMH, low + _STEP_KMH)


def _pedals(curves: dict[str, Values], width: int, height: int) -> list[Line]:
    """Return throttle in green, brake in red; where they meet the brake decides the colour."""
    title = Line("throttle", GOOD).put(" / ", DIM).put("brake", RED).put(f"  {SPAN_S:.0f} s", DIM)
    throttle = braille.cells(braille.curve(curves["throttle"], height - 1))
    brake = braille.cells(braille.curve(_touched(curves["brake"]), height - 1))
    return [title.to(width), *(_mixed(*rows).to(width) for rows in zip(throttle, brake, strict=True))]


def _touched(brake: Values) -> Values:
    """Return the pedal's curve without the line along the bottom while it is free."""
    before = np.concatenate((brake[:1], brake[:-1]))
    return np.where((brake < _TOUCHED) & (before < _TOUCHED), np.nan, brake)


def _mixed(throttle: np.ndarray[Any, Any], brake: np.ndarray[Any, Any]) -> Line:
    text = braille.text(throttle | brake)
    braking = (brake > 0) & ((throttle == 0) | (brake >= throttle))
    edges = np.flatnonzero(np.diff(braking.astype(np.int8))) + 1
    line, begin = Line(), 0
    for end in (*edges.tolist(), len(text)):
        style: Style = RED if braking[begin] else GOOD
        line.put(text[begin:end], style)
        begin = end
    return line
