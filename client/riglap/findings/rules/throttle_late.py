"""Opens the throttle later than the reference, or comes later to all of it, and loses time from there."""

from typing import Final

from riglap.findings.case import Case
from riglap.findings.finding import Finding

RULE: Final = "throttle_late"
_LEAST_M: Final = 8.0
"""One driver's places lie within 4 m of each other."""


def find(case: Case) -> Finding | None:
    """Return the finding, or None."""
    full = case.ours.full_throttle_m - case.theirs.full_throttle_m
    picked = case.ours.throttle_m - case.theirs.throttle_m
    later = max(full, picked)
    if not (later >= _LEAST_M and case.counts(case.exit_s)):
        return None
    evidence = {
        "full_throttle_m": case.ours.full_throttle_m,
        "reference_full_throttle_m": case.theirs.full_throttle_m,
        "full_later_m": full,
        "pick_up_m": case.ours.throttle_m,
        "pick_up_later_m": picked,
        "exit_slower_kmh": 3.6 * (case.theirs.exit_mps - case.ours.exit_mps),
    }
    return case.finding(RULE, case.exit_s, later / _LEAST_M, evidence, begin=case.middle)


def tip(finding: Finding) -> str:
    """Return what to tell the driver."""
    told = finding.evidence
    if told["pick_up_later_m"] > told["full_later_m"]:
        theirs = told["pick_up_m"] - told["pick_up_later_m"]
        return (
            f"open the throttle {told['pick_up_later_m']:.0f} m sooner: you begin to at "
            f"{told['pick_up_m']:.0f} m, {finding.against} at {theirs:.0f} m"
        )
    return (
        f"full throttle {told['full_later_m']:.0f} m sooner: you have it at {told['full_throttle_m']:.0f} m, "
        f"{finding.against} at {told['reference_full_throttle_m']:.0f} m"
    )
