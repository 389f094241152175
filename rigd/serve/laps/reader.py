"""Laps as they are read: out of their files, or out of the ring while they are driven.

All of this reads files, so it is for threads.
"""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import Corrupt, Exhausted, Newer, NotFound
from rig.lapfile import LapFile, pack
from rig.regular import open_regular
from rig.v1 import lap_pb2, laps_pb2
from rigd.gather.gather import Gathered
from rigd.gather.running import running
from rigd.ring import RingReader
from rigd.serve.laplookup import listed_lap
from rigd.serve.laps import lapdata
from rigd.serve.limits import MAX_RUNNING
from rigd.store.commands import CommandQueue
from rigd.store.store import StoreReader
from rigd.store.viewer import Viewer

_RUNNING: Final = re.compile(r"(sessions/[a-z0-9-]+)/laps/car(\d{3,10})-running")

_MOST_SOUND: Final = 4096
"""Files remembered as sound: 1 MB. Checking one takes a third of the time of sending it."""

_State = tuple[int, int, int] | None


class OpenedLap(NamedTuple):
    """A lap that can be read."""

    lap: lap_pb2.Lap
    """As it is known today; the file has it as it was when written."""
    file: LapFile


Make = Callable[[OpenedLap], Iterator[bytes]]
"""Yields the messages that a lap is sent as."""


def is_running(name: str) -> bool:
    """Return whether a name is that of a lap which is being driven."""
    return _RUNNING.fullmatch(name) is not None


class LapReader:
    """Reads laps for all callers. `ring` is None for a lap with a file, else where the running lap is."""

    def __init__(self, store: StoreReader, queue: CommandQueue) -> None:
        self._store, self._queue = store, queue
        self._taking = threading.Semaphore(MAX_RUNNING)
        self._suspects: set[str] = set()
        self._sound: dict[str, _State] = {}
        """Files that were checked to their last byte, as they were then."""

    def running(self, ring: RingReader, name: str, viewer: Viewer) -> Gathered:
        """Return the lap that is being driven. Raises NotFound unless its session is, by somebody that the
        viewer sees.
        """
        match = _RUNNING.fullmatch(name)
        assert match is not None
        session, gathered = self._store.index.session(match[1], viewer), running(ring, int(match[2]))
        if (
            session is None
            or gathered is None
            or not viewer.sees(gathered.header.lap, at_home=True)
            or (session.ring, session.ring_session) != (ring.id.hex(), gathered.header.lap.session)
        ):
            raise NotFound(f"there is no lap {name!r}: nobody is driving it", name=name)
        gathered.header.lap.name = name
        gathered.header.session.CopyFrom(session)
        return gathered

    def samples(
        self, request: laps_pb2.ReadLapRequest, ring: RingReader | None, viewer: Viewer
    ) -> Iterator[bytes]:
        """Yield a lap as responses, made in whatever thread asks for the next. Raises NotFound, Corrupt,
        Newer, Exhausted.
        """
        messages = self._messages(
            request.name, ring, viewer, lambda opened: lapdata.samples(*opened, request)
        )
        whole = ring is None and lapdata.is_whole(request)
        return self._checked_once(request.name, viewer, messages) if whole else messages

    def scoring(
        self, request: laps_pb2.ReadScoringRequest, ring: RingReader | None, viewer: Viewer
    ) -> Iterator[bytes]:
        """Yield the scoring updates of a lap as responses. Raises as `samples` does."""
        return self._messages(
            request.name, ring, viewer, lambda opened: lapdata.scoring(opened.file, request)
        )

    def _messages(self, name: str, ring: RingReader | None, viewer: Viewer, make: Make) -> Iterator[bytes]:
        with self._opened(name, viewer) if ring is None else self._taken(ring, name, viewer) as opened:
            yield from make(opened)

    def _checked_once(self, name: str, viewer: Viewer, messages: Iterator[bytes]) -> Iterator[bytes]:
        """A whole lap. `messages` check its file, which never changes; after that it is sent as it is."""
        lap, path = listed_lap(self._store, name, viewer), self._store.folder.path(name)
        state = _state(path)
        if not lap.damage and state is not None and self._sound.get(name) == state:
            with contextlib.suppress(FileNotFoundError):
                with open(open_regular(path), "rb") as file:
                    yield from lapdata.chunks(iter(lambda: file.read(lapdata.CHUNK_BYTES), b""))
                return
        yield from messages
        if len(self._sound) >= _MOST_SOUND:
            self._sound.clear()
        self._sound[name] = state

    @contextlib.contextmanager
    def _opened(self, name: str, viewer: Viewer) -> Iterator[OpenedLap]:
        """A lap with its file. Raises NotFound, and Corrupt also for what is found out while it is read."""
        lap, path = listed_lap(self._store, name, viewer), self._store.folder.path(name)
        if lap.damage:
            raise (Newer if lap.newer else Corrupt)(f"{name}: {lap.damage}", name=name)
        try:
            with LapFile.open(path) as file:
                yield OpenedLap(lap, file)
        except FileNotFoundError as error:
            raise NotFound(f"the file of {name!r} is gone", name=name) from error
        except Newer as error:
            raise Newer(f"{name}: {error.message}", hint=error.hint, name=name) from error
        except Corrupt as error:
            self._suspect(name)
            raise Corrupt(f"{name}: {error.message}", hint=error.hint, name=name) from error

    @contextlib.contextmanager
    def _taken(self, ring: RingReader, name: str, viewer: Viewer) -> Iterator[OpenedLap]:
        """The running lap, as if it had a file. Raises Exhausted when too many are held."""
        if not self._taking.acquire(blocking=False):
            raise Exhausted(
                f"{MAX_RUNNING} running laps are being read, which is the limit", limit=MAX_RUNNING
            )
        try:
            gathered = self.running(ring, name, viewer)
            yield OpenedLap(gathered.header.lap, LapFile(pack(*gathered, plain=True)))
        finally:
            self._taking.release()

    def _suspect(self, name: str) -> None:
        """Have the archiver look at a file, once."""
        if name not in self._suspects:
            self._suspects.add(name)
            with contextlib.suppress(Exhausted):  # the caller learns of the damage all the same
                self._queue.post("examine", name)


def _state(path: Path) -> _State:
    """Return what tells a file from any other of its name; None without one."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
