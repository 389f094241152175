"""Brakes later than the reference, is slow to turn, and comes out slower."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "brakes_late"
_LEAST_M: Final = 6.0
_SLOWER_MPS: Final = 0.5
"""Slower at the exit: otherwise the later brake point is no mistake."""


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    later, slower = case.ours.brake_m - case.theirs.brake_m, case.theirs.exit_mps - case.ours.exit_mps
    if not (later >= _LEAST_M and slower >= _SLOWER_MPS and case.counts(case.whole_s)):
        return None
    evidence = {
        "brake_m": case.ours.brake_m,
        "reference_brake_m": case.theirs.brake_m,
        "later_m": later,
        "exit_slower_kmh": 3.6 * slower,
    }
    return case.finding(RULE, case.whole_s, later / _LEAST_M, evidence)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    return (
        f"brake {told['later_m']:.0f} m earlier: you brake later than {finding.against} and leave the corner "
        f"{told['exit_slower_kmh']:.0f} km/h slower"
    )
