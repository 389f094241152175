"""Curves and dots in braille: two by four points in a cell."""

from typing import Any, Final

import numpy as np

Bits = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
Values = np.ndarray[Any, np.dtype[np.float64]]

_WEIGHTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.int64)
_FIRST: Final = 0x2800


def cells(bits: Bits) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return dot patterns of points (4 * rows, 2 * columns): 0 where a cell is empty."""
    rows, columns = bits.shape[0] // 4, bits.shape[1] // 2
    quads = bits.reshape(rows, 4, columns, 2).transpose(0, 2, 1, 3)
    patterns: np.ndarray[tuple[int, int], np.dtype[np.int64]] = (quads * _WEIGHTS).sum(axis=(2, 3))
    return patterns


def text(patterns: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """Return one row of patterns as characters; empty cells are blanks, which look the same in every font."""
    return "".join(chr(_FIRST + int(pattern)) if pattern else " " for pattern in patterns)


def curve(shares: Values, height: int) -> Bits:
    """Return points of a curve, one share (0 bottom, 1 top) a column of points; NaN leaves its column empty.

    Each column is filled from the value before to its own, so that steep flanks stay connected.
    """
    known = ~np.isnan(shares)
    levels = np.round((1.0 - np.clip(np.nan_to_num(shares), 0.0, 1.0)) * (4 * height - 1)).astype(int)
    before = np.concatenate((levels[:1], levels[:-1]))
    before = np.where(np.concatenate((known[:1], known[:-1])), before, levels)
    rows = np.arange(4 * height)[:, None]
    points: Bits = (rows >= np.minimum(before, levels)) & (rows <= np.maximum(before, levels)) & known
    return points


def ring(height: int, width: int, radius: float) -> Bits:
    """Return points of a circle in the middle; `radius` as a share of half the height."""
    x = (np.arange(2 * width) - width + 0.5) / (2 * height)
    y = (np.arange(4 * height)[:, None] - 2 * height + 0.5) / (2 * height)
    on_ring: Bits = np.abs(np.hypot(x, y) - radius) < 0.55 / (2 * height)
    return on_ring
