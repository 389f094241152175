"""Is in another gear than the reference at the slowest place, and loses time from there."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "wrong_gear"


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    off = abs(case.ours.gear - case.theirs.gear)
    slower = case.theirs.exit_mps - case.ours.exit_mps
    if not (off >= 1 and slower > 0 and case.counts(case.exit_s)):
        return None
    evidence = {"gear": case.ours.gear, "reference_gear": case.theirs.gear, "exit_slower_kmh": 3.6 * slower}
    return case.finding(RULE, case.exit_s, 1.0, evidence, begin=case.middle)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    return (
        f"try gear {told['reference_gear']:.0f} instead of {told['gear']:.0f} as {finding.against} does: you "
        f"leave the corner {told['exit_slower_kmh']:.0f} km/h slower"
    )
