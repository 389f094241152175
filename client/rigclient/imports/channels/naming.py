"""Columns of other programs and the channels that they become: by name and unit.

The names are those of `riglap.formulas.aliases`, of the registry, and what a dialect adds; the factors come
from the units of `riglap.formulas.units`. A column whose unit cannot be turned into that of the channel, such
as the volts of a sensor, becomes none.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rig.channels import LAP, PHYSICS, Channel
from rigclient.imports.recording import MappedColumn
from riglap.formulas import units
from riglap.formulas.aliases import ALIASES, COMPONENTS

_BRACKETS: Final = re.compile(r"\s*[\[(][^\[\](){}]*[\])}]\s*$")
_NAME_BYTES: Final = 31
"""Letters that MoTeC keeps of a name."""
_OWN: Final = frozenset(("seq", "capture_time_ns", "session_time", "lap_time", "whole", "id", "elapsed_time"))
"""Channels that the import makes itself."""
STEERING: Final = ("steering", "steering_applied")
TURN_RAD: Final = 6.283185307179586
"""Of a wheel whose lock nobody tells: 1 stands for a full turn."""
TURN_NOTE: Final = "the file tells no lock: 1 stands for a full turn of the wheel"


class Named(NamedTuple):
    """What a dialect's name means: a channel or one of its values, such as local_velocity_x."""

    column: str
    unit: str = ""
    """Where the file states none."""
    times: float = 1.0
    """-1 where the file counts the other way."""
    plus: float = 0.0
    """Added in the channel's unit: 1, where the file counts a pedal from the other end."""


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


_CHANNELS: Final = {one.name: one for one in (*LAP.channels, *PHYSICS.channels) if one.name not in _OWN}
_COLUMNS: Final = {
    column: (_CHANNELS[name], place) for column, (name, place) in COMPONENTS.items() if name in _CHANNELS
} | {one.name: (one, 0) for one in _CHANNELS.values() if one.width == 1}
_BY_TITLE: Final = {column.replace("_", " ")[:_NAME_BYTES]: column for column in _COLUMNS}


def plain_name(name: str) -> str:
    """Return the name in lower case with blanks, without a unit in brackets."""
    return _BRACKETS.sub("", name).replace("_", " ").strip().lower()


def sources(
    columns: Iterable[tuple[str, str]], own: Mapping[str, Named] | None = None
) -> list[ChannelSource]:
    """Return the columns, of name and unit, that become channels; `own` are the dialect's names. Of two that
    are the same value the first stays.
    """
    found: dict[tuple[str, int], ChannelSource] = {}
    for name, unit in columns:
        one = _source(name, unit, own or {})
        if one is not None:
            found.setdefault((one.channel.name, one.place), one)
    return list(found.values())


def _source(name: str, unit: str, own: Mapping[str, Named]) -> ChannelSource | None:
    named = own.get(name) or own.get(plain_name(name))
    if named is not None:
        one = _converted(name, unit or named.unit, named.column, named.times)
        return one and one._replace(offset=one.offset + named.plus)
    plain = plain_name(name)
    if plain in _BY_TITLE and plain not in ALIASES:
        column = _BY_TITLE[plain]
        return _converted(name, unit or _COLUMNS[column][0].unit, column, 1.0)
    alias = ALIASES.get(plain)
    if alias is None or alias.column not in _COLUMNS:
        return None
    return _converted(name, unit or alias.unit.name, alias.column, -1.0 if alias.factor < 0 else 1.0)


def _converted(name: str, unit: str, column: str, sign: float) -> ChannelSource | None:
    channel, place = _COLUMNS[column]
    stated, wanted = units.known(unit), units.known(channel.unit)
    if stated is None or wanted is None or not stated.like(wanted):
        return None
    if channel.name in STEERING and _is_angle(unit):
        return ChannelSource(name, unit, channel, place, sign * stated.scale / TURN_RAD, note=TURN_NOTE)
    factor = sign * stated.scale / wanted.scale
    return ChannelSource(name, unit, channel, place, factor, stated.offset)


def _is_angle(unit: str) -> bool:
    return unit.lower() in ("rad", "deg", "°", "degrees")


def left(
    columns: Iterable[str], mapped: Iterable[ChannelSource], used: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the columns without a channel that served for nothing else either."""
    taken = {one.column for one in mapped} | set(used)
    return tuple(name for name in columns if name and name not in taken)
