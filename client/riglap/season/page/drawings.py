"""Drawings of a season as SVG: points over the rounds, pace from round to round, intervals."""

from collections.abc import Sequence
from typing import Final

from rig.v1 import season_pb2
from riglap.season.page.markup import tag, text

COLOURED: Final = 6
"""Drivers whose lines have a colour and a name; those of all others are thin."""
_WIDTH: Final = 760
_HEIGHT: Final = 320
_LEFT: Final = 56
_RIGHT: Final = 150
_TOP: Final = 12
_BOTTOM: Final = 28
_LABEL: Final = 15
"""Height of a line of text."""
_SPARK: Final = (140, 28)
_RANGE: Final = (180, 18)

Point = tuple[float, float]


def championship(season: season_pb2.Season, rows: Sequence[season_pb2.Standing]) -> str:
    """Return the points of each driver over the rounds; dropped ones count until the end tells."""
    rounds = [one.round for one in season.rounds]
    sums = [_sums(row, rounds) for row in rows]
    most = max((one[-1] for one in sums), default=0.0) or 1.0
    lines = [_line(row, points, at, most) for at, (row, points) in enumerate(zip(rows, sums, strict=True))]
    return tag(
        "svg",
        *_grid(most, len(rounds)),
        *reversed(lines),
        *_names(rows, sums, most),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        class_="chart",
        role="img",
        aria_label="Points over the rounds; the table below has the numbers",
    )


def legend(rows: Sequence[season_pb2.Standing]) -> str:
    """Return the names of the coloured lines, for where there is no room beside them."""
    names = [tag("li", text(row.driver), class_=f"c{at}") for at, row in enumerate(rows[:COLOURED], start=1)]
    return tag("ul", *names, class_="legend")


def _sums(row: season_pb2.Standing, rounds: Sequence[int]) -> list[float]:
    """Return the points after each round."""
    points = {one.round: one.points for one in row.rounds}
    total, found = 0.0, [0.0]
    for number in rounds:
        total += points.get(number, 0.0)
        found.append(total)
    return found


def _x(at: int, rounds: int) -> float:
    return _LEFT + at * (_WIDTH - _LEFT - _RIGHT) / max(rounds, 1)


def _y(points: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - points / most * (_HEIGHT - _TOP - _BOTTOM)


def _line(row: season_pb2.Standing, points: Sequence[float], at: int, most: float) -> str:
    path = _path([(_x(n, len(points) - 1), _y(value, most)) for n, value in enumerate(points)])
    colour = f"c{at + 1}" if at < COLOURED else "thin"
    return tag(
        "path", tag("title", text(row.driver)), d=path, class_=f"line {colour}", data_driver=row.driver
    )


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _grid(most: float, rounds: int) -> list[str]:
    """Return lines at round numbers of points, and the rounds below."""
    step = next(one for one in (5, 10, 25, 50, 100, 250, 500, 1000, 1e9) if most / one <= 6)
    made = []
    for n in range(int(most / step) + 1):
        y = _y(n * step, most)
        made.append(tag("path", d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}", class_="grid"))
        made.append(tag("text", f"{n * step:g}", x=_LEFT - 6, y=f"{y + 4:.1f}", class_="end"))
    shown = range(1, rounds + 1, max(rounds // 15, 1))
    made += [
        tag("text", str(n), x=f"{_x(n, rounds):.1f}", y=_HEIGHT - 8, class_=f"middle{' odd' * (n % 2)}")
        for n in shown
    ]
    return made


def _names(rows: Sequence[season_pb2.Standing], sums: Sequence[Sequence[float]], most: float) -> list[str]:
    """Return the names at the ends of the coloured lines, none above another."""
    made, floor = [], _TOP - _LABEL + 4.0
    for at, (row, points) in enumerate(zip(rows[:COLOURED], sums, strict=False)):
        floor = max(_y(points[-1], most) + 4, floor + _LABEL)
        name = tag(
            "text", text(_cut(row.driver)), x=_WIDTH - _RIGHT + 8, y=f"{floor:.1f}", class_=f"name c{at + 1}"
        )
        made.append(name)
    return made


def _cut(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def spark(shares: Sequence[float | None], about: str) -> str:
    """Return a small line of shares from 0 (bottom) to 1 (top); None is a gap."""
    width, height = _SPARK
    step = (width - 6) / max(len(shares) - 1, 1)
    points = [
        None if share is None else (3 + at * step, 3 + (1 - share) * (height - 6))
        for at, share in enumerate(shares)
    ]
    lines = [tag("path", d=_path(run), class_="spark") for run in _runs(points) if len(run) > 1]
    dots = [tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="2") for x, y in filter(None, points)]
    return tag("svg", *lines, *dots, width=width, height=height, class_="small", role="img", aria_label=about)


def _runs(points: Sequence[Point | None]) -> list[list[Point]]:
    """Return the stretches without a gap."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return runs


def interval(low: float, middle: float, high: float, ends: tuple[float, float]) -> str:
    """Return a value with its interval on a scale."""
    width, height = _RANGE
    scale = (width - 8) / ((ends[1] - ends[0]) or 1.0)
    a, x, b = (4 + (value - ends[0]) * scale for value in (low, middle, high))
    y = height / 2
    return tag(
        "svg",
        tag("path", d=f"M4 {y}H{width - 4}", class_="grid"),
        tag("path", d=f"M{a:.1f} {y}H{b:.1f}", class_="reach"),
        tag("circle", cx=f"{x:.1f}", cy=y, r="3.5"),
        width=width,
        height=height,
        class_="small",
        aria_hidden="true",
    )
