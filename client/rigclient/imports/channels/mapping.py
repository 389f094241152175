"""Columns of a file as channels of the registry: in its units, its types and its order of wheels.

A dialect says of each of its columns what it is:

    "TyrePressureRearLeft": To("tyre_pressure", "psi", RL)

What a column does not hold is NaN; in channels of whole numbers the value before.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from rig.channels import LAP, PHYSICS, Channel
from rigclient.imports.recording import MappedColumn
from rigclient.imports.signals.units import ColumnUnit, temperature_unit
from riglap.formulas.units import Unit, known

Array = np.ndarray[Any, np.dtype[Any]]

FL, FR, RL, RR = range(4)
"""Places of the wheels in a channel of four."""
X, Y, Z = range(3)
"""Places of the axes in a channel of three."""

_BRAKE: Final = "brake_temp"
_CELSIUS: Final = "°C"
_ABSOLUTE_ZERO: Final = -273.0
"""A game that has no sensor tells 0 K; nothing on a car is colder."""
_COLD_K: Final = 250.0
"""Brakes that read 0 at a stop and more than this otherwise are told in kelvin."""


class To(NamedTuple):
    """What a column is."""

    channel: str
    """Name in the registry."""
    unit: str = ""
    """Of the column; "": the channel's own."""
    at: int = 0
    """Place among the values of the channel."""
    sign: float = 1.0
    """-1 where the file counts the other way."""
    note: str = ""
    """What a reader of the mapping is told."""


def wheels(names: Iterable[str], channel: str, unit: str = "", sign: float = 1.0) -> dict[str, To]:
    """Return the columns of the four wheels, whose names come in the order FL, FR, RL, RR."""
    return {name: To(channel, unit, at, sign) for at, name in enumerate(names)}


def channel_of(to: To) -> Channel:
    """Return the channel that a column becomes. Raises KeyError for none of the registry."""
    return LAP.by_name.get(to.channel) or PHYSICS.by_name[to.channel]


def unit_of(to: To, values: Array) -> ColumnUnit:
    """Return what makes a column's values those of its channel, its sign left out."""
    channel = channel_of(to)
    stated = to.unit or channel.unit
    if channel.unit == _CELSIUS:
        return _temperature(channel, values, stated)
    have, want = _known(stated), _known(channel.unit)
    if not have.like(want):
        raise ValueError(f"{stated!r} cannot become {channel.unit!r}")
    return ColumnUnit(stated, have.scale / want.scale, (have.offset - want.offset) / want.scale)


def has_unit(to: To) -> bool:
    """Return whether values in the stated unit can be values of the channel."""
    unit = known(to.unit or channel_of(to).unit)
    return unit is not None and unit.like(_known(channel_of(to).unit))


def _known(name: str) -> Unit:
    unit = known(name)
    if unit is None:
        raise ValueError(f"there is no unit {name!r}")
    return unit


def _temperature(channel: Channel, values: Array, stated: str) -> ColumnUnit:
    if channel.name != _BRAKE:
        return temperature_unit(values[values > _ABSOLUTE_ZERO], stated)
    # Brakes at work are above 200 °C all along, so that their range alone tells nothing.
    finite = values[np.isfinite(values)]
    warm = finite[finite != 0]
    if len(warm) < len(finite) and len(warm) and float(warm.min()) > _COLD_K:
        return ColumnUnit("K", 1.0, -273.15, f"labelled {stated}, holds K")
    return temperature_unit(np.zeros(0), stated)


class ChannelBuilder:
    """Channels as their columns come, all of the same rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns: dict[str, Array] = {}
        self.mapped: Final[list[MappedColumn]] = []
        """What has been put, in its order."""

    def put(self, column: str, values: Array, to: To) -> None:
        """Add a column of the file, float64 of shape (rows,), in the unit that it has there."""
        unit = unit_of(to, values)
        note = "; ".join(filter(None, (unit.note, to.note)))
        self.mapped.append(MappedColumn(column, unit.unit, to.channel, note))
        made = (values * unit.factor + unit.offset) * to.sign
        if channel_of(to).unit == _CELSIUS:
            made = np.where(made > _ABSOLUTE_ZERO, made, np.nan)
        self._whole(to)[:, to.at] = made

    def put_all(self, columns: Mapping[str, Array], known_columns: Mapping[str, To]) -> None:
        """Add the columns that are known and have a value."""
        for column, values in columns.items():
            to = known_columns.get(column)
            if to is not None and np.isfinite(values).any():
                self.put(column, values, to)

    def samples(self) -> dict[str, Array]:
        """Return the channels, in the types of the registry."""
        return {
            name: _typed(channel_of(To(name)), values)
            for name, values in self._columns.items()
            if np.isfinite(values).any()
        }

    def _whole(self, to: To) -> Array:
        shape = (self._rows, channel_of(to).width)
        return self._columns.setdefault(to.channel, np.full(shape, np.nan))


def _typed(channel: Channel, values: Array) -> Array:
    if channel.dtype.kind != "f":
        values = np.nan_to_num(filled(values))
        values = values != 0 if channel.dtype.kind == "b" else _within(channel, np.rint(values))
    made = values.astype(channel.dtype)
    return made[:, 0] if channel.width == 1 else np.ascontiguousarray(made)


def _within(channel: Channel, values: Array) -> Array:
    limits = np.iinfo(channel.dtype)
    return np.clip(values, limits.min, limits.max)


def filled(values: Array) -> Array:
    """Return a column, or some, with the value before where there is none; NaN before the first."""
    column = values.reshape(len(values), -1)
    rows = np.where(np.isfinite(column), np.arange(len(column))[:, None], 0)
    last = np.maximum.accumulate(rows, axis=0)
    return np.take_along_axis(column, last, axis=0).reshape(values.shape)
