"""A plot as one HTML page that needs nothing else: zoom, hover and hide laps in any browser."""

import html
from pathlib import Path
from typing import Any, Final

from rig.signs import visible
from riglap.atomic import atomic_write
from riglap.extras import need
from riglap.plot.panels import X_TITLE, Panel, Plot

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
_SECTOR: Final = {"color": "#9a9a9a", "width": 1, "dash": "dot"}
_SECTOR_NAME: Final = {"showarrow": False, "xanchor": "left", "yanchor": "top", "font": {"color": "#6a6a6a"}}


def write(path: Path, plot: Plot) -> None:
    """Write the page, about 5 MB with the program that draws. Raises Unavailable without plotly."""
    page = _figure(plot).to_html(include_plotlyjs=True, full_html=True)
    with atomic_write(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _figure(plot: Plot) -> Any:
    """Return the figure: panels stacked on one x axis, so that they zoom as one."""
    draw = need("plotly.graph_objects", "plot")
    panels, named = plot.panels, set[str]()
    ranks = {curve.label: at for at, curve in enumerate(panels[plot.fullest].curves)}
    lines = [
        draw.Scatter(curve)
        for row, panel in enumerate(panels, start=1)
        for curve in _curves(panel, f"y{row}", named, ranks)
    ]
    figure = draw.Figure(
        lines, {"title": {"text": _plain(plot.title)}, "template": "plotly_white", "legend": _LEGEND}
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
    for number, metres in enumerate(plot.sectors, start=2):
        figure.add_shape(type="line", xref="x", yref="paper", x0=metres, x1=metres, y0=0, y1=1, line=_SECTOR)
        figure.add_annotation(x=metres, y=1, yref="paper", text=f"S{number}", **_SECTOR_NAME)
    return figure


def _plain(text: str) -> str:
    """Return a name as plain text: plotly would take a part of HTML."""
    return html.escape(visible(text), quote=False)


def _curves(panel: Panel, axis: str, named: set[str], ranks: dict[str, int]) -> list[dict[str, Any]]:
    """Return the curves of a panel; each lap is in the legend once, and a click there hides it in all
    panels.
    """
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
                "legendrank": ranks[curve.label],
                "showlegend": curve.label not in named,
            }
        )
        named.add(curve.label)
    return curves
