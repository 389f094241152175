"""Imports: lap files that clients made of recordings of other programs. What one has to be, and how the
archiver places it.

A file comes from outside, and daemons read it as they read their own: so everything of it is checked that
decides what they do.
"""

import errno
import math
import re
import time
from pathlib import Path
from typing import Final

from rig.channels import LAP, PHYSICS, SCORING, Channel
from rig.errors import BadRequest, Corrupt, Denied, Exhausted, Raced, RigError, Unavailable
from rig.lapfile import FILE_LIMIT, RECORDED, SCORINGS, LapFile
from rig.v1 import archive_pb2, lap_pb2, laps_pb2, session_pb2
from rigd.store.store import Store
from rigd.store.viewer import Viewer

FLOOR_BYTES: Final = "floor_bytes"
"""In the index: room on the disk that imports leave, for a server while no archiver runs."""

_NAME: Final = re.compile(r"(sessions/[a-z0-9-]{1,120})/laps/([a-z0-9-]{1,80})")
_RUNNING: Final = re.compile(r"car\d+-running")
_DIGEST: Final = re.compile(r"([0-9a-f]{16})?")
_MOST_SESSION_BYTES: Final = 1 << 14
_MOST_LAP_BYTES: Final = 1 << 13
"""Of what stands in the index and in every list: of recorded ones it is half a kilobyte."""
_AHEAD_NS: Final = 86_400 * 1_000_000_000
"""Clocks of other machines may be off, and in another zone."""
_LONGEST_S: Final = 86_400.0

_OF_RIG: Final = ("ring", "ring_session", "laps", "cars", "bytes", "best_lap_time", "best_lap", "corners")
"""Fields of a session that tell of what a rig recorded and keeps."""
_OF_FILE: Final = (
    "bytes",
    "digest",
    "pinned",
    "synced",
    "damage",
    "newer",
    "running",
    "corners",
    "corners_bytes",
)
"""Fields of a lap that are found out about its file."""
_CLOCKS: Final = ("start_time", "end_time", "track_length")
_TIMES: Final = ("lap_time", "sector1", "sector2", "sector3")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


# What an import has to be.


def check_start(start: laps_pb2.LapImport) -> None:
    """Raise BadRequest for what cannot be an import, before any of its file has come."""
    match = _NAME.fullmatch(start.lap)
    if match is None or _RUNNING.fullmatch(match[2]):
        raise BadRequest(
            f"lap is {start.lap[:200]!r}",
            hint="sessions/{session}/laps/{lap} of lower-case letters, digits and hyphens",
        )
    if match[1] != start.session.name:
        raise BadRequest(
            f"lap is {start.lap!r}, its session is {start.session.name[:200]!r}", hint="one session"
        )
    if not 0 < start.size <= FILE_LIMIT:
        raise BadRequest(f"size is {start.size}", hint=f"1 to {FILE_LIMIT} bytes, which a lap file can have")
    if not _DIGEST.fullmatch(start.digest):
        raise BadRequest(f"digest is {start.digest[:40]!r}", hint="16 hexadecimal digits, or none")
    _check_session(start.session)


def _check_session(session: session_pb2.Session) -> None:
    if session.ByteSize() > _MOST_SESSION_BYTES:
        raise BadRequest(f"the session has {session.ByteSize()} bytes, the limit is {_MOST_SESSION_BYTES}")
    if session.source != session_pb2.SESSION_SOURCE_IMPORT:
        raise BadRequest(f"the session's source is {session.source}", hint="SESSION_SOURCE_IMPORT")
    if session.state.source not in (session_pb2.SESSION_SOURCE_UNSPECIFIED, session.source):
        raise BadRequest(
            f"the source in the session's state is {session.state.source}", hint="none, or the same"
        )
    if session.status != session_pb2.SESSION_STATUS_COMPLETED:
        raise BadRequest(
            f"the session's status is {session.status}", hint="SESSION_STATUS_COMPLETED: it is over"
        )
    _check_absent(session, _OF_RIG, "session")
    _check_clock(session.start_time_ns, "the session's start_time_ns")
    _check_clock(session.end_time_ns, "the session's end_time_ns")
    _check_length(session.track_length, "the session's track_length")


def _check_absent(message: session_pb2.Session | lap_pb2.Lap, names: tuple[str, ...], what: str) -> None:
    for name in names:
        if getattr(message, name):
            raise BadRequest(f"the {what} says what its {name} is", hint="leave it out: the rig finds it out")


def _check_clock(time_ns: int, what: str) -> None:
    if time_ns > time.time_ns() + _AHEAD_NS:
        raise BadRequest(f"{what} is {time_ns}, more than a day ahead", hint="unix nanoseconds")


def _check_length(metres: float, what: str) -> None:
    if not 0 <= metres < 1e6:  # nor is NaN
        raise BadRequest(f"{what} is {metres}", hint="metres, 0 where nobody knows")


def check_file(path: Path, start: laps_pb2.LapImport, user: str | None) -> lap_pb2.Lap:
    """Check the file of an import to its last byte; return the lap of its head, with its digest and size.
    `user` is whose it has to be, None: anybody's. Raises Corrupt, BadRequest, Denied.
    """
    with LapFile.open(path) as file:
        header = file.header
        _check_header(header, start)
        if user is not None and header.lap.user != user:
            raise Denied(
                f"the lap's user is {header.lap.user!r}, yours is {user!r}",
                hint="name yourself in it, or have somebody import it who may see all laps",
            )
        file.verify()
        lap = lap_pb2.Lap()
        lap.CopyFrom(header.lap)
        lap.digest, lap.bytes = file.digest, start.size
    if start.digest not in ("", lap.digest):
        raise Corrupt(
            f"the file's digest is {lap.digest}, and {start.digest} was announced", hint="send it again"
        )
    return lap


def _check_header(header: archive_pb2.LapHeader, start: laps_pb2.LapImport) -> None:
    lap = header.lap
    if (lap.name, header.session.name) != (start.lap, start.session.name):
        raise BadRequest(f"the file says that it is {lap.name[:200]!r} of {header.session.name[:200]!r}")
    _check_session(header.session)
    if lap.ByteSize() > _MOST_LAP_BYTES:
        raise BadRequest(f"the head tells {lap.ByteSize()} bytes of the lap, the limit is {_MOST_LAP_BYTES}")
    if lap.kind != lap_pb2.LAP_KIND_LAP:
        raise BadRequest(f"the lap's kind is {lap.kind}", hint="LAP_KIND_LAP")
    if (lap.samples, lap.scorings) != (header.samples, header.scorings):
        counts = f"{header.samples} samples and {header.scorings} scoring updates"
        raise BadRequest(f"the file has {counts}, the lap says {lap.samples} and {lap.scorings}")
    _check_absent(lap, _OF_FILE, "lap")
    _check_times(lap)
    for column in header.columns:
        _check_column(column)
    if header.samples and not any(
        one.name == "lap_time" and one.section != SCORINGS for one in header.columns
    ):
        raise BadRequest("the file has samples without lap_time", hint="seconds since the line, growing")


def _check_times(lap: lap_pb2.Lap) -> None:
    """Raise BadRequest for times that no lap has: bests are chosen by them, and laps by their age."""
    for name in _TIMES:
        seconds = getattr(lap, name)
        if lap.HasField(name) and not 0 < seconds <= _LONGEST_S:  # nor is NaN
            raise BadRequest(f"{name} is {seconds}", hint="seconds, or absent")
    for name in _CLOCKS:
        if not math.isfinite(getattr(lap, name)):
            raise BadRequest(f"{name} is {getattr(lap, name)}")
    _check_length(lap.track_length, "track_length")
    _check_clock(lap.start_time_ns, "start_time_ns")
    _check_clock(lap.end_time_ns, "end_time_ns")


def _check_column(column: archive_pb2.Column) -> None:
    """Raise BadRequest unless a column is as the registry has it: whoever computes with it relies on that.
    Nobody does with what no channel holds.
    """
    if column.section == RECORDED:
        if (column.dtype, column.width) != ("<f8", 1):
            raise BadRequest(
                f"{column.name[:80]} is {column.dtype[:20]} of width {column.width}", hint="<f8 of width 1"
            )
        return
    table = SCORING if column.section == SCORINGS else PHYSICS
    channel: Channel | None = LAP.by_name.get(column.name) or table.by_name.get(column.name)
    if channel is None:
        raise BadRequest(
            f"this rig has no channel {column.name[:80]!r}", hint="is the client of a newer version?"
        )
    if (column.dtype, column.width) != (channel.dtype.str, channel.width):
        has = f"{column.dtype[:20]} of width {column.width}"
        raise BadRequest(
            f"{column.name} is {has} in the file", hint=f"{channel.dtype.str} of width {channel.width}"
        )


def check_session_taken(known: session_pb2.Session | None, *, seen: bool) -> None:
    """Raise BadRequest where the session of that name was recorded, Denied where it is none for the
    caller.
    """
    if known is None:
        return
    if not seen:
        raise Denied(
            "the session's name is taken by somebody else", hint="give it another name", name=known.name
        )
    if known.source != session_pb2.SESSION_SOURCE_IMPORT:
        raise BadRequest(f"{known.name} was recorded here", hint="give the import a session of its own")


# How it is placed.


def place(
    store: Store, file: Path, name: str, session: session_pb2.Session, *, user: str, replaces: bool
) -> lap_pb2.Lap | None:
    """Make an uploaded file, which was checked, that of a lap; `user` is whose laps alone may be touched, ""
    everybody's. Return the lap as listed; None where it was there. Raises Raced where another file is there,
    BadRequest and Denied for a session that is none of theirs, Exhausted without room, Unavailable.
    """
    known = store.folder.session(session.name)
    check_session_taken(known, seen=not user or store.index.session(session.name, Viewer(user)) is not None)
    try:
        if _is_there(store, file, name, user, replaces=replaces):
            return None
        _check_room(store, file.stat().st_size)
        if known is None or replaces:
            store.put_session(session)
        store.place(name, file)
    except OSError as error:
        store.tidy(session)
        raise _refusal(error) from error
    return store.index.lap(name)


def _is_there(store: Store, file: Path, name: str, user: str, *, replaces: bool) -> bool:
    """Return whether a lap has that very file. Raises Raced and Denied where it has another one that is not
    to give way.
    """
    digest, there = _digest(file), _digest(store.folder.path(name))
    if not digest:
        raise Unavailable(
            f"the file of {name} is gone, or was damaged while it waited", hint="import it again"
        )
    listed = store.index.lap(name)
    if there == digest:
        if listed is None or listed.digest != digest:
            store.relist(name)  # a crash came between file and row
        return True
    if there is not None and not replaces:
        raise Raced(
            f"{name} is there, and is another file", hint="replace it, or choose another name", name=name
        )
    if listed is not None and user and listed.user != user:
        raise Denied(f"{name} is somebody else's lap", hint="choose another name", name=name)
    return False


def _digest(path: Path) -> str | None:
    """Return the digest of a lap file, "" for one that cannot be read; None without one."""
    try:
        with LapFile.open(path) as file:
            return file.digest
    except FileNotFoundError:
        return None
    except RigError:
        return ""


def check_room(free_bytes: int, size: int, floor: str | None) -> None:
    """Raise Exhausted unless so many bytes fit on the disk and leave it the room of `floor`, which the
    archiver keeps in the index.
    """
    least = int(floor or 0)
    if free_bytes - size < least:
        raise Exhausted(
            f"the lap has {size} bytes, the disk of the rig {free_bytes} free, of which {least} stay free",
            hint="delete laps, or give `rigd archive` a smaller --hard-floor",
            limit=least,
            value=size,
        )


def _check_room(store: Store, size: int) -> None:
    check_room(store.folder.free_bytes(), size, store.index.meta(FLOOR_BYTES))


def _refusal(error: OSError) -> RigError:
    """Return what a client is told of a disk that refuses."""
    if error.errno in _FULL:
        return Exhausted("the disk of the rig is full", hint="delete laps, and import it again")
    return Unavailable(f"the disk of the rig refuses: {error.strerror}", hint="try again later")
