"""Marks: moments someone pointed at, one small file each. The server adds them, the archiver keeps them."""

import itertools
import os
import re
import time
from pathlib import Path
from typing import Final

from rig.errors import Corrupt
from rig.regular import read_regular
from rig.v1 import laps_pb2
from rigd.durable import rename, replace
from rigd.store.checksummed import dump_message, load_message
from rigd.store.paging import Paging
from rigd.store.viewer import EVERYTHING, Viewer

BYTES_LIMIT: Final = "mark_bytes"
"""In the index: the limit of marks, for a server while no archiver runs."""
ROW_BYTES: Final = 240
"""Of a file, for each row: measured on laps of the simulated game, which is noisier than the real one."""
_TICKS_A_SECOND: Final = 50
_SUFFIX: Final = ".json"
_DAMAGED: Final = ".damaged"
_NAME: Final = re.compile(r"[a-zA-Z0-9-]+")
_MOST_BYTES: Final = 1 << 20
_LONGEST_S: Final = 86_400.0
"""Before or after a moment: no server takes more than minutes."""


def mark_id(time_ns: int) -> str:
    """Return the id of a mark that is made now: `20261120-134500-123456789`, UTC. Later ids sort later."""
    seconds, ns = divmod(time_ns, 1_000_000_000)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(seconds))}-{ns:09d}"


class Marks:
    """The folder of marks. A mark that is put is durable, and stands there whole or not at all."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "marks"
        self._read: dict[str, tuple[tuple[int, int], laps_pb2.Moment]] = {}
        """By id, with the file's inode and time of change: most marks never change again."""

    def put(self, moment: laps_pb2.Moment) -> None:
        """Add a mark, or replace the one of that name."""
        replace(self._folder / f"{moment.name.removeprefix('marks/')}{_SUFFIX}", dump_message(moment))

    def get(self, mark: str) -> laps_pb2.Moment | None:
        """Return the mark of that id. One that cannot be read is set aside: no other must wait for it."""
        path = self._folder / f"{mark}{_SUFFIX}"
        try:
            stat = path.lstat()
            state = stat.st_ino, stat.st_mtime_ns
            if mark not in self._read or self._read[mark][0] != state:
                self._read[mark] = state, _parsed(path)
        except FileNotFoundError:
            return None
        except Corrupt:
            rename(path, path.with_suffix(_DAMAGED))
            return None
        moment = laps_pb2.Moment()
        moment.CopyFrom(self._read[mark][1])
        return moment

    def all(self) -> list[laps_pb2.Moment]:
        """Return all marks, newest first."""
        return [moment for mark in reversed(self._ids()) if (moment := self.get(mark))]

    def pending(self) -> list[laps_pb2.Moment]:
        """Return marks that wait to be kept, newest first."""
        return [moment for moment in self.all() if moment.status == laps_pb2.MOMENT_STATUS_PENDING]

    def page(
        self, request: laps_pb2.ListMarksRequest, viewer: Viewer = EVERYTHING
    ) -> laps_pb2.ListMarksResponse:
        """Return a page of what the viewer marked, newest first. Raises BadRequest and MalformedToken."""
        paging = Paging(request, [str])
        after = str(paging.after[0]) if paging.after else None
        ids = (mark for mark in reversed(self._ids()) if after is None or mark < after)
        found = (moment for mark in ids if (moment := self.get(mark)) and viewer.marked(moment))
        marks = list(itertools.islice(found, paging.size + 1))
        shown = marks[: paging.size]
        token = paging.token([shown[-1].name.removeprefix("marks/")]) if len(marks) > len(shown) else ""
        return laps_pb2.ListMarksResponse(marks=shown, next_page_token=token)

    def _ids(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        found = (name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
        return sorted(name for name in found if _NAME.fullmatch(name))


def _parsed(path: Path) -> laps_pb2.Moment:
    moment = load_message(laps_pb2.Moment, read_regular(path, _MOST_BYTES))
    if moment.name != f"marks/{path.stem}":
        raise Corrupt(f"the mark in {path} says it is {moment.name!r}", path=path)
    for seconds in (moment.before_s, moment.after_s):
        if not 0 <= seconds <= _LONGEST_S:  # nor is NaN
            raise Corrupt(f"the mark in {path} keeps {seconds} s, {_LONGEST_S:g} is the limit", path=path)
    return moment


def expected_bytes(moment: laps_pb2.Moment, cars: int) -> int:
    """Return the bytes that the excerpts of a moment are likely to have, with so many cars on track."""
    ticks = (moment.before_s + moment.after_s) * _TICKS_A_SECOND
    return int(ticks * min(len(moment.cars) or cars, max(cars, 1)) * ROW_BYTES)
