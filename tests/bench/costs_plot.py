"""The picture of what things cost as they grow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

Figures = Mapping[str, float]
Axes = Mapping[str, tuple[float, ...]]

SVG: Final = Path(__file__).with_name("costs.svg")

_TITLES: Final = {
    "cars": "cars",
    "channels": "channels of each subscriber",
    "subscribers": "subscribers",
    "ring_gb": "GB of a full ring",
}
_ROWS: Final = {"core_pct": "% of a core", "rss_mb": "memory, MB"}
_CAPTION: Final = "50 Hz; what does not grow is 40 cars, 12 channels, 8 subscribers"
_COLOURS: Final = {"recorder": "#1f5fa8", "server": "#c2570c"}
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "costs",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "grid.color": "#e4e4e4",
}


def draw(figures: Figures, axes: Axes, path: Path) -> None:
    """Two rows, CPU and memory, and a column per thing that grows; one scale per row."""
    import matplotlib.pyplot as plt  # half a second, also for each who only collects the bench's tests

    with plt.rc_context(_STYLE):
        size = (2.5 * len(axes), 4.4)
        figure, grid = plt.subplots(2, len(axes), sharex="col", sharey="row", squeeze=False, figsize=size)
        for row, what in enumerate(_ROWS):
            for panel, (axis, values) in zip(grid[row], axes.items(), strict=True):
                _panel(panel, figures, axis, values, what)
            grid[row][0].set_ylabel(_ROWS[what])
            highest = max(line.get_ydata().max() for panel in grid[row] for line in panel.lines)
            grid[row][0].set_ylim(0, 1.05 * highest)
        for panel, axis in zip(grid[-1], axes, strict=True):
            panel.set_xlabel(_TITLES[axis])
        _names(figure, grid[0][0])
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        plt.close(figure)


def _panel(panel: Any, figures: Figures, axis: str, values: tuple[float, ...], what: str) -> None:
    for who, colour in _COLOURS.items():
        heights = np.array([figures[f"costs.{axis}_{value:g}.{who}_{what}"] for value in values])
        panel.plot(values, heights, color=colour, marker="o", markersize=3.5, label=who, clip_on=False)
    panel.set_xticks(values, [f"{value:g}" for value in values])
    panel.set_xlim(0, 1.02 * max(values))
    panel.grid(axis="y")
    panel.set_axisbelow(True)


def _names(figure: Any, panel: Any) -> None:
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.text(0.015, 0.955, _CAPTION, color="#555555")
    words = {"loc": "upper right", "ncols": len(_COLOURS), "frameon": False}
    figure.legend(*panel.get_legend_handles_labels(), labelcolor="linecolor", **words)
