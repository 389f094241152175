"""The store: the folder of laps and the index of it, kept in step.

The archiver has a `Store` and changes both; the folder is changed first, because the index can be made from
it again. Servers have a `StoreReader` beside it, which changes neither.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rig.errors import Corrupt, Exhausted, Newer
from rig.lapfile import HEAD_LIMIT, LapFile, pack
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigd.gather.gather import Gathered
from rigd.store.codings import LearnedCodings
from rigd.store.corners import stated, unpack_corners
from rigd.store.folder import LapFolder
from rigd.store.index import Index, IndexReader, remove_index

_HEAD_ROOM: Final = HEAD_LIMIT - (1 << 18)
"""Bytes of a head without its columns, which have 22 kB today."""


def laps_path(data: Path) -> Path:
    """Return where the folder of laps is in a data directory."""
    return data / "laps"


def circuits_path(data: Path) -> Path:
    """Return the folder of circuits below a data directory."""
    return data / "circuits"


def index_path(data: Path) -> Path:
    """Return where the index is in a data directory."""
    return data / "index.sqlite"


class StoreReader:
    """What is kept below a data directory, for a server: any number of threads may read."""

    def __init__(self, data: Path) -> None:
        self.folder = LapFolder(laps_path(data))
        self.index = IndexReader(index_path(data))


class Store:
    """What is kept below a data directory, for the one who writes it. Laps are given by their names.

    Every method that changes something raises OSError when the disk refuses.
    """

    def __init__(self, folder: LapFolder, index: Index) -> None:
        self.folder, self.index = folder, index
        self._codings = LearnedCodings()

    @classmethod
    def open(cls, data: Path) -> "Store":
        """Open the store of a data directory and hold its folder. A damaged index is replaced by an empty
        one, which `reconcile` fills. Raises Newer where a newer version wrote the index, OSError.
        """
        folder = LapFolder(laps_path(data))
        folder.hold()
        try:
            folder.make_room_to_open()
            return cls(folder, _open_index(index_path(data)))
        except BaseException:
            folder.release()
            raise

    def close(self) -> None:
        """Close the index and let go of the folder."""
        self.index.close()
        self.folder.release()

    def replaced(self) -> bool:
        """Return whether another folder or index stands where ours was. Raises FileNotFoundError while the
        folder is moved away.
        """
        return not self.folder.still_there() or self.index.replaced()

    # Laps and sessions.

    def put_session(self, session: session_pb2.Session) -> None:
        """Write a session's file and list it, or replace the one of that name."""
        self.folder.put_session(session)
        self.index.put_session(session)

    def write(self, gathered: Gathered, room: int | None = None) -> lap_pb2.Lap:
        """Write a lap's file and list it; return the lap as listed. Raises Exhausted when the file needs more
        than `room` bytes; then there is neither file nor row.
        """
        _shorten(gathered.header)
        data = pack(*gathered, like=self._codings.like(gathered.header.lap.vehicle_class))
        if room is not None and len(data) > room:
            raise Exhausted(f"an excerpt has {len(data)} bytes, marks have room for {room}", limit=room)
        self.folder.write(gathered.header.lap.name, data)
        file = LapFile(data)
        self._codings.learn(file.header)
        lap = self.folder.described(gathered.header.lap, len(data), file.digest)
        self.index.put_lap(lap)
        return lap

    def pin(self, lap: str, pinned: bool, user: str = "") -> None:
        """Pin a lap for a user, or unpin it. Raises NotFound when there is none."""
        self.folder.pin(lap, pinned, user)
        self.index.set_pinned(lap, pinned)

    def sync(self, lap: str) -> None:
        """Note that the warehouse has a lap. Raises NotFound when there is none."""
        self.folder.sync(lap)
        self.index.set_synced(lap)

    def keep_corners(self, lap: str, data: bytes) -> None:
        """Write the corners of a lap beside it, and list them. Raises NotFound when there is none."""
        self.folder.keep_corners(lap, data)
        self.index.set_corners(lap, *stated(unpack_corners(data), len(data)))

    def remove(self, lap: str, tombstone: dict[str, Any]) -> None:
        """Delete a lap and write why. The tombstone comes first: a crash after it leaves a lap that
        `reconcile` deletes.
        """
        self.folder.add_tombstone(lap, tombstone)
        self.folder.delete(lap)
        self.index.remove_lap(lap)
        self.tidy(self.folder.session(lap.rpartition("/laps/")[0]))

    def place(self, lap: str, file: Path) -> None:
        """Make a file that of an imported lap, and list it. Raises OSError."""
        self.folder.place(lap, file)
        self.relist(lap)

    def tidy(self, session: session_pb2.Session | None) -> None:
        """Remove an imported session whose last lap is gone: nothing else says that it was there."""
        imported = session is not None and session.source == session_pb2.SESSION_SOURCE_IMPORT
        if session is not None and imported and self.folder.remove_session(session.name):
            self.index.remove_session(session.name)

    # Folder and index against each other.

    def reconcile(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Bring the index to what the folder holds, after a crash between the two or a change by hand.

        Only heads of files are read that the index does not know, or knows otherwise: a power cut takes its
        last words. A lap that was to be deleted is deleted. Ends early when `stop` says so.
        """
        folder, index = self.folder, self.index
        folder.mend()
        sessions = {session.name: session for session in folder.sessions()}
        index.keep_sessions(sessions.keys())
        for session in sessions.values():
            index.put_session(session)
            for lap, facts in folder.tombstones(session.name).items():
                folder.delete(lap)
                if facts.get("forced"):
                    index.put_loss(lap, str(facts.get("why", "")))
            self.tidy(session)
        there, listed = folder.states(), index.states()
        for lap in listed.keys() - there.keys():
            index.remove_lap(lap)
        for lap, state in sorted(there.items()):
            if stop():
                return
            if listed.get(lap) != state:
                self.relist(lap)

    def examine(self, lap: str) -> None:
        """Check a lap's file to its last byte. A damaged file is set aside; a lap without a file leaves the
        index.
        """
        path = self.folder.path(lap)
        if not path.exists():
            if lap not in self.folder.damaged():
                self.index.remove_lap(lap)
            return
        try:
            with LapFile.open(path) as file:
                file.verify()
        except Newer:
            pass  # listed as such
        except Corrupt as error:
            self._set_aside(lap, error)
            return
        self.relist(lap)

    def relist(self, lap: str) -> None:
        """List a lap by its file's head; without a readable head by its name alone."""
        path = self.folder.path(lap)
        if not path.exists():
            known = self._known(lap)
            known.damage = known.damage or "the file failed its check and was set aside"
            self.index.put_lap(self.folder.described(known, known.bytes, known.digest))
            return
        try:
            with LapFile.open(path) as file:
                header, digest = file.header, file.digest
        except Newer as error:
            self._list_newer(lap, error)
            return
        except Corrupt as error:
            self._set_aside(lap, error)
            return
        if header.lap.name != lap:
            self._set_aside(lap, Corrupt(f"the file says it is {header.lap.name!r}"))
            return
        self.index.put_lap(self.folder.described(header.lap, path.stat().st_size, digest))

    def _list_newer(self, lap: str, error: Newer) -> None:
        """List a file of a newer version by what is known of the lap. The file stays as it is."""
        known, stat = self._known(lap), self.folder.path(lap).stat()
        known.damage, known.newer = error.message, True
        known.start_time_ns = known.start_time_ns or stat.st_mtime_ns
        self.index.put_lap(self.folder.described(known, stat.st_size, ""))

    def _set_aside(self, lap: str, error: Corrupt) -> None:
        """Set a damaged file aside, and list what is known of the lap all the same."""
        known = self._known(lap)
        known.damage = str(error)
        self.folder.set_aside(lap)
        self.index.put_lap(known)

    def _known(self, lap: str) -> lap_pb2.Lap:
        """Return the lap as listed; where it is not, what its name tells."""
        return self.index.lap(lap) or _lap_by_name(lap, self.folder)


def _open_index(path: Path) -> Index:
    """Return the index at `path`; a damaged one is begun anew, for the folder has it all. Raises Newer for
    one of a newer version: it would lose what that version alone understands.
    """
    try:
        return _checked_index(path)
    except Newer:
        raise
    except Corrupt:
        remove_index(path)
        return Index(path)


def _checked_index(path: Path) -> Index:
    """Return the index at `path`. Raises Corrupt."""
    index = Index(path)
    try:
        index.check()
    except Corrupt:
        index.close()
        raise
    return index


def _lap_by_name(lap: str, folder: LapFolder) -> lap_pb2.Lap:
    """Return a lap of which the name is all that is left."""
    session, _, own = lap.rpartition("/laps/")
    known = {s.name: s for s in folder.sessions()}.get(session, session_pb2.Session(name=session))
    car, _, index = own.removeprefix("car").partition("-")
    return lap_pb2.Lap(
        name=lap,
        car=int(car) if car.isdigit() else -1,
        index=int(index) if index.isdigit() else 0,
        session=known.ring_session,
        track_name=known.track_name,
    )


def _shorten(header: archive_pb2.LapHeader) -> None:
    """Shorten a head that is longer than a file has room for: gaps of one stream and reason become one, and
    the last events are left out.
    """
    if header.ByteSize() <= _HEAD_ROOM:
        return
    gaps = list(header.gaps)
    del header.gaps[:]
    for kind in dict.fromkeys((gap.stream, gap.reason) for gap in gaps):
        alike = [gap for gap in gaps if (gap.stream, gap.reason) == kind]
        one = header.gaps.add()
        one.CopyFrom(alike[0])
        one.last_seq, one.end_time_ns = alike[-1].last_seq, alike[-1].end_time_ns
        one.count, one.detail = sum(gap.count for gap in alike), f"{len(alike)} gaps in one"
    while header.events and header.ByteSize() > _HEAD_ROOM:
        del header.events[len(header.events) // 2 :]
