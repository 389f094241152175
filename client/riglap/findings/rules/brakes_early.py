"""Brakes earlier than the reference, and loses time up to the slowest place."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "brakes_early"
_LEAST_M: Final = 6.0
"""One driver's brake points lie within 4 m of each other."""


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    earlier = case.theirs.brake_m - case.ours.brake_m
    if not (earlier >= _LEAST_M and case.counts(case.entry_s)):
        return None
    evidence = {"brake_m": case.ours.brake_m, "reference_brake_m": case.theirs.brake_m, "earlier_m": earlier}
    return case.finding(RULE, case.entry_s, earlier / _LEAST_M, evidence, end=case.middle)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    return (
        f"brake {told['earlier_m']:.0f} m later: you go to the brake at {told['brake_m']:.0f} m, "
        f"{finding.against} at {told['reference_brake_m']:.0f} m"
    )
