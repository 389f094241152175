"""The index made anew from the folder of laps."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rig.errors import Newer, NotFound, RigError
from rigd.durable import rename
from rigd.ring.lock import laps_lock
from rigd.store.folder import LapFolder
from rigd.store.index import NEWER, Index, connect, remove_index
from rigd.store.store import Store, index_path, laps_path

Progress = Callable[[int, int], None]
"""Called with laps done and laps in all."""


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


class IndexTotals(NamedTuple):
    """What a new index came to."""

    laps: int
    damaged: int
    newer: list[Path]
    """Laps that a newer version wrote: they are left alone."""
    foreign: list[Path]
    """What lies among the laps and is none."""
    aside: list[Path]
    """What lay beside the laps, could not be read and was set aside."""


def reindex(data: Path, progress: Progress = lambda *_: None) -> IndexTotals:
    """Check every file to its last byte and make the index anew; the old one serves until then. Raises
    NotFound where there are no laps, Busy when an archiver runs.
    """
    if not laps_path(data).is_dir():
        raise NotFound(f"there are no laps in {data}", hint="choose the right --data", path=data)
    lock = laps_lock(data)
    try:
        fresh = data / "index.new.sqlite"
        remove_index(fresh)
        index = Index(fresh)
        try:
            tally = _fill(Store(LapFolder(laps_path(data)), index), progress)
        finally:
            index.close()
        _give_way(index_path(data))
        rename(fresh, index_path(data))
        return tally
    finally:
        lock.release()


def _fill(store: Store, progress: Progress) -> IndexTotals:
    """List every lap of the folder."""
    folder, index = store.folder, store.index
    folder.sweep()
    laps = list(folder.laps())
    progress(0, len(laps))
    for done, lap in enumerate(laps):
        store.examine(lap)
        progress(done + 1, len(laps))
    store.reconcile()
    damaged, foreign, aside = list(folder.damaged()), list(folder.foreign()), list(folder.aside())
    newer = [folder.path(lap) for lap in laps if (known := index.lap(lap)) and known.newer]
    return IndexTotals(len(laps), len(damaged), newer, foreign, aside)
