"""The folder of laps: the truth about what is archived. One file per lap, immutable once it has its name."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format

from rig.errors import NotFound
from rig.v1 import lap_pb2, session_pb2
from rigd.archive.durable import UNFINISHED, append, replace, sync_folder

SUFFIX: Final = ".lap"
DAMAGED: Final = ".damaged"
"""Added to the name of a file that failed its check."""
_PIN: Final = ".pin"
_SYNCED: Final = ".synced"
_GONE: Final = "gone.jsonl"
_SESSION: Final = "session.json"
_LEDGER: Final = "losses.log"
_RESERVE: Final = ".reserve"
RESERVE_BYTES: Final = 4 << 20
"""Enough for the index to write its journal and for the names of a thousand laps."""
_NAME: Final = re.compile(r"sessions/([a-z0-9-]+)(?:/laps/([a-z0-9-]+))?")


def _parts(name: str, wanted: int) -> tuple[str, ...]:
    match = _NAME.fullmatch(name)
    parts = tuple(part for part in match.groups() if part) if match else ()
    if len(parts) != wanted:
        form = "sessions/{session}" + "/laps/{lap}" * (wanted - 1)
        raise NotFound(f"{name!r} is no name of the form {form}", name=name)
    return parts


class Store:
    """Files of laps below a folder, and beside them what only the archive knows: pins, and what is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # Laps.

    def path(self, lap: str) -> Path:
        """Where the lap of that name lies, or would lie. Raises NotFound for what is no name."""
        session, own = _parts(lap, 2)
        return self.folder / session / f"{own}{SUFFIX}"

    def write(self, lap: str, data: bytes) -> None:
        """Make `data` the file of that lap: whole and durable, or not there at all. OSError when the disk
        refuses.
        """
        replace(self.path(lap), data)

    def damaged_path(self, lap: str) -> Path:
        """Where the file of that lap lies if it was set aside."""
        return _with(self.path(lap), DAMAGED)

    def settled(self, lap: str) -> bool:
        """Whether there is nothing to write: the file is there, or was set aside, or deleted for good."""
        path = self.path(lap)
        if path.exists() or self.damaged_path(lap).exists():
            return True
        return lap in self.gone(lap.rpartition("/laps/")[0])

    def described(self, lap: lap_pb2.Lap, size: int) -> lap_pb2.Lap:
        """The lap with what stands beside its file."""
        lap.bytes, lap.pinned, lap.synced = size, self.pinned(lap.name), self.synced(lap.name)
        return lap

    def delete(self, lap: str) -> None:
        """Remove a lap's file and what stands beside it."""
        path = self.path(lap)
        for one in (path, _with(path, DAMAGED), _with(path, _PIN), _with(path, _SYNCED)):
            one.unlink(missing_ok=True)
        sync_folder(path.parent)

    def set_aside(self, lap: str) -> None:
        """Take a damaged file out of the way; nothing is deleted."""
        path = self.path(lap)
        path.rename(self.damaged_path(lap))
        sync_folder(path.parent)

    def laps(self) -> Iterator[str]:
        """Names of all laps that have a file. What has no lap's name is none: somebody put it there."""
        for path in sorted(self.folder.glob(f"*/*{SUFFIX}")):
            name = f"sessions/{path.parent.name}/laps/{path.stem}"
            if _NAME.fullmatch(name) and path.is_file():
                yield name

    def foreign(self) -> Iterator[Path]:
        """Files that look like laps and have no lap's name."""
        for path in sorted(self.folder.glob(f"*/*{SUFFIX}")):
            if not _NAME.fullmatch(f"sessions/{path.parent.name}/laps/{path.stem}") or not path.is_file():
                yield path

    def damaged(self, session: str = "sessions/*") -> Iterator[str]:
        """Names of all laps whose file was set aside, or of those of one session."""
        for path in sorted(self.folder.glob(f"{session.partition('/')[2]}/*{SUFFIX}{DAMAGED}")):
            name = f"sessions/{path.parent.name}/laps/{path.name.split('.')[0]}"
            if _NAME.fullmatch(name):
                yield name

    def sweep(self) -> None:
        """Remove what an archiver that was killed left half written."""
        for path in self.folder.glob(f"*/{UNFINISHED}*"):
            path.unlink(missing_ok=True)

    # What stands beside a lap.

    def pinned(self, lap: str) -> bool:
        """Whether the lap is kept whatever else has to go."""
        return _with(self.path(lap), _PIN).exists()

    def pin(self, lap: str, pinned: bool) -> None:
        """Pin a lap, or let it go."""
        self._flag(lap, _PIN, pinned)

    def synced(self, lap: str) -> bool:
        """Whether the warehouse has the lap."""
        return _with(self.path(lap), _SYNCED).exists()

    def sync(self, lap: str) -> None:
        """Note that the warehouse has the lap."""
        self._flag(lap, _SYNCED, True)

    def _flag(self, lap: str, suffix: str, up: bool) -> None:
        path = self.path(lap)
        if not path.exists():
            raise NotFound(f"there is no lap {lap!r}", name=lap)
        flag = _with(path, suffix)
        flag.touch() if up else flag.unlink(missing_ok=True)
        sync_folder(path.parent)

    # What is gone.

    def bury(self, lap: str, facts: dict[str, Any]) -> None:
        """Note for good that a lap is not here any more, or never was, and why."""
        # On a line of its own, also after one that a crash cut.
        line = "\n" + json.dumps({"lap": lap, **facts}) + "\n"
        append(self.path(lap).with_name(_GONE), line.encode())

    def gone(self, session: str) -> dict[str, dict[str, Any]]:
        """What was buried of a session, by the lap's name. A line cut by a crash is passed over: the deletion
        that it announced did not happen.
        """
        (own,) = _parts(session, 1)
        found: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / own / _GONE).read_text().splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    facts = json.loads(line)
                    found[facts["lap"]] = facts
        return found

    # Sessions.

    def ledger(self, session: str) -> Path:
        """Where the ledger of a session lies, or would lie. Raises NotFound for what is no name."""
        (own,) = _parts(session, 1)
        return self.folder / own / _LEDGER

    def put_session(self, session: session_pb2.Session) -> None:
        """Write what is known of a session beside its laps."""
        (own,) = _parts(session.name, 1)
        text = json_format.MessageToJson(session, preserving_proto_field_name=True)
        replace(self.folder / own / _SESSION, text.encode())

    def sessions(self) -> Iterator[session_pb2.Session]:
        """All sessions that have a folder."""
        yield from self._sessions("*")

    def numbered(self, ring: str, number: int) -> session_pb2.Session | None:
        """The session of that number in the ring of that identity, hexadecimal."""
        for session in self._sessions(f"*-{ring[:4]}-{number}"):
            if (session.ring, session.ring_session) == (ring, number):
                return session
        return None

    def _sessions(self, folders: str) -> Iterator[session_pb2.Session]:
        for path in sorted(self.folder.glob(f"{folders}/{_SESSION}")):
            yield json_format.Parse(path.read_text(), session_pb2.Session(), ignore_unknown_fields=True)

    def set_ledger_aside(self, session: str) -> None:
        """Take a damaged ledger out of the way; nothing is deleted."""
        path = self.ledger(session)
        path.rename(_with(path, DAMAGED))
        sync_folder(path.parent)

    def hold_reserve(self) -> None:
        """Take some room that can be given up when the disk is full: deleting needs a little, to write down
        what is deleted.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / _RESERVE
        if not path.exists():
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def give_reserve(self) -> None:
        """Give that room up."""
        (self.folder / _RESERVE).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Room on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
