"""Slides more than the reference, and is slower for it."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "overdrives"
_MORE: Final = 1.4
_LEAST: Final = 0.08


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    more = case.ours.slip / case.theirs.slip if case.theirs.slip > 0 else 0.0
    if not (more >= _MORE and case.ours.slip >= _LEAST and case.counts(case.whole_s)):
        return None
    evidence = {"slip": case.ours.slip, "reference_slip": case.theirs.slip}
    return case.finding(RULE, case.whole_s, more / _MORE, evidence)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    return (
        f"ask less of the tyres: they slide by {100 * told['slip']:.0f} % of your speed, those of "
        f"{finding.against} by {100 * told['reference_slip']:.0f} %"
    )
