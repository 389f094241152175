"""A plot as a picture: PNG for a chat, SVG or PDF for paper."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rig.signs import visible
from riglap.atomic import atomic_write
from riglap.extras import need
from riglap.plot.panels import X_TITLE, Panel, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH_IN: Final = 12.0
_PANEL_IN: Final = 1.9
_HEAD_IN: Final = 1.1
_DPI: Final = 130
_SECTOR: Final = "#8a8a8a"


def write(path: Path, plot: Plot) -> None:
    """Write the picture in the format of the path's ending. Raises Unavailable without matplotlib."""
    drawn = figure(plot)
    with atomic_write(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a box stands for letters that the font lacks
        drawn.savefig(partial, format=path.suffix[1:].lower(), dpi=_DPI)


def figure(plot: Plot) -> "Figure":
    """Return the figure, with a window nowhere. Raises Unavailable without matplotlib."""
    panels = plot.panels
    # The class, not pyplot: no window system and no state that outlives the picture.
    kind = need("matplotlib.figure", "plot").Figure
    height = _HEAD_IN + _PANEL_IN * len(panels)
    drawn: Figure = kind(figsize=(_WIDTH_IN, height), layout="constrained")
    drawn.suptitle(visible(plot.title), x=0.01, ha="left", weight="bold", parse_math=False)
    axes = drawn.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw(axis, panel)
        for metres in plot.sectors:
            axis.axvline(metres, color=_SECTOR, linewidth=0.8, linestyle=":")
    for number, metres in enumerate(plot.sectors, start=2):
        place = {"xy": (metres, 1), "xycoords": ("data", "axes fraction"), "xytext": (3, -9)}
        axes[0].annotate(f"S{number}", **place, textcoords="offset points", fontsize=8, color=_SECTOR)
    axes[-1].set_xlabel(X_TITLE)
    drawn.align_ylabels(axes)
    lines = axes[plot.fullest].get_lines()[: len(panels[plot.fullest].curves)]
    labels = [visible(str(line.get_label())) for line in lines]
    legend = drawn.legend(lines, labels, loc="outside upper right", frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # names may have dollars in them
    return drawn


def _draw(axis: Any, panel: Panel) -> None:
    for curve in panel.curves:
        axis.plot(curve.x, curve.y, label=curve.label, color=curve.color, linewidth=1.1)
    # Long names are taller than a panel.
    axis.set_ylabel(panel.title.replace(" [", "\n[").replace(", ", "\n"), parse_math=False)
    axis.grid(visible=True, color="#e4e4e4", linewidth=0.6)
    axis.margins(x=0)
    axis.spines[["top", "right"]].set_visible(False)
