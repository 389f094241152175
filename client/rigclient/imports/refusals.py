"""Rows that were refused: counted by reason, reported one by one, and declared in GAPS."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from rigclient.imports.text.sheet import RefusedLine

_AT_A_TIME: Final = 1000
_STREAM: Final = "rows"
_REASON: Final = "refused"


class RefusedRow(NamedTuple):
    """A refused row with its file."""

    path: Path
    line: int
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}: {self.detail}"


OnRefused = Callable[[RefusedRow], None]
"""Called for every refused row."""


class RefusalLog:
    """The refused rows of one file, as rows of GAPS: adjacent lines with one reason are one gap. `declare`
    gets a thousand of those at a time.
    """

    def __init__(
        self,
        path: Path,
        sha256: str,
        rig_id: str,
        declare: Callable[[list[dict[str, Any]]], None],
        tell: OnRefused,
    ) -> None:
        self._path = path
        self._constant = {"RIG_ID": rig_id, "RING": sha256, "STREAM": _STREAM, "REASON": _REASON}
        self._declare = declare
        self._tell = tell
        self._open: list[dict[str, Any]] = []
        self._last = ""
        self._n = 0
        self.by_reason: Final = Counter[str]()
        """Refused rows by reason."""

    def add(self, row: RefusedLine) -> None:
        """Log one refused row."""
        self.by_reason[row.reason] += 1
        refusal = RefusedRow(self._path, *row)
        self._tell(refusal)
        if self._open and self._last == row.reason and self._open[-1]["LAST_SEQ"] == row.line - 1:
            self._open[-1]["LAST_SEQ"] = row.line
            self._open[-1]["MISSING"] += 1
            return
        if len(self._open) == _AT_A_TIME:
            self.flush()
        self._open.append(self._gap(refusal))
        self._last = row.reason

    def flush(self) -> None:
        """Declare the gaps that are still open."""
        self._declare(self._open)
        self._open = []

    def _gap(self, refusal: RefusedRow) -> dict[str, Any]:
        self._n += 1
        lines = {"N": self._n - 1, "FIRST_SEQ": refusal.line, "LAST_SEQ": refusal.line, "MISSING": 1}
        return {**self._constant, **lines, "DETAIL": str(refusal)}
