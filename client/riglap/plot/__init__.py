"""Laps drawn over the distance from the line: as a page to explore, or as a picture."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rig.errors import BadRequest
from riglap.lap import Lap
from riglap.plot import page, picture
from riglap.plot.panels import plot_of
from riglap.rows import channel_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WRITERS: Final[dict[str, Any]] = {".html": page, ".png": picture, ".svg": picture, ".pdf": picture}
"""What writes panels into a file, by its ending."""

USUAL: Final = ("speed", "throttle", "brake", "gear")
"""Channels where none are named."""


def writer_of(path: Path) -> Any:
    """Return what writes panels into a file with this ending. Raises BadRequest for an unknown one."""
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise BadRequest(f"{path} has no known ending", hint=f"there are {', '.join(WRITERS)}")
    return writer


def draw(laps: Sequence[Lap], channels: Iterable[str] = (), path: Path | None = None) -> "Figure":
    """Return a figure of laps, the first of which the others are compared with; see `Lap.plot`."""
    writer = writer_of(path) if path is not None else None
    plot = plot_of(laps, _chosen(laps, tuple(channels)))
    drawn = picture.figure(plot)
    if writer is not None and path is not None:
        writer.write(path, plot)
    return drawn


def _chosen(laps: Sequence[Lap], channels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the channels, or the usual ones that all laps have. Raises MissingChannel for the axes as
    well.
    """
    chosen = channels or tuple(name for name in USUAL if all(name in lap for lap in laps)) or USUAL
    for lap in laps:
        for name in ("distance", "lap_time", *map(channel_of, chosen)):
            lap[name]
    return chosen
