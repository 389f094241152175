"""The last seconds of one car, for a curve that rolls."""

from collections import deque
from typing import Any, Final

import numpy as np

from rigclient.frames import PhysicsFrame

SPAN_S: Final = 10.0
"""Seconds shown."""

_STEP_S: Final = 0.04
"""Frames closer together than this by the session clock are left out."""

_CHANNELS: Final = ("speed", "throttle", "brake")

Values = np.ndarray[Any, np.dtype[np.float64]]


class History:
    """Keeps whole frames, so that another car's curve is complete as soon as it is chosen."""

    def __init__(self) -> None:
        self._frames: deque[PhysicsFrame] = deque(maxlen=int((SPAN_S + 1.0) / _STEP_S))
        self._rows: deque[tuple[float, ...]] = deque(maxlen=self._frames.maxlen)
        self._car: int | None = None

    def take(self, frame: PhysicsFrame) -> None:
        """Remember a frame, unless it follows too closely; a clock that jumps back begins anew."""
        if self._frames and self._frames[-1].session_time > frame.session_time:
            self._frames.clear()
            self._rows.clear()
        if self._frames and frame.session_time - self._frames[-1].session_time < _STEP_S - 1e-4:
            return
        self._frames.append(frame)
        if self._car is not None:
            self._rows.append(_row(frame, self._car))

    def follow(self, car: int | None) -> None:
        """Follow the car whose curves are wanted."""
        if car == self._car:
            return
        self._car = car
        self._rows.clear()
        if car is not None:
            self._rows.extend(_row(frame, car) for frame in self._frames)

    def curves(self, points: int) -> dict[str, Values]:
        """Return by channel its values at `points` moments of the last ten seconds, NaN where there are none.

        The moments lie on a fixed raster, so that a curve moves and never trembles.
        """
        if not self._rows:
            return {name: np.full(points, np.nan) for name in _CHANNELS}
        table = np.array(self._rows)
        step = SPAN_S / points
        at = (np.floor(table[-1, 0] / step) - np.arange(points - 1, -1, -1)) * step
        return {
            name: np.interp(at, table[:, 0], table[:, column], left=np.nan)
            for column, name in enumerate(_CHANNELS, start=1)
        }


def _row(frame: PhysicsFrame, slot: int) -> tuple[float, ...]:
    car = frame.car(slot)
    if car is None:
        return (frame.session_time, *(np.nan for _ in _CHANNELS))
    return (frame.session_time, *(float(getattr(car, name)) for name in _CHANNELS))
