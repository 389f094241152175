"""Lifts on a straight where the reference stays on the throttle."""

from typing import Final

import numpy as np

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "lifts"
_LIFTED: Final = 0.8
_FULL: Final = 0.93
_LEAST_M: Final = 6.0
_BEFORE_M: Final = 4.0


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    full = case.ours.full_throttle_m
    if not full < case.end:
        return None
    ours, theirs = case.read("throttle")
    brake = case.read("brake")[0]
    lifted = (ours < _LIFTED) & (theirs > _FULL) & ~(brake > 0.1)
    lifted &= (case.places > full) & (case.places < case.end)
    metres = case.places[lifted]
    if not len(metres):
        return None
    long, begin = float(len(metres) * (case.places[1] - case.places[0])), float(metres[0]) - _BEFORE_M
    lost = case.lost(begin, case.end)
    if not (long >= _LEAST_M and case.counts(lost)):
        return None
    evidence = {"begin_m": float(metres[0]), "metres_m": long, "least_throttle": float(np.min(ours[lifted]))}
    return case.finding(RULE, lost, long / _LEAST_M, evidence, begin=begin)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    return (
        f"stay on the throttle after the corner: you lift to {100 * told['least_throttle']:.0f} % at "
        f"{told['begin_m']:.0f} m for {told['metres_m']:.0f} m, {finding.against} does not"
    )
