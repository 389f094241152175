"""Channels out of columns that are held whole: in the registry's units, its types and its order of wheels.

What a column does not hold is NaN; in channels of whole numbers the value before.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from rig.channels import Channel
from rigclient.imports.channels.column import ABSOLUTE_ZERO, CELSIUS, To, channel_of, source_of
from rigclient.imports.recording import MappedColumn

Array = np.ndarray[Any, np.dtype[Any]]


class ChannelBuilder:
    """Channels as their columns come, all of the same rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns: dict[str, Array] = {}
        self.mapped: Final[list[MappedColumn]] = []
        """What has been put, in its order."""

    def put(self, column: str, values: Array, to: To) -> None:
        """Add a column of the file, float64 of shape (rows,), in the unit that it has there."""
        source = source_of(column, to, values)
        self.mapped.append(source.mapped)
        made = values * source.factor + source.offset
        if source.channel.unit == CELSIUS:
            made = np.where(made > ABSOLUTE_ZERO, made, np.nan)
        self._whole(source.channel)[:, source.place] = made

    def put_all(self, columns: Mapping[str, Array], known_columns: Mapping[str, To]) -> None:
        """Add the columns that are known and have a value."""
        for column, values in columns.items():
            to = known_columns.get(column)
            if to is not None and np.isfinite(values).any():
                self.put(column, values, to)

    def samples(self) -> dict[str, Array]:
        """Return the channels, in the types of the registry."""
        return {
            name: _plain(channel_of(To(name)), values)
            for name, values in self._columns.items()
            if np.isfinite(values).any()
        }

    def _whole(self, channel: Channel) -> Array:
        return self._columns.setdefault(channel.name, np.full((self._rows, channel.width), np.nan))


def _plain(channel: Channel, values: Array) -> Array:
    if channel.dtype.kind == "f":
        return typed(channel, values)
    whole = np.nan_to_num(filled(values))
    return typed(channel, whole != 0 if channel.dtype.kind == "b" else whole)


def typed(channel: Channel, values: Array) -> Array:
    """Return values of shape (rows, width) in the channel's type, whole ones rounded and within its limits;
    of shape (rows,) where it has one value.
    """
    if channel.dtype.kind in "iu":
        limits = np.iinfo(channel.dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    made = values.astype(channel.dtype)
    return made[:, 0] if channel.width == 1 else np.ascontiguousarray(made)


def filled(values: Array) -> Array:
    """Return a column, or some, with the value before where there is none; NaN before the first."""
    column = values.reshape(len(values), -1)
    rows = np.where(np.isfinite(column), np.arange(len(column))[:, None], 0)
    last = np.maximum.accumulate(rows, axis=0)
    return np.take_along_axis(column, last, axis=0).reshape(values.shape)
