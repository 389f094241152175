"""Rolls without either pedal for longer than the reference."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "coasts"
_LONGER_S: Final = 0.3


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    longer = case.ours.coast_s - case.theirs.coast_s
    if not (longer >= _LONGER_S and case.counts(case.whole_s)):
        return None
    evidence = {"coast_s": case.ours.coast_s, "reference_coast_s": case.theirs.coast_s}
    return case.finding(RULE, case.whole_s, longer / _LONGER_S, evidence)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    return (
        f"do not roll: {told['coast_s']:.1f} s without either pedal, {finding.against} "
        f"{told['reference_coast_s']:.1f} s"
    )
