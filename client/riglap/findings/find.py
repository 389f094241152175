"""All findings of one lap against another: deterministic, the same for the same two laps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Final

import numpy as np

from riglap.compare import Comparison
from riglap.findings import car
from riglap.findings.case import MOST_S, NOISE_S, Case, cases
from riglap.findings.finding import Finding
from riglap.findings.rules import ENTRY, EXIT, WHOLE

_EXPLAINED: Final = 0.6
"""Share of a corner's loss that pedals explain, from which on the line is not blamed as well."""
_LEAST_LAPS: Final = 3


def findings(
    comparison: Comparison, other: int = 0, noise: Mapping[int, float] | None = None
) -> list[Finding]:
    """Return what costs a lap time against the reference of a comparison, the most first.

    `noise` is what the driver varies by in each corner [s], as `variation` finds it. Corners that are
    doubtful in one of the laps have no findings; without positions there are none. Against an ideal lap every
    corner is held against the lap that won most there, and the car is not looked at.
    """
    found: list[Finding] = []
    if doubtful(comparison, other):
        return found
    ideal = comparison.reference.aligned is None
    seen = list((_of_ideal if ideal else cases)(comparison, other, noise or {}))
    for case in seen:
        found += _of_corner(case)
    if ideal:
        return sorted(found, key=lambda finding: (-finding.lost_s, finding.id))
    explained = sum(finding.lost_s for finding in found)
    found += car.find(
        comparison, other, seen, comparison.lost(other) - comparison.uncompared(other) - explained
    )
    return sorted(found, key=lambda finding: (-finding.lost_s, finding.id))


def doubtful(comparison: Comparison, other: int = 0) -> str:
    """Return why a lap as a whole gives no findings, a sentence; "" where it does."""
    for trace in (comparison.others[other], comparison.reference):
        if trace.aligned is None:
            continue
        info = trace.aligned.lap.info
        if info.pit_visits or info.in_lap or info.out_lap:
            return f"{trace.title} came from the pits or went there: no findings"
        if trace.time[0] > 0:
            return f"{trace.title} began on the grid: no findings"
    return "" if comparison.circuit else "without positions there are no corners, and no findings"


def _of_ideal(comparison: Comparison, other: int, noise: Mapping[int, float]) -> Iterator[Case]:
    """Yield every corner against that lap of an ideal one to which most was lost there."""
    best: dict[int, Case] = {}
    ours = comparison.others[other]
    for source in comparison.reference.sources:
        for case in cases(Comparison(comparison.circuit, (source, ours)), 0, noise):
            known = best.get(case.corner.number)
            if math.isfinite(case.whole_s) and (known is None or case.whole_s > known.whole_s):
                best[case.corner.number] = case
    yield from best.values()


def variation(comparison: Comparison) -> dict[int, float]:
    """Return what several laps of one driver vary by in each corner, standard deviations in s; corners that
    fewer than three laps show are left out.
    """
    spans: dict[int, list[float]] = {}
    for at in range(len(comparison.others)):
        for case in cases(comparison, at, {}):
            spans.setdefault(case.corner.number, []).append(case.whole_s)
    told = {corner: np.array(values)[np.isfinite(values)] for corner, values in spans.items()}
    return {
        corner: max(float(np.std(values, ddof=1)), NOISE_S / 2)
        for corner, values in told.items()
        if len(values) >= _LEAST_LAPS
    }


def inconsistent(comparison: Comparison) -> Iterator[Finding]:
    """Yield the corners in which laps of one driver differ most: by twice the median, or more."""
    told = variation(comparison)
    if not told or comparison.circuit is None:
        return
    usual = float(np.median(list(told.values())))
    for number, spread in told.items():
        corner = comparison.circuit.corner(number)
        if spread >= 2 * usual and spread >= 2 * NOISE_S:
            evidence = {"deviation_s": round(spread, 4), "usual_deviation_s": round(usual, 4)}
            sure = round(min(spread / usual / 4, 1.0), 2)
            title = comparison.reference.title
            yield Finding(
                "inconsistent",
                number,
                corner.title,
                round(spread, 4),
                title,
                sure,
                evidence,
                corner.begin,
                corner.end,
            )


def _of_corner(case: Case) -> list[Finding]:
    """Return at most one finding about the way in and one about the way out; where pedals explain little, one
    about the whole. Of what no technique can lose only that it was lost.
    """
    if case.whole_s > MOST_S:
        evidence = {
            "slowest_kmh": 3.6 * case.ours.least_mps,
            "reference_slowest_kmh": 3.6 * case.theirs.least_mps,
        }
        return [case.finding("incident", case.whole_s, 0.0, evidence)]
    pedals = [finding for rules in (ENTRY, EXIT) if (finding := _first(rules, case))]
    explained = sum(finding.lost_s for finding in pedals)
    whole = _first(WHOLE, case)
    if whole and explained < _EXPLAINED * whole.lost_s:
        return [whole]
    return pedals


def _first(rules: Sequence[ModuleType], case: Case) -> Finding | None:
    return next((finding for rule in rules if (finding := rule.find(case))), None)
