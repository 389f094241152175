"""A plot as one HTML page that needs nothing else: zoom, hover and hide laps in any browser."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rig.signs import visible
from riglap.extras import need
from riglap.plot.panels import X_TITLE, Panel
from riglap.whole import whole

_PANEL_PX: Final = 220
_HEAD_PX: Final = 120
_LEGEND: Final = {"orientation": "h", "yanchor": "bottom", "y": 1.01, "xanchor": "left", "x": 0.0}
_X_AXIS: Final = {
    "title": {"text": X_TITLE},
    "showspikes": True,
    "spikemode": "across",
    "spikethickness": 1,
    "spikesnap": "cursor",
}


def write(path: Path, title: str, panels: Sequence[Panel]) -> None:
    """Write the page, about 5 MB with the program that draws. Raises Unavailable without plotly."""
    page = _figure(title, panels).to_html(include_plotlyjs=True, full_html=True)
    with whole(path) as place:
        place.write_text(page, encoding="utf-8")


def _figure(title: str, panels: Sequence[Panel]) -> Any:
    """The panels are stacked on one x axis, so that they zoom as one."""
    draw = need("plotly.graph_objects", "plot")
    named: set[str] = set()
    lines = [
        draw.Scatter(curve)
        for row, panel in enumerate(panels, start=1)
        for curve in _curves(panel, f"y{row}", named)
    ]
    figure = draw.Figure(
        lines, {"title": {"text": _plain(title)}, "template": "plotly_white", "legend": _LEGEND}
    )
    figure.update_layout(
        height=_HEAD_PX + _PANEL_PX * len(panels),
        margin={"t": _HEAD_PX},
        grid={"rows": len(panels), "columns": 1, "ygap": 0.12},
        xaxis=_X_AXIS,
        # The values of all laps in all panels, wherever the pointer is.
        hovermode="x unified",
        hoversubplots="axis",
        **{
            f"yaxis{row}": {"title": {"text": _plain(panel.title)}}
            for row, panel in enumerate(panels, start=1)
        },
    )
    return figure


def _plain(text: str) -> str:
    """Names are no HTML, of which plotly takes a part."""
    return html.escape(visible(text), quote=False)


def _curves(panel: Panel, axis: str, named: set[str]) -> list[dict[str, Any]]:
    """The laps of a panel; each is in the legend once, and a click there hides it in all panels."""
    curves: list[dict[str, Any]] = []
    for curve in panel.curves:
        curves.append(
            {
                "x": curve.x,
                "y": curve.y,
                "xaxis": "x",
                "yaxis": axis,
                "name": _plain(curve.label),
                "mode": "lines",
                "line": {"color": curve.color, "width": 1.4},
                "legendgroup": curve.label,
                "showlegend": curve.label not in named,
            }
        )
        named.add(curve.label)
    return curves
