"""Misbehaviour on request: what real games do to their readers on bad days."""

import os
import time
from typing import Final, Protocol

import numpy as np

from rigd.demo.plugin import Copies, copy_all

CRASH_EXIT: Final = 3
"""Exit status of a game that crashed on request."""

_HALF_RECORD: Final = 944


class Victim(Protocol):
    """What a fault may do to the running game."""

    def write_slowly(self, pen: "Torn") -> None:
        """Write all telemetry with `pen` from now on."""

    def freeze(self, seconds: float) -> None:
        """Stop the game for some wall-clock seconds; session clock and buffers stand still."""

    def die(self) -> None:
        """Leave a half-written frame behind and vanish."""

    def reload(self) -> None:
        """Start the game anew over the files of the old one."""

    def lose(self, car: int, *, telemetry: bool, scoring: bool) -> None:
        """Leave a car out of telemetry, scoring or both; neither: it is back."""


class Fault(Protocol):
    """One kind of misbehaviour."""

    def step(self, victim: Victim, clock: float) -> None:
        """Advance the fault; called once per frame with the seconds of session clock since the game began."""


class Torn:
    """One frame in six is written slowly: half the cars, half a record, a nap with the frame open."""

    NAP_S: Final = 0.0015

    def __init__(self, at: float, cars: int) -> None:
        self._at, self._half = at, cars // 2
        self._rng = np.random.default_rng(6)
        self._on = False

    def step(self, victim: Victim, clock: float) -> None:
        """Take the pen when the time has come."""
        if not self._on and clock >= self._at:
            victim.write_slowly(self)
            self._on = True

    def __call__(self, copies: Copies) -> None:
        """Copy, sometimes with a nap in the middle of a record."""
        if self._rng.random() >= 1 / 6:
            copy_all(copies)
            return
        copy_all(copies[: self._half])
        target, source = copies[self._half]
        target[:_HALF_RECORD] = source[:_HALF_RECORD]
        time.sleep(self.NAP_S)
        copy_all(copies[self._half :])


class Stall:
    """The game freezes, as when the player's disk wakes up; and again every 12 s."""

    SECONDS: Final = 2.5
    EVERY_S: Final = 12.0

    def __init__(self, at: float) -> None:
        self._next = at

    def step(self, victim: Victim, clock: float) -> None:
        """Freeze when due."""
        if clock >= self._next:
            self._next = clock + self.EVERY_S
            victim.freeze(self.SECONDS)


class Crash:
    """The game dies in the middle of a frame: Begin and End differ for ever."""

    def __init__(self, at: float) -> None:
        self._at = at

    def step(self, victim: Victim, clock: float) -> None:
        """Die when due."""
        if clock >= self._at:
            victim.die()


class Truncate:
    """The game is started again over its own files: size 0 for a moment, then zeros, same inode."""

    EMPTY_S: Final = 0.2

    def __init__(self, at: float) -> None:
        self._at = at
        self._done = False

    def step(self, victim: Victim, clock: float) -> None:
        """Restart once."""
        if not self._done and clock >= self._at:
            self._done = True
            victim.reload()


class IdGap:
    """A car leaves: first its telemetry stops, 3 s later scoring drops it, then it comes back.

    While the two counts differ every frame stays open until the next burst.
    """

    EVERY_S: Final = 20.0
    UNLISTED_S: Final = 3.0
    RELISTED_S: Final = 8.0
    BACK_S: Final = 10.0

    def __init__(self, at: float, cars: int) -> None:
        self._from, self._cars = at, cars
        self._car = 0
        self._state = (False, False)

    def step(self, victim: Victim, clock: float) -> None:
        """Move to the state that belongs to this moment."""
        since = clock - self._from
        if since >= self.EVERY_S:
            self._from, self._car, since = clock, (self._car + 1) % self._cars, 0.0
        state = 0.0 <= since < self.BACK_S, self.UNLISTED_S <= since < self.RELISTED_S
        if state != self._state:
            self._state = state
            victim.lose(self._car, telemetry=state[0], scoring=state[1])


_FIRST_S: Final = {"torn": 0.0, "stall": 4.0, "crash": 5.0, "truncate": 6.0, "idgap": 4.0}
KINDS: Final = tuple(_FIRST_S)


def fault(text: str, cars: int) -> Fault:
    """Return the fault named `kind` or `kind@seconds` (of session clock since the game began)."""
    kind, _, when = text.partition("@")
    if kind not in _FIRST_S:
        raise ValueError(f"unknown fault {kind!r}, there are: {', '.join(KINDS)}")
    at = float(when) if when else _FIRST_S[kind]
    if kind == "torn":
        return Torn(at, cars)
    if kind == "idgap":
        return IdGap(at, cars)
    if kind == "stall":
        return Stall(at)
    return Crash(at) if kind == "crash" else Truncate(at)


def leave() -> None:
    """End the process without any clean-up."""
    os._exit(CRASH_EXIT)
