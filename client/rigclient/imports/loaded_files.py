"""The files that are there already: in a warehouse, or among the laps of a rig or a folder."""

import datetime
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from rig.errors import Mismatch, Raced, RigError
from rigclient.imports.discovery import Found
from rigclient.imports.races import RIG_ID, same_date
from rigclient.warehouse.destination import Destination


class LoadedFile(NamedTuple):
    """A file that was loaded, and the session it brought."""

    name: str
    """Name of the session."""
    sha256: str
    """Checksum of the file; of laps on a rig its first digits."""
    path: str
    load: str = ""
    """LOAD_ID of the load that brought it into a warehouse."""


CarLap = tuple[int, int]
"""Slot and index of a lap."""


class LoadedFiles(Protocol):
    """Questions about the files that are there. Answers hold until somebody else loads."""

    place: str
    """Where they are, as in `is in the warehouse`."""
    resumed: bool
    """A file that is there in part is gone on with; else somebody was faster with it."""

    def session_of_file(self, sha256: str) -> str | None:
        """Return the session that all laps of the file with this checksum are in; None where one is not
        there.
        """

    def sessions_of_race(self, key: str, name: str, date: str) -> list[LoadedFile]:
        """Return the sessions that can be of a race, each with the first file that it came from; `name` ends
        the names of its sessions, less the digits of the key.

        A race of conflict date is conflict. Where one of the two dates is not known nobody can tell.
        """

    def numbers(self, session: str) -> set[str]:
        """Return the numbers painted on the cars of a session."""

    def replaced(self, sha256: str, session: str) -> bool:
        """Return whether the files of a session have taken the place of the one with this checksum."""

    def cars(self, session: str) -> dict[str, int]:
        """Return the slot ids of a session's cars, by vehicle."""

    def laps(self, session: str) -> dict[CarLap, str]:
        """Return the checksum of the file that each lap of a session came from."""


class WarehouseFiles:
    """The files in a warehouse. The load itself finds out when somebody else was faster."""

    place: str = "the warehouse"
    resumed: bool = False

    def __init__(self, destination: Destination) -> None:
        self._destination: Final = destination

    def session_of_file(self, sha256: str) -> str | None:
        """Return the session that the file with this checksum brought; None when it was not loaded."""
        sql = "SELECT SESSION FROM FILES WHERE RIG_ID = ? AND SHA256 = ?"
        found = self._destination.rows(sql, [RIG_ID, sha256])
        return str(found[0][0]) if found else None

    def sessions_of_race(self, key: str, name: str, date: str) -> list[LoadedFile]:  # noqa: ARG002
        """Return the sessions whose RING is the key of the race, whatever its date."""
        found = self._destination.rows(
            "SELECT S.SESSION, F.SHA256, F.PATH, F.LOAD_ID, S.LOCAL_DATE, S.START_TIME_NS FROM SESSIONS S "
            "JOIN FILES F ON F.RIG_ID = S.RIG_ID AND F.SESSION = S.SESSION "
            "WHERE S.RIG_ID = ? AND (S.RING = ? OR S.RING LIKE ?) ORDER BY F.LOAD_ID",
            [RIG_ID, key, f"{key}-%"],
        )
        fitting: dict[str, LoadedFile] = {}
        for *session, local_date, start_ns in found:
            if may_be(date, local_date or "", start_ns or 0):
                fitting.setdefault(str(session[0]), LoadedFile(*session))
        return list(fitting.values())

    def numbers(self, session: str) -> set[str]:
        """Return the numbers painted on the cars of a session."""
        sql = "SELECT DISTINCT CAR_NUMBER FROM LAPS WHERE RIG_ID = ? AND SESSION = ?"
        return {str(number) for (number,) in self._destination.rows(sql, [RIG_ID, session])}

    def replaced(self, sha256: str, session: str) -> bool:
        """Return whether a file that is there has taken the place of the one with this checksum."""
        found = self._destination.rows(
            "SELECT F.PATH FROM RIG_LOADS R JOIN FILES F ON F.RIG_ID = R.RIG_ID AND F.LOAD_ID = R.LOAD_ID "
            "WHERE R.RIG_ID = ? AND R.REMOVED IS NOT NULL AND F.SESSION = ? AND CONTAINS(R.NOTE, ?) LIMIT 1",
            [RIG_ID, session, sha256],
        )
        return bool(found)

    def cars(self, session: str) -> dict[str, int]:
        """Return the slot ids of a session's cars, by vehicle."""
        sql = "SELECT VEHICLE, MAX(CAR) FROM LAPS WHERE RIG_ID = ? AND SESSION = ? GROUP BY VEHICLE"
        return {str(vehicle): int(car) for vehicle, car in self._destination.rows(sql, [RIG_ID, session])}

    def laps(self, session: str) -> dict[CarLap, str]:
        """Return the checksum of the file that each lap of a session came from: that of its load."""
        sql = (
            "SELECT L.CAR, L.LAP_INDEX, F.SHA256 FROM LAPS L JOIN FILES F "
            "ON F.RIG_ID = L.RIG_ID AND F.LOAD_ID = L.LOAD_ID WHERE L.RIG_ID = ? AND L.SESSION = ?"
        )
        rows = self._destination.rows(sql, [RIG_ID, session])
        return {(int(car), int(index)): str(sha256) for car, index, sha256 in rows}


def may_be(date: str, local_date: str, start_ns: int) -> bool:
    """Return whether a session of a date at its track, or of a start in UTC, can be of another date."""
    return any(same_date(date, one) for one in _dates(local_date, start_ns))


def _dates(local_date: str, start_ns: int) -> Iterable[str]:
    """Return the dates that a session can have at its track; an empty one is any."""
    if local_date or not start_ns:
        return [local_date]
    day = datetime.datetime.fromtimestamp(start_ns / 1e9, datetime.UTC).date()
    return [str(day + datetime.timedelta(days)) for days in (-1, 0, 1)]


def conflict(file: Found, what: str, loaded: LoadedFile, place: str, hint: str) -> RigError:
    """Return the error that refuses a file, both sides named; Raced where somebody has loaded the same one
    just now.
    """
    if file.sha256.startswith(loaded.sha256):
        return Raced(f"{file.path} was loaded by somebody else just now")
    theirs = (
        f"{loaded.path}, {_short(loaded.sha256)}" if loaded.path else f"a file with {_short(loaded.sha256)}"
    )
    return Mismatch(f"{what} is in {place} from {theirs}; {file.path} has {_short(file.sha256)}", hint=hint)


def _short(sha256: str) -> str:
    return f"checksum {sha256[:12]}"
