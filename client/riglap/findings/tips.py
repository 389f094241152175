"""Tips: findings told to a driver."""

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from riglap.findings import car
from riglap.findings.finding import Finding
from riglap.findings.rules import ENTRY, EXIT, WHOLE
from riglap.times import gap

MOST: Final = 5
LEAST_CONFIDENCE: Final = 0.4
_TELL: Final[dict[str, Callable[[Finding], str]]] = {
    **{rule.RULE: rule.tip for rule in (*ENTRY, *EXIT, *WHOLE)},
    **dict.fromkeys(car.RULES, car.tip),
    "incident": lambda _: "traffic, a flag or a mistake cost more here than driving better can win",
    "inconsistent": lambda finding: (
        f"find one way through: your times here differ by {finding.evidence['deviation_s']:.2f} s, elsewhere "
        f"by {finding.evidence['usual_deviation_s']:.2f} s"
    ),
}
RULES: Final = frozenset(_TELL)
"""What ids begin with, before the colon."""


class Tip(NamedTuple):
    """One sentence, and the finding it was made of."""

    id: str
    text: str
    finding: Finding


def tips(findings: Iterable[Finding], given: Collection[str] = (), most: int = MOST) -> list[Tip]:
    """Return up to `most` tips, 1 to 5, ranked by the time lost: one per corner, of findings that are sure
    enough, and none whose id was `given` before.
    """
    chosen: list[Tip] = []
    corners: set[int] = set()
    for finding in sorted(findings, key=lambda one: (-one.lost_s * one.confidence, one.id)):
        fresh = finding.id not in given and finding.corner not in corners
        if fresh and finding.confidence >= LEAST_CONFIDENCE:
            corners.add(finding.corner)
            chosen.append(Tip(finding.id, sentence(finding), finding))
    return chosen[: max(1, min(most, MOST))]


def sentence(finding: Finding) -> str:
    """Return T4: brake 14 m later: you go to the brake at 1505 m, ... (+0.182 s, 1485 to 1634 m)."""
    where = f"{finding.begin:.0f} to {finding.end:.0f} m"
    return f"{finding.place}: {_TELL[finding.rule](finding)} ({gap(finding.lost_s)} s, {where})"
