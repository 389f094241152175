"""Pairing codes: each is exchanged once for a token, within ten minutes. They are in memory alone."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from rig.errors import CodeExpired, CodeUsed, Exhausted, WrongCode
from rig.join import make_code
from rigd.auth.caller import Scope

LIFETIME_S: Final = 600.0
MAX_OPEN: Final = 32
"""Codes that wait at once."""

_REMEMBERED: Final = 256
"""Codes that are over, of which it can still be said how they ended."""

_ANOTHER: Final = "ask for another: `rigd pair`"


class Wish(NamedTuple):
    """What a code is exchanged for."""

    name: str
    """Of the device."""
    user: str
    scopes: frozenset[Scope]
    lifetime_s: int
    """Of the token."""


class PairingCodes:
    """Codes by their SHA-256. Times are monotonic seconds: a clock that is set changes nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[bytes, tuple[Wish, float]] = {}
        self._over: OrderedDict[bytes, type[CodeUsed | CodeExpired]] = OrderedDict()

    def make(self, wish: Wish) -> str:
        """Return a new code. Raises Exhausted."""
        self._expire()
        if len(self._open) >= MAX_OPEN:
            raise Exhausted(
                f"{MAX_OPEN} pairing codes wait to be used, which is the limit",
                hint=f"each ends after {LIFETIME_S / 60:.0f} minutes",
                limit=MAX_OPEN,
            )
        code = make_code()
        self._open[_digest(code)] = wish, self._clock() + LIFETIME_S
        return code

    def take(self, code: str) -> Wish:
        """Use a code. Raises CodeUsed, CodeExpired, WrongCode."""
        self._expire()
        digest = _digest(code)
        if digest in self._open:
            wish, _ = self._open.pop(digest)
            self._note(digest, CodeUsed)
            return wish
        match self._over.get(digest):
            case None:
                raise WrongCode("that is no pairing code of this rig", hint=_ANOTHER)
            case over if over is CodeUsed:
                raise CodeUsed("the pairing code was used already: each is for one device", hint=_ANOTHER)
            case _:
                raise CodeExpired(
                    f"the pairing code is older than {LIFETIME_S / 60:.0f} minutes", hint=_ANOTHER
                )

    def _expire(self) -> None:
        now = self._clock()
        for digest in [digest for digest, (_, until) in self._open.items() if until <= now]:
            del self._open[digest]
            self._note(digest, CodeExpired)

    def _note(self, digest: bytes, over: type[CodeUsed | CodeExpired]) -> None:
        self._over[digest] = over
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()
