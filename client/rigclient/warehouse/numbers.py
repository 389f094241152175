"""Columns of batches as numpy arrays, without pyarrow's own way, which loads pandas: 45 MB."""

from typing import Any

import numpy as np
import numpy.typing as npt

_BYTES = 8


def numbers(column: Any) -> npt.NDArray[np.float64]:
    """Return a column of numbers or truths as float64, shape (rows,): NaN where there is no value."""
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    return np.concatenate([np.empty(0), *map(_numbers, chunks)])


def _numbers(array: Any) -> npt.NDArray[np.float64]:
    array = array.cast("float64")
    known, values = array.buffers()
    if not len(array):
        return np.empty(0)
    found = np.frombuffer(values, np.float64, len(array), array.offset * _BYTES)
    if not array.null_count:
        return found
    bits = np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little")
    there = bits[array.offset : array.offset + len(array)].view(bool)
    return np.where(there, found, np.nan)
