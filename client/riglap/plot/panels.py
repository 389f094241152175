"""What a plot shows: panels one below the other, in each a curve per lap, all over the distance."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from rig.errors import RigError
from riglap.lap import Lap
from riglap.names import short_names
from riglap.rows import Array, FlatColumn
from riglap.times import lap_time

COLORS: Final = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")
"""Of the laps; after the last the first comes again. Apart from each other in any eye and on any paper."""

X_TITLE: Final = "distance [m]"

_SHOWN_AS: Final = {"m/s": ("km/h", 3.6), "rad": ("°", 180 / np.pi)}
"""Units that people think in, by those of the registry, and the factor."""
_ABSENT: Final = ", not available"
_STEP_M: Final = 2.0
"""Grid of the delta: at 80 m/s a 50 Hz sample lies every 1.6 m."""
_MOST_STEPS: Final = 100_000
"""200 km: longer than any lap. What a file says of its length decides no array."""


class Curve(NamedTuple):
    """One lap in one panel."""

    label: str
    color: str
    x: Array
    y: Array


class Panel(NamedTuple):
    """One channel, or the delta."""

    title: str
    curves: list[Curve]


class Plot(NamedTuple):
    """All that is drawn."""

    title: str
    panels: list[Panel]
    sectors: tuple[float, ...] = ()
    """Where sectors 2 and 3 begin, in metres."""

    @property
    def fullest(self) -> int:
        """Position of the first panel with all laps: the delta lacks the one that it is the delta to."""
        return max(range(len(self.panels)), key=lambda at: len(self.panels[at].curves))


def plot_of(laps: Sequence[Lap], channels: Iterable[str]) -> Plot:
    """Return the plot of laps: see `panels`. The sectors are those of the first lap that has them."""
    found = (sector_lines(lap) for lap in laps)
    return Plot(title(laps), panels(laps, channels), next(filter(None, found), ()))


def sector_lines(lap: Lap) -> tuple[float, ...]:
    """Return where sectors 2 and 3 begin, in metres; nothing where the lap does not say so."""
    info = lap.info
    if info.sector1 is None or info.sector2 is None or not len(lap.distance):
        return ()
    ends = np.array([info.sector1, info.sector1 + info.sector2])
    metres = np.interp(ends, lap.lap_time, lap.distance, left=np.nan, right=np.nan)
    return tuple(metres.tolist()) if np.isfinite(metres).all() else ()


def panels(laps: Sequence[Lap], channels: Iterable[str]) -> list[Panel]:
    """Return, of several laps, the delta to the first, then a panel per column of these channels.

    What a wheel has several of is drawn as their mean, a panel per wheel. Where a channel is not available
    the curve is NaN, and where it is so in all laps, the title says it. Raises MissingChannel.
    """
    shown = _channels(laps, tuple(channels))
    return [_delta(laps), *shown] if len(laps) > 1 else shown


def labels(laps: Sequence[Lap]) -> list[str]:
    """Return car012-0003 A. Alder 1:42.773 and the like; of several sessions 5f3a-2/car012-0003 ..."""
    names = short_names([lap.info.name for lap in laps])
    words = (
        (name, lap.info.driver, lap_time(lap.info.lap_time or 0.0))
        for name, lap in zip(names, laps, strict=True)
    )
    return [" ".join(filter(None, of_lap)) for of_lap in words]


def title(laps: Sequence[Lap]) -> str:
    """Return the tracks, each once: laps of several are not told apart by their curves."""
    return ", ".join(dict.fromkeys(lap.session.track_name for lap in laps if lap.session.track_name))


def color(at: int) -> str:
    """Return the colour of the lap at this position, as #rrggbb."""
    return COLORS[at % len(COLORS)]


def shown_as(unit: str) -> tuple[str, float]:
    """Return the unit that people think in, and the factor from that of the registry."""
    return _SHOWN_AS.get(unit, (unit, 1.0))


def titled(name: str, unit: str) -> str:
    """Return the title of a panel: speed [km/h]."""
    return f"{name} [{unit}]" if unit else name


def _channels(laps: Sequence[Lap], channels: tuple[str, ...]) -> list[Panel]:
    flat = [list(_columns(lap, channels)) for lap in laps]
    names, drawn = labels(laps), []
    for columns in zip(*flat, strict=True):
        unit, factor = shown_as(columns[0].unit)
        curves = [
            Curve(names[at], color(at), lap.distance, np.ma.filled(column.values * factor, np.nan))
            for at, (lap, column) in enumerate(zip(laps, columns, strict=True))
        ]
        known = any(np.isfinite(curve.y).any() for curve in curves)
        drawn.append(Panel(titled(columns[0].name, unit) + ("" if known else _ABSENT), curves))
    return drawn


def _columns(lap: Lap, channels: Iterable[str]) -> Iterator[FlatColumn]:
    """Yield columns of shape (rows,); of several values per wheel the mean."""
    for name in channels:
        wheels = list(lap.by_wheel(name))
        if wheels[0].name == name and name in lap:
            yield from lap.flat([name])  # the car's
        else:
            yield from (wheel._replace(values=wheel.values.mean(axis=1)) for wheel in wheels)


def _delta(laps: Sequence[Lap]) -> Panel:
    """Return the delta of every other lap to the first: time lost (above zero) at the same place [s].

    Laps with positions as `riglap.compare` has it; all others at the same distance.
    """
    return _placed(laps) or _at_distance(laps)


def _placed(laps: Sequence[Lap]) -> Panel | None:
    """Return the delta along the line of a lap, None where not all of them can be compared so."""
    from riglap.compare import compare  # most plots are of one lap

    if not all(lap.info.complete and "position" in lap and "lap_time" in lap for lap in laps):
        return None
    try:
        found = compare(laps)
    except RigError:
        return None
    if found.circuit is None:
        return None
    names, metres = labels(laps), found.places * (found.circuit.track_length / found.circuit.length)
    curves = [Curve(names[at], color(at), metres, found.delta(at - 1)) for at in range(1, len(laps))]
    (name,) = short_names([laps[0].info.name])
    return Panel(behind(name), curves)


def _at_distance(laps: Sequence[Lap]) -> Panel:
    metres = np.arange(math.ceil(min(_length(laps[0]) / _STEP_M, _MOST_STEPS))) * _STEP_M
    base, names = laps[0].over_distance("lap_time", metres), labels(laps)
    curves = [
        Curve(names[at], color(at), metres, lap.over_distance("lap_time", metres) - base)
        for at, lap in enumerate(laps[1:], start=1)
    ]
    (name,) = short_names([laps[0].info.name])
    return Panel(behind(name), curves)


def behind(name: str) -> str:
    """Return the title of the delta to a lap or driver: behind car012-0003 [s]."""
    return f"behind {name} [s]"


def _length(lap: Lap) -> float:
    return float(np.nanmax(lap.distance, initial=0.0))
