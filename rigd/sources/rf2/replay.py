"""Plays a capture back through the buffers, as the game would write them."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Final

from rig.errors import BadRequest, Busy
from rigd.sources.rf2.capture import CapturedFrame, CaptureReader, Header
from rigd.sources.rf2.layout import BUFFERS, VERSION_BYTES, Extended, Telemetry
from rigd.sources.rf2.reader import HALF, WORD, BufferReader
from rigd.sources.rf2.writer import BufferWriter

GAP_NS: Final = 1_000_000
"""Least time between two frames of any buffers. A reader that polls every millisecond still sees each
frame, however fast the replay runs and however late it was woken."""

LAST_S: Final = 0.02
"""How long the last frame stands before the buffers are zeroed: one frame time of the game."""

LISTEN_S: Final = 0.25
"""How long the folder is watched for a live writer: scoring moves every 0.2 s."""


@dataclass
class ReplaySummary:
    """What was played."""

    frames: dict[str, int] = field(default_factory=lambda: {buffer.name: 0 for buffer in BUFFERS})
    seconds: float = 0.0
    truncated: bool = False
    """The capture has no end mark: it was killed. All its complete records were played."""
    stopped: bool = False


def replay(
    file: Path,
    folder: Path,
    speed: float = 1.0,
    lead_s: float = 1.0,
    stop: threading.Event | None = None,
) -> ReplaySummary:
    """Create the buffers in `folder` and play `file` into them at `speed` times its own pace.

    A speed of 0 or less plays as fast as readers can follow. Extended and scoring stand for `lead_s`
    seconds before the first frame, so that readers attach. At the end, however it comes, the buffers are
    zeroed as by a game that closes. Raises NotFound, Corrupt, BadRequest for a capture of another layout,
    and Busy if somebody writes the buffers in that folder.
    """
    stop = stop or threading.Event()
    source = CaptureReader(file)
    _check_layout(source.header)
    _check_idle(folder, stop)
    summary = ReplaySummary()
    with ReplayBuffers(folder) as stage:
        stage.set(takewhile(lambda record: record.buffer != Telemetry.name, source))
        summary.stopped = stop.wait(lead_s)
        clock = ReplayClock(speed, stop)
        summary.stopped = summary.stopped or not _play(source, stage, clock, summary)
        summary.seconds = clock.seconds
    summary.truncated = source.truncated
    return summary


def _play(
    source: CaptureReader, stage: "ReplayBuffers", clock: "ReplayClock", summary: ReplaySummary
) -> bool:
    """Write every record when it is due; False if stopped."""
    for record in source:
        if not clock.wait(record.offset_ns):
            return False
        stage.write(record)
        summary.frames[record.buffer] += 1
    return not clock.rest()


class ReplayClock:
    """Absolute deadlines at a multiple of the capture's own time, never closer than GAP_NS."""

    def __init__(self, speed: float, stop: threading.Event) -> None:
        self._speed, self._stop = speed, stop
        self._start_ns = self._last_ns = time.monotonic_ns()

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return (time.monotonic_ns() - self._start_ns) / 1e9

    def wait(self, offset_ns: int) -> bool:
        """Sleep until the offset is due; False if stopped."""
        due = self._last_ns + GAP_NS
        if self._speed > 0:
            due = max(due, self._start_ns + int(offset_ns / self._speed))
        stopped = self._stop.wait(max(0, due - time.monotonic_ns()) / 1e9)
        self._last_ns = max(due, time.monotonic_ns())
        return not stopped

    def rest(self) -> bool:
        """Let the last frame stand; True if stopped."""
        return self._stop.wait(LAST_S)


class ReplayBuffers:
    """The buffers that are played into. Version words start at 0 and advance as the capture's did."""

    def __init__(self, folder: Path) -> None:
        self._writers = {buffer.name: BufferWriter(folder, buffer) for buffer in BUFFERS}
        for writer in self._writers.values():
            writer.bytes[:] = 0  # as the plugin does: from here on every page exists, see BufferFile.birth
        self._recorded: dict[str, int] = {}

    def set(self, start: Iterable[CapturedFrame]) -> None:
        """Write the first record of each buffer, Extended before the others, as a game that just started."""
        first: dict[str, CapturedFrame] = {}
        for record in start:
            first.setdefault(record.buffer, record)
        for name in sorted(first, key=lambda name: name != Extended.name):
            self._store(self._writers[name], first[name].payload, 1)

    def write(self, record: CapturedFrame) -> None:
        """Write one frame. Frames that the capture missed advance the words, so readers count them too."""
        before = self._recorded.get(record.buffer, record.version - 1)
        step = (record.version - before) & WORD
        self._recorded[record.buffer] = record.version
        # 0: records taken out of a frame that did not close; a step back: the game was started again.
        self._store(self._writers[record.buffer], record.payload, step if 0 < step < HALF else 1)

    def _store(self, writer: BufferWriter, payload: bytes, step: int) -> None:
        words = writer.bytes[:VERSION_BYTES].view("<u4")
        words[0] = (int(words[1]) + step) & WORD
        writer.bytes[VERSION_BYTES : len(payload)] = memoryview(payload)[VERSION_BYTES:]
        words[1] = words[0]

    def __enter__(self) -> "ReplayBuffers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear everything, Extended first: that is how readers learn that the game has closed."""
        for buffer in sorted(BUFFERS, key=lambda buffer: buffer is not Extended):
            with self._writers[buffer.name] as writer:
                writer.clear()


def _check_layout(header: Header) -> None:
    ours = {buffer.name: buffer.size for buffer in BUFFERS}
    if header.buffers != ours:
        raise BadRequest(f"the capture is of buffers {header.buffers}, this version writes {ours}")


def _check_idle(folder: Path, stop: threading.Event) -> None:
    """Raise Busy if the buffers of that folder move: creating them anew would empty a running game's."""
    readers = [BufferReader(folder, buffer) for buffer in BUFFERS]
    present = [reader for reader in readers if reader.look(0)]
    if not present:
        return
    stop.wait(LISTEN_S)
    moving = [reader.buffer.file_name for reader in present if reader.look(1) and reader.moved_ns is not None]
    for reader in present:
        reader.close()
    if moving:
        raise Busy(
            f"{', '.join(moving)} in {folder} is being written", hint="close the game or the demo first"
        )
