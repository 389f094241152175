"""The migration from the old collector: its folder imported, then every lap compared with its old files."""

from pathlib import Path
from typing import Final

from rig.v1 import lap_pb2
from rigclient.imports import discovery
from rigclient.imports.collector.files import session_of
from rigclient.imports.dialects import collector
from rigclient.imports.discovery import Found, Search
from rigclient.imports.import_file import ImportOptions, ImportReport, Progress
from rigclient.imports.job import ImportJob
from rigclient.imports.keeping import SinkKeeper
from rigclient.imports.migration.report import MigratedSession, MigrationReport
from rigclient.imports.migration.verification import verify_session
from rigclient.imports.refusals import OnRefused
from rigclient.imports.sinks.sink import LapSink
from riglap.lap import Lap

_DIGITS: Final = 16
"""Of a file's checksum, in a lap that came from it."""


def found_in(folder: Path) -> Search:
    """Return the sessions of the collector in a folder and those below it; what is of another kind is among
    the others. Raises NotFound for no folder.
    """
    found = discovery.search([folder])
    ours = [file for file in found.files if file.kind == collector.DIALECT.name]
    theirs = [file.path for file in found.files if file.kind != collector.DIALECT.name]
    return Search(ours, found.odd, [*theirs, *found.others])


def migrate(
    folder: Path, found: Search, sink: LapSink, named: ImportOptions, tell: OnRefused, progress: Progress
) -> MigrationReport:
    """Import what was found in a folder of the collector, and compare every lap of it with the old files.
    Laps that are there already are compared all the same.
    """
    wanted = Search(found.files, [], [])
    reports = {one.path: one for one in ImportJob(SinkKeeper(sink), named, tell, progress).run(wanted)}
    odd = [f"{one.path}: {one.why}" for one in found.odd]
    sessions = [_session(file, reports[file.path], sink, progress) for file in found.files]
    return MigrationReport(folder, sessions, odd, found.others)


def _session(file: Found, report: ImportReport, sink: LapSink, progress: Progress) -> MigratedSession:
    files = file.together or (file.path,)
    made = MigratedSession(len(files), file.path, report.session, report.outcome, report.why)
    laps = _laps_of(file, report, sink)
    if not laps:
        made.name = ""
        made.why = made.why or f"{file.path}: none of its laps is there"
        return made

    def lap_of(number: int) -> Lap | None:
        lap = laps.get(number)
        return Lap.from_bytes(sink.data(lap.name)) if lap is not None else None

    for lap in verify_session(session_of(file.path), lap_of):
        made.laps.append(lap)
        progress(file.path, file.bytes)
    return made


def _laps_of(file: Found, report: ImportReport, sink: LapSink) -> dict[int, lap_pb2.Lap]:
    """Return the laps that came from a file, by how many are before them."""
    names = report.sessions or ((report.session,) if report.session else ())
    laps = [lap for name in names for lap in sink.laps_of(f"sessions/{name}")]
    return {lap.number: lap for lap in laps if lap.file_digest == file.sha256[:_DIGITS]}
