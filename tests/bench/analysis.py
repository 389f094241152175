"""Comparing, corners, formulas: in this process, on laps of the simulated game."""

import importlib
import itertools
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from riglap.alignment import align
from riglap.circuits.circuit import circuit_of
from riglap.circuits.survey import survey, updates_of
from riglap.compare import compare
from riglap.cornering import cornering
from riglap.formulas import evaluate, parse
from riglap.lap import Lap
from tests.riglap import driven
from tests.riglap.raced import Raced, drive, quiet

_SHOWN: Final = ("speed", "throttle", "brake", "steering", "gear", "lateral")
_READ: Final = ("position", "speed", "throttle", "brake", "steering", "gear", "distance", "lap_time")
_ROUNDS: Final = 15
_MANY: Final = 300
STRANGE: Final = "where((throttle > 0.5) & (brake < 0.1), sqrt(speed ** 2 + 4), 3 * speed - 2)"
"""The same for numexpr, which has neither `if` nor units, and says nothing of what is missing."""
FORMULA: Final = "if(throttle > 0.5 && brake < 0.1, sqrt(speed ^ 2 + 4), 3 * speed - 2)"


def analysis() -> dict[str, float]:
    """Medians of fifteen runs; the delta of all pairs of flying laps against where the cars truly were."""
    with tempfile.TemporaryDirectory(prefix="rigd-bench-") as folder:
        drive(Path(folder), change=quiet)
        race = Raced(Path(folder))
        laps = [lap for lap in race.laps() if lap.info.number]
        whole = race.laps()
        length = laps[0].info.track_length
        circuit = circuit_of("bench", length, survey(updates_of(whole), length))
        for lap in laps:
            [lap[name] for name in _READ]
        errors = [_error(race, pair, circuit) for pair in combinations(laps, 2)]
        fresh = [Lap.open(path) for path in sorted(Path(folder).glob("laps/*/[!.]*.lap"))[:1]]
        return {
            "compare_ms": _median(lambda: _compared(laps, circuit)),
            "corners_ms": _median(lambda: cornering(align(laps[0], circuit), circuit)),
            "align_error_ms_max": max(worst for worst, _ in errors),
            "align_error_ms_rms": float(np.mean([rms for _, rms in errors])),
            "formula_ms": _median(lambda: evaluate(laps[0], parse(FORMULA))),
            **_formulas(),
            "survey_ms": _median(lambda: survey(updates_of(fresh + whole), length), 3),
        }


def _formulas() -> dict[str, float]:
    """Return the same formula, as text over the float32 columns of a lap of 4,600 samples, against numexpr as
    it comes, with all its threads: one that both see for the first time, which is what somebody waits for who
    types it, and one `again`, where both keep what they made of the text.
    """
    lap = driven.lap()
    columns = {name: lap[name] for name in ("throttle", "brake", "speed")}
    new = itertools.count()
    found = {"formula_us": 1000 * _median(lambda: evaluate(lap, FORMULA), _MANY)}
    found["formula_first_us"] = 1000 * _median(lambda: evaluate(lap, f"{FORMULA} + {next(new)}"), _MANY)
    stint = [driven.lap(driven.info(car=car)) for car in range(40)]
    found["formula_40_cars_ms"] = _median(lambda: [evaluate(one, FORMULA) for one in stint])
    try:
        numexpr = importlib.import_module("numexpr")  # no dependency: installed where the figures are wanted
    except ImportError:
        return found
    theirs = 1000 * _median(lambda: numexpr.evaluate(STRANGE, columns), _MANY)
    first = 1000 * _median(lambda: numexpr.evaluate(f"{STRANGE} + {next(new)}", columns), _MANY)
    found["formula_vs_numexpr"] = found["formula_first_us"] / first
    found["formula_again_vs_numexpr"] = found["formula_us"] / theirs
    return found


def _compared(laps: list[Lap], circuit: object) -> None:
    found = compare(laps[:2], circuit)  # type: ignore[arg-type]
    found.delta()
    found.parts()
    [[trace.read(name) for name in _SHOWN] for trace in found.traces]


def _error(race: Raced, pair: tuple[Lap, Lap], circuit: object) -> tuple[float, float]:
    """Return the worst and the mean error of a delta [ms]."""
    found = compare(pair, circuit)  # type: ignore[arg-type]
    times = []
    for lap in pair:
        metres = np.maximum.accumulate(race.truth(lap)) * (found.places[-1] / lap.info.track_length)
        s = np.concatenate(([0.0], metres, [found.places[-1]]))
        time_s = np.concatenate(([0.0], lap["lap_time"], [lap.info.lap_time or np.nan]))
        times.append(np.interp(found.places, s, time_s))
    error = 1000 * (found.delta() - (times[1] - times[0]))
    return float(np.nanmax(np.abs(error))), float(np.sqrt(np.nanmean(error**2)))


def _median(act: Callable[[], object], rounds: int = _ROUNDS) -> float:
    act()
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        spent.append(1000 * (time.perf_counter() - began))
    return float(np.median(spent))
