"""What was found, for people and for programs."""

import json
from collections.abc import Iterable
from typing import Final

import rigd
from rigclient.cli.terminal.text import Console, Text
from rigd.check import Check, Level
from rigd.doctor.examination import worst

_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "bold red"}
_LEVEL_CELLS: Final = 7
_SUBJECT_CELLS: Final = 15


def show(check: Check, console: Console) -> None:
    """Print a line for a check, and one for the way out."""
    style = _STYLES[check.level]
    head = Text.assemble(
        (f"{check.level.value:<{_LEVEL_CELLS}} ", style), (f"{check.subject:<{_SUBJECT_CELLS}} ", "bold")
    )
    console.print(head.append(check.what), soft_wrap=True)
    if check.way_out:
        blank = " " * (_LEVEL_CELLS + _SUBJECT_CELLS + 2)
        console.print(Text.assemble(blank, ("-> ", style), check.way_out), soft_wrap=True)


def show_verdict(checks: list[Check], console: Console) -> None:
    """Print how many are how."""
    counts = ((level, sum(check.level is level for check in checks)) for level in Level)
    parts = [Text(f"{count} {level.value}", _STYLES[level] if count else "dim") for level, count in counts]
    console.print(Text(", ").join(parts))


def as_json(checks: Iterable[Check]) -> str:
    """Return all as one document: `version`, `level` (the worst), and `checks`."""
    found = list(checks)
    document = {"version": rigd.__version__, "level": worst(found).value, "checks": list(map(_values, found))}
    return json.dumps(document, indent=2)


def _values(check: Check) -> dict[str, object]:
    return {
        "subject": check.subject,
        "level": check.level.value,
        "what": check.what,
        "way_out": check.way_out,
        "fix": check.fix.question if check.fix else None,
        "facts": dict(check.facts),
    }
