"""The wall clock: set by somebody, and going on evenly. Laps and sessions carry its time."""

import ctypes
import struct
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import lmdb

from rig.errors import RigError
from rigd.check import Check, ok, warning, wrong
from rigd.ring import RingReader

_EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
"""rigd is younger than this: a clock before it has lost its battery."""
_STEP_S: Final = 0.05
_AHEAD_S: Final = 2.0
_UNSYNCED: Final = 0x40
"""STA_UNSYNC of adjtimex(2)."""
_SYNC: Final = "timedatectl set-ntp true"

_STATUS: Final = struct.Struct("i4xqqqqi")
"""How the kernel's timex begins: modes, offset, frequency, largest and likely error, status."""
_TIMEX_BYTES: Final = 256


class Clock:
    """The clocks of this machine, looked at when made and again at `checks`."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        synchronised: Callable[[], bool | None] | None = None,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._synchronised = synchronised or kernel_says
        self._before = wall() - steady()

    def checks(self, data: Path) -> Iterator[Check]:
        """Look again: at the time itself, at what moved since, at what is stamped in the ring of `data`."""
        yield self._check_time()
        step = self._wall() - self._steady() - self._before
        if abs(step) > _STEP_S:
            yield warning(
                "clock",
                f"it jumped by {step:+.2f} s while the doctor looked",
                "see who sets it: only one program may, and it should bend the clock and not set it",
                {"step_s": step},
            )
        if newest := _newest(data):
            yield from self._check_ring(newest)

    def _check_time(self) -> Check:
        now = self._wall()
        shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if now < _EARLIEST:
            return wrong("clock", f"it says {shown}", f"{_SYNC}; the battery of the board may be empty")
        synchronised = self._synchronised()
        if synchronised is False:
            return warning("clock", f"{shown}; nobody keeps it right", _SYNC, {"synchronised": False})
        kept = "kept right by somebody" if synchronised else "nobody can say whether it is kept right"
        return ok("clock", f"{shown}; {kept}", {"synchronised": synchronised})

    def _check_ring(self, newest: float) -> Iterator[Check]:
        if (ahead := newest - self._wall()) > _AHEAD_S:
            yield wrong(
                "clock",
                f"the newest record is {ahead:.0f} s in the future: the clock was set back",
                f"set it right before you drive ({_SYNC}), else new laps stand before those of yesterday",
                {"ahead_s": ahead},
            )


def kernel_says() -> bool | None:
    """Return whether the kernel's clock is synchronised; None where it may not be asked."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return not _STATUS.unpack_from(timex.raw)[-1] & _UNSYNCED


def _newest(data: Path) -> float | None:
    """Return the wall clock of the newest record, unix time; None without a ring that can be read."""
    if not (data / "ring").is_dir():
        return None
    try:
        ring = RingReader(data / "ring")
    except (RigError, OSError):
        return None
    try:
        records = [ring.get(stream, span.last) for stream, span in ring.spans().items() if span.last]
    except (RigError, OSError, lmdb.Error):
        return None
    finally:
        ring.close()
    # Every kind of record begins with its number and its time, both fixed64.
    return max((int.from_bytes(one[10:18], "little") / 1e9 for one in records if one), default=None)
