"""What the columns of a recording claim, against what its rows show on a stretch of some minutes.

Speed against the way, kelvin against Celsius, 0 to 1 against per cent, a steering angle against the lock
of the wheel, and on which side a turn pulls.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rigclient.imports.channels.column import ChannelSource
from rigclient.imports.channels.naming import TURN_NOTE, TURN_RAD
from rigclient.imports.signals import geography
from rigclient.imports.signals.filling import filled
from rigclient.imports.signals.units import speed_unit, temperature_unit

if TYPE_CHECKING:
    from rigclient.imports.loggers.run import LoggedRun

Array = np.ndarray[Any, np.dtype[Any]]

_STRETCH_ROWS: Final = 20_000
"""200 s at 100 Hz: a lap or two, on which units and signs are checked."""
_LOCKS: Final = ("physical_steering_range", "visual_steering_range")
"""Lock to lock of the driver's wheel, of the one on screen."""
_PEDALS: Final = ("throttle", "brake", "clutch", "throttle_applied", "brake_applied", "clutch_applied")
_FEW: Final = 50
"""Rows at least that a sign is judged by."""
_CALM: Final = 98
"""Percentile of what is compared: a place that jumps makes a turn that nobody drove."""
_SURE: Final = 0.3
"""Least correlation that tells a sign."""


def checked(log: "LoggedRun") -> list[ChannelSource]:
    """Return the sources with the units and signs that the rows show."""
    rows = _stretch(log)
    times, places = log.times[rows], log.places(rows.start, rows.stop)
    flat = None if places is None else places[:, ::2]
    found = []
    for one in _locked(log, rows):
        values = log.column(one.column, rows.start, rows.stop)
        if one.channel.name == "speed":
            one = _checked_speed(log, one, values, flat)
        elif one.channel.unit == "°C":
            one = _checked_temperature(one, values)
        elif one.channel.name in _PEDALS:
            one = _checked_share(one, values)
        found.append(one)
    return _turned(found, log, rows, flat, times) if flat is not None else found


def _stretch(log: "LoggedRun") -> slice:
    """Return the rows that are looked at: from the middle."""
    first = max(len(log.rows) - _STRETCH_ROWS, 0) // 2
    return slice(first, first + _STRETCH_ROWS)


def _locked(log: "LoggedRun", rows: slice) -> list[ChannelSource]:
    """Return the sources, the steering as a share of the wheel's lock where the file tells this."""
    for name in _LOCKS:
        lock = next((one for one in log.sources if one.channel.name == name), None)
        if lock is None:
            continue
        known = log.column(lock.column, rows.start, rows.stop) * lock.factor
        known = known[np.isfinite(known) & (known > 0)]
        if len(known):
            turn = TURN_RAD / (float(np.median(known)) / 2)
            return [
                one._replace(factor=one.factor * turn, note="") if one.note == TURN_NOTE else one
                for one in log.sources
            ]
    return [one for one in log.sources if one.channel.name not in _LOCKS]


def _checked_speed(log: "LoggedRun", one: ChannelSource, values: Array, flat: Array | None) -> ChannelSource:
    rows, way = _stretch(log), flat
    if way is None:
        distance = next((other for other in log.sources if other.channel.name == "distance"), None)
        if distance is not None:
            way = log.column(distance.column, rows.start, rows.stop) * distance.factor
    found = speed_unit(filled(values, log.times[rows]), way, log.times[rows], one.unit)
    return one._replace(unit=found.unit, factor=found.factor, offset=0.0, note=found.note)


def _checked_temperature(one: ChannelSource, values: Array) -> ChannelSource:
    found = temperature_unit(values, one.unit)
    if not found.note:
        return one
    return one._replace(unit=found.unit, factor=found.factor, offset=found.offset, note=found.note)


def _checked_share(one: ChannelSource, values: Array) -> ChannelSource:
    """Return the source by what is its greatest value: 1 or 100."""
    most = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    labelled = f"labelled {one.unit}, holds" if one.unit else "no unit stated, holds"
    if one.unit == "%" and 0.05 < most <= 1.001:
        return one._replace(unit="", factor=np.sign(one.factor), note=f"{labelled} 0 to 1")
    if one.unit != "%" and 1.5 < most <= 110:
        return one._replace(unit="%", factor=np.sign(one.factor) / 100, note=f"{labelled} per cent")
    return one


def _turned(
    found: list[ChannelSource], log: "LoggedRun", rows: slice, flat: Array, times: Array
) -> list[ChannelSource]:
    """Return the sources with accelerations and yaw the way that the car goes."""
    turn = geography.turning(flat, times)
    speed = np.hypot(*np.gradient(flat, times, axis=0).T)
    # To the right is -x, forward -z.
    expected = {
        ("local_acceleration", 0): -turn * speed,
        ("local_acceleration", 2): -np.gradient(speed, times),
        ("local_rotation", 1): turn,
    }
    turned = []
    for one in found:
        wanted = expected.get((one.channel.name, one.place))
        if wanted is not None:
            values = log.column(one.column, rows.start, rows.stop) * one.factor
            if _against(values, wanted):
                one = one._replace(factor=-one.factor, note="counts the other way, as its way shows")
        turned.append(one)
    return turned


def _against(values: Array, wanted: Array) -> bool:
    """Return whether the two go against each other."""
    both = np.isfinite(values) & np.isfinite(wanted)
    if both.sum() < _FEW:
        return False
    both &= np.abs(wanted) < np.percentile(np.abs(wanted[both]), _CALM)
    if both.sum() < _FEW or not values[both].std() or not wanted[both].std():
        return False
    return bool(np.corrcoef(values[both], wanted[both])[0, 1] < -_SURE)
