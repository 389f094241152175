"""A file while it is loaded: its rows, what is refused of them, and the spool they go to."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from rigclient.imports.discovery import KNOWN, Found
from rigclient.imports.loaded_files import LoadedFile, LoadedFiles
from rigclient.imports.races import ImportedRace, race_of
from rigclient.imports.refusals import RefusalLog
from rigclient.imports.sheet import RefusedLine, Sheet
from rigclient.warehouse.spool import Spool

LOADED: Final = "loaded"
THERE: Final = "there already"
REFUSED: Final = "refused"
EMPTY: Final = "no laps"
OLDER: Final = "older"
USED: Final = "dates"
"""What became of a file: OLDER, that a more final chart of its race is there, or has replaced it; the last,
that it stated the date of others.
"""

_RACE_DIGITS: Final = 2
_EVERY: Final = 2000
"""Rows between two words about how far it is."""

T = TypeVar("T")

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


@dataclass(frozen=True)
class ImportFile:
    """One file on its way."""

    file: Found
    named: ImportOptions
    loaded: LoadedFiles
    spool: Spool
    refusals: RefusalLog
    progress: Progress
    beside: frozenset[str] = frozenset()
    """Checksums of the files that were named with it."""

    def race(self, stated: str = "") -> ImportedRace:
        """Return the race it is of; `stated` is what the file itself says, such as R1. Raises BadRequest."""
        return race_named(self.file.path, self.named, stated)

    def said(self, column: str) -> str:
        """Return what its first sound row says; nothing where it has no such column."""
        return self.file.first.get(column) if self.file.first else ""

    def rows(self, parse: Callable[[Sheet], Iterator[T | RefusedLine]]) -> Iterator[T | RefusedLine]:
        """Yield what a parser makes of the file, from its beginning."""
        with self.file.path.open("rb") as file:
            sheet = Sheet(str(self.file.path), file, KNOWN)
            for n, row in enumerate(parse(sheet)):
                if n % _EVERY == 0:
                    self.progress(self.file.path, sheet.bytes_read)
                yield row
        self.progress(self.file.path, self.file.bytes)

    def sound(self, parse: Callable[[Sheet], Iterator[T | RefusedLine]]) -> Iterator[T]:
        """Yield the same without what is refused, which is logged."""
        return self.refusals.kept(self.rows(parse))

    def report(
        self,
        session: str,
        race: ImportedRace,
        *,
        laps: int,
        samples: int = 0,
        replaces: tuple[LoadedFile, ...] = (),
    ) -> ImportReport:
        """Return the report on what came of the file."""
        outcome = LOADED if laps else EMPTY
        refused = self.refusals.by_reason
        why = "" if laps else f"{self.file.path} has no sound row, {refused.total()} refused"
        return ImportReport(
            self.file.path, self.file.kind, outcome, session, race, laps, samples, refused, why, replaces
        )


def race_named(path: Path, named: ImportOptions, stated: str = "") -> ImportedRace:
    """Return the race of a file; `stated` is what the file itself says, such as R1. Raises BadRequest."""
    digits = stated.removeprefix("R")
    own = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _RACE_DIGITS else 0
    return race_of(path, named.track, named.race, named.date, own)
