"""How long a call may go on: until its token is revoked or expires."""

import asyncio
import time
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from rig.errors import RigError
from rigd.auth.caller import NOBODY, Caller

R = TypeVar("R")


class Lease:
    """Of one call. Who streams asks it before every message, and ends itself: cancelled from outside, a call
    whose client has stopped reading hangs.
    """

    def __init__(self, caller: Caller, peer: str = "") -> None:
        self.caller, self.peer = caller, peer
        self.why: RigError | None = None
        """Why it is over."""
        self.over_since = 0.0
        """Monotonic seconds."""
        self._waiting: asyncio.Task[Any] | None = None

    def end(self, why: RigError) -> None:
        """Have the call end itself."""
        self.why, self.over_since = why, time.monotonic()
        if self._waiting is not None:
            self._waiting.cancel()

    def check(self) -> None:
        """Raise why it is over, if it is."""
        if self.why is not None:
            raise self.why

    async def within(self, work: Coroutine[Any, Any, R]) -> R:
        """Return what comes of `work`, or raise why the lease is over, whichever is first. The task that
        waits is cancelled for that: another one for each piece of work would cost more than most of them.
        """
        if self.why is not None:
            work.close()
            raise self.why
        self._waiting = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self._waiting = None


_FOR_GOOD: Final = Lease(NOBODY)

LEASE: Final = ContextVar("lease", default=_FOR_GOOD)
"""Of the call that is being answered; the interceptor sets it."""
