"""The time between two laps of a warehouse along the line of one of them, as `rig compare` has it."""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from rig.errors import RigError
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.laps import LapKey
from rigclient.warehouse.questions.whole import lap_of
from riglap.compare import compare

_CHANNELS: Final = ("lap_time", "distance", "speed", "position", "in_pit_lane")

Delta = Callable[[float], float | None]


def placed(destination: Destination, first: LapKey, second: LapKey) -> Delta | None:
    """Return what the second lap has lost to the first at a distance from the line [m], in seconds, None
    where it is doubtful; or None, where the laps have no positions or cannot be compared.
    """
    try:
        found = compare([lap_of(destination, key, _CHANNELS) for key in (first, second)])
    except RigError:
        return None
    if found.circuit is None:
        return None
    delta, length = found.delta(), found.circuit.track_length
    metres = found.places * (length / found.circuit.length)

    def lost(distance: float) -> float | None:
        seconds = float(np.interp(distance, metres, delta, np.nan, np.nan))
        return seconds if math.isfinite(seconds) else None

    return lost
