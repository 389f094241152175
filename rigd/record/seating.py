"""Who is in the seat, by what was asked for and by who drives the player's car in the game. Pure."""

from collections.abc import Mapping
from typing import Final

from rig.errors import Corrupt
from rigd.seat import NOBODY, Seat, read_seat, seal, unseal

_NO_DRIVERS: Final[Mapping[str, str]] = {}


class Seating:
    """Follows the seat. What was asked for lasts until something else is, or until the driver of the player's
    car changes to one that is a user's by `drivers`. Raises Corrupt unless `pack` gave `saved`.
    """

    def __init__(self, drivers: Mapping[str, str] = _NO_DRIVERS, saved: bytes = b"") -> None:
        words = unseal(saved) if saved else {}
        self.seat: Seat = read_seat(words) if words else NOBODY
        self.drivers, self._driver = drivers, str(words.get("driver", ""))

    def pack(self) -> bytes:
        """Return what the next recorder needs to go on from."""
        return seal({**self.seat._asdict(), "driver": self._driver})

    def ask(self, asked: Seat) -> None:
        """Take note that somebody was put into the seat, now or before."""
        if asked.since_ns > self.seat.since_ns:
            self.seat = asked

    def drive(self, driver: str) -> None:
        """Take the name of the driver of the player's car, empty without one. The first name that is seen is
        no change: it does not put away whom somebody has put into the seat.
        """
        if driver in ("", self._driver):
            return
        first, self._driver = not self._driver, driver
        user = self.drivers.get(driver, "")
        asked = self.seat.user and not self.seat.by_driver
        if user and user != self.seat.user and not (first and asked):
            self.seat = self.seat.next(user, by_driver=True)


def resumed(drivers: Mapping[str, str], saved: bytes) -> Seating:
    """Return the seating as it was saved; of what cannot be read nothing is left but what is asked for."""
    try:
        return Seating(drivers, saved)
    except Corrupt:
        return Seating(drivers)
