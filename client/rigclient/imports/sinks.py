"""Where imported laps are kept: a folder in the layout of a rig's store, a rig, or nowhere for a dry run."""

import contextlib
import hashlib
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from google.protobuf import json_format

from rig.disk import beside
from rig.errors import Corrupt, Exhausted, NotFound, Raced
from rig.lapfile import FILE_LIMIT, LapFile
from rig.regular import read_regular
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigclient.blocking import Rig
from rigclient.imports.loaded_files import CarLap, LoadedFile, may_be
from rigclient.imports.races import date_told, digits, variant

_LISTED_AT_ONCE: Final = 1000
_MOST_BYTES: Final = 1 << 20
"""Of what is known of a session."""
_LEAST: Final = 8
"""Digits of a checksum that may stand for it."""
_HEX: Final = re.compile("[0-9a-f]+")
_ALIKE: Final = 10
"""Races that are alike in all but their cars."""
_AT_ONCE: Final = 4
"""Laps on their way to a rig, as many as it takes of one token: each waits for its disk some twenty times."""
_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Where others import as well a rig is full for a moment."""

T = TypeVar("T")


class Put(NamedTuple):
    """A lap file that is to be kept."""

    data: bytes
    replace: bool
    """It may take the place of another file of that lap."""


Came = Callable[[str], None]
"""Told the name of a lap as soon as it is kept."""


class LapSink(Protocol):
    """Laps that were imported, and those that come to them. Not for several threads."""

    place: str
    """Where they are, as in `is on the rig`."""
    user: str
    """Whose the laps are that come; empty: nobody's."""

    def sessions(self) -> list[session_pb2.Session]:
        """Return the sessions that were imported."""

    def laps_of(self, session: str) -> list[lap_pb2.Lap]:
        """Return the laps of a session, `sessions/{session}`."""

    def recording(self, lap: str) -> archive_pb2.Recording:
        """Return what a lap was made of. Raises NotFound, Corrupt."""

    def data(self, lap: str) -> bytes:
        """Return the bytes of a lap file. Raises NotFound."""

    def put(self, session: session_pb2.Session, data: bytes, *, replace: bool = False) -> None:
        """Keep a lap file, and its session. The same once more changes nothing; another one of that lap is
        refused with Raced but for `replace`.
        """

    def put_all(self, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
        """Keep the lap files of a session, several at a time where that is quicker. Raises what `put` raises:
        no more are begun then, and `came` has been told all that are there.
        """

    def delete_all(self, laps: Iterable[str]) -> None:
        """Delete laps, those that are there even where one cannot be. Raises as `delete` does."""

    def delete(self, lap: str) -> None:
        """Delete a lap, and its session with the last one. Raises NotFound."""

    def close(self) -> None:
        """Release it."""


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
        _one_by_one(self, session, files, came)

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


class RigSink:
    """A rig, over its connection."""

    place: str = "the rig"

    def __init__(self, rig: Rig, user: str = "") -> None:
        self._rig = rig
        self.user: str = user
        self._known: dict[str, list[lap_pb2.Lap]] | None = None
        self._came: dict[str, session_pb2.Session] = {}

    def sessions(self) -> list[session_pb2.Session]:
        """Return the sessions that were imported, with those that came just now."""
        listed = self._rig.sessions(source="import", page_size=_LISTED_AT_ONCE)
        return list(({one.name: one.message for one in listed} | self._came).values())

    def laps_of(self, session: str) -> list[lap_pb2.Lap]:
        """Return the laps of a session, all of them fetched once."""
        if self._known is None:
            self._known = {}
            for lap in self._rig.laps(source="import", page_size=_LISTED_AT_ONCE):
                self._known.setdefault(lap.name.partition("/laps/")[0], []).append(lap.message)
        return self._known.setdefault(session, [])

    def recording(self, lap: str) -> archive_pb2.Recording:
        """Return what a lap was made of."""
        return LapFile(self._rig.lap_file(lap)).header.recording

    def data(self, lap: str) -> bytes:
        """Return the bytes of a lap file."""
        return bytes(self._rig.lap_file(lap))

    def put(self, session: session_pb2.Session, data: bytes, *, replace: bool = False) -> None:
        """Send a lap file, with its session."""
        self._send(session, data, replace=replace)
        self._note(session, data)

    def put_all(self, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
        """Send lap files, some at once."""

        def done(put: Put) -> None:
            came(self._note(session, put.data))

        _some_at_once(lambda put: self._send(session, put.data, replace=put.replace), files, done)

    def _send(self, session: session_pb2.Session, data: bytes, *, replace: bool) -> None:
        """Send a lap file; wait while the rig is full."""
        for pause_s in _PAUSES_S:
            try:
                self._rig.import_lap(session, data, replace=replace)
                return
            except Exhausted:
                time.sleep(pause_s)
        self._rig.import_lap(session, data, replace=replace)

    def _note(self, session: session_pb2.Session, data: bytes) -> str:
        """Note that a lap is there; return its name."""
        lap = LapFile(data).header.lap
        known = self.laps_of(session.name)
        known[:] = [*(one for one in known if one.name != lap.name), lap]
        self._came[session.name] = session
        return lap.name

    def delete_all(self, laps: Iterable[str]) -> None:
        """Delete laps, some at once."""
        _some_at_once(self._rig.delete_lap, laps, self._forget)

    def delete(self, lap: str) -> None:
        """Delete a lap."""
        self._rig.delete_lap(lap)
        self._forget(lap)

    def _forget(self, lap: str) -> None:
        """Note that a lap is gone."""
        session = lap.partition("/laps/")[0]
        self.laps_of(session)[:] = [one for one in self.laps_of(session) if one.name != lap]
        if not self.laps_of(session):
            self._came.pop(session, None)

    def close(self) -> None:
        """Close the connection."""
        self._rig.close()


class DrySink:
    """What would be kept in another sink: of the laps that come only the heads, and those in memory."""

    def __init__(self, under: LapSink, place: str = "") -> None:
        self._under: Final = under
        self.place: str = place or under.place
        self.user: str = under.user
        self._sessions = {one.name: one for one in under.sessions()}
        self._laps: dict[str, dict[str, lap_pb2.Lap]] = {}
        self._recordings: dict[str, archive_pb2.Recording] = {}

    def sessions(self) -> list[session_pb2.Session]:
        """Return the sessions that would be there."""
        return list(self._sessions.values())

    def laps_of(self, session: str) -> list[lap_pb2.Lap]:
        """Return the laps of a session that would be there."""
        return list(self._held(session).values())

    def recording(self, lap: str) -> archive_pb2.Recording:
        """Return what a lap would be made of."""
        return self._recordings.get(lap) or self._under.recording(lap)

    def data(self, lap: str) -> bytes:
        """Return the bytes of a lap file that is there."""
        return self._under.data(lap)

    def put(self, session: session_pb2.Session, data: bytes, *, replace: bool = False) -> None:  # noqa: ARG002
        """Note a lap by its head; nothing else comes meanwhile."""
        header = LapFile(data).header
        self._sessions[session.name] = session
        self._held(session.name)[header.lap.name] = header.lap
        self._recordings[header.lap.name] = header.recording

    def put_all(self, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
        """Note laps one after the other."""
        _one_by_one(self, session, files, came)

    def delete(self, lap: str) -> None:
        """Note that a lap would be gone."""
        session = lap.partition("/laps/")[0]
        del self._held(session)[lap]
        if not self._held(session):
            self._sessions.pop(session, None)

    def delete_all(self, laps: Iterable[str]) -> None:
        """Note that laps would be gone."""
        for lap in laps:
            self.delete(lap)

    def close(self) -> None:
        """Close the sink beneath."""
        self._under.close()

    def _held(self, session: str) -> dict[str, lap_pb2.Lap]:
        if session not in self._laps:
            self._laps[session] = {lap.name: lap for lap in self._under.laps_of(session)}
        return self._laps[session]


def _one_by_one(sink: LapSink, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
    for put in files:
        sink.put(session, put.data, replace=put.replace)
        came(LapFile(put.data).header.lap.name)


def _some_at_once(work: Callable[[T], None], items: Iterable[T], done: Callable[[T], None]) -> None:
    """Do the work for each, some at once in threads; `done` is told here. After an error no more are begun,
    and it is raised when those that were begun have ended.
    """
    running: dict[Future[None], T] = {}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        try:
            for item in items:
                running[threads.submit(work, item)] = item
                if len(running) == _AT_ONCE:
                    _settle(running, done, FIRST_COMPLETED)
        finally:
            _settle(running, done, ALL_COMPLETED)


def _settle(running: "dict[Future[None], T]", done: Callable[[T], None], until: str) -> None:
    """Wait, and tell what has succeeded. Raises the first error, once all others are told."""
    ended = wait(running, return_when=until).done
    items = [(future, running.pop(future)) for future in ended]
    for future, item in items:
        if future.exception() is None:
            done(item)
    for future, _ in items:
        future.result()


class SinkFiles:
    """The files that the laps of a sink came from."""

    resumed: bool = True
    """Laps of a file that are there are those of one who was killed: the others come to them."""

    def __init__(self, sink: LapSink) -> None:
        self._sink: Final = sink
        self.place: str = sink.place

    def laps_of_file(self, sha256: str) -> list[lap_pb2.Lap]:
        """Return the laps that came from the file with a checksum, or with one that begins so."""
        return [lap for lap in self._laps() if lap.file_digest and _same(sha256, lap.file_digest)]

    def session_of_file(self, sha256: str) -> str | None:
        """Return the session of a file all of whose laps are there; None where one is not: whoever was killed
        while it came goes on.
        """
        laps = self.laps_of_file(sha256)
        if not laps or len(laps) < self._sink.recording(laps[0].name).laps:
            return None
        return laps[0].name.partition("/laps/")[0].removeprefix("sessions/")

    def sessions_of_race(self, key: str, name: str, date: str) -> list[LoadedFile]:
        """Return the sessions whose names end as those of the race do, with the digits of its key."""
        own = [digits(variant(key, nth))[:4] for nth in range(_ALIKE)]
        return [
            LoadedFile(short, *self._file(session.name))
            for session in self._sink.sessions()
            if (short := session.name.removeprefix("sessions/")) and _of_race(short, own, name)
            if may_be(date, "" if session.start_time_ns else date_told(short), session.start_time_ns)
            if self._sink.laps_of(session.name)
        ]

    def _file(self, session: str) -> tuple[str, str]:
        """Return checksum and name of the first file of a session."""
        recording = self._sink.recording(self._sink.laps_of(session)[0].name)
        return recording.sha256, recording.file

    def numbers(self, session: str) -> set[str]:
        """Return the numbers painted on the cars of a session."""
        return {lap.car_number for lap in self._sink.laps_of(f"sessions/{session}")}

    def replaced(self, sha256: str, session: str) -> bool:
        """Return whether the session came in the place of the file with this checksum."""
        lap = self._sink.laps_of(f"sessions/{session}")[0]
        return any(_same(sha256, one) for one in self._sink.recording(lap.name).replaced)

    def cars(self, session: str) -> dict[str, int]:
        """Return the slot ids of a session's cars, by vehicle."""
        return {lap.vehicle: lap.car for lap in self._sink.laps_of(f"sessions/{session}")}

    def laps(self, session: str) -> dict[CarLap, str]:
        """Return the checksum of the file that each lap of a session came from."""
        return {(lap.car, lap.index): lap.file_digest for lap in self._sink.laps_of(f"sessions/{session}")}

    def _laps(self) -> Iterator[lap_pb2.Lap]:
        for session in self._sink.sessions():
            yield from self._sink.laps_of(session.name)


def _same(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _of_race(session: str, own: list[str], name: str) -> bool:
    """Return whether 20250906-184041-barber-race-5f3a-1 ends as barber-race--1, with digits of the key."""
    head, _, number = session.rpartition("-")
    head, _, key = head.rpartition("-")
    return key in own and f"{head}--{number}".endswith(f"-{name.partition('-')[2]}")


def laps_of_file(sink: LapSink, path: Path) -> list[str]:
    """Return the names of the laps that came from a file, or from the file with a checksum that begins so."""
    sha256 = str(path).lower()
    if path.is_file():
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if len(sha256) < _LEAST or not _HEX.fullmatch(sha256):
        raise NotFound(f"there is no file {path}", hint="a file, or its checksum")
    return [lap.name for lap in SinkFiles(sink).laps_of_file(sha256)]
