"""The hand-over of what the tick thread has captured: followers see it at once, the disk has it soon.

The live tail has it first. No number that is shown there may be given out again, also after a power cut that
takes the tail with it: numbers are reserved ahead, durably, and what has others is shown once it is
committed. Without a tail followers wait for the commit, which is then made as soon as the disk allows.
"""

import contextlib
from collections.abc import Mapping
from typing import Final

import lmdb

from rig.errors import Denied
from rigd.record.committer import Committer, Pending
from rigd.record.numbers import Numbers
from rigd.record.pacer import Pacer
from rigd.record.settings import Settings
from rigd.ring import META, Record, RingWriter
from rigd.ring.tail import CAPACITY, PLACE, RESERVED, Reserve, TailWriter, forget_tails, tail_path
from rigd.wake import Bell
from rigd.watchdog import Pulse

_AHEAD: Final = 16
"""Numbers of a stream that are reserved for a second, at least: three times what scoring takes, and a burst
of events.
"""

_WAY_OUT: Final = (
    f"it takes {CAPACITY >> 20} MiB of a memory where you may have a folder of your own: make room, or name "
    "another with --tail-folder"
)


class Handover:
    """Takes records from the tick thread, which waits for nobody. `begin` comes first."""

    def __init__(
        self, ring: RingWriter, settings: Settings, numbers: Numbers, pacer: Pacer, pulse: Pulse
    ) -> None:
        self.error = ""
        """Why there is no live tail; empty while there is one."""
        self.lost = 0
        """How often there was one, and then was not."""
        self._ring, self._numbers, self._pacer = ring, numbers, pacer
        self._data, self._path = settings.data, tail_path(settings.tail_folder, settings.data)
        self._ahead_s = 1.0 + settings.commit_every_s
        self._reserve = Reserve()
        self._tail: TailWriter | None = None
        self.bell = Bell(settings.data / "wake")
        self.committer = Committer(ring, Bell(settings.data / "wake"), settings.commit_every_s, pulse)

    def begin(self, tail: TailWriter | None) -> None:
        """Go on in the tail that the last recorder left, or begin one: also when its ring was set aside."""
        forget_tails(self._path.parent)
        self._tail = tail if tail is not None and tail.ring == self._ring.id else self._begun()

    def put(self, records: list[Record], meta: Mapping[bytes, bytes], tick: int, now: int) -> None:
        """Hand over records that became known together, with small values that travel with them. `tick` is
        the number of the physics tick among them, 0 for none; `now` the monotonic time of their capture.
        """
        shown = self._may_be_shown()
        self._reserve_more()
        position = self._append(records, meta, shown=shown)
        size = sum(len(record.value) for record in records)
        pending = Pending(tuple(records), meta, size, tick, now, self._tail, position, self._reserve)
        if shown and self._tail:
            self.bell.ring()
        self.committer.put(pending)
        if not shown or not self._tail:
            self.committer.hurry()

    def tend(self) -> None:
        """Look once a second whether the tail is still there, or can be again."""
        if self._tail is None:
            if self.committer.granted.tail is None:  # the next recorder needs the one before until then
                self._tail = self._begun()
        elif self._tail.lost():
            self._give_up(f"the live tail {self._path} was deleted, replaced or cut short")

    def replaced(self) -> str:
        """Return once why the ring was set aside while running; empty when it was not. The tail goes with
        it.
        """
        why, self.committer.replaced = self.committer.replaced, ""
        if why:
            self._give_up("the live tail was another ring's")
        return why

    def _give_up(self, why: str) -> None:
        """Go on without the tail."""
        if self._tail is not None:
            self._tail, self.error = None, why
            self.lost += 1

    def close(self) -> None:
        """Make everything durable; nothing is left in memory then. What the disk still refuses stays in the
        tail, for the next recorder.
        """
        self.bell.close()
        if not self.committer.close():
            return
        with contextlib.suppress(lmdb.Error, OSError):
            self._ring.append((), {PLACE: b"", RESERVED: b""})
            self._path.unlink(missing_ok=True)
            if self._tail is not None:
                self._tail.close()

    def _begun(self) -> TailWriter | None:
        """Return a new tail; nothing is shown in it before a commit has named it. The memory of the one
        before is let go first: it may be all there was.
        """
        try:
            self._path.unlink(missing_ok=True)
            tail = TailWriter.begin(self._path, self._ring.id, self._data)
        except (OSError, Denied) as error:
            reason = error.message if isinstance(error, Denied) else error.strerror
            self.error = f"there is no live tail in {self._path.parent}: {reason} ({_WAY_OUT})"
            return None
        self.error = ""
        return tail

    def _may_be_shown(self) -> bool:
        """Return whether all that has a number may be shown: no recorder will give it again."""
        tail, reserve = self.committer.granted
        return tail is self._tail and reserve.covers(self._numbers.following())

    def _reserve_more(self) -> None:
        """Reserve with the next commit what is taken until the one after it. Never less than before: that may
        have been shown by then.
        """
        physics = max(1e9 / self._pacer.period_ns, _AHEAD)
        ahead = (round(rate * self._ahead_s) for rate in (physics, _AHEAD, _AHEAD))
        fresh = map(sum, zip(self._numbers.following(), ahead, strict=True))
        self._reserve = Reserve(*map(max, zip(self._reserve, fresh, strict=True)))

    def _append(self, records: list[Record], meta: Mapping[bytes, bytes], *, shown: bool) -> int:
        """Append to the tail and return the position after it; without one, or without room in it, 0."""
        if self._tail is None:
            return 0
        kept = [Record(META, name, value) for name, value in meta.items()]
        try:
            position = self._tail.append([*records, *kept], shown=shown)
        except OSError as error:
            self._give_up(f"the live tail {self._path} cannot be written: {error.strerror}")
            return 0
        if position is None:
            self._give_up(f"the live tail {self._path} has no room for what the disk does not take")
        return position or 0
