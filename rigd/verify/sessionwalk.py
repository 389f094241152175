"""The folders of sessions: what lies in them, what session.json says, and what of both the index knows."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.disk import UNFINISHED
from rig.errors import Corrupt
from rig.regular import is_regular, read_regular
from rig.v1 import laps_pb2, session_pb2
from rigd.store.checksummed import load_json, load_message
from rigd.store.corners import read_corners
from rigd.store.folder import LapFolder
from rigd.store.index import IndexReader
from rigd.store.sessionfolder import DAMAGED
from rigd.store.tombstones import MOST_BYTES
from rigd.verify.finding import differing, finding
from rigd.verify.walk import Findings

_NAME: Final = re.compile(r"[a-z0-9-]+")
_LAP: Final = re.compile(r"([a-z0-9-]+)\.lap(\.damaged|\.pin|\.synced|\.corners|)")
_OWN: Final = frozenset({"session.json", "gone.jsonl", "losses.log"})
_ASIDE: Final = re.compile(r"(session\.json|gone\.jsonl|losses\.log)\.damaged\+*")
_ABOVE: Final = frozenset({".reserve"})
_MOST_BYTES: Final = 1 << 20
_COUNTED: Final = ("laps", "cars", "bytes", "best_lap_time", "best_lap", "corners")
"""Fields of a session that the index makes from its laps."""


def readable_sessions(store: LapFolder) -> Iterator[session_pb2.Session]:
    """Yield all sessions whose session.json can be read and says what the folder says."""
    for path in sorted(store.root.glob("*/session.json")):
        session = _parsed(path)
        if isinstance(session, session_pb2.Session) and session.name == f"sessions/{path.parent.name}":
            yield session


def _parsed(path: Path) -> session_pb2.Session | str:
    """Return a session, or why the file is none."""
    try:
        return load_message(session_pb2.Session, read_regular(path, _MOST_BYTES))
    except Corrupt as error:
        return str(error)


class SessionWalk:
    """Checks folders by their names. `index` is None when there is none that can be read."""

    def __init__(self, data: Path, index: IndexReader | None) -> None:
        self._data = data
        self._store, self._index = LapFolder(data / "laps"), index

    def names(self) -> list[str]:
        """Return whatever lies in the folder of laps, and every session of the index."""
        there = {path.name for path in self._store.root.iterdir()} if self._store.root.is_dir() else set()
        return sorted(there | {name.removeprefix("sessions/") for name in self._listed()})

    def check(self, name: str) -> Findings:
        """Yield what is wrong with one of them."""
        path = self._store.root / name
        if name in _ABOVE:
            return
        if not os.path.lexists(path):
            if self._index is not None and self._index.session(f"sessions/{name}") is not None:
                yield finding("session-unknown", self._where(path), "only the index has it")
            return
        if not path.is_dir() or not _NAME.fullmatch(name):
            yield finding("file-foreign", self._where(path), "this is no folder of a session")
            return
        yield from self._session(path)
        for inside in sorted(path.iterdir()):
            yield from self._inside(inside)
        yield from self._tombstones(path / "gone.jsonl")

    def _listed(self) -> Iterator[str]:
        request = laps_pb2.ListSessionsRequest(page_size=1000)
        while self._index is not None:
            page = self._index.list_sessions(request)
            yield from (session.name for session in page.sessions)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _session(self, folder: Path) -> Findings:
        """Check session.json, and the row of the index."""
        path, name = folder / "session.json", f"sessions/{folder.name}"
        if not os.path.lexists(path):
            yield finding("session-missing", self._where(path), "there is no such file")
            return
        session = _parsed(path)
        if isinstance(session, str):
            yield finding("session-unreadable", self._where(path), f"it is no session: {session}")
            return
        if session.name != name:
            yield finding("session-misnamed", self._where(folder), f"session.json says {session.name!r}")
            return
        if self._index is not None:
            yield from self._row(self._index, session, folder)

    def _row(self, index: IndexReader, session: session_pb2.Session, folder: Path) -> Findings:
        row = index.session(session.name)
        if row is None:
            yield finding("session-unlisted", self._where(folder), "the index does not have it")
            return
        for field in _COUNTED:
            row.ClearField(field)
        if row != session:
            what = f"the index says otherwise of {differing(row, session)}"
            yield finding("session-differs", self._where(folder / "session.json"), what)

    def _inside(self, path: Path) -> Findings:
        """Check a file of the folder: ours by its name, with the lap that it stands beside."""
        if _ASIDE.fullmatch(path.name):
            kind = "ledger-set-aside" if path.name.startswith("losses") else "file-set-aside"
            yield finding(kind, self._where(path), "it was damaged")
            return
        if path.name in _OWN and is_regular(path):
            return
        if path.name.startswith(UNFINISHED):
            yield finding("file-unfinished", self._where(path), "somebody was killed while writing it")
            return
        match = _LAP.fullmatch(path.name)
        if match is None or not is_regular(path):
            yield finding("file-foreign", self._where(path), "nothing of rigd has such a name")
        elif match[2] in (".pin", ".synced", ".corners") and not self._has(path.parent, match[1]):
            yield finding("flag-orphaned", self._where(path), "the lap that it stands beside is not there")
        elif match[2] == ".corners":
            yield from self._corners(path)

    def _corners(self, path: Path) -> Findings:
        """Check the corners of a lap."""
        try:
            read_corners(path)
        except Corrupt as error:
            yield finding("corners-damaged", self._where(path), str(error))

    def _has(self, folder: Path, lap: str) -> bool:
        return (folder / f"{lap}.lap").exists() or (folder / f"{lap}.lap{DAMAGED}").exists()

    def _tombstones(self, path: Path) -> Findings:
        """Check the list of what was deleted."""
        if not is_regular(path):
            return
        for number, line in enumerate(read_regular(path, MOST_BYTES).split(b"\n"), start=1):
            try:
                if line and not isinstance(load_json(line).get("lap"), str):
                    raise Corrupt("its lap has no name")
            except Corrupt as error:
                yield finding("gone-unreadable", self._where(path), f"line {number} tells of no lap: {error}")

    def _where(self, path: Path) -> str:
        return str(path.relative_to(self._data))
