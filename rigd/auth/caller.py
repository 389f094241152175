"""Who makes a call, and what they may do."""

import enum
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


class Scope(enum.StrEnum):
    """What a token may do."""

    LIVE = "live"
    """Streams of the rig's own car while the token's user is in the seat."""
    LIVE_ALL = "live:all"
    """Streams of every car, whoever is in the seat."""
    LAPS = "laps"
    """Laps of the user, and of the other cars in sessions that the user was seated in."""
    LAPS_ALL = "laps:all"
    """Every lap."""
    CATALOG = "catalog"
    """What people enter."""
    ADMIN = "admin"
    """All of it, and tokens."""


@dataclass(frozen=True)
class Caller:
    """A user with scopes, or whoever opened the local socket."""

    user: str
    """Empty for the local administrator."""
    scopes: frozenset[Scope]
    token: str = ""
    """Id of the token; empty over the local socket."""
    expire_ns: int = 0
    """Unix nanoseconds; 0: never."""

    def may(self, scope: Scope) -> bool:
        """Return whether the caller has a scope; `admin` has all, and `x:all` has `x`."""
        return Scope.ADMIN in self.scopes or scope in self.scopes or f"{scope}:all" in self.scopes


LOCAL: Final = Caller("", frozenset(Scope))
"""Whoever can open the local socket."""

NOBODY: Final = Caller("", frozenset())
"""Whoever comes without a token from elsewhere: may nothing."""

CALLER: Final = ContextVar("caller", default=NOBODY)
"""Of the call that is being answered; the gate sets it. Work that runs without a call may nothing."""
