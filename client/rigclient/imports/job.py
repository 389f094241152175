"""Files into the warehouse, each in one transaction, each once.

A file is known by its checksum: loaded again it changes nothing. A race whose laps are there from
another file is refused, because nobody can tell which of the two is right, unless the caller can: then the
later chart replaces the earlier one. Of charts that say how final they are the most final one comes first.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rig.errors import BadRequest, Mismatch, Raced
from rigclient.imports import beacons, discovery, ledger
from rigclient.imports.dating import Clocks
from rigclient.imports.discovery import Found, Search
from rigclient.imports.import_file import (
    LOADED,
    OLDER,
    REFUSED,
    THERE,
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
from rigclient.imports.telemetry import read_telemetry
from rigclient.imports.timing import read_chart
from rigclient.warehouse import loading, schema, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.spool import Spool


class ImportJob:
    """One run over some files."""

    def __init__(
        self, destination: Destination, named: ImportOptions, tell: OnRefused, progress: Progress
    ) -> None:
        self._destination = destination
        self._named = named
        self._tell = tell
        self._progress = progress
        self._loaded_files = LoadedFiles(destination)
        self._beside = frozenset[str]()
        self._clocks: dict[tuple[str, str, int], list[Clocks]] = defaultdict(list)

    def run(self, found: Search) -> Iterator[ImportReport]:
        """Load the files; yield a report of each as soon as it is done, and of each that cannot be read."""
        schema.prepare(self._destination)
        self._beside = frozenset(file.sha256 for file in found.files)
        for file in sorted(found.files, key=_order):
            try:
                yield self._read_beacons(file) if file.kind == discovery.BEACONS else self._retried(file)
            except (Mismatch, BadRequest, OSError) as error:
                race = _race(file.path, self._named)
                yield ImportReport(
                    file.path, file.kind, REFUSED, race=race, why=_with_path(file.path, str(error))
                )
        for odd in found.odd:
            yield ImportReport(odd.path, "", REFUSED, why=_with_path(odd.path, odd.why))

    def _read_beacons(self, file: Found) -> ImportReport:
        """Read a file of beacons and keep its clocks: they date the charts of the same race."""
        with tempfile.TemporaryDirectory(prefix="rig-load-") as folder:
            source = self._source(file, Spool(Path(folder)))
            race = source.race(source.said("meta_session"))
            crossings = source.refusals.kept(beacons.together(source.rows(beacons.beacons)))
            times = [beacon.time_ns for beacon in crossings]
        self._clocks[race.slug, race.kind, race.number].append(np.array(times, np.int64))
        return ImportReport(file.path, file.kind, USED, race=race, refused=source.refusals.by_reason)

    def _retried(self, file: Found) -> ImportReport:
        for attempt in range(1, ledger.ATTEMPTS + 1):
            try:
                return self._attempt(file)
            except Raced:
                if attempt == ledger.ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, file: Found) -> ImportReport:
        number = loading.next_n(self._destination, RIG_ID, ledger.STREAM)
        session = self._loaded_files.session_of_file(file.sha256)
        if session is not None:
            race = _race(file.path, self._named)
            own = race is None or race.slug in session
            why = "" if own else f"{file.path} is there as {session}, which has the same content"
            return ImportReport(file.path, file.kind, THERE, session, race, why=why)
        if (by := self._loaded_files.replaced_by(file.sha256)) is not None:
            why = f"{file.path} was replaced by {by} (`rig warehouse unload` takes that back)"
            return ImportReport(file.path, file.kind, OLDER, race=_race(file.path, self._named), why=why)
        self._destination.release()  # reading may take minutes
        with tempfile.TemporaryDirectory(prefix="rig-load-") as folder:
            source = self._source(file, Spool(Path(folder)))
            report = self._spooled(source, Path(folder))
            if report.outcome == LOADED:
                self._load(source, report, number)
        return report

    def _source(self, file: Found, spool: Spool) -> ImportFile:
        refusals = RefusalLog(file.path, file.sha256, RIG_ID, spool, self._tell)
        return ImportFile(
            file, self._named, self._loaded_files, spool, refusals, self._progress, self._beside
        )

    def _spooled(self, source: ImportFile, folder: Path) -> ImportReport:
        if source.file.kind == discovery.CHART:
            race = source.race()
            return read_chart(source, race, self._clocks[race.slug, race.kind, race.number])
        return read_telemetry(source, folder)

    def _load(self, source: ImportFile, report: ImportReport, number: int) -> None:
        source.refusals.flush()
        row = {
            "RIG_ID": RIG_ID,
            "SHA256": source.file.sha256,
            "PATH": str(source.file.path),
            "KIND": source.file.kind,
            "SESSION": report.session,
            "BYTES": source.file.bytes,
            "LAPS": report.laps,
            "REFUSED": report.refused.total(),
        }
        source.spool.put(tables.FILES, [row])
        parts = source.spool.parts()
        gone = tuple(session.load for session in report.replaces)
        note = ledger.note(str(source.file.path), source.file.sha256, replaces=report.replaces)
        loading.load(
            self._destination,
            loading.Load(source.spool.id, RIG_ID, ledger.STREAM, number, number + 1, parts, gone, note),
        )


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
