"""A plot as a picture: PNG for a chat, SVG or PDF for paper."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rig.signs import visible
from riglap.extras import need
from riglap.plot.panels import X_TITLE, Panel
from riglap.whole import whole

_WIDTH_IN: Final = 12.0
_PANEL_IN: Final = 1.9
_HEAD_IN: Final = 1.1
_DPI: Final = 130


def write(path: Path, title: str, panels: Sequence[Panel]) -> None:
    """Write the picture in the format of the path's ending. Raises Unavailable without matplotlib."""
    figure = _figure(title, panels)
    with whole(path) as place, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a box stands for letters that the font lacks
        figure.savefig(place, format=path.suffix[1:].lower(), dpi=_DPI)


def _figure(title: str, panels: Sequence[Panel]) -> Any:
    # The class, not pyplot: no window system and no state that outlives the picture.
    kind = need("matplotlib.figure", "plot").Figure
    height = _HEAD_IN + _PANEL_IN * len(panels)
    figure = kind(figsize=(_WIDTH_IN, height), layout="constrained")
    figure.suptitle(visible(title), x=0.01, ha="left", weight="bold", parse_math=False)
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw(axis, panel)
    axes[-1].set_xlabel(X_TITLE)
    figure.align_ylabels(axes)
    lines = axes[0].get_lines()
    labels = [visible(str(line.get_label())) for line in lines]
    legend = figure.legend(lines, labels, loc="outside upper right", frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # names may have dollars in them
    return figure


def _draw(axis: Any, panel: Panel) -> None:
    for curve in panel.curves:
        axis.plot(curve.x, curve.y, label=curve.label, color=curve.color, linewidth=1.1)
    # Long names are taller than a panel.
    axis.set_ylabel(panel.title.replace(" [", "\n[").replace(", ", "\n"), parse_math=False)
    axis.grid(visible=True, color="#e4e4e4", linewidth=0.6)
    axis.margins(x=0)
    axis.spines[["top", "right"]].set_visible(False)
