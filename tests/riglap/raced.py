"""Whole races of the simulated game as lap files, and where every car truly was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rigd.demo.race import Race
from rigd.demo.traffic import UNLIMITED_MPS
from riglap.lap import Lap
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import Tape

Array = np.ndarray[Any, np.dtype[Any]]


class Raced(NamedTuple):
    """A race in a folder that `drive` has filled."""

    folder: Path

    def laps(self) -> list[Lap]:
        """All complete laps, by car and number."""
        found = [Lap.open(path) for path in sorted(self.folder.glob("laps/*/[!.]*.lap"))]
        return [lap for lap in found if lap.info.complete]

    def truth(self, lap: Lap) -> Array:
        """Return metres from the line at every sample, as the game itself knew them: negative before a start
        from the grid, above the length never.
        """
        with np.load(self.folder / "truth.npz") as told:
            column = told["metres"][:, list(told["ids"]).index(lap.info.car)]
            rate, length = float(told["rate"]), float(told["length"])
        metres = column[np.rint(lap["session_time"] * rate).astype(int)]
        first = metres[: len(metres) // 8]
        first[first > 0.5 * length] -= length
        return np.asarray(metres)


def quiet(race: Race) -> None:
    """Let nothing happen but driving."""
    race.flags.step = lambda *_: []  # type: ignore[method-assign]
    race.traffic.step = lambda *_: None  # type: ignore[method-assign]
    race.traffic.limit[:] = UNLIMITED_MPS
    race.traffic.wish[:] = 0.0
    race.weather.advance = lambda *_: None  # type: ignore[method-assign]
    race._call_in = lambda: None  # type: ignore[method-assign]


def drive(
    folder: Path,
    *,
    cars: int = 3,
    seconds: float = 310.0,
    short: bool = False,
    real: bool = False,
    seed: int = 3,
    change: Callable[[Race], None] = lambda race: None,
) -> None:
    """Fill a folder with the laps of a race. `change` may plant something in it before it begins."""
    shown = RaceFrames(cars, short, real=real, seed=seed)
    change(shown.race)
    tape = Tape(folder, cars, shown=shown, limit_bytes=1 << 30)
    race, metres = tape.race, [shown.race.motion.s.copy()]
    with np.errstate(all="ignore"):
        while race.clock < seconds:
            tape.frame()
            metres.append(race.motion.s.copy())
            if race.frame % race.rate == 0:
                tape.commit()
    tape.finish()
    archiver = tape.archiver()
    try:
        while archiver.turn():
            pass
    finally:
        archiver.close()
    ids, length = race.field.ids, race.circuit.length
    np.savez(folder / "truth.npz", metres=np.array(metres), ids=ids, rate=race.rate, length=length)
