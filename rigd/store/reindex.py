"""The index out of the folder: what is in the one and not in the other, or everything anew."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rig.errors import Corrupt, Newer, NotFound, RigError
from rig.lapfile import LapFile
from rig.v1 import lap_pb2, session_pb2
from rigd.durable import rename
from rigd.ring.lock import laps_lock
from rigd.store.folder import LapFolder
from rigd.store.index import NEWER, Index, connect, remove_index

Progress = Callable[[int, int], None]
"""Called with laps done and laps in all."""


def open_index(data: Path) -> Index:
    """The index of the data directory; one that is damaged is begun anew, for the folder has it all. Raises
    Newer for one that a newer version wrote: that one would lose what it alone understands.
    """
    path = data / "index.sqlite"
    try:
        return _sound(path)
    except Newer:
        raise
    except Corrupt:
        remove_index(path)
        return Index(path)


def _sound(path: Path) -> Index:
    """The index at `path`. Raises Corrupt."""
    index = Index(path)
    try:
        index.check()
    except Corrupt:
        index.close()
        raise
    return index


def reconcile(store: LapFolder, index: Index, stop: Callable[[], bool] = lambda: False) -> None:
    """Bring the index to what the folder holds, after a crash between the two or somebody's own hands.

    Only heads of files are read that the index does not know, or knows otherwise: a power cut takes its last
    words. A lap that was to be deleted is deleted. Ends early when `stop` says so.
    """
    store.mend()
    sessions = {session.name: session for session in store.sessions()}
    index.keep_sessions(sessions.keys())
    for session in sessions.values():
        index.put_session(session)
        for lap, facts in store.tombstones(session.name).items():
            store.delete(lap)
            if facts.get("forced"):
                index.put_loss(lap, str(facts.get("why", "")))
    there, listed = store.states(), index.states()
    for lap in listed.keys() - there.keys():
        index.remove_lap(lap)
    for lap, state in sorted(there.items()):
        if stop():
            return
        if listed.get(lap) != state:
            _enlist(store, index, lap)


def _give_way(path: Path) -> None:
    """Make room for a new index; one of a newer version is kept beside it."""
    try:
        with contextlib.closing(connect(path, "rw")):
            pass
    except Newer:
        rename(path, path.with_name(f"{path.name}{NEWER}"))
    except RigError:
        pass  # none, or damaged
    remove_index(path)


class Tally(NamedTuple):
    """What a new index came to."""

    laps: int
    damaged: int
    newer: list[Path]
    """Laps that a newer version wrote: they are left alone."""
    foreign: list[Path]
    """What lies among the laps and is none."""
    aside: list[Path]
    """What lay beside the laps, could not be read and was set aside."""


def reindex(data: Path, progress: Progress = lambda *_: None) -> Tally:
    """Check every file to its last byte and make the index anew; the old one serves until then. Raises
    NotFound where there are no laps, Busy when an archiver runs.
    """
    if not (data / "laps").is_dir():
        raise NotFound(f"there are no laps in {data}", hint="choose the right --data", path=data)
    lock = laps_lock(data)
    try:
        fresh = data / "index.new.sqlite"
        remove_index(fresh)
        index = Index(fresh)
        try:
            tally = _fill(LapFolder(data / "laps"), index, progress)
        finally:
            index.close()
        _give_way(data / "index.sqlite")
        rename(fresh, data / "index.sqlite")
        return tally
    finally:
        lock.release()


def _fill(store: LapFolder, index: Index, progress: Progress) -> Tally:
    store.sweep()
    laps = list(store.laps())
    progress(0, len(laps))
    for done, lap in enumerate(laps):
        examine(store, index, lap)
        progress(done + 1, len(laps))
    reconcile(store, index)
    damaged, foreign, aside = list(store.damaged()), list(store.foreign()), list(store.aside())
    newer = [store.path(lap) for lap in laps if (known := index.lap(lap)) and known.newer]
    return Tally(len(laps), len(damaged), newer, foreign, aside)


def examine(store: LapFolder, index: Index, lap: str) -> None:
    """Check a lap's file to its last byte; set it aside when it fails, forget the lap when there is none."""
    if not store.path(lap).exists():
        if lap not in store.damaged():
            index.remove_lap(lap)
        return
    try:
        with LapFile.open(store.path(lap)) as file:
            file.verify()
    except Newer:
        _enlist(store, index, lap)
    except Corrupt as error:
        _condemn(store, index, lap, error)
    else:
        _enlist(store, index, lap)


def _enlist(store: LapFolder, index: Index, lap: str) -> None:
    """List a lap by its file's head; without a readable head by its name alone."""
    path = store.path(lap)
    if not path.exists():
        known = index.lap(lap) or _nameless(store, lap, "")
        known.damage = known.damage or "the file failed its check and was set aside"
        index.put_lap(store.described(known, known.bytes, known.digest))
        return
    try:
        with LapFile.open(path) as file:
            header, digest = file.header, file.digest
    except Newer as error:
        _leave(store, index, lap, error)
        return
    except Corrupt as error:
        _condemn(store, index, lap, error)
        return
    if header.lap.name != lap:
        _condemn(store, index, lap, Corrupt(f"the file says it is {header.lap.name!r}"))
        return
    index.put_lap(store.described(header.lap, path.stat().st_size, digest))


def _leave(store: LapFolder, index: Index, lap: str, error: Newer) -> None:
    """List a file of a newer version by what is known of the lap. The file stays as it is."""
    known, stat = index.lap(lap) or _nameless(store, lap, ""), store.path(lap).stat()
    known.damage, known.newer = error.message, True
    known.start_time_ns = known.start_time_ns or stat.st_mtime_ns
    index.put_lap(store.described(known, stat.st_size, ""))


def _condemn(store: LapFolder, index: Index, lap: str, error: Corrupt) -> None:
    """Set a damaged file aside, and list what is known of the lap all the same."""
    known = index.lap(lap) or _nameless(store, lap, "")
    known.damage = str(error)
    store.set_aside(lap)
    index.put_lap(known)


def _nameless(store: LapFolder, lap: str, damage: str) -> lap_pb2.Lap:
    """A lap of which the name is all that is left."""
    session, _, own = lap.rpartition("/laps/")
    known = {s.name: s for s in store.sessions()}.get(session, session_pb2.Session(name=session))
    car, _, index = own.removeprefix("car").partition("-")
    return lap_pb2.Lap(
        name=lap,
        car=int(car) if car.isdigit() else -1,
        index=int(index) if index.isdigit() else 0,
        session=known.ring_session,
        track_name=known.track_name,
        damage=damage,
    )
