"""A file read by a dialect, with what it refuses."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rigclient.imports.recording import Dialect, Head, RecordedLap, Recording


class Read(NamedTuple):
    recordings: list[Recording]
    laps: list[list[RecordedLap]]
    """Of every recording."""
    refused: list[tuple[int, str, str]]

    @property
    def lap(self) -> RecordedLap:
        """The only one."""
        ((lap,),) = self.laps
        return lap

    def note(self, column: str) -> str:
        """What was found about a column."""
        return next(one.note for one in self.recordings[0].mapped if one.column == column)


def head_of(path: Path) -> Head:
    first = path.read_bytes()[: 1 << 16]
    return Head(path, first, first.decode("utf-8", "replace"))


def read(dialect: Dialect, path: Path) -> Read:
    assert dialect.recognises(head_of(path))
    refused: list[tuple[int, str, str]] = []
    recordings = dialect.read(path, lambda *row: refused.append(row), lambda _: None)
    return Read(recordings, [list(one.laps) for one in recordings], refused)


def near(values: object, expected: object, tolerance: float) -> bool:
    """Whether two columns agree everywhere."""
    return bool(np.allclose(np.asarray(values, float), np.asarray(expected, float), rtol=0, atol=tolerance))
