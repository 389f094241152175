"""Who is in the seat of the rig: a small file in the data directory, and the recorder's word in the ring.

The server writes the file when somebody is put into the seat; the recorder looks at it once a second. What
the recorder made of it, also by the name of the driver in the game, stands in the ring beside the event that
tells of it. Of both, what is later counts.
"""

import json
import time
import zlib
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from rig import parse
from rig.errors import BadRequest, Corrupt
from rig.regular import read_regular
from rigd.durable import replace

META: Final = b"seat"
"""Name in the ring."""
MAX_USER: Final = 64
"""Characters of a user's name."""
_FILE: Final = "seat"
_MOST_BYTES: Final = 1 << 12


class Seat(NamedTuple):
    """Who is in the seat, and since when."""

    user: str = ""
    """Empty: nobody was named."""
    since_ns: int = 0
    """Unix nanoseconds; 0: nobody ever was."""
    by_driver: bool = False
    """The name of the driver in the game decided."""

    def next(self, user: str, *, by_driver: bool = False) -> "Seat":
        """Return the seat with another user from now on, which is after this one also where the clock was set
        back.
        """
        return Seat(user, max(time.time_ns(), self.since_ns + 1), by_driver)


NOBODY: Final = Seat()


class Sealed(Protocol):
    """What the ring gives its small values by."""

    def meta(self, name: bytes) -> bytes | None:
        """Return a small value."""


def check_user(user: str) -> None:
    """Raise BadRequest for what is no name of a user; empty is nobody's."""
    if len(user) > MAX_USER or user != user.strip() or not user.isprintable():
        raise BadRequest(
            f"{user[:MAX_USER]!r} is no name of a user",
            hint=f"up to {MAX_USER} characters that can be printed, without blanks around them",
            limit=MAX_USER,
        )


def seal(words: dict[str, Any]) -> bytes:
    """Return words as JSON after their CRC-32: a flipped bit would put somebody else into the seat."""
    text = json.dumps(words).encode()
    return b"%08x %s" % (zlib.crc32(text), text)


def unseal(data: bytes) -> dict[str, Any]:
    """Return what was sealed. Raises Corrupt."""
    crc, _, text = data.partition(b" ")
    if crc != b"%08x" % zlib.crc32(text):
        raise Corrupt("who is in the seat is not what was written", hint="`rig seat USER` writes it anew")
    return parse.json_object(text)


def read_seat(words: dict[str, Any]) -> Seat:
    """Return the seat among words. Raises Corrupt."""
    try:
        return Seat(str(words["user"]), int(words["since_ns"]), bool(words["by_driver"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Corrupt(f"who is in the seat cannot be read: {error!r}") from error


def in_ring(ring: Sealed) -> Seat:
    """Return the seat as the recorder last told of it. Raises Corrupt."""
    kept = ring.meta(META)
    return read_seat(unseal(kept)) if kept else NOBODY


class SeatFile:
    """The seat as somebody asked for it last."""

    def __init__(self, data: Path) -> None:
        self._path = data / _FILE
        self._state: tuple[int, int] | None = None
        self._seat = NOBODY

    def read(self) -> Seat:
        """Return it; the file is read again only when it has changed: 2 µs. Raises Corrupt, OSError."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._state, self._seat = None, NOBODY
            return NOBODY
        state = stat.st_ino, stat.st_mtime_ns
        if state != self._state:
            self._seat = read_seat(unseal(read_regular(self._path, _MOST_BYTES)))
            self._state = state
        return self._seat

    def put(self, seat: Seat) -> None:
        """Write it durably. Raises OSError."""
        replace(self._path, seal(seat._asdict()))
