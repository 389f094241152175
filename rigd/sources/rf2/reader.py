"""Whole frames out of a buffer that the game keeps rewriting.

The plugin adds one to Begin, writes, adds one to End. Both only ever grow, and Begin is never behind End.
So if End is read as `e`, then the payload is copied, then Begin is read and still is `e`, Begin was `e`
all along: no write was open at the start and none began during the copy. That takes three reads:

1. 16 bytes of head: End, and Begin to save the copy when a frame is open. It is also the idle peek.
2. The payload. The words inside it prove nothing: one `preadv` copies a page with string moves, which
   promise no order between the words and the rest of the page. Hence not one read fewer than three.
3. The head again: Begin decides; End comes with it for nothing and has to stand still as well.

Reads in separate system calls keep their order on x86-64, where loads are not reordered with loads.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.sources.rf2.bufferfile import BufferFile
from rigd.sources.rf2.layout import (
    MAX_VEHICLES,
    SCORING_HEAD,
    SCORING_INFO,
    TELEMETRY_HEAD,
    VEHICLE_SCORING,
    VEHICLE_TELEMETRY,
    VERSION_BYTES,
    Buffer,
    Scoring,
    Telemetry,
)

HEAD_BYTES: Final = 16
"""Begin, End, hint and (telemetry) the number of cars."""

TRIES: Final = 4
"""Copies per call. A frame opens at most every 20 ms and a copy takes 10 us: a second try nearly always
holds, a fourth that fails means that the file is not written by the protocol."""

STARVED_NS: Final = 50_000_000
"""Without a closed frame for this long the records are taken one by one: two and a half frame times."""

FALLBACK_EVERY_NS: Final = 20_000_000
"""The game's own frame time; more often would only give the same records again."""

STUCK_NS: Final = 1_000_000_000
"""An open frame in which nothing moves for this long was left open by a writer that died."""

WORD: Final = 0xFFFF_FFFF
"""Version words wrap at 2^32 (2.7 years of frames at 50 Hz)."""

HALF: Final = 1 << 31
"""A step of more than half the range is a step back: the game started again."""

MOST_HZ: Final = 500
"""Frames a second that a game can write: 400 is the fastest known, and a quarter on top."""

BURST: Final = 50
"""Frames beyond what the clock allows that still are a count: a writer that was late catches up."""

LONGEST_S: Final = 86_400.0
"""A clock that moves on by more between two frames is a broken number, not a day of frames."""

WINDOWS: Final = 2 * MAX_VEHICLES
"""Lengths of copies kept ready: one per number of cars. Hints of another game's making come on top."""

Records = npt.NDArray[np.void]


def allowed(passed_s: float) -> int:
    """Return the most frames that a game can have written within that many seconds."""
    return BURST + int(MOST_HZ * min(passed_s, LONGEST_S) if passed_s > 0 else 0)


class Snapshot:
    """One frame. Reused: its views hold until the next snapshot of the same buffer."""

    __slots__ = ("count", "info", "jumped", "missed", "raw", "records", "version", "whole")

    def __init__(self, records: Records, raw: memoryview) -> None:
        self.version = 0
        """The End word. A frame taken by the fallback may carry the same one as the frame before."""
        self.count = 0
        self.records = records
        """VEHICLE_TELEMETRY or VEHICLE_SCORING, one per car."""
        self.whole = True
        """False: records of an open frame, each consistent in itself, not with one another."""
        self.raw = raw
        """The used bytes of the file from offset 0, version words included."""
        self.info: np.void | None = None
        """SCORING_INFO; scoring only."""
        self.missed = 0
        """Frames the game closed since the last one given, not counting repeats and cleared ones."""
        self.jumped = False
        """The version word moved by more than the clock allows: nobody knows how many are missing."""


@dataclass(frozen=True)
class _Form:
    """Where a buffer keeps what the reader has to look at."""

    head: int
    record: np.dtype[np.void]
    count_at: int
    clock: np.dtype[np.void] | None = None
    """Layout of the one clock of the frame; None: every record has its own."""
    clips: bool = False
    """The count may be larger than the number of records (scoring does not clip it)."""


_FORMS: Final = {
    Telemetry.name: _Form(TELEMETRY_HEAD, VEHICLE_TELEMETRY, count_at=12),
    Scoring.name: _Form(SCORING_HEAD, VEHICLE_SCORING, count_at=12 + 104, clock=SCORING_INFO, clips=True),
}


class BufferReader:
    """Gives the frames of one buffer, each at most once, none torn.

    The first version seen is only a baseline, for the file may be from yesterday; `first` gives it as a
    frame. `everything` gives every consistent frame: cleared, repeated and implausible ones too.
    Times are `time.monotonic_ns`, passed in.
    """

    def __init__(
        self, folder: Path, buffer: Buffer, *, first: bool = False, everything: bool = False
    ) -> None:
        self.buffer = buffer
        self.file = BufferFile(folder, buffer)
        self.frames = 0
        self.duplicates = 0
        self.torn_retries = 0
        self.given_up = 0
        self.rejected = 0
        self.fallbacks = 0
        self.cleared = 0
        self.missed = 0
        self.jumps = 0
        """Steps of the version word that were no count of frames."""
        self.version = 0
        """End word of the last frame accepted, repeated or cleared; at first the baseline."""
        self.baseline = 0
        """End word found when this life of the file was first seen."""
        self.epoch = 0
        """Lives of the counters seen to end: truncated, replaced, or counting from 0 again."""
        self.attached_ns = 0
        """When this life of the file was first seen."""
        self.moved_ns: int | None = None
        """When a version word was last seen to move in this life; None: never."""
        self._first = first
        self._everything = everything
        self._prepare(buffer)
        self._life = (0, 0)
        self._seen = -1
        self._pair_seen: int | None = None
        self._idle: int | None = None
        self._ids = b""
        self._clock = b""
        self._lost = 0
        self._jumped = False
        self._advanced_ns = 0
        self._clean_ns = 0
        self._fallback_at = 0
        self._pair_ns = 0
        self._first_sight: tuple[bytes, bytes] | None = None
        self._scratch: list[_Scratch] = []

    def _prepare(self, buffer: Buffer) -> None:
        """Allocate the copy and every view onto it, once."""
        self._bytes = bytearray(buffer.size)
        self._view = memoryview(self._bytes)
        self._windows: dict[int, list[memoryview]] = {}
        head = memoryview(bytearray(HEAD_BYTES))
        self._head = [head]
        self._words = head[:VERSION_BYTES].cast("I")
        self._pair = head[:VERSION_BYTES].cast("Q")
        self._hint = head.cast("i")
        self._form = _FORMS.get(buffer.name)
        self._snapshot = Snapshot(np.empty(0, VEHICLE_TELEMETRY), self._view)
        if self._form is not None:
            self._prepare_records(self._form)

    def _prepare_records(self, form: _Form) -> None:
        self._records: Records = np.ndarray((MAX_VEHICLES,), form.record, self._bytes, form.head)
        self._rows = _rows(self._view, form.head, form.record.itemsize)
        self._mids = self._records["mID"]
        self._count = self._view[form.count_at : form.count_at + 4].cast("i")
        if form.clock is None:
            self._clocks = self._records["mElapsedTime"]
            return
        info: Records = np.ndarray((1,), form.clock, self._bytes, VERSION_BYTES + 4)
        self._clocks = info["mCurrentET"]
        self._snapshot.info = info[0]

    @property
    def reopens(self) -> int:
        """Times the path was found to lead to another file."""
        return self.file.reopens

    @property
    def words(self) -> tuple[int, int]:
        """Begin and End as last read."""
        return self._words[0], self._words[1]

    def peek(self) -> bool:
        """Return whether a version word moved since the last snapshot: one read of 16 bytes. Opens
        nothing.
        """
        return self.file.fill(self._head, 0, HEAD_BYTES) and self._pair[0] != self._idle

    def look(self, now_ns: int) -> bool:
        """Read the head and note what moved, without taking a frame; False without a whole file."""
        file = self.file
        file.watch(now_ns)
        if not file.fill(self._head, 0, HEAD_BYTES):
            return False
        if self._life != (file.reopens, file.cuts):
            self._start_life((file.reopens, file.cuts))
        if self._pair[0] != self._pair_seen:
            self._note_move(now_ns)
        return True

    def snapshot(self, now_ns: int) -> Snapshot | None:
        """Return the newest frame, or None if there is nothing new or nothing consistent."""
        if not self.look(now_ns):
            return None
        if self._pair[0] == self._idle:
            self._clean_ns = now_ns
            return None
        for _ in range(TRIES):
            begin, end = self._words
            if begin != end:
                return self._starved(now_ns)
            if end == self._seen:
                self._rest(now_ns)
                return None
            used = self._used()
            if not self._copy(used) or not self.file.fill(self._head, 0, HEAD_BYTES):
                return None
            if self._words[0] == end == self._words[1]:
                return self._judge(end, used, now_ns)
            self.torn_retries += 1
        self.given_up += 1
        return None

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _copy(self, length: int) -> bool:
        """Copy the first `length` bytes of the file; False if it is shorter."""
        window = self._windows.get(length)
        if window is None:
            if len(self._windows) >= WINDOWS:
                self._windows.clear()
            window = self._windows[length] = [self._view[:length]]
        return self.file.fill(window, 0, length)

    def _used(self) -> int:
        """Return bytes in use: the hint counts the payload only. 0 stands for all of it."""
        hint = self._hint[2]
        if self._form is not None and 0 < hint <= self.buffer.size - VERSION_BYTES:
            return VERSION_BYTES + hint
        return self.buffer.size

    def _rest(self, now_ns: int) -> None:
        """Remember the pair of a closed frame that was seen, so that the next look is one comparison."""
        self._idle = self._pair[0]
        self._clean_ns = now_ns

    def _start_life(self, life: tuple[int, int]) -> None:
        """Start anew: the file was cut or replaced, and the counters mean something else from here on."""
        replaced = life[0] != self._life[0]
        self._life = life
        self._forget()
        if replaced:
            self._pair_seen = None

    def _forget(self) -> None:
        """Forget the counters, which began at 0 again: what was known of them must not hide a new frame."""
        self.epoch += 1
        self.version = self.baseline = 0
        self._seen, self._idle = -1 if self._first else 0, None
        self._ids = self._clock = b""
        self._lost = 0

    def _note_move(self, now_ns: int) -> None:
        end = self._words[1]
        if self._pair_seen is None:
            self._attach(end, now_ns)
        else:
            self.moved_ns = now_ns
            if self._seen >= 0 and (end - self._seen) & WORD >= HALF:
                self._forget()
        self._pair_seen = self._pair[0]
        self._pair_ns = now_ns

    def _attach(self, end: int, now_ns: int) -> None:
        """Attach to a new file: its version is the baseline, and not news unless `first` says so."""
        self.baseline = self.version = end
        self._seen = -1 if self._first else end
        self.attached_ns = self._clean_ns = self._advanced_ns = now_ns
        self.moved_ns = None

    def _judge(self, end: int, used: int, now_ns: int) -> Snapshot | None:
        """Decide what a consistent copy is: a frame, a repeat, a cleared buffer or nonsense."""
        count = 0 if self._form is None else self._count[0]
        self._advance(end, count, now_ns)
        self._rest(now_ns)
        if self._form is None:
            return self._accept(0, used)
        if count == 0:
            return self._clear(used)
        return self._judge_cars(self._form, min(count, MAX_VEHICLES) if self._form.clips else count, used)

    def _judge_cars(self, form: _Form, count: int, used: int) -> Snapshot | None:
        ids, clock = self._mids[:count].tobytes(), self._clocks[:count].tobytes()
        if not self._plausible(form, count, used, ids):
            return self._reject(used)
        if form.clock is None and clock == self._clock and ids == self._ids:
            return self._repeat(count, used)
        self._ids, self._clock = ids, clock
        return self._accept(count, used)

    def _advance(self, end: int, count: int, now_ns: int) -> None:
        """Count the frames that were closed between the last one looked at and this one. The word comes out
        of memory: a step that neither our clock nor the session's has time for is no count.
        """
        if self._seen >= 0 and end != self._seen:
            missed = (end - self._seen - 1) & WORD
            since_s = (now_ns - self._advanced_ns) / 1e9
            if missed <= allowed(since_s) or missed <= allowed(self._clock_step_s(count)):
                self._lost += missed
            else:
                self._jumped = True
                self.jumps += 1
        self._seen, self._advanced_ns = end, now_ns

    def _clock_step_s(self, count: int) -> float:
        """Return how far the session clock is ahead of the last frame's. A replay may run faster than
        our clock.
        """
        if not self._clock or not 0 < count <= MAX_VEHICLES:
            return 0.0
        return float(np.median(self._clocks[:count]) - np.median(np.frombuffer(self._clock)))

    def _plausible(self, form: _Form, count: int, used: int, ids: bytes) -> bool:
        """Count in range, hint as it must be, unique ids, finite clocks. 1.5 us while the cars stay."""
        if not 0 < count <= MAX_VEHICLES:
            return False
        if used not in (self.buffer.size, form.head + form.record.itemsize * count):
            return False
        if not math.isfinite(np.add.reduce(self._clocks[:count])):
            return False
        # The ids are compared as bytes with those that passed last time: 0.2 us where sorting takes 2.
        return ids == self._ids or self._distinct(count)

    def _distinct(self, count: int) -> bool:
        """Return whether these are cars: a frame closed late over a cleared buffer has n times id 0 at
        time 0.
        """
        if count == 1:
            return bool(self._clocks[0] or self._records["mVehicleName"][0])
        return len(set(self._mids[:count].tolist())) == count

    def _accept(self, count: int, used: int, *, whole: bool = True) -> Snapshot:
        self.frames += 1
        self.version = self._seen
        self.missed += self._lost
        return self._give(count, used, whole=whole)

    def _clear(self, used: int) -> Snapshot | None:
        self.cleared += 1
        self.version = self._seen
        self._ids = self._clock = b""
        return self._give(0, used) if self._everything else None

    def _repeat(self, count: int, used: int) -> Snapshot | None:
        self.duplicates += 1
        self.version = self._seen
        return self._give(count, used) if self._everything else None

    def _reject(self, used: int) -> Snapshot | None:
        self.rejected += 1
        if self._everything:
            return self._give(0, used)
        self._lost += 1
        return None

    def _give(self, count: int, used: int, *, whole: bool = True) -> Snapshot:
        given = self._snapshot
        given.version, given.count, given.whole = self._seen, count, whole
        given.missed, self._lost = self._lost, 0
        given.jumped, self._jumped = self._jumped, False
        given.raw = self._view[:used]
        if self._form is not None:
            given.records = self._records[:count]
        return given

    # What follows runs only when frames do not close: someone joins or leaves, or the writer died.

    def _starved(self, now_ns: int) -> Snapshot | None:
        """Wait for an open frame, and when it stays open too long take the records one by one."""
        form = self._form
        if form is None or form.clock is not None or now_ns - self._clean_ns < STARVED_NS:
            return None
        if now_ns < self._fallback_at:
            return None
        self._fallback_at = now_ns + FALLBACK_EVERY_NS
        end, count = self._words[1], self._hint[3]
        kept = self._stable(count) if 0 < count <= MAX_VEHICLES else 0
        ids, clock = self._mids[:kept].tobytes(), self._clocks[:kept].tobytes()
        if not kept or self._known(ids, clock):
            self._give_up(now_ns)
            return None
        self._advance(end, kept, now_ns)
        self.moved_ns = now_ns
        return self._take(form, kept, ids, clock)

    def _known(self, ids: bytes, clock: bytes) -> bool:
        """Return whether these are the records last given, or those that were there before anything moved."""
        if self._first_sight is None and self.moved_ns is None:
            self._first_sight = (ids, clock)
        return (ids, clock) in ((self._ids, self._clock), self._first_sight)

    def _give_up(self, now_ns: int) -> None:
        """Give up a frame that does not move: after a second the pair is remembered and costs one
        comparison.
        """
        if now_ns - max(self._pair_ns, self.moved_ns or 0) >= STUCK_NS:
            self.given_up += 1
            self._idle = self._pair_seen

    def _take(self, form: _Form, count: int, ids: bytes, clock: bytes) -> Snapshot | None:
        """Give the stable records under the head that the plugin would have written on closing."""
        used = form.head + form.record.itemsize * count
        if not self._plausible(form, count, used, ids):
            return self._reject(used)
        self._ids, self._clock = ids, clock
        self.fallbacks += 1
        head = (self._seen, self._seen, used - VERSION_BYTES, count)
        self._view[:HEAD_BYTES] = struct.pack("<4I", *head)
        return self._accept(count, used, whole=False)

    def _stable(self, count: int) -> int:
        """Copy the records that hold still, in their order, and return how many; each gets two tries.

        A record is one short copy of the plugin's, id and clock first. If both are the same in a read
        before and in a read after, the copy between is of one record. Three reads of all records (5 us
        each) stand for three reads of each: between mark and copy passes far more time than the 0.1 us
        that the plugin needs for a record.
        """
        done = np.zeros(count, np.bool_)
        for _ in range(2):
            if done.all() or not self._read_thrice(count):
                break
            fresh = ~done & self._still(count)
            self._rows[:count][fresh] = self._scratch[1].rows[:count][fresh]
            done |= fresh
        kept = int(done.sum())
        self._rows[:kept] = self._rows[:count][done]
        return kept

    def _read_thrice(self, count: int) -> bool:
        length = TELEMETRY_HEAD + VEHICLE_TELEMETRY.itemsize * count
        if not self._scratch:
            self._scratch = [_Scratch(self.buffer.size) for _ in range(3)]
        return all(self.file.fill([copy.view[:length]], 0, length) for copy in self._scratch)

    def _still(self, count: int) -> npt.NDArray[np.bool_]:
        """Return which records carry the same id and the same clock in all three reads."""
        before, copied, after = (copy.records[:count] for copy in self._scratch)
        still = np.ones(count, np.bool_)
        for name in ("mID", "mElapsedTime"):
            still &= (before[name] == copied[name]) & (copied[name] == after[name])
        return still


class _Scratch:
    """Room for one more copy of the telemetry file."""

    def __init__(self, size: int) -> None:
        self.view = memoryview(bytearray(size))
        self.records: Records = np.ndarray((MAX_VEHICLES,), VEHICLE_TELEMETRY, self.view, TELEMETRY_HEAD)
        self.rows = _rows(self.view, TELEMETRY_HEAD, VEHICLE_TELEMETRY.itemsize)


def _rows(view: memoryview, head: int, size: int) -> npt.NDArray[np.uint8]:
    """Return records as plain bytes: assigning structured records would leave their unnamed bytes behind."""
    return np.ndarray((MAX_VEHICLES, size), np.uint8, view, head)
