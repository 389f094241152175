"""Which drivers in the game are which users, as the catalog says: a small file in the data directory.

The server writes it when users of the catalog change; the recorder looks at it once a second. What the
configuration says counts for drivers of whom the catalog says nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rig.errors import Corrupt
from rig.regular import read_regular
from rigd.durable import replace
from rigd.seat import seal, unseal

MAX_DRIVERS: Final = 500
"""Of all users together: the recorder reads them between two ticks, in a millisecond."""
_FILE: Final = "drivers"
_MOST_BYTES: Final = 1 << 20


class DriversFile:
    """Users by the names of their drivers, as the server wrote them last."""

    def __init__(self, data: Path) -> None:
        self._path = data / _FILE
        self._state: tuple[int, int] | None = None
        self._drivers: dict[str, str] = {}

    def over(self, configured: Mapping[str, str]) -> Mapping[str, str]:
        """Return the users by drivers, of the catalog and, where that says nothing, of the configuration; the
        file is read again only when it has changed. Raises Corrupt, OSError.
        """
        drivers = self.read()
        return {**configured, **drivers} if drivers else configured

    def read(self) -> dict[str, str]:
        """Return what the catalog says. Raises Corrupt, OSError."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._state, self._drivers = None, {}
            return {}
        state = stat.st_ino, stat.st_mtime_ns
        if state != self._state:
            self._drivers = _read(self._path)
            self._state = state
        return self._drivers

    def put(self, drivers: Mapping[str, str]) -> None:
        """Write them durably, if they are others. Raises OSError."""
        try:
            same = self.read() == drivers
        except Corrupt:
            same = False
        if not same:
            replace(self._path, seal(dict(drivers)))


def _read(path: Path) -> dict[str, str]:
    try:
        words = unseal(read_regular(path, _MOST_BYTES))
    except Corrupt as error:
        raise Corrupt(
            f"{path.name} is not what was written: the configuration alone says who the drivers are",
            hint="the server writes it anew when it starts",
        ) from error
    return {str(driver): str(user) for driver, user in words.items()}
