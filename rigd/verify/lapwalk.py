"""Laps: every file to its last byte, its name, and its row in the index."""

from pathlib import Path

from rig.errors import Corrupt, Newer
from rig.lapfile import LapFile
from rig.v1 import lap_pb2
from rigd.store.folder import LapFolder
from rigd.store.index import IndexReader
from rigd.verify.finding import differing, finding
from rigd.verify.walk import Findings


class LapWalk:
    """Checks laps by their names. `index` is None when there is none that can be read."""

    def __init__(self, data: Path, index: IndexReader | None) -> None:
        self._data = data
        self._store, self._index = LapFolder(data / "laps"), index

    def names(self) -> list[str]:
        """Return laps that have a file, or had one that was set aside, or a row."""
        listed = self._index.lap_names() if self._index else ()
        return sorted({*self._store.laps(), *self._store.damaged(), *listed})

    def check(self, name: str) -> Findings:
        """Yield what is wrong with a lap, its file and its row."""
        path, where = self._store.path(name), self._where(name)
        row = self._index.lap(name) if self._index else None
        if self._store.damaged_path(name).exists():
            yield finding("lap-set-aside", where, (row and row.damage) or "its file was damaged")
            if row is None and self._index:
                yield finding("lap-unlisted", where, "the index does not have it")
        elif not path.exists():
            if row is not None:
                yield finding("lap-fileless", where, "the index has a lap without a file")
        else:
            yield from self._file(name, path, row)

    def _file(self, name: str, path: Path, row: lap_pb2.Lap | None) -> Findings:
        where = self._where(name)
        try:
            with LapFile.open(path) as file:
                header, digest = file.header, file.digest
                file.verify()
        except Newer as error:
            yield finding("lap-newer", where, error.message)
            return
        except Corrupt as error:
            yield finding("lap-damaged", where, str(error))
            return
        except FileNotFoundError:
            return  # deleted just now
        session = name.rpartition("/laps/")[0]
        if (header.lap.name, header.session.name) != (name, session):
            yield finding("lap-misnamed", where, f"the file says that it is {header.lap.name!r}")
            return
        if name in self._store.tombstones(session):
            yield finding("lap-returned", where, "it was deleted, and its file is there")
        if row is None and self._index:
            yield finding("lap-unlisted", where, "the index does not have it")
        elif row is not None and row != (
            lap := self._store.described(header.lap, path.stat().st_size, digest)
        ):
            yield finding("lap-differs", where, f"the index says otherwise of {differing(row, lap)}")

    def _where(self, name: str) -> str:
        return str(self._store.path(name).relative_to(self._data))
