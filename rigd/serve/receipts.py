"""How far a reader has said it is, and whether it has stopped. No I/O, and no clock of its own."""

import asyncio
import contextlib
from typing import Final

STALL_S: Final = 1.8
"""A reader that says nothing for so long after it was written to has stopped. Ours acknowledges every 0.7 s
and must be noticed within 2 s when it does not.
"""


class Receipts:
    """What one subscription has written and its reader has acknowledged. Times are monotonic seconds.

    A reader that does not acknowledge has stopped when the transport has held a message for so long: it takes
    about 6 MB of a reader on the same machine before that.
    """

    def __init__(self, acknowledges: bool, position: int) -> None:
        self.acknowledges = acknowledges
        self.acknowledged = position
        """Last sequence number that the reader has dealt with."""
        self._position = position
        self._waiting_since: float | None = None
        self._writing_since: float | None = None
        self._said = asyncio.Event()

    def writing(self, position: int, now: float) -> None:
        """Note that a message that ends at `position` is handed to the transport."""
        self._position, self._writing_since = position, now
        if self._waiting_since is None:
            self._waiting_since = now

    def written(self) -> None:
        """Note that the transport has taken it."""
        self._writing_since = None

    def acknowledge(self, seq: int, now: float) -> None:
        """Note that the reader has dealt with everything up to `seq`."""
        self.acknowledged = max(self.acknowledged, min(seq, self._position))
        all_of_it = self.acknowledged == self._position and self._writing_since is None
        self._waiting_since = None if all_of_it else now
        self._said.set()

    def overdue(self, now: float) -> bool:
        """Return whether a reader that acknowledges should have said something by now."""
        waiting = self._waiting_since
        return self.acknowledges and waiting is not None and now - waiting >= STALL_S

    def stalled(self, now: float) -> bool:
        """Return whether the reader has stopped."""
        writing = self._writing_since
        return self.overdue(now) or (writing is not None and now - writing >= STALL_S)

    async def hear(self, seconds: float) -> None:
        """Wait until the reader says something, at most so long."""
        self._said.clear()
        with contextlib.suppress(TimeoutError):  # silence is an answer
            async with asyncio.timeout(seconds):
                await self._said.wait()
