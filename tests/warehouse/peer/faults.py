"""Faults to order. Each line of the fault file is one:

    before|after <TAB> REGEX <TAB> dropN|exit|sleepS|httpNNN

REGEX is searched, whatever the case, in the SQL of a statement, or in "METHOD /path" of any other request.
`before` strikes before the request is done, `after` when it is done and not yet answered. `drop` cuts the
connection N times, `exit` ends the peer once; `sleep` waits S seconds and `http` answers with that status
for as long as the line stands. The file is read at every request, so a test writes it at any time.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BEFORE: Final = "before"
AFTER: Final = "after"

_ACTION: Final = re.compile(r"(drop|exit|sleep|http)([\d.]*)")


@dataclass(frozen=True)
class Fault:
    """What strikes a request."""

    kind: str
    """drop, exit, sleep or http."""
    number: float
    """Times, seconds or the status."""


@dataclass(frozen=True)
class Faults:
    """Those of a file, which need not exist."""

    file: Path

    def strike(self, when: str, subject: str) -> Fault | None:
        """The first fault for this request. One that strikes a number of times has one less to go."""
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        for at, line in enumerate(lines):
            moment, pattern, action = line.split("\t")
            if moment == when and re.search(pattern, subject, re.IGNORECASE | re.DOTALL):
                fault = _parsed(action)
                if fault.kind in ("drop", "exit"):
                    less = [f"{moment}\t{pattern}\tdrop{fault.number - 1:.0f}"] if fault.number > 1 else []
                    self._write([*lines[:at], *less, *lines[at + 1 :]])
                return fault
        return None

    def _write(self, lines: list[str]) -> None:
        beside = self.file.with_suffix(".new")
        beside.write_text("".join(f"{line}\n" for line in lines))
        os.replace(beside, self.file)


def _parsed(action: str) -> Fault:
    found = _ACTION.fullmatch(action)
    if found is None:
        raise ValueError(f"{action!r} is no fault")
    return Fault(found[1], float(found[2] or 1))
