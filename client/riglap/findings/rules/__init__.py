"""The rules, one file each: what is looked for, from which numbers on, and how a driver is told."""

from types import ModuleType
from typing import Final

from riglap.findings.rules import (
    brakes_early,
    brakes_late,
    brakes_softly,
    coasts,
    hesitates,
    lifts,
    other_line,
    overdrives,
    throttle_late,
    wrong_gear,
)

ENTRY: Final[tuple[ModuleType, ...]] = (brakes_early, brakes_softly, brakes_late, coasts)
"""Rules for the way into a corner; the first that finds something speaks."""
EXIT: Final[tuple[ModuleType, ...]] = (lifts, throttle_late, hesitates, wrong_gear)
WHOLE: Final[tuple[ModuleType, ...]] = (other_line, overdrives)
"""Rules for what neither pedal explains."""
