"""A plot as a page to explore in a browser: the compare page, with the panels as its strips."""

import itertools
from pathlib import Path
from typing import Final

import numpy as np

from rig.signs import visible
from riglap import html
from riglap.plain import FORMAT, ChannelPlain, Document, LapPlain, column
from riglap.plot.panels import Curve, Panel, Plot
from riglap.rows import Array

_MOST_CELLS: Final = 120_000


def write(path: Path, plot: Plot) -> None:
    """Write the page, 0.2 MB and the curves. Raises Unavailable where the page was not built, OSError."""
    html.write(path, document(plot))


def document(plot: Plot) -> Document:
    """Return the plot as a comparison document: its curves on one grid of a metre, without times."""
    longest = max((_longest(curve) for panel in plot.panels for curve in panel.curves), default=1.0)
    cells = min(max(round(longest), 1), _MOST_CELLS)
    places = np.linspace(0.0, max(longest, 1.0), cells + 1)
    labels = [curve.label for curve in plot.panels[plot.fullest].curves]
    return {
        "format": FORMAT,
        "track": visible(plot.title),
        "length": float(places[-1]),
        "cells": cells,
        "reference": 0,
        "circuit": None,
        "segments": [],
        "sectors": [
            {"kind": "sector", "title": f"S{at}", "corner": 0, "pieces": [list(piece)]}
            for at, piece in enumerate(_sectors(plot.sectors, float(places[-1])), start=1)
        ],
        "minis": [],
        "channels": [_channel(panel) for panel in plot.panels],
        "laps": [_lap(label, plot.panels, places) for label in labels],
        "advice": [],
        "notes": [],
    }


def _longest(curve: Curve) -> float:
    known = curve.x[np.isfinite(curve.x)]
    return float(known.max()) if len(known) else 0.0


def _sectors(lines: tuple[float, ...], length: float) -> list[tuple[float, float]]:
    edges = (0.0, *lines, length)
    return list(itertools.pairwise(edges)) if lines else []


def _channel(panel: Panel) -> ChannelPlain:
    """Return what a panel shows; its title says the unit that people think in."""
    name, _, rest = panel.title.partition(" [")
    return {
        "name": panel.title,
        "title": visible(name),
        "unit": "",
        "shown": rest.partition("]")[0],
        "description": visible(panel.title),
        "steps": all(_whole(curve.y) for curve in panel.curves),
        "formula": False,
    }


def _whole(values: Array) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known)) and len(np.unique(known)) <= 32 and bool(np.all(known == np.rint(known)))


def _lap(label: str, panels: list[Panel], places: Array) -> LapPlain:
    curves = {panel.title: curve for panel in panels for curve in panel.curves if curve.label == label}
    return {
        "name": label,
        "title": visible(label),
        "driver": "",
        "vehicle": "",
        "vehicle_class": "",
        "lap_time": None,
        "valid": True,
        "ideal": False,
        "sectors": [],
        "start": None,
        "how": "distance",
        "error": 0.0,
        "doubts": [],
        "time": None,
        "channels": {title: column(_on_grid(curve, places)) for title, curve in curves.items()},
        "corners": [],
    }


def _on_grid(curve: Curve, places: Array) -> Array:
    """Return a curve at the places, NaN outside and where it has none; where the car rolled back, the
    farthest distance so far counts.
    """
    known = np.isfinite(curve.x)
    if not known.any():
        return np.full(len(places), np.nan)
    x = np.maximum.accumulate(curve.x[known].astype(np.float64))
    y = curve.y[known].astype(np.float64)
    if _whole(y):
        at = np.clip(np.searchsorted(x, places, "right") - 1, 0, None)
        return np.where((places >= x[0]) & (places <= x[-1]), y[at], np.nan)
    return np.interp(places, x, y, np.nan, np.nan)
