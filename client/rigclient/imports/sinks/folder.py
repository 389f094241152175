"""Imported laps in a folder, in the layout of a rig's store."""

import contextlib
import os
import shutil
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from rig.disk import beside
from rig.errors import Corrupt, NotFound, Raced
from rig.lapfile import FILE_LIMIT, LapFile
from rig.regular import read_regular
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigclient.imports.sinks.sink import Came, Put, one_by_one

_MOST_BYTES: Final = 1 << 20
"""Of what is known of a session."""


class FolderSink:
    """A folder `laps` as a rig's store has it: `laps/{session}/session.json`, `car003-0001.lap`."""

    def __init__(self, folder: Path) -> None:
        self.place: str = f"{folder}"
        self.user: str = ""
        self._root = folder / "laps"
        self._known: dict[str, dict[str, lap_pb2.Lap]] = {}
        self._written: dict[str, bytes] = {}

    def sessions(self) -> list[session_pb2.Session]:
        """Return the sessions that have a file."""
        found = (self._session(path) for path in sorted(self._root.glob("*/session.json")))
        return [one for one in found if one is not None and one.source == session_pb2.SESSION_SOURCE_IMPORT]

    def laps_of(self, session: str) -> list[lap_pb2.Lap]:
        """Return the laps of a session, by the heads of their files: of those that lie where they say."""
        if session not in self._known:
            paths = sorted(self._folder(session).glob("[!.]*.lap"))
            found = ((f"{session}/laps/{path.stem}", _header(path)) for path in paths)
            laps = {name: header.lap for name, header in found if header and header.lap.name == name}
            self._known[session] = laps
        return list(self._known[session].values())

    def recording(self, lap: str) -> archive_pb2.Recording:
        """Return what a lap was made of."""
        header = _header(self._path(lap))
        if header is None:
            raise NotFound(f"there is no lap {lap} in {self.place}", name=lap)
        return header.recording

    def data(self, lap: str) -> bytes:
        """Return the bytes of a lap file. Raises NotFound, Corrupt."""
        try:
            return read_regular(self._path(lap), FILE_LIMIT)
        except FileNotFoundError:
            raise NotFound(f"there is no lap {lap} in {self.place}", name=lap) from None

    def put(self, session: session_pb2.Session, data: bytes, *, replace: bool = False) -> None:
        """Write a lap file and its session's."""
        header = LapFile(data).header
        path = self._path(header.lap.name)
        if not replace and os.path.lexists(path) and not _holds(path, data):
            raise Raced(f"{header.lap.name} is in {self.place}, and is another file", name=header.lap.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.laps_of(session.name)
        if self._written.get(session.name) != (dumped := _dumped(session)):
            self._written[session.name] = dumped
            _replace(path.parent / "session.json", dumped)
        _replace(path, data)
        self._known[session.name][header.lap.name] = header.lap

    def put_all(self, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
        """Write lap files one after the other."""
        one_by_one(self, session, files, came)

    def delete_all(self, laps: Iterable[str]) -> None:
        """Delete lap files one after the other."""
        for lap in laps:
            self.delete(lap)

    def delete(self, lap: str) -> None:
        """Delete a lap file; the folder of its session with the last one."""
        path = self._path(lap)
        if not path.exists():
            raise NotFound(f"there is no lap {lap} in {self.place}", name=lap)
        path.unlink()
        self._known.pop(lap.partition("/laps/")[0], None)
        self._written.pop(lap.partition("/laps/")[0], None)
        if not any(path.parent.glob("*.lap")):
            shutil.rmtree(path.parent)

    def close(self) -> None:
        """Do nothing."""

    def _folder(self, session: str) -> Path:
        return self._root / session.removeprefix("sessions/")

    def _path(self, lap: str) -> Path:
        session, _, own = lap.partition("/laps/")
        return self._folder(session) / f"{own}.lap"

    def _session(self, path: Path) -> session_pb2.Session | None:
        with contextlib.suppress(Corrupt, OSError, json_format.ParseError):
            text = read_regular(path, _MOST_BYTES).decode(errors="replace")
            found = json_format.Parse(text, session_pb2.Session(), ignore_unknown_fields=True)
            return found if found.name == f"sessions/{path.parent.name}" else None
        return None


def _header(path: Path) -> archive_pb2.LapHeader | None:
    with contextlib.suppress(Corrupt, OSError), LapFile.open(path) as file:
        return file.header
    return None


def _dumped(session: session_pb2.Session) -> bytes:
    """Return a session as a store keeps it: JSON that ends with the CRC-32 of what is before."""
    text = json_format.MessageToJson(session, preserving_proto_field_name=True)
    body = text.rstrip().removesuffix("}").rstrip().encode()
    return b'%s, "crc32": %d}' % (body, zlib.crc32(body))


def _holds(path: Path, data: bytes) -> bool:
    """Return whether the file at `path` is these bytes; a pipe, which nobody may ever write to, is not."""
    with contextlib.suppress(Corrupt, OSError):
        return read_regular(path, len(data)) == data
    return False


def _replace(path: Path, data: bytes) -> None:
    """Make `data` the file at `path`, whole or not at all."""
    if _holds(path, data):
        return
    beside(path).write_bytes(data)
    beside(path).replace(path)
