"""Capturing a running game and playing it back."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from rig.errors import BadRequest, Busy, Corrupt
from rigd.sources.rf2.capture import (
    CapturedFrame,
    CaptureReader,
    CaptureSummary,
    CaptureWriter,
    Header,
    capture,
)
from rigd.sources.rf2.layout import BUFFERS, Buffer, Extended, Telemetry
from rigd.sources.rf2.reader import BufferReader
from rigd.sources.rf2.replay import ReplayBuffers, ReplayClock, ReplaySummary, replay
from rigd.sources.rf2.writer import BufferWriter
from tests.sources.plugin import Plugin

HEADER = Header("2026-01-01T00:00:00+00:00", "/dev/shm")
MS = 1_000_000


class Seen(NamedTuple):
    """One snapshot, kept."""

    buffer: str
    version: int
    missed: int
    payload: bytes


@contextmanager
def background(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Work in a thread that has ended when the block ends."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()


@pytest.fixture
def recording(tmp_path: Path, folder: Path) -> Path:
    """A capture of 40 frames with everything in it: a missed frame, a cleared buffer, a record-wise frame."""
    path = tmp_path / "race.rigcap"
    source = folder / "source"
    with Plugin(source) as plugin, CaptureWriter(path, HEADER) as writer:
        plugin.score(0.0, cars=2)
        add(writer, 0, plugin.extended, Extended.size)
        add(writer, 0, plugin.scoring, 560 + 584 * 2)
        for step in range(40):
            if step == 20:
                plugin.drive(step / 50 - 0.01, cars=2)
            if step == 30:
                plugin.telemetry.clear()
                add(writer, step * 5 * MS, plugin.telemetry, Telemetry.size)
            plugin.drive(step / 50, cars=2)
            add(writer, step * 5 * MS + MS, plugin.telemetry, 16 + 1888 * 2, whole=step != 10)
            if step % 10 == 0:
                plugin.score(step / 50, cars=2)
                add(writer, step * 5 * MS + 2 * MS, plugin.scoring, 560 + 584 * 2)
    return path


def add(
    writer: CaptureWriter, offset_ns: int, buffer: BufferWriter, used: int, *, whole: bool = True
) -> None:
    writer.add(offset_ns, buffer.buffer.name, buffer.bytes[:used].tobytes(), whole=whole)


class Lockstep(threading.Event):
    """A stop signal on which the replay waits until the watcher has looked: no frame can slip by."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = threading.Condition()
        self._looks = 0

    def look(self) -> None:
        """The watcher has looked at every buffer once more."""
        with self._looked:
            self._looks += 1
            self._looked.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Two looks end later, one of which began later."""
        with self._looked:
            until = self._looks + 2
            self._looked.wait_for(lambda: self._looks >= until)
        return self.is_set()


def play(path: Path, folder: Path) -> tuple[list[Seen], ReplaySummary]:
    """Replay a capture, and everything that readers saw of it but the zeroing at the end."""
    seen: list[Seen] = []
    done: list[ReplaySummary] = []
    stop = Lockstep()
    with background(lambda: done.append(replay(path, folder, 0.0, lead_s=1.0, stop=stop))) as thread:
        while not (folder / Extended.file_name).exists():
            time.sleep(0.001)
        readers = [BufferReader(folder, buffer, everything=True) for buffer in BUFFERS]
        step = 0
        while thread.is_alive():
            step += 1
            for reader in readers:
                frame = reader.snapshot(step * MS)
                if frame is not None:
                    seen.append(Seen(reader.buffer.name, frame.version, frame.missed, bytes(frame.raw)))
            stop.look()
    return [each for each in seen if any(each.payload[8:])], done[0]


def of(buffer: Buffer, seen: list[Seen]) -> list[Seen]:
    return [each for each in seen if each.buffer == buffer.name]


@pytest.mark.parametrize("buffer", BUFFERS, ids=lambda buffer: buffer.name)
def test_a_replay_shows_every_frame_with_its_bytes(recording: Path, folder: Path, buffer: Buffer) -> None:
    seen, summary = play(recording, folder)
    records = [record for record in CaptureReader(recording) if record.buffer == buffer.name]
    wanted = [record.payload[8:] for record in records if any(record.payload[8:])]
    shown = [each.payload[8:] for each in of(buffer, seen)]
    assert shown[-len(wanted) :] == wanted
    assert len(shown) - len(wanted) in (0, 1)  # the first stands before the start, too
    assert summary.frames == {"Telemetry": 41, "Scoring": 5, "Extended": 1}
    assert (summary.truncated, summary.stopped) == (False, False)


def test_a_capture_replayed_twice_gives_the_same_snapshots(recording: Path, folder: Path) -> None:
    first, _ = play(recording, folder / "a")
    second, _ = play(recording, folder / "b")
    for buffer in BUFFERS:
        count = min(len(of(buffer, first)), len(of(buffer, second)))
        assert of(buffer, first)[-count:] == of(buffer, second)[-count:]


class FakeTime(threading.Event):
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 5 * 10**9

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.now_ns += round(timeout * 1e9)
        return self.is_set()


@pytest.mark.parametrize(
    ("speed", "due_ms"),
    [(1.0, [10, 30, 50]), (2.0, [5, 15, 25]), (0.5, [20, 60, 100]), (100.0, [1, 2, 3]), (0.0, [1, 2, 3])],
)
def test_frames_are_due_at_their_offset_over_the_speed(
    monkeypatch: pytest.MonkeyPatch, speed: float, due_ms: list[int]
) -> None:
    fake = FakeTime()
    monkeypatch.setattr("rigd.sources.rf2.replay.time.monotonic_ns", fake.monotonic_ns)
    clock, start = ReplayClock(speed, fake), fake.now_ns
    found = []
    for offset_ms in (10, 30, 50):
        assert clock.wait(offset_ms * MS)
        found.append((fake.now_ns - start) // MS)
    assert found == due_ms


def test_a_late_replay_catches_up_frame_by_frame_and_does_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTime()
    monkeypatch.setattr("rigd.sources.rf2.replay.time.monotonic_ns", fake.monotonic_ns)
    clock, start = ReplayClock(1.0, fake), fake.now_ns
    clock.wait(10 * MS)
    fake.now_ns += 33 * MS
    found = []
    for offset_ms in (20, 30, 40, 50):
        clock.wait(offset_ms * MS)
        found.append((fake.now_ns - start) // MS)
    assert found == [43, 44, 45, 50]


def test_frames_the_capture_missed_are_missed_in_the_replay(recording: Path, folder: Path) -> None:
    seen, _ = play(recording, folder)
    assert [each.missed for each in seen if each.buffer == "Telemetry" and each.missed] == [1]


def test_the_words_start_at_0_and_advance_as_recorded(recording: Path, folder: Path) -> None:
    with ReplayBuffers(folder) as stage:
        versions = []
        for record in CaptureReader(recording):
            stage.write(record)
            if record.buffer == "Telemetry":
                data = (folder / Telemetry.file_name).read_bytes()
                versions.append(int.from_bytes(data[4:8], "little"))
    assert versions == [*range(1, 21), *range(22, 43)]


def test_a_step_back_and_a_step_of_0_advance_by_one(folder: Path) -> None:
    def record(version: int) -> CapturedFrame:
        return CapturedFrame(0, "Telemetry", True, version.to_bytes(4, "little") * 2 + bytes(8))

    with ReplayBuffers(folder) as stage:
        for version in (7, 7, 3, 0xFFFF_FFFF):
            stage.write(record(version))
        words = (folder / Telemetry.file_name).read_bytes()[:8]
    assert words == (4).to_bytes(4, "little") * 2


def test_the_end_is_that_of_a_game_that_closes(recording: Path, folder: Path) -> None:
    replay(recording, folder, 0.0, lead_s=0.0)
    for buffer in BUFFERS:
        data = (folder / buffer.file_name).read_bytes()
        assert len(data) == buffer.size
        assert data[:4] == data[4:8] != bytes(4)
        assert not any(data[8:])


def test_a_replay_can_be_stopped(recording: Path, folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    summary = replay(recording, folder, 1.0, lead_s=10.0, stop=stop)
    assert (summary.stopped, sum(summary.frames.values())) == (True, 0)
    assert not any((folder / Extended.file_name).read_bytes()[8:])


def test_a_killed_capture_is_played_to_its_end(recording: Path, folder: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-20])
    summary = replay(recording, folder, 0.0, lead_s=0.0)
    assert (summary.truncated, summary.frames["Telemetry"]) == (True, 41)


def test_a_damaged_capture_zeroes_the_buffers_before_it_fails(recording: Path, folder: Path) -> None:
    data = bytearray(recording.read_bytes())
    data[-1] ^= 1
    recording.write_bytes(data)
    with pytest.raises(Corrupt):
        replay(recording, folder, 0.0, lead_s=0.0)
    assert not any((folder / Telemetry.file_name).read_bytes()[8:])


def test_a_capture_of_another_layout_is_refused(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "other"
    CaptureWriter(path, Header("", "", {"Telemetry": 5})).close()
    with pytest.raises(BadRequest):
        replay(path, folder)
    assert list(folder.iterdir()) == []


def test_a_folder_somebody_writes_to_is_refused(recording: Path, folder: Path) -> None:
    done = threading.Event()

    def game() -> None:
        with Plugin(folder) as plugin:
            started.set()
            while not done.wait(0.001):
                plugin.score(1.0)

    started = threading.Event()
    with background(game):
        started.wait()
        try:
            with pytest.raises(Busy, match="close the game or the demo first"):
                replay(recording, folder, 0.0)
        finally:
            done.set()


def test_capturing_takes_every_frame_of_a_running_game(tmp_path: Path, folder: Path, plugin: Plugin) -> None:
    stop, known = threading.Event(), threading.Event()
    summaries: list[CaptureSummary] = []
    path = tmp_path / "c"
    plugin.score(0.5)
    plugin.drive(0.5)
    with background(lambda: summaries.append(capture(folder, path, stop, lambda _: known.set()))):
        known.wait()
        for step in range(20):
            plugin.drive(1.0 + step)
            time.sleep(0.005)
        plugin.telemetry.clear()
        plugin.score(9.0)
        known.clear()
        known.wait()
        stop.set()
    summary, records = summaries[0], list(CaptureReader(path))
    telemetry = [record for record in records if record.buffer == "Telemetry"]
    assert [record.buffer for record in records[:2]] == ["Extended", "Scoring"]
    assert len(telemetry) + summary.missed == 21
    assert telemetry[-1].payload[8:] == bytes(Telemetry.size - 8)
    assert summary.frames == {"Telemetry": len(telemetry), "Scoring": 2, "Extended": 1}
    assert records == sorted(records, key=lambda record: record.offset_ns)
    assert summary.file_bytes == path.stat().st_size


def test_a_capture_that_is_killed_keeps_all_but_its_last_second(
    tmp_path: Path, folder: Path, plugin: Plugin
) -> None:
    path = tmp_path / "c"
    program = (
        "import sys, threading; from pathlib import Path; from rigd.sources.rf2.capture import capture;"
        "source, file = map(Path, sys.argv[1:]);"
        "capture(source, file, threading.Event(), lambda summary: print('told', flush=True))"
    )
    command = [sys.executable, "-c", program, str(folder), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "told\n"
        plugin.drive(1.0)
        assert child.stdout.readline() == "told\n"
        plugin.drive(2.0)
        child.kill()
    reader = CaptureReader(path)
    assert [record.buffer for record in reader if record.buffer == "Telemetry"] == ["Telemetry"]
    assert reader.truncated
