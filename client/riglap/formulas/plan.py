"""A list of calls: units are checked once, then every lap only passes over its columns.

A pass over a lap of 4,600 samples takes some 2 µs, as much as walking one node. So truths stay bytes until a
number is made of them, a value that is needed twice is computed once, and plans are kept.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from riglap.formulas.calls import Values, floats, rows_of
from riglap.formulas.functions import Floats
from riglap.formulas.units import NONE, Unit
from riglap.rows import ChannelRows


class Term(NamedTuple):
    """What a node comes to: the place of its values among those of the plan, or one number."""

    place: int
    unit: Unit
    free: bool = False
    """A number of the text: it takes the unit of what it stands beside."""
    number: float | None = None
    """Known before any row is read."""
    truth: bool = False
    """Values may be truths, which a number has to be made of."""


class Input(NamedTuple):
    """A column that a plan reads."""

    channel: str
    at: int
    """Which of several values; -1: the channel has one."""
    unit: str

    def fits(self, lap: ChannelRows) -> bool:
        """Return whether a lap has it as the plan takes it."""
        if self.channel not in lap or lap.unit(self.channel) != self.unit:
            return False
        values = lap[self.channel]
        return values.ndim == 1 if self.at < 0 else values.ndim == 2 and values.shape[1] > self.at

    def read(self, lap: ChannelRows) -> Floats:
        """Return it as float64, NaN where it is not available."""
        if not lap.available(self.channel):
            return np.full(len(lap), np.nan)
        values = lap[self.channel]
        return floats(values if self.at < 0 else values[:, self.at])


class FormulaPlan:
    """Calls in their order: each takes values of those before, by their places."""

    def __init__(self) -> None:
        self.inputs: dict[Input, int] = {}
        self.results: dict[str, Term] = {}
        self._calls: list[tuple[Callable[..., Values], tuple[int, ...]]] = []
        self._over: list[list[int]] = []
        self._first: list[Values] = []
        self._clock = -1

    def fits(self, lap: ChannelRows) -> bool:
        """Return whether it can be run on a lap."""
        return all(one.fits(lap) for one in self.inputs) and (self._clock < 0 or "lap_time" in lap)

    def run(self, lap: ChannelRows) -> dict[str, Floats]:
        """Return the results by name, float64 of shape (rows,)."""
        values = self._first.copy()
        for one, place in self.inputs.items():
            values[place] = one.read(lap)
        if self._clock >= 0:
            values[self._clock] = np.maximum.accumulate(lap["lap_time"].astype(np.float64))
        with np.errstate(all="ignore"):
            for (call, places), over in zip(self._calls, self._over, strict=True):
                values[places[0]] = call(*[values[place] for place in places[1:]])
                for place in over:
                    values[place] = None
        return {name: rows_of(values[value.place], len(lap)) for name, value in self.results.items()}

    def finish(self) -> None:
        """Note after which call a column is not needed any more: 500 of a long lap would be gigabytes."""
        last = {place: at for at, (_, places) in enumerate(self._calls) for place in places}
        kept = {value.place for value in self.results.values()}
        self._over = [[] for _ in self._calls]
        for place, at in last.items():
            if place not in kept:
                self._over[at].append(place)

    def read(self, wanted: Input) -> int:
        """Return the place of a column."""
        if wanted not in self.inputs:
            self.inputs[wanted] = self._place(None)
        return self.inputs[wanted]

    def clock(self) -> int:
        """Return the place of the time into the lap [s], never falling."""
        if self._clock < 0:
            self._clock = self._place(None)
        return self._clock

    def number(self, number: float, unit: Unit = NONE, *, free: bool = True) -> Term:
        """Return a number."""
        return Term(self._place(number), unit, free, number)

    def call(
        self,
        act: Callable[..., Values],
        of: Sequence[Term],
        unit: Unit,
        *,
        free: bool = False,
        truth: bool = False,
    ) -> Term:
        """Return what a call comes to; of numbers alone, at once."""
        if all(one.number is not None for one in of):
            with np.errstate(all="ignore"):
                return self.number(float(act(*(one.number for one in of))), unit, free=free)
        return Term(self.later(act, [one.place for one in of]), unit, free, None, truth)

    def later(self, act: Callable[..., Values], places: Sequence[int]) -> int:
        """Return the place of what a call comes to."""
        place = self._place(None)
        self._calls.append((act, (place, *places)))
        return place

    def _place(self, value: Values) -> int:
        self._first.append(value)
        return len(self._first) - 1
