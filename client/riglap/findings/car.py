"""Findings about the car: worn or damaged it is slower everywhere, whatever the driver does."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from riglap.compare import Comparison, Trace
from riglap.findings.case import Case
from riglap.findings.finding import Finding
from riglap.lap import Lap

_WORN: Final = 0.05
"""Tread less than the reference's; a stint of ten laps costs some 0.03."""
_SLOWER_CORNERS: Final = 0.6
_HEAVIER_L: Final = 10.0
_HOT_C: Final = 15.0
RULES: Final = ("worn_tyres", "damage", "fuel_weight", "tyre_temperature")


def find(
    comparison: Comparison, other: int, cases: Sequence[Case], unexplained_s: float
) -> Iterator[Finding]:
    """Yield findings about the car. What the driver's findings leave unexplained is what they can cost."""
    ours, theirs = comparison.others[other], comparison.reference
    if ours.aligned is None or theirs.aligned is None or not cases:
        return
    noise = float(np.sqrt(sum(case.noise_s**2 for case in cases)))
    slower = float(np.mean([case.ours.least_mps < case.theirs.least_mps for case in cases]))
    if unexplained_s < 2 * noise or slower < _SLOWER_CORNERS:
        return
    for rule, strength, evidence in _causes(ours.aligned.lap, theirs.aligned.lap):
        told = {**evidence, "slower_corners": round(slower, 2)}
        sure = min(unexplained_s / (4 * noise), 1.0) * min(strength / 2, 1.0)
        yield _finding(rule, unexplained_s, theirs, sure, told, float(ours.places[-1]))
        return  # the first cause: no measurement splits them


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    if finding.rule == "worn_tyres":
        left, before = 100 * told["tread"], 100 * told["reference_tread"]
        return f"the tyres are worn: {left:.0f} % of the tread left, {before:.0f} % in the reference"
    if finding.rule == "damage":
        return "the car is damaged, and slower in most corners"
    if finding.rule == "fuel_weight":
        return f"the car carries {told['more_l']:.0f} l more fuel than {finding.against} did"
    return f"the tyres are {told['hotter_degc']:.0f} °C hotter than those of {finding.against}"


def _causes(ours: Lap, theirs: Lap) -> Iterator[tuple[str, float, dict[str, float]]]:
    tread, other = _last(ours, "tyre_tread"), _last(theirs, "tyre_tread")
    if tread is not None and other is not None and (other - tread).max() >= _WORN:
        worst = int((other - tread).argmax())
        lost = float(other[worst] - tread[worst])
        yield (
            "worn_tyres",
            lost / _WORN,
            {"tread": float(tread[worst]), "reference_tread": float(other[worst])},
        )
    dents, before = _last(ours, "dent_severity"), _last(theirs, "dent_severity")
    if dents is not None and dents.sum() > (0.0 if before is None else before.sum()):
        yield "damage", 2.0, {"dents": float(dents.sum())}
    fuel, less = _last(ours, "fuel"), _last(theirs, "fuel")
    if fuel is not None and less is not None and float((fuel - less)[0]) >= _HEAVIER_L:
        more = float((fuel - less)[0])
        yield "fuel_weight", more / _HEAVIER_L, {"more_l": more}
    heat, cooler = _mean(ours, "tyre_carcass_temp"), _mean(theirs, "tyre_carcass_temp")
    if heat is not None and cooler is not None and heat - cooler >= _HOT_C:
        yield "tyre_temperature", (heat - cooler) / _HOT_C, {"hotter_degc": heat - cooler}


def _last(lap: Lap, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Return the last values of a channel, shape (values,), or None."""
    if name not in lap or not lap.available(name):
        return None
    values = np.atleast_1d(lap[name][-1]).astype(np.float64)
    return values if np.isfinite(values).all() else None


def _mean(lap: Lap, name: str) -> float | None:
    if name not in lap or not lap.available(name):
        return None
    return float(np.nanmean(lap[name]))


def _finding(
    rule: str, lost: float, theirs: Trace, sure: float, told: dict[str, float], length: float
) -> Finding:
    evidence = {name: round(value, 4) for name, value in told.items()}
    return Finding(rule, 0, "lap", round(lost, 4), theirs.title, round(sure, 2), evidence, 0.0, length)
