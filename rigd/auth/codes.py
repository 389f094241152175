"""Pairing codes: each is exchanged once for a token, within ten minutes. They are in memory alone."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from rig.errors import CodeExpired, CodeUsed, Exhausted, NotFound, WrongCode
from rig.join import make_code
from rigd.auth.caller import Scope

LIFETIME_S: Final = 600.0
MAX_OPEN: Final = 32
"""Codes that wait at once."""

_REMEMBERED: Final = 256
"""Codes that are over, of which it can still be said how they ended."""

_ANOTHER: Final = "ask for another: `rigd pair`"
_ID_LETTERS: Final = 12
"""Of the SHA-256 of a code: it names the code and does not stand for it."""


class Wish(NamedTuple):
    """What a code is exchanged for."""

    name: str
    """Of the device."""
    user: str
    scopes: frozenset[Scope]
    lifetime_s: int
    """Of the token."""


class OpenCode(NamedTuple):
    """A code that waits to be used."""

    id: str
    wish: Wish
    left_s: float


class _End(NamedTuple):
    """How a code ended."""

    error: type[CodeUsed | CodeExpired]
    message: str


_USED: Final = _End(CodeUsed, "the pairing code was used already: each is for one device")
_EXPIRED: Final = _End(CodeExpired, f"the pairing code is older than {LIFETIME_S / 60:.0f} minutes")
_CANCELLED: Final = _End(CodeExpired, "the pairing code was cancelled")


class PairingCodes:
    """Codes by their SHA-256. Times are monotonic seconds: a clock that is set changes nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[bytes, tuple[Wish, float]] = {}
        self._over: OrderedDict[bytes, _End] = OrderedDict()

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
            return self._close(digest, _USED)
        if (end := self._over.get(digest)) is None:
            raise WrongCode("that is no pairing code of this rig", hint=_ANOTHER)
        raise end.error(end.message, hint=_ANOTHER)

    def open(self) -> list[OpenCode]:
        """Return the codes that wait, the oldest first."""
        self._expire()
        now = self._clock()
        return [OpenCode(_id(digest), wish, until - now) for digest, (wish, until) in self._open.items()]

    def cancel(self, id: str) -> Wish:  # noqa: A002
        """End a code that waits; return what it was for. Raises NotFound."""
        self._expire()
        for digest in self._open:
            if _id(digest) == id:
                return self._close(digest, _CANCELLED)
        raise NotFound(f"no pairing code {id[:40]!r} waits", hint="`rigd pairing list` shows those that do")

    def _expire(self) -> None:
        now = self._clock()
        for digest in [digest for digest, (_, until) in self._open.items() if until <= now]:
            self._close(digest, _EXPIRED)

    def _close(self, digest: bytes, end: _End) -> Wish:
        wish, _ = self._open.pop(digest)
        self._over[digest] = end
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)
        return wish


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()


def _id(digest: bytes) -> str:
    return digest.hex()[:_ID_LETTERS]
