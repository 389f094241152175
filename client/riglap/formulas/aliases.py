"""Channels as MoTeC's users call them: for formulas that are pasted in."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from rig.channels import LAP, PHYSICS, components
from riglap.export.signals import motec_names
from riglap.formulas.units import NONE, Unit, known


class Alias(NamedTuple):
    """A column of ours behind a name of MoTeC's: values times `factor` are in `unit`."""

    column: str
    unit: Unit
    factor: float


_OTHERS: Final = {
    **dict.fromkeys(("Corr Speed", "Vehicle Speed", "Drive Speed", "GPS Speed", "Speed"), "Ground Speed"),
    **dict.fromkeys(("Engine Speed", "RPM", "RPMs", "Engine RPMs"), "Engine RPM"),
    **dict.fromkeys(("Throttle", "Throttle Position", "Throttle Pedal", "TPS"), "Throttle Pos"),
    **dict.fromkeys(("Brake", "Brake Position", "Brake Pedal", "Brake Pedal Pos"), "Brake Pos"),
    **dict.fromkeys(("Clutch", "Clutch Position", "Clutch Pedal"), "Clutch Pos"),
    **dict.fromkeys(("Steering", "Steering Pos", "Steering Wheel"), "Steering Wheel Position"),
    **dict.fromkeys(("Corr Lap Dist", "Lap Dist", "Distance"), "Lap Distance"),
    **dict.fromkeys(("Lap Time Running", "Current Lap Time"), "Running Lap Time"),
    **dict.fromkeys(("Lateral G", "G Lat", "Accel Lat"), "G Force Lat"),
    **dict.fromkeys(("Longitudinal G", "G Long", "Accel Long", "Inline G"), "G Force Long"),
    **dict.fromkeys(("Vertical G", "G Vert", "Accel Vert"), "G Force Vert"),
    **dict.fromkeys(("Yaw Rate", "Gyro Yaw"), "Gyro Yaw Velocity"),
    **dict.fromkeys(("Engine Temp", "Coolant Temp", "Water Temp"), "Eng Water Temp"),
    **dict.fromkeys(("Engine Oil Temp", "Oil Temp"), "Eng Oil Temp"),
    **dict.fromkeys(("Fuel", "Fuel Remaining"), "Fuel Level"),
    "Gear Pos": "Gear",
}
"""Names that loggers and other games give the same channels."""


def _aliases() -> dict[str, Alias]:
    own = {name: Alias(column, known(unit) or NONE, by) for name, (column, unit, by) in motec_names().items()}
    everything = own | {name: own[of] for name, of in _OTHERS.items()}
    return {name.lower(): alias for name, alias in everything.items()}


ALIASES: Final[Mapping[str, Alias]] = _aliases()
"""By name in lower case."""

COMPONENTS: Final[Mapping[str, tuple[str, int]]] = {
    column: (channel.name, at)
    for channel in (*LAP.channels, *PHYSICS.channels)
    if channel.width > 1
    for at, column in enumerate(components(channel.name, channel.width))
}
"""Channel and place of what is one value of several, such as local_acceleration_x."""
