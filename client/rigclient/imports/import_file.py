"""A file while it is imported: what the caller knows of it, what is refused, and what became of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from rigclient.imports.discovery import Found
from rigclient.imports.loaded_files import LoadedFile, LoadedFiles
from rigclient.imports.races import ImportedRace, race_of
from rigclient.imports.recording import Recording
from rigclient.imports.refusals import RefusalLog
from rigclient.imports.text.sheet import RefusedLine

LOADED: Final = "loaded"
UNDERSTOOD: Final = "understood"
THERE: Final = "there already"
REFUSED: Final = "refused"
EMPTY: Final = "no laps"
OLDER: Final = "older"
USED: Final = "dates"
"""What became of a file: UNDERSTOOD, that it would be loaded; OLDER, that a more final chart of its race is
there, or has replaced it; the last, that it stated the date of others.
"""

_RACE_DIGITS: Final = 2

Progress = Callable[[Path, int], None]
"""Told what is read, and how many of its bytes have been."""


class ImportOptions(NamedTuple):
    """What the caller knows of the files, where their paths do not tell."""

    track: str = ""
    race: int = 0
    date: str = ""
    """As 2023-06-10, or a year."""
    replace: bool = False
    """A chart may take the place of an earlier one of its race."""


@dataclass
class ImportReport:
    """What became of a file."""

    path: Path
    kind: str
    outcome: str
    session: str = ""
    race: ImportedRace | None = None
    laps: int = 0
    samples: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Rows by reason."""
    why: str = ""
    """Why the whole file is refused, or not needed."""
    replaces: tuple[LoadedFile, ...] = ()
    """What goes when it comes."""
    dialect: str = ""
    sessions: tuple[str, ...] = ()
    """Names of all sessions in it."""
    recordings: tuple[Recording, ...] = ()
    """How it was understood; their laps are read."""
    times: tuple[tuple[str, float | None], ...] = ()
    """Name and time of each of its laps, seconds."""


@dataclass(frozen=True)
class ImportFile:
    """One file on its way."""

    file: Found
    named: ImportOptions
    loaded: LoadedFiles
    refusals: RefusalLog
    progress: Progress
    beside: frozenset[str] = frozenset()
    """Checksums of the files that were named with it."""
    user: str = ""
    """Whose its laps are."""

    def refuse(self, line: int, reason: str, detail: str) -> None:
        """Log a refused row."""
        self.refusals.add(RefusedLine(line, reason, detail))

    def read(self, bytes_read: int) -> None:
        """Tell how far it is read."""
        self.progress(self.file.path, bytes_read)


def race_named(path: Path, named: ImportOptions, stated: str = "") -> ImportedRace:
    """Return the race of a file; `stated` is what the file itself says, such as R1. Raises BadRequest."""
    digits = stated.removeprefix("R")
    own = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _RACE_DIGITS else 0
    return race_of(path, named.track, named.race, named.date, own)
