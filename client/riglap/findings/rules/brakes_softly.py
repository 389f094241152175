"""Brakes with less pedal than the reference, and so for longer."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "brakes_softly"
_LESS: Final = 0.12
_EARLIER_M: Final = 6.0


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    less = case.theirs.brake_peak - case.ours.brake_peak
    earlier = case.theirs.brake_m - case.ours.brake_m
    if not (less >= _LESS and earlier >= _EARLIER_M and case.counts(case.entry_s)):
        return None
    evidence = {
        "brake_peak": case.ours.brake_peak,
        "reference_brake_peak": case.theirs.brake_peak,
        "earlier_m": earlier,
    }
    return case.finding(RULE, case.entry_s, less / _LESS, evidence, end=case.middle)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    return (
        f"brake harder and later: your pedal goes to {100 * told['brake_peak']:.0f} %, that of "
        f"{finding.against} to {100 * told['reference_brake_peak']:.0f} %"
    )
