"""What is found where somebody looks whether all is as it should be: a line each, with the way out."""

import enum
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from rig.regular import shown

Fact = str | int | float | bool | None
NONE: Final[Mapping[str, Fact]] = MappingProxyType({})


class Level(enum.Enum):
    """How much it matters, from what is fine to what is in the way."""

    OK = "ok"
    WARNING = "warning"
    """It works, and may not always."""
    WRONG = "wrong"
    """Something does not work."""

    @property
    def exit_code(self) -> int:
        """Return the code with which a program ends for it: 0, 1 or 2."""
        return list(Level).index(self)


class Fix(NamedTuple):
    """A change that is safe to make for somebody, when he wants it."""

    question: str
    """What it does: completes "shall I ...?"."""
    make: Callable[[], str]
    """Does it, and returns a sentence that says what was done. Raises OSError and RigError."""


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    subject: str
    """A word or two: what was looked at."""
    level: Level
    what: str
    """How it is; a sentence."""
    way_out: str = ""
    """What to do: a command, an edit, a sentence. Empty when all is well."""
    facts: Mapping[str, Fact] = field(default_factory=lambda: NONE)
    """For programs."""
    fix: Fix | None = None
    """What can be done about it here and now."""


def in_shell(path: Path | str) -> str:
    """Return a path as a shell takes it. Names come from elsewhere: a command that is copied from here runs
    nothing that stands in them.
    """
    return shlex.quote(shown(path))


def ok(subject: str, what: str, facts: Mapping[str, Fact] = NONE) -> Check:
    """Return a check of what is as it should be."""
    return Check(subject, Level.OK, what, "", facts)


def warning(
    subject: str, what: str, way_out: str, facts: Mapping[str, Fact] = NONE, fix: Fix | None = None
) -> Check:
    """Return a check of what works and may not always."""
    return Check(subject, Level.WARNING, what, way_out, facts, fix)


def wrong(
    subject: str, what: str, way_out: str, facts: Mapping[str, Fact] = NONE, fix: Fix | None = None
) -> Check:
    """Return a check of what does not work."""
    return Check(subject, Level.WRONG, what, way_out, facts, fix)
