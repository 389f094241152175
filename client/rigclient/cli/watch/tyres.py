"""The tyres: four corners as seen from above, the car's nose at the top."""

import math
from typing import Any, Final

import numpy as np

from rigclient.cli.terminal import gauges
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import ALARM, BRAKE_DEGC, DIM, SHARE, TEXT, TITLE, TYRE_DEGC
from rigclient.cli.watch.board import Board
from rigclient.frames import Car

_CORNERS: Final = ("FL", "FR", "RL", "RR")
_LEAST: Final = 7
_TALL_FROM: Final = 10

Array = np.ndarray[Any, np.dtype[Any]]


def lines(board: Board, width: int, height: int) -> list[Line]:
    """Return the panel: title and two axles; taller from ten rows on."""
    car = board.car
    if car is None or height < _LEAST:
        return []
    title = Line("tyres", TITLE).put("  °C  pressure  brake  tread", DIM)
    cells = (width - 1) // 2
    out = [title.to(width)]
    for axle in (0, 2):
        corners = [_corner(car, at, cells, height >= _TALL_FROM) for at in (axle, axle + 1)]
        out += [left.add(Line(" ")).add(right).to(width) for left, right in zip(*corners, strict=True)]
    return out


def _corner(car: Car, at: int, cells: int, tall: bool) -> list[Line]:
    temps = car.tyre_temp[3 * at : 3 * at + 3]
    surface = [_surface("  " if double else _CORNERS[at], temps, cells, double) for double in (False, True)]
    rows = [_facts(car, at, cells), _tread(car, at, cells)]
    return [surface[0], *surface[1 : 1 + tall], *rows]


def _surface(name: str, temps: Array, cells: int, empty: bool) -> Line:
    """Return three patches in the colour of their temperature, which stands in them."""
    line = Line(f"{name} ", TEXT)
    each, rest = divmod(cells - 3, 3)
    for at, value in enumerate(temps.tolist()):
        wide = each + (at == 1) * rest
        text = "" if empty else "-" if math.isnan(value) else f"{value:.0f}"
        line.put(text.center(wide), TYRE_DEGC.style(value))
    return line


def _facts(car: Car, at: int, cells: int) -> Line:
    if car.wheel_detached[at]:
        return Line("   ").put(" WHEEL OFF ", ALARM).to(cells)
    if car.wheel_flat[at]:
        return Line("   ").put(" FLAT ", ALARM).to(cells)
    pressure, brake = float(car.tyre_pressure[at]), float(car.brake_temp[at])
    line = Line("   ").right("-" if math.isnan(pressure) else f"{pressure:.0f}", 3, TEXT).put(" kPa", DIM)
    hot = "-" if math.isnan(brake) else f"{brake:.0f}°"
    return line.to(cells - 5).right(hot, 5, BRAKE_DEGC.style(brake))


def _tread(car: Car, at: int, cells: int) -> Line:
    tread = float(car.tyre_tread[at])
    bar = gauges.bar(tread, cells - 8, SHARE.style(tread))
    return Line("   ").add(bar).right("-" if math.isnan(tread) else f"{tread:.0%}", 5, TEXT)
