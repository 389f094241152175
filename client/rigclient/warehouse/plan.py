"""What a warehouse has not got of a rig: both are asked, nothing is remembered that a crash could take."""

# ruff: noqa: S608  what is put into statements are question marks

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from rig.errors import Mismatch, RigError
from rig.v1 import lap_pb2, session_pb2
from rigclient.warehouse import table_rows
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.loading import next_n
from rigclient.warehouse.names import parted
from rigclient.warehouse.rig_reader import RigReader

STREAM: Final = "laps"
"""The stream of closed laps: its numbers count loads."""

_SESSIONS_AT_ONCE: Final = 50

Settled = dict[str, tuple[int, ...]]
"""Sessions of which nothing was missing, as they were then. Saves asking for their laps again."""


class PlannedLap(NamedTuple):
    """A lap that is to be loaded."""

    name: str
    digest: str
    rows: int
    """Samples and scoring updates."""
    corners: int = 0
    """What its corners on the rig were computed from; 0: there are none."""
    replaces: bool = False
    """The warehouse has it with other content."""


@dataclass
class Plan:
    """What is missing in a warehouse."""

    next_n: int
    """Number of the next load."""
    laps: list[PlannedLap] = field(default_factory=list)
    sessions: dict[str, table_rows.NamedRow] = field(default_factory=dict)
    """Rows of the sessions that the warehouse does not have as they are now, by name."""
    marks: dict[str, str] = field(default_factory=dict)
    """Digests of laps that the warehouse has and that are not marked as synced on the rig, by name."""
    corners: list[str] = field(default_factory=list)
    """Laps that are there, and whose corners are not, or were computed from something else."""
    files: set[str] = field(default_factory=set)
    """Checksums of the files of other programs of which the warehouse has laps of this rig."""
    there: int = 0
    """Laps that the warehouse has."""
    refused: list[RigError] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Samples and scoring updates to be loaded."""
        return sum(lap.rows for lap in self.laps)


def plan(rig: RigReader, destination: Destination, settled: Settled, *, thorough: bool = False) -> Plan:
    """Return what is missing now. The number of the next load is asked for first: whoever loads while this
    looks around makes it wrong, and the load that follows finds out.

    The laps of a session are compared one by one unless both sides have as many of as many bytes, and the rig
    has marked them all; `thorough` compares them all the same.
    """
    sessions = [one for one in rig.sessions() if settled.get(one.name) != _state(one)]
    if not sessions:
        return Plan(0)  # a warehouse that is not asked can sleep
    made = Plan(next_n(destination, rig.rig_id, STREAM))
    unmarked = rig.unmarked()
    for at in range(0, len(sessions), _SESSIONS_AT_ONCE):
        some = sessions[at : at + _SESSIONS_AT_ONCE]
        alike = _sums(destination, rig.rig_id, some)
        corners = _corner_sums(destination, rig.rig_id, some)
        for session in some:
            if (
                alike.get(session.name) != (session.laps, session.bytes)
                or session.name in unmarked
                or (session.corners and corners.get(session.name) != session.corners)
                or thorough
            ):
                _compare(made, session.name, rig, destination)
            else:
                made.there += session.laps
        for session in _changed(destination, rig.rig_id, some):
            made.sessions[session.name] = table_rows.session(rig.rig_id, session)
    waiting = (*(lap.name for lap in made.laps), *made.marks, *made.corners)
    busy = {name.partition("/laps/")[0] for name in waiting} | made.sessions.keys()
    settled |= {one.name: _state(one) for one in sessions if one.name not in busy}
    return made


def _state(session: session_pb2.Session) -> tuple[int, ...]:
    """Return a value that differs when laps came or went, corners were computed, or the session ended."""
    return session.laps, session.bytes, session.end_time_ns, session.corners


def _compare(made: Plan, session: str, rig: RigReader, destination: Destination) -> None:
    """Add the laps of a session to the plan, compared one by one."""
    there = _digests(destination, rig.rig_id, session)
    corners = _fingerprints(destination, rig.rig_id, session)
    for lap in rig.laps(session):
        digest = there.get(parted(lap.name)[1])
        made.there += digest is not None
        anew = bool(digest and lap.digest and lap.digest != digest)
        if digest and not anew and lap.corners and corners.get(parted(lap.name)[1]) != lap.corners:
            made.corners.append(lap.name)
        if digest is None and lap.damage:
            how = "of a newer version" if lap.newer else "damaged on the rig"
            made.damaged.append(f"{lap.name} is {how} and stays there: {lap.damage}")
        elif digest is None or (anew and lap.file_digest):
            made.files = made.files or (_files(destination, rig.rig_id) if lap.file_digest else set())
            rows = lap.samples + lap.scorings
            made.laps.append(PlannedLap(lap.name, lap.digest, rows, lap.corners, replaces=anew))
        elif anew:
            made.refused.append(_other(lap, rig.address, digest, destination.name))
        elif lap.digest and not lap.synced:
            made.marks[lap.name] = lap.digest


def _other(lap: lap_pb2.Lap, rig: str, digest: str, destination: str) -> Mismatch:
    return Mismatch(
        f"{lap.name} has digest {lap.digest} on the rig at {rig} and {digest} in {destination}",
        hint="what was recorded is never replaced: find out which file is right",
        name=lap.name,
    )


def _digests(destination: Destination, rig_id: str, session: str) -> dict[str, str]:
    """Return the digests of the laps of a session that the warehouse has, by lap."""
    sql = "SELECT LAP, DIGEST FROM LAPS WHERE RIG_ID = ? AND SESSION = ?"
    return dict(destination.rows(sql, [rig_id, session.removeprefix("sessions/")]))


def _files(destination: Destination, rig_id: str) -> set[str]:
    rows = destination.rows("SELECT SHA256 FROM FILES WHERE RIG_ID = ?", [rig_id])
    return {str(sha256) for (sha256,) in rows}


def _sums(
    destination: Destination, rig_id: str, sessions: Iterable[session_pb2.Session]
) -> dict[str, tuple[int, int]]:
    """Return how many laps, and bytes of their files, the warehouse has of these sessions."""
    names = _short(sessions)
    sql = f"SELECT SESSION, COUNT(*), SUM(BYTES) FROM LAPS WHERE RIG_ID = ? AND SESSION IN ({_marks(names)})"
    rows = destination.rows(f"{sql} GROUP BY SESSION", [rig_id, *names])
    return {f"sessions/{name}": (int(laps), int(size)) for name, laps, size in rows}


_CORNERS: Final = "SELECT DISTINCT SESSION, LAP, FINGERPRINT FROM CORNERS WHERE RIG_ID = ? AND SESSION"


def _corner_sums(
    destination: Destination, rig_id: str, sessions: Iterable[session_pb2.Session]
) -> dict[str, int]:
    """Return the sum of the fingerprints of corners that the warehouse has of these sessions, lap by lap."""
    names = _short(sessions)
    sql = f"SELECT SESSION, SUM(FINGERPRINT) FROM ({_CORNERS} IN ({_marks(names)})) C GROUP BY SESSION"
    rows = destination.rows(sql, [rig_id, *names])
    return {f"sessions/{name}": int(total) for name, total in rows}


def _fingerprints(destination: Destination, rig_id: str, session: str) -> dict[str, int]:
    """Return what the corners of a session's laps in the warehouse were computed from, by lap."""
    rows = destination.rows(f"{_CORNERS} = ?", [rig_id, session.removeprefix("sessions/")])
    return {lap: int(found) for _, lap, found in rows}


def _changed(
    destination: Destination, rig_id: str, sessions: list[session_pb2.Session]
) -> Iterator[session_pb2.Session]:
    """Yield the sessions that the warehouse does not have, or has as they were before they ended."""
    names = _short(sessions)
    sql = f"SELECT SESSION, END_TIME_NS FROM SESSIONS WHERE RIG_ID = ? AND SESSION IN ({_marks(names)})"
    there: dict[str, int | None] = dict(destination.rows(sql, [rig_id, *names]))
    for name, session in zip(names, sessions, strict=True):
        if name not in there or there[name] != (session.end_time_ns or None):
            yield session


def _short(sessions: Iterable[session_pb2.Session]) -> list[str]:
    return [session.name.removeprefix("sessions/") for session in sessions]


def _marks(values: list[str]) -> str:
    return ", ".join("?" * len(values))
