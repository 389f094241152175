"""Files into the warehouse, each in one transaction, each once.

What a file is told by is its checksum: loaded again it changes nothing. A race whose laps are there from
another file is refused, because nobody can tell which of the two is right, unless the caller can: then the
later chart replaces the earlier one. Of charts that say how final they are the most final one comes first.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rig.errors import BadRequest, Mismatch, Raced
from rigclient.imports import beacons, finding, ledger
from rigclient.imports.dating import Clocks
from rigclient.imports.finding import Found, Search
from rigclient.imports.held import Held
from rigclient.imports.races import RIG_ID, Race, standing
from rigclient.imports.refusals import Refusals, Tell
from rigclient.imports.source import (
    LOADED,
    OLDER,
    REFUSED,
    THERE,
    USED,
    Named,
    Progress,
    Report,
    Source,
    race_named,
)
from rigclient.imports.telemetry import read_telemetry
from rigclient.imports.timing import read_chart
from rigclient.warehouse import loading, schema, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.spool import Spool


class Job:
    """One run over some files."""

    def __init__(self, destination: Destination, named: Named, tell: Tell, progress: Progress) -> None:
        self._destination = destination
        self._named = named
        self._tell = tell
        self._progress = progress
        self._held = Held(destination)
        self._beside = frozenset[str]()
        self._clocks: dict[tuple[str, str, int], list[Clocks]] = defaultdict(list)

    def run(self, found: Search) -> Iterator[Report]:
        """Load the files; a report of each as soon as it is done, and of each that was none."""
        schema.prepare(self._destination)
        self._beside = frozenset(file.sha256 for file in found.files)
        for file in sorted(found.files, key=_turn):
            try:
                yield self._read_beacons(file) if file.kind == finding.BEACONS else self._brought(file)
            except (Mismatch, BadRequest, OSError) as error:
                race = _race(file.path, self._named)
                yield Report(file.path, file.kind, REFUSED, race=race, why=_told(file.path, str(error)))
        for odd in found.odd:
            yield Report(odd.path, "", REFUSED, why=_told(odd.path, odd.why))

    def _read_beacons(self, file: Found) -> Report:
        """Keep their clocks: they tell the dates of charts."""
        with tempfile.TemporaryDirectory(prefix="rig-load-") as folder:
            source = self._source(file, Spool(Path(folder)))
            race = source.race(source.said("meta_session"))
            crossings = source.refusals.kept(beacons.together(source.rows(beacons.beacons)))
            times = [beacon.time_ns for beacon in crossings]
        self._clocks[race.slug, race.kind, race.number].append(np.array(times, np.int64))
        return Report(file.path, file.kind, USED, race=race, refused=source.refusals.by_reason)

    def _brought(self, file: Found) -> Report:
        for attempt in range(1, ledger.ATTEMPTS + 1):
            try:
                return self._attempt(file)
            except Raced:
                if attempt == ledger.ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, file: Found) -> Report:
        number = loading.next_n(self._destination, RIG_ID, ledger.STREAM)
        session = self._held.session_of_file(file.sha256)
        if session is not None:
            race = _race(file.path, self._named)
            own = race is None or race.slug in session
            why = "" if own else f"{file.path} is there as {session}, which has the same content"
            return Report(file.path, file.kind, THERE, session, race, why=why)
        if (by := self._held.replaced_by(file.sha256)) is not None:
            why = f"{file.path} was replaced by {by} (`rig warehouse unload` takes that back)"
            return Report(file.path, file.kind, OLDER, race=_race(file.path, self._named), why=why)
        self._destination.release()  # reading may take minutes
        with tempfile.TemporaryDirectory(prefix="rig-load-") as folder:
            source = self._source(file, Spool(Path(folder)))
            report = self._spooled(source, Path(folder))
            if report.outcome == LOADED:
                self._load(source, report, number)
        return report

    def _source(self, file: Found, spool: Spool) -> Source:
        refusals = Refusals(file.path, file.sha256, RIG_ID, spool, self._tell)
        return Source(file, self._named, self._held, spool, refusals, self._progress, self._beside)

    def _spooled(self, source: Source, folder: Path) -> Report:
        if source.file.kind == finding.CHART:
            race = source.race()
            return read_chart(source, race, self._clocks[race.slug, race.kind, race.number])
        return read_telemetry(source, folder)

    def _load(self, source: Source, report: Report, number: int) -> None:
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


def _turn(file: Found) -> tuple[bool, tuple[int, ...]]:
    """Beacons first, for they date charts; then the most final chart of each race."""
    return file.kind != finding.BEACONS, tuple(-one for one in standing(file.path))


def _told(path: Path, why: str) -> str:
    """The reason with the name of the file."""
    return why if str(path) in why else f"{path}: {why}"


def _race(path: Path, named: Named) -> Race | None:
    """The race, for a report on a file that is not read."""
    try:
        return race_named(path, named)
    except BadRequest:
        return None
