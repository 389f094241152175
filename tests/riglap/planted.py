"""Mistakes planted in the simulated drivers: each car makes one, in its third lap, and nothing else differs.

Without traffic, weather and incidents cars do not influence each other, so that a race without the mistakes
has the same noise, and the difference of the lap times is what the mistake truly costs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rigd.demo.race import Race
from riglap.lap import Lap
from tests.riglap.raced import Raced, drive, quiet

LAP: Final = 2
"""Number of the lap with the mistake; the one before is the reference."""
SECONDS: Final = 130.0

Array = np.ndarray[Any, np.dtype[Any]]
Act = Callable[[Race, int, Array], None]
"""Change what a car wants [m/s], in place."""


class Mistake(NamedTuple):
    """What a car does wrong."""

    rules: tuple[str, ...]
    """Findings that name it."""
    corner: int
    act: Act


def brakes_early(apex: float, metres: float = 15.0) -> Act:
    def act(race: Race, car: int, wanted: Array) -> None:
        motion = race.motion
        if apex - 150 < motion.s[car] < apex:
            ahead = int(motion.s[car] + motion.v[car] * 0.12 + metres) + int(motion._limit_row[car])
            wanted[car] = min(wanted[car], motion._limit[ahead] * motion.pace[car])

    return act


def throttle_late(apex: float, metres: float = 25.0) -> Act:
    def act(race: Race, car: int, wanted: Array) -> None:
        if apex < race.motion.s[car] < apex + metres:
            wanted[car] = min(wanted[car], race.motion.v[car])

    return act


def other_line(apex: float, metres: float = 1.8) -> Act:
    """Further out at the apex, where the bend is tighter for the car, and so slower through it."""

    def act(race: Race, car: int, wanted: Array) -> None:
        motion = race.motion
        if apex - 110 < motion.s[car] < apex + 20:
            motion.beside[car] += metres
        if abs(motion.s[car] - apex) < 45:
            wanted[car] *= 0.95

    return act


def lifts(begin: float, metres: float = 40.0) -> Act:
    def act(race: Race, car: int, wanted: Array) -> None:
        motion = race.motion
        if begin < motion.s[car] < begin + metres:
            wanted[car] = min(wanted[car], motion.v[car] - 0.12 * motion._resist[car])

    return act


def worn(tread: float = 0.5) -> Act:
    def act(race: Race, car: int, wanted: Array) -> None:
        race.wheels._wear[:, car] = np.minimum(race.wheels._wear[:, car], tread)
        wanted[car] *= 0.985

    return act


MISTAKES: Final = (
    Mistake(("brakes_early", "brakes_softly"), 4, brakes_early(678.0)),
    Mistake(("throttle_late",), 6, throttle_late(1011.0)),
    Mistake(("other_line",), 2, other_line(357.0)),
    Mistake(("lifts",), 4, lifts(760.0)),
    Mistake(("worn_tyres",), 0, worn()),
    Mistake((), 0, lambda race, car, wanted: None),
    Mistake(("brakes_early", "brakes_softly"), 1, brakes_early(184.0)),
)
"""By car; who makes none has no rules. The demo's short circuit has six corners."""


def plant(race: Race) -> None:
    """Let every car make its mistake."""
    quiet(race)
    motion = race.motion
    honest = motion._wanted

    def wanted() -> Array:
        speeds = honest()
        for car, mistake in enumerate(MISTAKES):
            if race.timing.laps[car] == LAP:
                mistake.act(race, car, speeds)
        return speeds

    motion._wanted = wanted  # type: ignore[method-assign]


class Planted(NamedTuple):
    """Two races, with the mistakes and without."""

    wrong: Raced
    right: Raced

    def laps(self, car: int) -> tuple[Lap, Lap, float]:
        """Return the lap with the mistake of a car, the lap before, and what the mistake truly cost [s].

        What is wrong all lap long is held against the same lap without it: form varies by 0.2 s.
        """
        ids = np.load(self.wrong.folder / "truth.npz")["ids"]
        wrong, right = (
            {lap.info.number: lap for lap in race.laps() if lap.info.car == ids[car]} for race in self
        )
        cost = float(wrong[LAP].info.lap_time or 0) - float(right[LAP].info.lap_time or 0)
        return (
            wrong[LAP],
            wrong[LAP - 1] if MISTAKES[car].corner or not MISTAKES[car].rules else right[LAP],
            cost,
        )


def make(folder: Path, seed: int = 3, *, real: bool = True) -> Planted:
    """Drive both races."""
    for name, change in (("wrong", plant), ("right", quiet)):
        (folder / name).mkdir()
        drive(
            folder / name,
            cars=len(MISTAKES),
            seconds=SECONDS,
            short=True,
            real=real,
            seed=seed,
            change=change,
        )
    return planted(folder)


def planted(folder: Path) -> Planted:
    """Return both races of a folder that `make` has filled."""
    return Planted(Raced(folder / "wrong"), Raced(folder / "right"))
