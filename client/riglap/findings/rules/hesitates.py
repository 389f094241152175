"""Picks the throttle up and takes it back before it is full."""

from typing import Final

import numpy as np

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "hesitates"
_BACK: Final = 0.2
"""By which the pedal comes back; the noise of a foot is 0.05."""


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    begin, end = case.ours.throttle_m, case.ours.full_throttle_m
    if not (begin < end and case.counts(case.exit_s)):
        return None
    ours, theirs = (
        _back(column[(case.places >= begin) & (case.places <= end)]) for column in case.read("throttle")
    )
    if not ours - theirs >= _BACK:
        return None
    return case.finding(RULE, case.exit_s, (ours - theirs) / _BACK, {"taken_back": ours}, begin=case.middle)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    back = 100 * finding.evidence["taken_back"]
    return f"wait, then squeeze the throttle once: you open it and take {back:.0f} % back"


def _back(throttle: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the most by which a column falls below what it has been before."""
    known = throttle[np.isfinite(throttle)]
    return float((np.maximum.accumulate(known) - known).max()) if len(known) else 0.0
