"""The reader against another process that tears frames, and against one that truncates the file."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rigd.sources.rf2.layout import Telemetry
from rigd.sources.rf2.reader import BufferReader, Records, Snapshot
from tests.faults.campaign import campaign, tries
from tests.sources.restarting_writer import FRAMES

SNAPSHOTS = tries(2_000, 1_000_000)
"""Frames to accept: a reader that looks at one word alone takes the first torn one among 400. The long run
takes two minutes.
"""

_AT_ONCE = 1000
CARS = 40
LIFE_NS = FRAMES * 100_000
"""The shortest life of the restarting writer. Only a reader that was halted for longer than a whole one can
meet the word it read before in another life: no game starts again so soon."""
HERE = Path(__file__).parent


@contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A child process that said it is ready; ended by its own id."""
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.terminate()


def stamps(records: Records) -> list[float]:
    """The numbers found at the four stamped places of every record."""
    inner = records["mWheels"]["mTireInnerLayerTemperature"][:, 3, 2]
    middle = records["mBatteryChargeFraction"]
    return sorted({*records["mElapsedTime"], *records["mLapStartET"], *middle, *inner})


def accepted(reader: BufferReader) -> Snapshot:
    """The next frame; time stands still, so that the fallback stays out of it."""
    while (frame := reader.snapshot(0)) is None:
        pass
    return frame


def test_no_torn_frame_is_accepted(folder: Path) -> None:
    with (
        campaign("snapshots of a game that tears its frames", SNAPSHOTS // _AT_ONCE) as faults,
        running("torn_writer.py", folder, CARS),
    ):
        reader = BufferReader(folder, Telemetry)
        for _ in faults.rounds():
            for _ in range(_AT_ONCE):
                frame = accepted(reader)
                assert frame.count == CARS
                assert stamps(frame.records) == [float(frame.version)]
        faults.count(SNAPSHOTS)
    assert reader.torn_retries > 0
    assert reader.rejected == reader.fallbacks == reader.duplicates == 0


def test_received_and_missed_frames_add_up(folder: Path) -> None:
    with running("torn_writer.py", folder, 2):
        reader = BufferReader(folder, Telemetry)
        accepted(reader)  # how many came before it, no clock tells: this writer is faster than any game
        first, before = reader.version, reader.missed
        while reader.frames < 500:
            reader.snapshot(0)
    assert reader.version - first == reader.frames - 1 + reader.missed - before


def test_truncating_the_file_under_the_reader_is_survived(folder: Path) -> None:
    with running("restarting_writer.py", folder, 100) as child:
        reader, compared = BufferReader(folder, Telemetry), 0
        while child.poll() is None:
            asked = time.monotonic_ns()
            frame = reader.snapshot(asked)
            swift = time.monotonic_ns() - asked < LIFE_NS
            if frame is not None and frame.whole and swift:
                compared += 1
                assert np.unique(frame.records["mElapsedTime"]).tolist() == [float(frame.version)]
        assert child.returncode == 0
    assert reader.epoch > 0
    assert compared > 0
    assert reader.reopens == 0
