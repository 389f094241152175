"""Cars among cars: following, slipstream, passing and being lapped."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo.circuit import DemoCircuit
from rigd.demo.motion import Motion

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

UNLIMITED_MPS: Final = 150.0
_GAP_M: Final = 7.0
"""Bumper gap below which a follower matches the speed in front; half of it is the car itself."""
_GAP_S: Final = 0.10
_CLOSING: Final = 0.8
"""m/s a follower may be faster per metre of gap to spare."""
_TOW_M: Final = 45.0
_TOW: Final = 0.13
"""Share of drag saved right behind another car."""
_ATTACK_M: Final = 22.0
_PASS_SIDE_M: Final = 2.6
_CLEAR_M: Final = 7.0
_BLUE_M: Final = 60.0


class Traffic:
    """Decisions of drivers about each other, taken ten times a second."""

    def __init__(self, circuit: DemoCircuit, motion: Motion, rng: np.random.Generator) -> None:
        cars = len(motion.s)
        self.limit: Floats = np.full(cars, UNLIMITED_MPS)
        """m/s set by the car in front."""
        self.wish: Floats = np.zeros(cars)
        """m left of the racing line, to pass or to let pass."""
        self.blue: Flags = np.zeros(cars, bool)
        """A car one lap ahead is right behind."""
        self._circuit, self._motion = circuit, motion
        self._passing: Flags = np.zeros(cars, bool)
        self._side = np.where(rng.random(cars) < 0.5, 1.0, -1.0)

    def step(self, eager: Floats, away: Flags, progress: Floats, closed: bool) -> None:
        """Decide for every car.

        `eager` is each driver's pace, `away` marks cars that are not on the road (lane, garage), and
        `closed` forbids passing (full-course yellow).
        """
        motion = self._motion
        order = np.argsort(motion.s + 1e6 * away, kind="stable")
        count = int(len(order) - np.count_nonzero(away))
        self.limit[:], self.wish[:], motion.tow[:], self.blue[:] = UNLIMITED_MPS, 0.0, 1.0, False
        if count < 2:
            return
        rear, front = order[:count], np.roll(order[:count], -1)
        gap = (motion.s[front] - motion.s[rear]) % self._circuit.length
        self._follow(rear, front, gap, eager, closed)
        lapped = progress[rear] - progress[front] > self._circuit.length / 2
        self.blue[front] = lapped & (gap < _BLUE_M)

    def _follow(self, rear: Ints, front: Ints, gap: Floats, eager: Floats, closed: bool) -> None:
        motion = self._motion
        motion.tow[rear] = 1.0 - _TOW * np.maximum(1.0 - gap / _TOW_M, 0.0)
        straight = np.abs(motion.bend()[rear]) < 0.003
        faster = eager[rear] > eager[front] + 0.0015
        begin = (gap < _ATTACK_M) & (gap > _CLEAR_M) & straight & faster
        keep = self._passing[rear] & (gap < 2.0 * _ATTACK_M) & (faster | (gap < _CLEAR_M))
        passing = (begin | keep) & (not closed)
        self._passing[rear] = passing
        self.wish[rear] = np.where(passing, _PASS_SIDE_M * self._side[rear], 0.0)
        self.wish[front[passing]] -= 0.6 * _PASS_SIDE_M * self._side[rear[passing]]
        room = gap - _GAP_M - _GAP_S * motion.v[rear]
        held = np.maximum(motion.v[front] + _CLOSING * room, 0.85 * motion.v[front] + 1.5)
        self.limit[rear] = np.where(passing, UNLIMITED_MPS, held)
