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
        self._waiting: asyncio.Future[None] | None = None

    def end(self, why: RigError) -> None:
        """Have the call end itself."""
        self.why, self.over_since = why, time.monotonic()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def check(self) -> None:
        """Raise why it is over, if it is."""
        if self.why is not None:
            raise self.why

    async def within(self, work: Coroutine[Any, Any, R]) -> R:
        """Return what comes of `work`, or raise why the lease is over, whichever is first."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._waiting), return_when=asyncio.FIRST_COMPLETED)
            self.check()
            return await task
        finally:
            task.cancel()


_FOR_GOOD: Final = Lease(NOBODY)

LEASE: Final = ContextVar("lease", default=_FOR_GOOD)
"""Of the call that is being answered; the interceptor sets it."""
