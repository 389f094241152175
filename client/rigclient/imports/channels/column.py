"""What a column of another program is among the channels of the registry.

A dialect says so of each of its columns:

    "TyrePressureRearLeft": To("tyre_pressure", "psi", RL)
"""

from collections.abc import Iterable
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

CELSIUS: Final = "°C"
ABSOLUTE_ZERO: Final = -273.0
"""A game that has no sensor tells 0 K; nothing on a car is colder."""
_BRAKE: Final = "brake_temp"
_COLD_K: Final = 250.0
"""Brakes that read 0 at a stop and more than this otherwise are told in kelvin."""


class To(NamedTuple):
    """What a column is."""

    channel: str
    """Name in the registry."""
    unit: str = ""
    """Of the column, where the file states none; "": the channel's own."""
    at: int = 0
    """Place among the values of the channel."""
    times: float = 1.0
    """-1 where the file counts the other way."""
    plus: float = 0.0
    """Added in the channel's unit: 1, where the file counts a pedal from the other end."""
    note: str = ""
    """What a reader of the mapping is told."""


class ChannelSource(NamedTuple):
    """A column of the file behind a channel: value * factor + offset is in the channel's unit and sign."""

    column: str
    unit: str
    channel: Channel
    place: int
    """Which of the channel's values."""
    factor: float
    offset: float = 0.0
    note: str = ""

    @property
    def mapped(self) -> MappedColumn:
        """What is told of it."""
        return MappedColumn(self.column, self.unit, self.channel.name, self.note)


def wheels(names: Iterable[str], channel: str, unit: str = "", times: float = 1.0) -> dict[str, To]:
    """Return the columns of the four wheels, whose names come in the order FL, FR, RL, RR."""
    return {name: To(channel, unit, at, times) for at, name in enumerate(names)}


def channel_of(to: To) -> Channel:
    """Return the channel that a column becomes. Raises KeyError for none of the registry."""
    return LAP.by_name.get(to.channel) or PHYSICS.by_name[to.channel]


def has_unit(to: To) -> bool:
    """Return whether values in the stated unit can be values of the channel: volts of a sensor cannot."""
    unit = known(to.unit or channel_of(to).unit)
    return unit is not None and unit.like(_known(channel_of(to).unit))


def source(column: str, to: To) -> ChannelSource:
    """Return a column in the unit that is stated. Raises ValueError where it cannot be the channel's."""
    channel = channel_of(to)
    stated = to.unit or channel.unit
    have, want = _known(stated), _known(channel.unit)
    if not have.like(want):
        raise ValueError(f"{stated!r} cannot become {channel.unit!r}")
    return _source(column, to, ColumnUnit(stated, have.scale / want.scale, have.offset))


def source_of(column: str, to: To, values: Array) -> ChannelSource:
    """Return a column in the unit that its values, float64 of shape (rows,), show: temperatures show theirs.
    Raises ValueError as `source` does.
    """
    channel = channel_of(to)
    if channel.unit != CELSIUS:
        return source(column, to)
    return _source(column, to, _temperature(channel, values, to.unit or channel.unit))


def _source(column: str, to: To, unit: ColumnUnit) -> ChannelSource:
    note = "; ".join(filter(None, (unit.note, to.note)))
    factor, offset = unit.factor * to.times, unit.offset * to.times + to.plus
    return ChannelSource(column, unit.unit, channel_of(to), to.at, factor, offset, note)


def _known(name: str) -> Unit:
    unit = known(name)
    if unit is None:
        raise ValueError(f"there is no unit {name!r}")
    return unit


def _temperature(channel: Channel, values: Array, stated: str) -> ColumnUnit:
    if channel.name != _BRAKE:
        return temperature_unit(values[values > ABSOLUTE_ZERO], stated)
    # Brakes at work are above 200 °C all along, so that their range alone tells nothing.
    finite = values[np.isfinite(values)]
    warm = finite[finite != 0]
    if len(warm) < len(finite) and len(warm) and float(warm.min()) > _COLD_K:
        return ColumnUnit("K", 1.0, -273.15, f"labelled {stated}, holds K")
    return temperature_unit(np.zeros(0), stated)
