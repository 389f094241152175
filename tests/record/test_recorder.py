"""The recorder as a process: who owns the ring, a disk that refuses, a ring that is damaged."""

import resource
import subprocess
import time
from pathlib import Path

import pytest

from rig.columns import read_head
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.record.committer import MEMORY_BOUND_BYTES
from rigd.ring import RingReader
from tests.stage import Stage, events, stage, until


def ends(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(20)


def heads(data: Path) -> list[int]:
    """Sequence numbers of all ticks in the ring, and that every hole is declared."""
    ring = RingReader(data / "ring")
    found: list[int] = []
    expected = 1
    while batch := ring.read(rings.PHYSICS, found[-1] if found else 0, 500, 1 << 28):
        for seq, _ in batch:
            for gap in ring.gaps(rings.PHYSICS, expected, seq):
                expected = event_pb2.Gap.FromString(gap).last_seq + 1
            assert seq == expected
            expected = seq + 1
            found.append(seq)
    ring.close()
    return found


def live(here: Stage) -> None:
    """Ticks become durable."""
    here.status()  # from then on there is a ring, and a sound one
    until(lambda: here.committed() > 10)


def test_a_second_recorder_refuses_and_names_the_first() -> None:
    with stage() as here:
        first = here.record()
        here.status()
        second = here.record(stderr=subprocess.PIPE)
        _, said = second.communicate(timeout=20)
        assert second.returncode == 2
        assert f"process {first.pid} on " in said
        assert "choose another --data" in said


def test_a_refusing_disk_costs_nothing_while_memory_lasts() -> None:
    with stage() as here:
        recorder = here.record()
        game = here.game(40, 50, 60)
        live(here)
        used = (here.data / "ring/data.mdb").stat().st_size
        # The kernel refuses to make any file longer: what a full disk does, without filling one.
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (used, resource.RLIM_INFINITY))
        until(lambda: bool(here.status().disk_error))
        until(lambda: here.status().pending > 25)
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        until(lambda: not here.status().disk_error and here.status().pending < 50)
        ends(game)
        ends(recorder)
        assert recorder.returncode == 0
        heads(here.data)  # every hole is declared: a machine that stalls makes the recorder miss a frame
        reasons = [event.gap.reason for event in events(here.data) if event.HasField("gap")]
        assert event_pb2.GAP_REASON_DISK not in reasons, "the disk has cost nothing"


def test_a_disk_that_refuses_for_long_is_a_declared_gap() -> None:
    with stage() as here:
        recorder = here.record()
        game = here.game(104, 400, 90)  # 37 MB/s: the bound of 64 MiB is reached in two seconds
        live(here)
        used = (here.data / "ring/data.mdb").stat().st_size
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (used, resource.RLIM_INFINITY))
        until(lambda: here.status().pending_bytes >= MEMORY_BOUND_BYTES)
        missed = here.status().missed
        until(lambda: here.status().missed > missed + 100)
        assert here.status().pending_bytes < 72 << 20
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        until(lambda: here.status().pending < 100)
        ends(game)
        ends(recorder)
        heads(here.data)  # every hole is declared
        reasons = [event.gap.reason for event in events(here.data) if event.HasField("gap")]
        assert event_pb2.GAP_REASON_DISK in reasons


def test_a_damaged_ring_is_set_aside_and_the_new_one_says_so() -> None:
    with stage() as here:
        recorder = here.record()
        game = here.game(10, 50, 60)
        live(here)
        ends(recorder)
        data = here.data / "ring/data.mdb"
        data.write_bytes(b"\xff" * data.stat().st_size)
        here.record()
        live(here)
        ends(game)
        (aside,) = here.data.glob("ring.damaged-*")
        assert (aside / "data.mdb").read_bytes()[:8] == b"\xff" * 8, "kept as it was"
        replaced = [e.gap for e in events(here.data) if e.gap.reason == event_pb2.GAP_REASON_RING_REPLACED]
        assert not replaced[0].HasField("count"), "nobody knows how much is missing"
        assert str(aside) in replaced[0].detail


def test_a_restart_within_a_session_goes_on_with_its_number_and_counts_the_loss() -> None:
    with stage() as here:
        recorder = here.record()
        game = here.game(10, 50, 60)
        live(here)
        recorder.kill()
        recorder.wait()
        time.sleep(0.5)
        again = here.record()
        live(here)
        ends(again)
        ends(game)
        found = events(here.data)
        assert sum(event.HasField("session_started") for event in found) == 1
        down = {e.gap.stream: e.gap for e in found if e.gap.reason == event_pb2.GAP_REASON_RECORDER_DOWN}
        assert down[event_pb2.STREAM_PHYSICS].count >= 20, "half a second and the time to start"
        assert not down.keys() - {event_pb2.STREAM_PHYSICS, event_pb2.STREAM_SCORING}
        ring = RingReader(here.data / "ring")
        first, last = ring.spans()[rings.PHYSICS]
        frames = [read_head(ring.get(rings.PHYSICS, seq) or b"").frame for seq in (first, last)]
        assert frames[1] - frames[0] == last - first, "the game's own count agrees"
        ring.close()


def test_the_player_alone_can_be_recorded() -> None:
    with stage() as here:
        recorder = here.record("--cars", "player")
        game = here.game(10, 50, 60)
        live(here)
        ends(recorder)
        ends(game)
        ring = RingReader(here.data / "ring")
        head = read_head(ring.get(rings.PHYSICS, ring.heads()[rings.PHYSICS]) or b"")
        assert head.rows == 1
        assert head.player >= 0
        ring.close()


@pytest.mark.parametrize("words", [("--ring-size", "1M"), ("--commit-every", "-1")])
def test_settings_out_of_range_are_refused(words: tuple[str, str]) -> None:
    with stage() as here:
        process = here.record(*words, stderr=subprocess.PIPE)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 2
        assert words[0] in said
