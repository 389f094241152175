"""Neighbours: what a component should be, judged by other components of the same rows.

The car's own mechanics: a tyre's deflection follows its load, the speed is the length of the velocity, a
rotation matrix has only three degrees of freedom. A file names the neighbours and the factors it used, so a
reader needs the formulas and not the table.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from rig.channels import Channel
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Key = tuple[str, int]
"""A component: channel name and position in its row."""

LINEAR: Final = archive_pb2.FORMULA_LINEAR
NORM: Final = archive_pb2.FORMULA_NORM
UNIT: Final = archive_pb2.FORMULA_UNIT
CROSS: Final = archive_pb2.FORMULA_CROSS
ORTHOGONAL: Final = archive_pb2.FORMULA_ORTHOGONAL

COUNTS: Final = {LINEAR: (1, 15), NORM: (1, 16), UNIT: (1, 16), CROSS: (4, 4), ORTHOGONAL: (5, 5)}
"""Fewest and most neighbours of each formula."""

_MECHANICS: Final = {
    "tyre_deflection": ("tyre_load",),
    "suspension_force": ("suspension_deflection",),
    "wheel_ride_height": ("suspension_deflection",),
    "camber": ("suspension_deflection",),
    "wheel_height": ("suspension_deflection tyre_deflection",),
    "front_third_deflection": ("suspension_deflection.0 suspension_deflection.1",),
    "rear_third_deflection": ("suspension_deflection.2 suspension_deflection.3",),
    "front_ride_height": ("wheel_ride_height.0 wheel_ride_height.1",),
    "rear_ride_height": ("wheel_ride_height.2 wheel_ride_height.3",),
    "front_wing_height": ("front_ride_height rear_ride_height", "front_ride_height"),
    "throttle_applied": ("throttle",),
    "brake_applied": ("brake",),
    "clutch_applied": ("clutch",),
    "brake_pressure": ("brake_applied.0",),
    "steering_applied": ("steering",),
    "toe.0": ("steering_applied.0",),
    "toe.1": ("toe.0", "steering_applied.0"),
    "drag": ("front_downforce",),
    "rear_downforce": ("front_downforce",),
    "engine_rpm": ("clutch_rpm",),
    "clutch_rpm": ("speed",),
    "longitudinal_ground_velocity": ("speed.0",),
    "lateral_patch_velocity": ("lateral_ground_velocity",),
    "wheel_rotation": ("longitudinal_ground_velocity longitudinal_patch_velocity",),
    "tyre_pressure": ("tyre_carcass_temp",),
    "local_rotation_acceleration": ("local_rotation",),
}
"""Channel or component -> what it may be linear in: components, or the same component of a channel."""

_TWINS: Final[dict[int, dict[int, tuple[str, ...]]]] = {
    4: {1: ("0",), 2: ("0",), 3: ("1", "2", "1 2")},
    12: {1: ("0 2",), 2: ("0",), 4: ("3 5",), 5: ("3",), 7: ("6 8",), 8: ("6",), 10: ("9 11",), 11: ("9",)},
}
"""By width: component -> other components of the channel that it may be linear in. Only from the outside of
a tyre to its centre and from earlier wheels to later ones, so there are no circles."""

_GEOMETRY: Final = {
    "speed.0": (NORM, "local_velocity.0 local_velocity.1 local_velocity.2"),
    "orientation.4": (UNIT, "orientation.3 orientation.5"),
    "orientation.1": (
        ORTHOGONAL,
        "orientation.0 orientation.3 orientation.2 orientation.5 orientation.4",
    ),
    "orientation.6": (CROSS, "orientation.1 orientation.5 orientation.2 orientation.4"),
    "orientation.7": (CROSS, "orientation.2 orientation.3 orientation.0 orientation.5"),
    "orientation.8": (CROSS, "orientation.0 orientation.4 orientation.1 orientation.3"),
}

_CLOCKS: Final = {
    "session_time.0": ("elapsed_time.0", (0.0, 1.0)),
    "lap_time.0": ("elapsed_time.0 lap_start_time.0", (0.0, 1.0, -1.0)),
}


def predict(formula: int, sources: Sequence[Array], factors: Sequence[Array | float]) -> Array:
    """Return the formula in float64, step by step in a fixed order, so that every machine finds the same
    bits.

    `sources` are arrays of one shape, one per neighbour; `factors` numbers, or arrays that fit them.
    """
    match formula:
        case archive_pb2.FORMULA_LINEAR:
            out = sources[0] * factors[1] + factors[0]
            for source, factor in zip(sources[1:], factors[2:], strict=True):
                out += source * factor
            return out
        case archive_pb2.FORMULA_NORM:
            return np.sqrt(_square(sources))
        case archive_pb2.FORMULA_UNIT:
            return np.sqrt(1.0 - _square(sources))
        case archive_pb2.FORMULA_CROSS:
            return np.asarray(sources[0] * sources[1] - sources[2] * sources[3])
    return np.asarray(-(sources[0] * sources[1] + sources[2] * sources[3]) / sources[4])


def _square(sources: Sequence[Array]) -> Array:
    out = sources[0] * sources[0]
    for source in sources[1:]:
        out += source * source
    return out


def rounded(predicted: Array, dtype: np.dtype[Any]) -> Array:
    """Return a prediction as the component's own type. What is no number is 0: its bits differ between
    machines.
    """
    out = predicted.astype(dtype)
    out[np.isnan(out)] = 0.0
    return out


def candidates(channel: Channel, component: int) -> Iterator[archive_pb2.Prediction]:
    """Yield predictions worth a trial for a component; those of LINEAR mostly still without factors."""
    name = f"{channel.name}.{component}"
    if name in _GEOMETRY:
        yield _prediction(*_GEOMETRY[name], component)
    if name in _CLOCKS:
        words, factors = _CLOCKS[name]
        yield _prediction(LINEAR, words, component, factors)
    for words in (*_MECHANICS.get(channel.name, ()), *_MECHANICS.get(name, ())):
        yield _prediction(LINEAR, words, component)
    for words in _TWINS.get(channel.width, {}).get(component, ()):
        twins = " ".join(f"{channel.name}.{word}" for word in words.split())
        yield _prediction(LINEAR, twins, component)


def _prediction(
    formula: archive_pb2.Formula.ValueType, words: str, component: int, factors: Sequence[float] = ()
) -> archive_pb2.Prediction:
    out = archive_pb2.Prediction(formula=formula, factors=factors)
    for word in words.split():
        name, _, place = word.partition(".")
        out.neighbours.add(channel=name, component=int(place or component))
    return out
