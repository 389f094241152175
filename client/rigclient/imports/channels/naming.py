"""Columns that become channels by their names and units.

The names are those of `riglap.formulas.aliases`, of the registry, and what a dialect adds. A column whose
unit cannot be turned into that of the channel, such as the volts of a sensor, becomes none.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from rig.channels import LAP, PHYSICS
from rigclient.imports.channels.column import ChannelSource, To, channel_of, has_unit, source
from riglap.formulas.aliases import ALIASES, COMPONENTS
from riglap.formulas.units import known

_BRACKETS: Final = re.compile(r"\s*[\[(][^\[\](){}]*[\])}]\s*$")
_NAME_BYTES: Final = 31
"""Letters that MoTeC keeps of a name."""
_OWN: Final = frozenset(("seq", "capture_time_ns", "session_time", "lap_time", "whole", "id", "elapsed_time"))
"""Channels that the import makes itself."""
STEERING: Final = ("steering", "steering_applied")
TURN_RAD: Final = 6.283185307179586
"""Of a wheel whose lock nobody tells: 1 stands for a full turn."""
TURN_NOTE: Final = "the file tells no lock: 1 stands for a full turn of the wheel"

_CHANNELS: Final = {one.name: one for one in (*LAP.channels, *PHYSICS.channels) if one.name not in _OWN}
_COMPONENTS: Final = {
    column: To(name, at=at) for column, (name, at) in COMPONENTS.items() if name in _CHANNELS
} | {one.name: To(one.name) for one in _CHANNELS.values() if one.width == 1}
"""By name of a channel with one value, or of one of its values, such as local_velocity_x."""
_BY_TITLE: Final = {column.replace("_", " ")[:_NAME_BYTES]: to for column, to in _COMPONENTS.items()}


def plain_name(name: str) -> str:
    """Return the name in lower case with blanks, without a unit in brackets."""
    return _BRACKETS.sub("", name).replace("_", " ").strip().lower()


def sources(columns: Iterable[tuple[str, str]], own: Mapping[str, To] | None = None) -> list[ChannelSource]:
    """Return the columns, of name and unit, that become channels; `own` are the dialect's names. Of two that
    are the same value the first stays.
    """
    found: dict[tuple[str, int], ChannelSource] = {}
    for name, unit in columns:
        to = _named(name, own or {})
        one = to and _source(name, to._replace(unit=unit or to.unit))
        if one is not None:
            found.setdefault((one.channel.name, one.place), one)
    return list(found.values())


def _named(name: str, own: Mapping[str, To]) -> To | None:
    """Return what a name means, in the unit that it has where the file states none."""
    plain = plain_name(name)
    if (to := own.get(name) or own.get(plain)) is not None:
        return to
    if plain in _BY_TITLE and plain not in ALIASES:
        return _BY_TITLE[plain]
    alias = ALIASES.get(plain)
    if alias is None or alias.column not in _COMPONENTS:
        return None
    times = -1.0 if alias.factor < 0 else 1.0
    return _COMPONENTS[alias.column]._replace(unit=alias.unit.name, times=times)


def _source(name: str, to: To) -> ChannelSource | None:
    angle = known(to.unit) if to.channel in STEERING and _is_angle(to.unit) else None
    if angle is not None:
        factor = to.times * angle.scale / TURN_RAD
        return ChannelSource(name, to.unit, channel_of(to), to.at, factor, note=TURN_NOTE)
    return source(name, to) if has_unit(to) else None


def _is_angle(unit: str) -> bool:
    return unit.lower() in ("rad", "deg", "°", "degrees")


def left(
    columns: Iterable[str], mapped: Iterable[ChannelSource], used: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the columns without a channel that served for nothing else either."""
    taken = {one.column for one in mapped} | set(used)
    return tuple(name for name in columns if name and name not in taken)
