"""What the warehouse holds of files already."""

import datetime
from typing import NamedTuple

from rig.errors import Mismatch, Raced, RigError
from rigclient.imports.finding import Found
from rigclient.imports.races import RIG_ID, same_date
from rigclient.warehouse.destination import Destination


class Session(NamedTuple):
    """A session that files have brought, by one of them."""

    name: str
    sha256: str
    """Of the file."""
    path: str
    load: str
    """That brought it."""


class Held:
    """Questions before a load, which only holds if nobody else loads in between."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    def session_of_file(self, sha256: str) -> str | None:
        """The session that a file with this checksum is of."""
        sql = "SELECT SESSION FROM FILES WHERE RIG_ID = ? AND SHA256 = ?"
        found = self._destination.rows(sql, [RIG_ID, sha256])
        return str(found[0][0]) if found else None

    def sessions_of_race(self, key: str, date: str = "") -> list[Session]:
        """The sessions that can be of a race, each with the first file that it came from.

        A race of another date is another. Where one of the two dates is not known nobody can tell.
        """
        found = self._destination.rows(
            "SELECT S.SESSION, F.SHA256, F.PATH, F.LOAD_ID, S.LOCAL_DATE, S.START_TIME_NS FROM SESSIONS S "
            "JOIN FILES F ON F.RIG_ID = S.RIG_ID AND F.SESSION = S.SESSION "
            "WHERE S.RIG_ID = ? AND (S.RING = ? OR S.RING LIKE ?) ORDER BY F.LOAD_ID",
            [RIG_ID, key, f"{key}-%"],
        )
        fitting: dict[str, Session] = {}
        for *session, local_date, start_ns in found:
            if any(same_date(date, one) for one in _dates(local_date, start_ns)):
                fitting.setdefault(str(session[0]), Session(*session))
        return list(fitting.values())

    def numbers(self, session: str) -> set[str]:
        """What is painted on its cars."""
        sql = "SELECT DISTINCT CAR_NUMBER FROM LAPS WHERE RIG_ID = ? AND SESSION = ?"
        return {str(number) for (number,) in self._destination.rows(sql, [RIG_ID, session])}

    def replaced_by(self, sha256: str) -> str | None:
        """The path of a file that has replaced the one with this checksum, and is there."""
        found = self._destination.rows(
            "SELECT F.PATH FROM RIG_LOADS R JOIN FILES F ON F.RIG_ID = R.RIG_ID AND F.LOAD_ID = R.LOAD_ID "
            "WHERE R.RIG_ID = ? AND R.REMOVED IS NOT NULL AND CONTAINS(R.NOTE, ?) LIMIT 1",
            [RIG_ID, sha256],
        )
        return str(found[0][0]) if found else None

    def cars(self, session: str) -> dict[str, int]:
        """Slot ids by vehicle."""
        sql = "SELECT VEHICLE, MAX(CAR) FROM LAPS WHERE RIG_ID = ? AND SESSION = ? GROUP BY VEHICLE"
        return {str(vehicle): int(car) for vehicle, car in self._destination.rows(sql, [RIG_ID, session])}

    def laps(self, session: str) -> dict[str, str]:
        """The checksum of the file that each lap came from, by the lap's name."""
        sql = "SELECT LAP, DIGEST FROM LAPS WHERE RIG_ID = ? AND SESSION = ?"
        return {str(lap): str(digest) for lap, digest in self._destination.rows(sql, [RIG_ID, session])}


def _dates(local_date: str | None, start_ns: int | None) -> list[str]:
    """The dates that a session can have at its track; an empty one is any."""
    if local_date is not None or start_ns is None:
        return [local_date or ""]
    day = datetime.datetime.fromtimestamp(start_ns / 1e9, datetime.UTC).date()
    return [str(day + datetime.timedelta(days)) for days in (-1, 0, 1)]


def another(file: Found, what: str, held: Session, hint: str) -> RigError:
    """The refusal of a file, both sides named; Raced where somebody has loaded the same one just now."""
    if held.sha256 == file.sha256:
        return Raced(f"{file.path} was loaded by somebody else just now")
    theirs = f"{held.path}, {_short(held.sha256)}" if held.path else f"a file with {_short(held.sha256)}"
    return Mismatch(
        f"{what} is in the warehouse from {theirs}; {file.path} has {_short(file.sha256)}", hint=hint
    )


def _short(sha256: str) -> str:
    return f"checksum {sha256[:12]}"
