"""Imported laps on a rig, over its connection: several on their way at once."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from rig.errors import Exhausted
from rig.lapfile import LapFile
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigclient.blocking import Rig
from rigclient.imports.sinks.sink import Came, Put

_LISTED_AT_ONCE: Final = 1000
_AT_ONCE: Final = 4
"""Laps on their way to a rig, as many as it takes of one token: each waits for its disk some twenty times."""
_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Where others import as well a rig is full for a moment."""
T = TypeVar("T")


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
