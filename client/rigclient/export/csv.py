"""A lap as CSV: a line of names and units, then a line per sample."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rigclient.lap import Array, Flat, Rows
from rigclient.whole import whole


def write(lap: Rows, path: Path, channels: Iterable[str] = ()) -> None:
    """Write the columns of `Rows.flat`. Raises MissingChannel.

    Numbers have the fewest digits that read back as the same float32 or float64; missing ones are empty.
    """
    columns = list(lap.flat(channels))
    with whole(path) as place, place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([heading(column) for column in columns])
        writer.writerows(zip(*(_texts(column.values) for column in columns), strict=True))


def heading(column: Flat) -> str:
    """`speed [m/s]`, or the name alone without a unit."""
    return f"{column.name} [{column.unit}]" if column.unit else column.name


def _texts(values: Array) -> list[str]:
    # numpy's own text: a float32 is not spelled out as a double.
    texts = [str(value) for value in np.ma.getdata(values)]
    for row in np.flatnonzero(_missing(values)):
        texts[row] = ""
    return texts


def _missing(values: Array) -> Array:
    absent = np.ma.getmaskarray(values)
    return absent | np.isnan(np.ma.getdata(values)) if values.dtype.kind == "f" else absent
