"""Channels as MoTeC's users call them: for formulas that are pasted in."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from rig.channels import LAP, PHYSICS, WHEELS, components
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
    **dict.fromkeys(
        ("Steering", "Steering Pos", "Steering Wheel", "Steering Angle"), "Steering Wheel Position"
    ),
    **dict.fromkeys(("Corr Lap Dist", "Lap Dist", "Distance"), "Lap Distance"),
    **dict.fromkeys(("Lap Time Running", "Current Lap Time"), "Running Lap Time"),
    **dict.fromkeys(
        ("Lateral G", "G Lat", "Accel Lat", "LateralAcc", "GPS LatAcc", "CG Accel Lateral"), "G Force Lat"
    ),
    **dict.fromkeys(
        ("Longitudinal G", "G Long", "Accel Long", "Inline G", "InlineAcc", "GPS LonAcc"), "G Force Long"
    ),
    "CG Accel Longitudinal": "G Force Long",
    **dict.fromkeys(("Vertical G", "G Vert", "Accel Vert", "CG Accel Vertical"), "G Force Vert"),
    **dict.fromkeys(("Yaw Rate", "Gyro Yaw", "GPS Gyro"), "Gyro Yaw Velocity"),
    **dict.fromkeys(("Engine Temp", "Coolant Temp", "Water Temp", "Engine Coolant Temp"), "Eng Water Temp"),
    **dict.fromkeys(("Engine Oil Temp", "Oil Temp"), "Eng Oil Temp"),
    **dict.fromkeys(("Fuel", "Fuel Remaining"), "Fuel Level"),
    "Gear Pos": "Gear",
    **{
        f"{theirs} {wheel.upper()}": f"{ours} {wheel.upper()}"
        for theirs, ours in (
            ("Tire Temp Core", "Tyre Carcass Temp"),
            ("Tire Pressure", "Tyre Pressure"),
            ("Tire Load", "Tyre Load"),
            ("Suspension Travel", "Susp Pos"),
            ("Susp Travel", "Susp Pos"),
        )
        for wheel in WHEELS
    },
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
