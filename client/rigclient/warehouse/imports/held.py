"""What the warehouse holds of files already."""

from typing import NamedTuple

from rig.errors import Mismatch, Raced, RigError
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.imports.finding import Found
from rigclient.warehouse.imports.races import RIG_ID


class Session(NamedTuple):
    """A session that files have brought."""

    name: str
    sha256: str
    """Of the first of them."""
    path: str


class Held:
    """Questions before a load, which only holds if nobody else loads in between."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    def session_of_file(self, sha256: str) -> str | None:
        """The session that a file with this checksum is of."""
        sql = "SELECT SESSION FROM FILES WHERE RIG_ID = ? AND SHA256 = ?"
        found = self._destination.rows(sql, [RIG_ID, sha256])
        return str(found[0][0]) if found else None

    def session_of_race(self, key: str) -> Session | None:
        """The session of a race, and a file that it came from."""
        found = self._destination.rows(
            "SELECT S.SESSION, F.SHA256, F.PATH FROM SESSIONS S "
            "JOIN FILES F ON F.RIG_ID = S.RIG_ID AND F.SESSION = S.SESSION "
            "WHERE S.RIG_ID = ? AND S.RING = ? ORDER BY F.LOAD_ID LIMIT 1",
            [RIG_ID, key],
        )
        return Session(*found[0]) if found else None

    def cars(self, session: str) -> dict[str, int]:
        """Slot ids by vehicle."""
        sql = "SELECT VEHICLE, MAX(CAR) FROM LAPS WHERE RIG_ID = ? AND SESSION = ? GROUP BY VEHICLE"
        return {str(vehicle): int(car) for vehicle, car in self._destination.rows(sql, [RIG_ID, session])}

    def laps(self, session: str) -> dict[str, str]:
        """The checksum of the file that each lap came from, by the lap's name."""
        sql = "SELECT LAP, DIGEST FROM LAPS WHERE RIG_ID = ? AND SESSION = ?"
        return {str(lap): str(digest) for lap, digest in self._destination.rows(sql, [RIG_ID, session])}


def another(file: Found, what: str, sha256: str, path: str = "") -> RigError:
    """The refusal of a file, both sides named; Raced where somebody has loaded the same one just now."""
    if sha256 == file.sha256:
        return Raced(f"{file.path} was loaded by somebody else just now")
    theirs = f"{path}, {_short(sha256)}" if path else f"a file with {_short(sha256)}"
    return Mismatch(
        f"{what} is in the warehouse from {theirs}; {file.path} has {_short(file.sha256)}",
        hint="files that tell the same differently are never merged; load it into another warehouse",
    )


def _short(sha256: str) -> str:
    return f"checksum {sha256[:12]}"
