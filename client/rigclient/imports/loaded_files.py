"""The files that are in the warehouse already."""

import datetime
from typing import NamedTuple

from rig.errors import Mismatch, Raced, RigError
from rigclient.imports.discovery import Found
from rigclient.imports.races import RIG_ID, same_date
from rigclient.warehouse.destination import Destination


class LoadedFile(NamedTuple):
    """A file that was loaded, and the session it brought."""

    name: str
    """Name of the session."""
    sha256: str
    """Checksum of the file."""
    path: str
    load: str
    """LOAD_ID of the load that brought it."""


class LoadedFiles:
    """Questions about loaded files. Answers hold until somebody else loads; the load itself finds that
    out.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    def session_of_file(self, sha256: str) -> str | None:
        """Return the session that the file with this checksum brought; None when it was not loaded."""
        sql = "SELECT SESSION FROM FILES WHERE RIG_ID = ? AND SHA256 = ?"
        found = self._destination.rows(sql, [RIG_ID, sha256])
        return str(found[0][0]) if found else None

    def sessions_of_race(self, key: str, date: str = "") -> list[LoadedFile]:
        """Return the sessions that can be of a race, each with the first file that it came from.

        A race of conflict date is conflict. Where one of the two dates is not known nobody can tell.
        """
        found = self._destination.rows(
            "SELECT S.SESSION, F.SHA256, F.PATH, F.LOAD_ID, S.LOCAL_DATE, S.START_TIME_NS FROM SESSIONS S "
            "JOIN FILES F ON F.RIG_ID = S.RIG_ID AND F.SESSION = S.SESSION "
            "WHERE S.RIG_ID = ? AND (S.RING = ? OR S.RING LIKE ?) ORDER BY F.LOAD_ID",
            [RIG_ID, key, f"{key}-%"],
        )
        fitting: dict[str, LoadedFile] = {}
        for *session, local_date, start_ns in found:
            if any(same_date(date, one) for one in _dates(local_date, start_ns)):
                fitting.setdefault(str(session[0]), LoadedFile(*session))
        return list(fitting.values())

    def numbers(self, session: str) -> set[str]:
        """Return the numbers painted on the cars of a session."""
        sql = "SELECT DISTINCT CAR_NUMBER FROM LAPS WHERE RIG_ID = ? AND SESSION = ?"
        return {str(number) for (number,) in self._destination.rows(sql, [RIG_ID, session])}

    def replaced_by(self, sha256: str) -> str | None:
        """Return the path of a file that has replaced the one with this checksum, and is there."""
        found = self._destination.rows(
            "SELECT F.PATH FROM RIG_LOADS R JOIN FILES F ON F.RIG_ID = R.RIG_ID AND F.LOAD_ID = R.LOAD_ID "
            "WHERE R.RIG_ID = ? AND R.REMOVED IS NOT NULL AND CONTAINS(R.NOTE, ?) LIMIT 1",
            [RIG_ID, sha256],
        )
        return str(found[0][0]) if found else None

    def cars(self, session: str) -> dict[str, int]:
        """Return the slot ids of a session's cars, by vehicle."""
        sql = "SELECT VEHICLE, MAX(CAR) FROM LAPS WHERE RIG_ID = ? AND SESSION = ? GROUP BY VEHICLE"
        return {str(vehicle): int(car) for vehicle, car in self._destination.rows(sql, [RIG_ID, session])}

    def laps(self, session: str) -> dict[str, str]:
        """Return the checksum of the file that each lap came from, by the lap's name."""
        sql = "SELECT LAP, DIGEST FROM LAPS WHERE RIG_ID = ? AND SESSION = ?"
        return {str(lap): str(digest) for lap, digest in self._destination.rows(sql, [RIG_ID, session])}


def _dates(local_date: str | None, start_ns: int | None) -> list[str]:
    """Return the dates that a session can have at its track; an empty one is any."""
    if local_date is not None or start_ns is None:
        return [local_date or ""]
    day = datetime.datetime.fromtimestamp(start_ns / 1e9, datetime.UTC).date()
    return [str(day + datetime.timedelta(days)) for days in (-1, 0, 1)]


def conflict(file: Found, what: str, loaded: LoadedFile, hint: str) -> RigError:
    """Return the error that refuses a file, both sides named; Raced where somebody has loaded the same one
    just now.
    """
    if loaded.sha256 == file.sha256:
        return Raced(f"{file.path} was loaded by somebody else just now")
    theirs = (
        f"{loaded.path}, {_short(loaded.sha256)}" if loaded.path else f"a file with {_short(loaded.sha256)}"
    )
    return Mismatch(
        f"{what} is in the warehouse from {theirs}; {file.path} has {_short(file.sha256)}", hint=hint
    )


def _short(sha256: str) -> str:
    return f"checksum {sha256[:12]}"
