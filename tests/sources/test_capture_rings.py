"""A capture of the simulated game, replayed through the buffers, gives the same ring each time."""

import subprocess
import time
from pathlib import Path

from rig.channels import PHYSICS
from rig.columns import Layout, read_head
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import RingReader
from tests.stage import Stage, stage

SECONDS = "4"
SPEED = "0.25"
"""Of the replays: then a stall of 60 ms, which busy machines have every few seconds, costs no frame."""
ATTEMPTS = 8
"""A longer stall makes the recorder miss a frame, and say so: that replay is repeated."""


def finish(process: subprocess.Popen[str]) -> None:
    process.wait(60)
    assert process.returncode == 0


def captured(file: Path) -> None:
    """Four seconds of a race, without a missed frame: every replay of one that has some misses them too."""
    for _ in range(ATTEMPTS):
        file.unlink(missing_ok=True)  # a capture is never overwritten
        with stage() as here:
            game = here.start(
                "rigd", "demo-game", "--buffers", str(here.buffers), "--cars", "8", "--for", "6"
            )
            capture = here.start(
                "rigd", "capture", str(file), "--buffers", str(here.buffers), "--for", SECONDS
            )
            said, _ = capture.communicate(timeout=240)
            finish(game)
        if " 0 missed" in said:
            return
    raise AssertionError(f"{ATTEMPTS} captures each missed a frame: this machine stalls too often to record")


def replayed(here: Stage, file: Path) -> dict[bytes, list[bytes]]:
    """The ring that a recorder makes of a replay, its capture clock set to nothing."""
    recorder = here.record()
    here.status()
    words = ("rigd", "replay", str(file), "--buffers", str(here.buffers), "--lead", "1", "--speed", SPEED)
    finish(here.start(*words))
    time.sleep(0.5)
    recorder.terminate()
    finish(recorder)
    ring = RingReader(here.data / "ring")
    tables = {
        stream: [value for _, value in ring.read(stream, 0, 10_000, 1 << 30)] for stream in rings.STREAMS
    }
    ring.close()
    return tables


def timeless(stream: bytes, record: bytes) -> bytes:
    """A record without its capture clock, nine bytes after the sequence number, and without what that moment
    decides: which tick is the first to know a new scoring update.
    """
    assert read_head(record).seq
    plain = bytearray(record)
    if stream == rings.PHYSICS:
        view = Layout(PHYSICS, record, 0, len(record)).view(plain, 0)
        view["update_time"][:] = view["update_distance"][:] = 0
    return bytes(plain[:9] + plain[18:])


OF_THE_RECORDER = (
    *("source_changed", "recorder_started", "recorder_stopped"),
    *("session_started", "session_ended", "stint_ended"),
)
"""When the source was seen to come and go, and with it the session, depends on the wall clock."""


def game_events(values: list[bytes]) -> list[bytes]:
    """What the game did."""
    found = []
    for value in values:
        event = event_pb2.Event.FromString(value)
        if event.WhichOneof("kind") not in OF_THE_RECORDER:
            event.seq = event.capture_time_ns = 0
            found.append(event.SerializeToString(deterministic=True))
    return found


def whole(file: Path) -> dict[bytes, list[bytes]]:
    """A recording of the replay without a missed frame."""
    for _ in range(ATTEMPTS):
        with stage() as here:
            tables = replayed(here, file)
        if not any(event_pb2.Event.FromString(value).HasField("gap") for value in tables[rings.EVENTS]):
            return tables
    raise AssertionError(f"{ATTEMPTS} replays each missed a frame: this machine stalls too often to record")


def test_two_replays_give_the_same_ring_but_for_the_capture_clock(tmp_path: Path) -> None:
    file = tmp_path / "race.rcap"
    captured(file)
    first, second = whole(file), whole(file)
    assert len(first[rings.PHYSICS]) > 100
    assert len(first[rings.SCORING]) >= 3  # one a second, and when something changes
    for stream in (rings.PHYSICS, rings.SCORING):
        one, other = ([timeless(stream, value) for value in tables[stream]] for tables in (first, second))
        assert one == other
    assert game_events(first[rings.EVENTS]) == game_events(second[rings.EVENTS])
    assert game_events(first[rings.EVENTS])
