"""Files of other programs become laps, each file whole or not at all, each once.

A file is known by its checksum: imported again it changes nothing. A race whose laps are there from another
file is refused, because nobody can tell which of the two is right, unless the caller can: then the later
chart replaces the earlier one. Of charts that say how final they are the most final one comes first.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rig.errors import BadRequest, Corrupt, Exhausted, Mismatch, Raced
from rigclient.imports import discovery, ledger
from rigclient.imports.discovery import KNOWN, Found, Search
from rigclient.imports.import_file import (
    LOADED,
    REFUSED,
    THERE,
    UNDERSTOOD,
    USED,
    ImportFile,
    ImportOptions,
    ImportReport,
    Progress,
    race_named,
)
from rigclient.imports.loaded_files import LoadedFiles
from rigclient.imports.races import RIG_ID, ImportedRace, standing
from rigclient.imports.refusals import OnRefused, RefusalLog
from rigclient.imports.spooling import SpooledSession, spooled
from rigclient.imports.text.sheet import RefusedLine, Sheet
from rigclient.imports.timing import beacons
from rigclient.imports.timing.dating import Clocks


class Coming(Protocol):
    """A file on its way to where laps are kept."""

    def declare(self, gaps: list[dict[str, Any]]) -> None:
        """Note rows that were refused."""

    def keep(self, file: Found, report: ImportReport, sessions: list[SpooledSession]) -> None:
        """Keep all its laps, or none. Raises Raced when somebody else was faster."""


class Keeper(Protocol):
    """Where laps are kept: a sink, or a warehouse."""

    files: LoadedFiles
    """What is there."""
    user: str
    """Whose the laps are that come; empty: nobody's."""

    def prepare(self) -> None:
        """Make what is needed before the first file."""

    def coming(self, folder: Path) -> Coming:
        """Return what takes the next file; `folder` is its own until it is kept."""


class ImportJob:
    """One run over some files."""

    def __init__(
        self,
        keeper: Keeper,
        named: ImportOptions,
        tell: OnRefused,
        progress: Progress,
        *,
        dry: bool = False,
    ) -> None:
        """`dry`: the keeper keeps nothing."""
        self._keeper = keeper
        self._named = named
        self._tell = tell
        self._progress = progress
        self._dry = dry
        self._beside = frozenset[str]()
        self._clocks: dict[tuple[str, str, int], list[Clocks]] = defaultdict(list)

    def run(self, found: Search) -> Iterator[ImportReport]:
        """Import the files; yield a report of each as soon as it is done, and of each that cannot be read."""
        self._keeper.prepare()
        self._beside = frozenset(file.sha256 for file in found.files)
        for file in sorted(found.files, key=_order):
            try:
                yield self._read_beacons(file) if file.kind == discovery.BEACONS else self._retried(file)
            except (Mismatch, BadRequest, Corrupt, Exhausted, OSError) as error:
                race = _race(file.path, self._named)
                why = _with_path(file.path, str(error))
                yield ImportReport(file.path, file.kind, REFUSED, race=race, why=why)
        for odd in found.odd:
            yield ImportReport(odd.path, "", REFUSED, why=_with_path(odd.path, odd.why))

    def _read_beacons(self, file: Found) -> ImportReport:
        """Read a file of beacons and keep its clocks: they date the charts of the same race."""
        refusals = RefusalLog(file.path, file.sha256, RIG_ID, lambda _: None, self._tell)
        race = race_named(file.path, self._named, file.first.get("meta_session") if file.first else "")
        times = []
        with file.path.open("rb") as opened:
            for row in beacons.together(beacons.beacons(Sheet(str(file.path), opened, KNOWN))):
                if isinstance(row, RefusedLine):
                    refusals.add(row)
                else:
                    times.append(row.time_ns)
        self._progress(file.path, file.bytes)
        self._clocks[race.slug, race.kind, race.number].append(np.array(times, np.int64))
        return ImportReport(file.path, file.kind, USED, race=race, refused=refusals.by_reason)

    def _retried(self, file: Found) -> ImportReport:
        for attempt in range(1, ledger.ATTEMPTS + 1):
            try:
                return self._attempt(file)
            except Raced:
                if attempt == ledger.ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, file: Found) -> ImportReport:
        with tempfile.TemporaryDirectory(prefix="rig-import-") as folder:
            coming = self._keeper.coming(Path(folder))
            session = self._keeper.files.session_of_file(file.sha256)
            if session is not None:
                return self._there(file, session)
            refusals = RefusalLog(file.path, file.sha256, RIG_ID, coming.declare, self._tell)
            source = ImportFile(
                file,
                self._named,
                self._keeper.files,
                refusals,
                self._progress,
                self._beside,
                self._keeper.user,
            )
            report, sessions = spooled(source, Path(folder), self._clocks)
            self._progress(file.path, file.bytes)
            if report.outcome == LOADED:
                refusals.flush()
                coming.keep(file, report, sessions)
                report.outcome = UNDERSTOOD if self._dry else LOADED
        return report

    def _there(self, file: Found, session: str) -> ImportReport:
        race = _race(file.path, self._named)
        own = race is None or race.slug in session
        why = "" if own else f"{file.path} is there as {session}, which has the same content"
        return ImportReport(file.path, file.kind, THERE, session, race, why=why)


def _order(file: Found) -> tuple[bool, tuple[int, ...]]:
    """Return the key by which files are sorted: beacons first, which date charts; then the most final
    chart.
    """
    return file.kind != discovery.BEACONS, tuple(-one for one in standing(file.path))


def _with_path(path: Path, why: str) -> str:
    """Return the reason with the path of the file."""
    return why if str(path) in why else f"{path}: {why}"


def _race(path: Path, named: ImportOptions) -> ImportedRace | None:
    """Return the race by the path alone, for a report on a file that is not read; None where it says none."""
    try:
        return race_named(path, named)
    except BadRequest:
        return None
