"""The seat as a recorder keeps it: asked for in a file, taken by who drives in the game, told and saved."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rig.errors import Corrupt
from rig.v1 import event_pb2
from rigd import log
from rigd.drivers import DriversFile
from rigd.record.encoder import text
from rigd.record.seating import resumed
from rigd.seat import SeatFile


class SeatKeeper:
    """Keeps the seat. `configured` gives the users of drivers that are in force, `saved` is what the next
    recorder goes on from.
    """

    def __init__(self, data: Path, configured: Callable[[], Mapping[str, str]], saved: bytes) -> None:
        self.saved = saved
        self._asked, self._drivers, self._configured = SeatFile(data), DriversFile(data), configured
        self._seating = resumed(configured(), saved)
        self._told = self._seating.seat

    @property
    def user(self) -> str:
        """Who is in the seat; empty for nobody."""
        return self._seating.seat.user

    def look(self) -> str:
        """Take which drivers are which users, and who was put into the seat; return what keeps us from it."""
        unknown = self._look_at_drivers()
        try:
            self._seating.ask(self._asked.read())
        except (Corrupt, OSError) as error:
            return str(error)
        return unknown

    def _look_at_drivers(self) -> str:
        self._seating.drivers = configured = self._configured()
        try:
            self._seating.drivers = self._drivers.over(configured)
        except (Corrupt, OSError) as error:
            return str(error)
        return ""

    def drive(self, records: Any) -> None:
        """Take the driver of the player's car, by the rows of a scoring update."""
        mine = records["mDriverName"][records["mIsPlayer"]]
        if len(mine):
            self._seating.drive(text(mine[0], mine.dtype.itemsize))

    def news(self) -> event_pb2.SeatChanged | None:
        """Return who has come into the seat since this was last asked; None when it is the same user."""
        former, seat = self._told, self._seating.seat
        self._told, self.saved = seat, self._seating.pack()
        if seat.user == former.user:
            return None
        log.say(log.SEAT, user=seat.user, by_driver=seat.by_driver)
        return event_pb2.SeatChanged(
            user=seat.user, former_user=former.user, by_driver=seat.by_driver, since_time_ns=seat.since_ns
        )
