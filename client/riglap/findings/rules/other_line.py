"""Takes another line than the reference, and is slower on it."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "other_line"
_LEAST_M: Final = 1.0
"""One driver's line wanders by 0.4 m."""


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    off = {
        "entry": case.ours.entry_lateral_m - case.theirs.entry_lateral_m,
        "apex": case.ours.apex_lateral_m - case.theirs.apex_lateral_m,
        "exit": case.ours.exit_lateral_m - case.theirs.exit_lateral_m,
    }
    place, most = max(off.items(), key=lambda one: abs(one[1]))
    slower = case.theirs.least_mps - case.ours.least_mps
    if not (abs(most) >= _LEAST_M and slower > 0 and case.counts(case.whole_s)):
        return None
    evidence = {f"{place}_left_m": most, "slowest_slower_kmh": 3.6 * slower}
    return case.finding(RULE, case.whole_s, abs(most) / _LEAST_M, evidence)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    name, metres = next(iter(finding.evidence.items()))
    side = "right" if metres > 0 else "left"
    return (
        f"take the line of {finding.against}: at the {name.partition('_')[0]} you are {abs(metres):.1f} m "
        f"further {'left' if metres > 0 else 'right'}; move {side}"
    )
