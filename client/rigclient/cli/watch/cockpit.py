"""The cockpit: gear, speed, revs, pedals, wheel, g-force and fuel of one car."""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from rich.style import Style

from rigclient.cli.terminal import braille, digits, gauges
from rigclient.cli.terminal.line import Line, beside
from rigclient.cli.terminal.palette import (
    ALARM,
    BLUE,
    CYAN,
    DIM,
    FAINT,
    GOOD,
    RED,
    SHARE,
    STRONG,
    TEXT,
    TITLE,
    WARNING,
    YELLOW,
)
from rigclient.cli.watch.board import Board
from rigclient.frames import Car
from riglap.times import running

_G: Final = 9.80665
_SHIFT: Final = 0.97
"""Share of the rev limit at which all shift lights are on."""
_LIGHTS: Final = ((0.75, GOOD), (0.9, YELLOW), (1.0, RED))
_ALL_ON: Final = ((1.0, BLUE),)
_MOST_G: Final = 3.0
_LARGE_FROM: Final = 15
"""Rows from which gear and speed are drawn in double size."""
_WIDE_FROM: Final = 60
"""Cells from which the speed is drawn in double size too."""
_NAMED_FROM: Final = 20
_LEAST, _MOST = 5, 10
"""Rows of pedals, wheel, fuel and g-force."""


def lines(board: Board, width: int, height: int) -> list[Line]:
    """Return the panel, at most `height` rows; nothing to show is said."""
    title = _title(board, width)
    car = board.car
    if car is None:
        return [title, Line(" no telemetry of this car", DIM).to(width)]
    upper = [title, *_figures(car, width, height >= _LARGE_FROM), _revs(car, width)]
    lower = min(max(height - len(upper), _LEAST), max(width // 6, _LEAST), _MOST)
    return [*upper, *_lower(car, width, lower)][:height]


def _title(board: Board, width: int) -> Line:
    focus = board.focus
    if focus is None:
        return Line("cockpit", TITLE).to(width)
    entry, standing = board.entries.get(focus), board.standing
    line = Line(board.name(focus), TITLE)
    if standing is not None:
        line.put(f"  P{standing.place}", STRONG).put(f"  lap {standing.laps + 1}", DIM)
    if entry is not None:
        line.put(f"  {entry.vehicle_name}", DIM)
    return line.to(width)


def _figures(car: Car, width: int, large: bool) -> list[Line]:
    """Return gear and speed in large digits, with the times beside them."""
    scale = 2 if large else 1
    gear = digits.large(_gear(int(car.gear)), scale)
    speed = digits.large(_kmh(car), 2 if large and width >= _WIDE_FROM else 1)
    facts = _facts(car, width - 8 - 4 * scale - len(speed[0]))
    rows = []
    for at, text in enumerate(gear):
        line = Line(" ").put(text, _gear_style(car)).to(2 + 4 * scale)
        line.put(speed[at] if at < len(speed) else " " * len(speed[0]), STRONG)
        line.put(" km/h " if at == len(speed) - 1 else "      ", DIM)
        rows.append(line.add(facts[at] if at < len(facts) else Line()).to(width))
    return rows


def _kmh(car: Car) -> str:
    return "---" if math.isnan(car.speed) else f"{min(round(float(car.speed) * 3.6), 999):3d}"


def _gear(gear: int) -> str:
    return "R" if gear < 0 else "N" if gear == 0 else str(gear)


def _gear_style(car: Car) -> Style:
    return RED if car.engine_rpm >= _SHIFT * car.engine_max_rpm > 0 else CYAN


def _facts(car: Car, cells: int) -> list[Line]:
    """Return revs, running lap, difference to the best lap, warnings, each in `cells`."""
    lap_s = float(car.elapsed_time - car.lap_start_time)
    delta = _delta(car)
    lap = Line(f"{running(lap_s):>6}", STRONG)
    if math.isfinite(delta) and delta:
        places = 2 if abs(delta) < 9.995 else 1
        lap.put(f" {delta:+.{places}f}", GOOD if delta < 0 else RED)
    rpm = Line(f"{_whole(car.engine_rpm):>6}", TEXT).put(" rpm", DIM)
    return [rpm, lap, _warnings(car, cells)]


def _delta(car: Car) -> float:
    """Return seconds lost to the driver's best lap by the rig, else by the game, which may not fill it."""
    own = float(getattr(car, "delta_personal_best", math.nan))
    return own if math.isfinite(own) else float(car.delta_best)


def _warnings(car: Car, cells: int) -> Line:
    """Return limiter, pit lane, engine: what a driver is shown first."""
    if car.overheating:
        return Line(" ENGINE HOT ", ALARM)
    if car.speed_limiter:
        return Line(" LIMITER ", WARNING)
    if car.in_pit_lane:
        return Line(" PIT LANE ", WARNING)
    water, oil = _degrees(car.engine_water_temp), _degrees(car.engine_oil_temp)
    names = ("water ", "oil ") if cells >= _NAMED_FROM else ("w", "o")
    return Line(names[0], DIM).put(f"{water}° ", TEXT).put(names[1], DIM).put(f"{oil}°", TEXT)


def _whole(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}"


def _degrees(value: float) -> str:
    """Return a temperature as text. Exactly 0 is what a game holds that does not fill the field."""
    return _whole(value) if value else "-"


def _revs(car: Car, width: int) -> Line:
    limit = float(car.engine_max_rpm)
    share = float(car.engine_rpm) / limit if limit > 0 else math.nan
    lights = _ALL_ON if share >= _SHIFT else _LIGHTS
    return gauges.zones(share, width, lights).to(width)


def _lower(car: Car, width: int, height: int) -> list[Line]:
    """Return pedals, wheel and fuel at the left, g-force at the right."""
    plot = min(2 * height, width // 3)
    left = width - plot - 1
    rows = [
        _gauge("gas", car.throttle, left, GOOD),
        _gauge("brake", car.brake, left, RED),
        _gauge("clut", car.clutch, left, BLUE),
        _wheel(float(car.steering), left),
        _fuel(car, left),
    ]
    return beside(_spread(rows, height, left), _g_force(car, plot, height), left, height, Line(" "))


def _spread(rows: list[Line], height: int, width: int) -> list[Line]:
    """Return blank rows between, from the top, as far as the height goes."""
    out: list[Line] = []
    spare = height - len(rows)
    for at, row in enumerate(rows):
        out.append(row)
        if at < spare:
            out.append(Line().to(width))
    return out


def _gauge(name: str, share: float, width: int, style: Style) -> Line:
    cells = width - 10
    percent = "" if math.isnan(share) else f"{100 * share:.0f}"
    return Line(f"{name:<6}", DIM).add(gauges.bar(float(share), cells, style)).right(percent, 4, TEXT)


def _wheel(steering: float, width: int) -> Line:
    percent = "" if math.isnan(steering) else f"{100 * steering:+.0f}"
    return Line("steer ", DIM).add(gauges.centred(steering, width - 10, YELLOW)).right(percent, 4, TEXT)


def _fuel(car: Car, width: int) -> Line:
    capacity, fuel = float(car.fuel_capacity), float(car.fuel)
    share = fuel / capacity if capacity > 0 else math.nan
    line = Line("fuel  ", DIM).add(gauges.bar(share, width - 10, SHARE.style(share)))
    return line.right("" if math.isnan(fuel) else f"{fuel:.0f}l", 4, TEXT)


def _g_force(car: Car, width: int, height: int) -> list[Line]:
    """Return a dot in a circle of 1.5 g and 3 g: up is braking, to the right is a left-hand bend.

    The driver's head: the dot goes where the force throws it.
    """
    left_g, _, rear_g = (float(part) / _G for part in car.local_acceleration)
    rows = [Line(text, FAINT).to(width) for text in _rings(width, height)]
    if math.isnan(left_g) or math.isnan(rear_g):
        return rows
    # Accelerating to the left throws to the right; braking (+z, to the rear) throws forward, up here.
    column = round((width - 1) / 2 + _reach(left_g) * (width - 1) / 2)
    row = round((height - 1) / 2 - _reach(rear_g) * (height - 1) / 2)
    text = rows[row].text
    rows[row] = Line(text[:column], FAINT).put("●", _g_style(math.hypot(left_g, rear_g)))
    rows[row].put(text[column + 1 :], FAINT)
    amount = f"{math.hypot(left_g, rear_g):.1f}g"
    rows[-1] = (
        rows[-1] if row == height - 1 else Line(rows[-1].text[: width - 4], FAINT).right(amount, 4, DIM)
    )
    return rows


def _reach(g: float) -> float:
    return min(max(g / _MOST_G, -1.0), 1.0)


def _g_style(g: float) -> Style:
    return GOOD if g < 1.0 else YELLOW if g < 2.0 else RED


@lru_cache(maxsize=8)
def _rings(width: int, height: int) -> tuple[str, ...]:
    points = braille.ring(height, width, 0.5) | braille.ring(height, width, 0.98)
    return tuple(braille.text(row) for row in np.asarray(braille.cells(points)))
