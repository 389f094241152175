"""Keeping the laps of a file: in a sink lap by lap, in a warehouse in one transaction."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rig.errors import RigError
from rig.lapfile import LapFile
from rigclient.imports import ledger
from rigclient.imports.discovery import Found
from rigclient.imports.import_file import ImportReport
from rigclient.imports.loaded_files import LoadedFiles, WarehouseFiles
from rigclient.imports.races import RIG_ID
from rigclient.imports.sinks.files import SinkFiles
from rigclient.imports.sinks.sink import LapSink, Put
from rigclient.imports.spooling import SpooledSession
from rigclient.warehouse import loading, schema, table_rows, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.layout import LayoutCache
from rigclient.warehouse.load_builder import OpenLoad
from rigclient.warehouse.rig_reader import FetchedLap

Kept = Callable[[Path, int, int], None]
"""Told a file, how many of its laps are kept, and of how many."""


class SinkKeeper:
    """Keeps laps in a folder or on a rig."""

    def __init__(self, sink: LapSink, kept: Kept = lambda *_: None) -> None:
        self._sink, self._kept = sink, kept
        self.files: LoadedFiles = SinkFiles(sink)
        self.user: str = sink.user

    def prepare(self) -> None:
        """Do nothing."""

    def coming(self, folder: Path) -> "_SinkFile":  # noqa: ARG002  a warehouse needs it
        """Return what takes the next file."""
        return _SinkFile(self._sink, self._kept)


class _SinkFile:
    """A file on its way into a sink."""

    def __init__(self, sink: LapSink, kept: Kept) -> None:
        self._sink, self._kept = sink, kept

    def declare(self, gaps: list[dict[str, Any]]) -> None:
        """Do nothing: a lap file says how many rows of its file were refused."""

    def keep(self, file: Found, _report: ImportReport, sessions: list[SpooledSession]) -> None:
        """Put all laps, then delete those of files that they replace; what was put goes again where one
        cannot be. Whoever is killed meanwhile goes on the next time.
        """
        put: list[str] = []
        laps, kept = sum(len(one.laps) for one in sessions), 0

        def came(name: str) -> None:
            nonlocal kept
            kept += 1
            put.extend([] if name in there else [name])
            self._kept(file.path, kept, laps)

        try:
            for session in sessions:
                there = self._there(session)
                self._sink.put_all(session.session, _puts(file, session, there), came)
                self._clear(session, there)
        except BaseException:
            for name in put:
                with contextlib.suppress(RigError, OSError):
                    self._sink.delete(name)
            raise

    def _there(self, session: SpooledSession) -> dict[str, str]:
        """Return the laps of a session that are there, with the checksums of their files."""
        return {lap.name: lap.file_digest for lap in self._sink.laps_of(session.session.name)}

    def _clear(self, session: SpooledSession, there: Iterable[str]) -> None:
        """Delete the laps of a session that the file has not, where it has all of the session."""
        if session.whole:
            for name in set(there) - {lap.name for lap in session.laps}:
                self._sink.delete(name)


def _puts(file: Found, session: SpooledSession, there: Mapping[str, str]) -> Iterator[Put]:
    """Yield the lap files of a session; `there` are the checksums of files whose laps are there."""
    for lap, data in zip(session.laps, session.lap_files(), strict=True):
        own = file.sha256.startswith(there.get(lap.name) or "none")
        yield Put(data, session.whole or own)


class WarehouseKeeper:
    """Keeps laps in a warehouse, under the rig `import`."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self.files: LoadedFiles = WarehouseFiles(destination)
        self.user: str = ""
        self._layouts: LayoutCache | None = None

    def prepare(self) -> None:
        """Make the tables."""
        self._layouts = LayoutCache(self._destination.name, schema.prepare(self._destination))

    def coming(self, folder: Path) -> "_WarehouseFile":
        """Return what takes the next file, as the next number of the ledger's stream."""
        assert self._layouts is not None, "prepare comes first"
        number = loading.next_n(self._destination, RIG_ID, ledger.STREAM)
        return _WarehouseFile(self._destination, self._layouts, folder / "rows", number)


class _WarehouseFile:
    """A file on its way into a warehouse."""

    def __init__(self, destination: Destination, layouts: LayoutCache, folder: Path, number: int) -> None:
        self._destination, self._layouts, self._number = destination, layouts, number
        self._load: Final = OpenLoad(RIG_ID, folder, None)

    def declare(self, gaps: list[dict[str, Any]]) -> None:
        """Note rows that were refused, as rows of GAPS."""
        self._load.spool.put(tables.GAPS, gaps)

    def keep(self, file: Found, report: ImportReport, sessions: list[SpooledSession]) -> None:
        """Load all rows of the file in one transaction."""
        for session in sessions:
            self._add(session)
        spool = self._load.spool
        spool.put(tables.FILES, [_file_row(file, report)])
        parts = self._load.parts()
        gone = tuple(one.load for one in report.replaces)
        note = ledger.note(str(file.path), file.sha256, replaces=report.replaces)
        wanted = loading.Load(
            spool.id, RIG_ID, ledger.STREAM, self._number, self._number + 1, parts, gone, note
        )
        loading.load(self._destination, wanted)

    def _add(self, session: SpooledSession) -> None:
        """Spool the laps of a session."""
        for data in session.lap_files():
            lap = LapFile(data)
            layout = self._layouts.of(lap)
            self._layouts.widen(self._destination, layout)
            self._load.add(FetchedLap(lap, len(data)), layout)
        if session.is_new:
            self._load.sessions.append(_session_row(session))


def _session_row(session: SpooledSession) -> dict[str, Any]:
    return table_rows.session(RIG_ID, session.session) | {
        "LOCAL_DATE": session.race.date or None,
        "RING": session.key,
        "RING_SESSION": session.race.number,
    }


def _file_row(file: Found, report: ImportReport) -> dict[str, Any]:
    return {
        "RIG_ID": RIG_ID,
        "SHA256": file.sha256,
        "PATH": str(file.path),
        "KIND": file.kind,
        "SESSION": report.session,
        "BYTES": file.bytes,
        "LAPS": report.laps,
        "REFUSED": report.refused.total(),
    }
