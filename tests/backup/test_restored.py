"""A rig that comes back from a backup, while a client and a warehouse have what it recorded after that."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rig.columns import read_head
from rig.v1 import event_pb2, rig_pb2
from rigclient.blocking import connect
from rigd import ring as rings
from rigd.backup.restore import restore
from rigd.backup.run import BackupRun
from rigd.ring import RingReader
from rigd.ring.restored import RESTORED, RestoredNumbers
from rigd.store.folder import LapFolder
from tests.faults.killable import RATE, KillableRig, Line
from tests.stage import events, until


@pytest.fixture
def killable(tmp_path: Path, buffers: Path) -> Iterator[KillableRig]:
    tails = tmp_path / "memory"
    tails.mkdir()
    built = KillableRig(tmp_path, buffers, "--tail-folder", str(tails))
    yield built
    built.close()


def numbers(data: Path) -> dict[bytes, list[int]]:
    """Of all records of the ring, by stream."""
    ring = RingReader(data / "ring")
    try:
        read = {stream: ring.read(stream, 0, 1 << 30, 1 << 40) for stream in rings.STREAMS}
    finally:
        ring.close()
    return {stream: [seq for seq, _ in found] for stream, found in read.items()}


def sessions(data: Path) -> set[int]:
    """Of all ticks of the ring."""
    ring = RingReader(data / "ring")
    try:
        return {read_head(tick).session for _, tick in ring.read(rings.PHYSICS, 0, 1 << 30, 1 << 40)}
    finally:
        ring.close()


def moment(data: Path) -> RestoredNumbers:
    ring = RingReader(data / "ring")
    try:
        return RestoredNumbers.read(ring.meta(RESTORED))
    finally:
        ring.close()


def backup(data: Path, file: Path) -> Path:
    file.write_bytes(b"".join(part.data for part in BackupRun(data, with_secrets=True).responses()))
    return file


def come_back(rig: KillableRig, file: Path) -> None:
    """End the rig, bring the backup back in its place, and start it again."""
    rig.stop("recorder", "server")
    shutil.rmtree(rig.data)
    restore(file, rig.data)
    rig.again("recorder", "server")


def recorded(rig: KillableRig) -> None:
    """Wait for telemetry that is newer than now."""
    before = numbers(rig.data)
    rig.await_more(RATE)
    until(lambda: numbers(rig.data)[rings.SCORING][-1] > before[rings.SCORING][-1])


def test_no_number_of_the_life_after_a_backup_is_given_again(killable: KillableRig, tmp_path: Path) -> None:
    """Nor do those lives share numbers that begin with the same backup."""
    killable.await_more(RATE)
    file = backup(killable.data, tmp_path / "backup")
    killable.kill("recorder")  # which makes events
    recorded(killable)
    lives = []
    for _ in range(2):
        killable.stop("recorder")
        lives.append((numbers(killable.data), sessions(killable.data)))
        come_back(killable, file)
        killable.kill("recorder")  # wherever it is: the next one goes on so too
        recorded(killable)
    killable.stop("recorder", "client")
    lives.append((numbers(killable.data), sessions(killable.data)))
    begin = moment(killable.data)
    for stream in rings.STREAMS:
        first, second, third = (set(found[stream]) for found, _ in lives)
        shared = second & third
        assert shared < first, "all lives have what the backup has, and nothing else"
        assert first & third == shared
        assert min(third - shared) == begin.number + 1
    first, second, third = (found for _, found in lives)
    assert third - first == {begin.session + 1}
    assert len(second - first - third) == 1
    check(killable.lines())
    verified = killable.start("rigd", "verify", "--data", str(killable.data))
    said, _ = verified.communicate(timeout=60)
    assert verified.returncode == 0, said
    stored = len(numbers(killable.data)[rings.PHYSICS])
    assert f"ring physics {stored:,}, " in said


def check(lines: list[Line]) -> None:
    """Every number came to the client once or stands in one gap, in order; each restore was told."""
    expected, reasons = 1, []
    for line in lines:
        for first, last, missing, reason in line["gaps"]:
            assert first == expected, f"{expected} is neither received nor declared"
            assert missing is None or missing == last - first + 1
            expected = last + 1
            reasons.append(reason)
        assert line["seq"] == expected, f"{expected} is neither received nor declared"
        expected += 1
    assert reasons.count(event_pb2.GAP_REASON_RESTORED) == 2
    assert event_pb2.GAP_REASON_EVICTED not in reasons
    assert event_pb2.GAP_REASON_UNSPECIFIED not in reasons


def numbered(data: Path) -> dict[int, str]:
    """Names of the sessions that are kept, by number."""
    return {one.ring_session: one.name for one in LapFolder(data / "laps").sessions()}


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_session_lost_so_is_told_without_a_count(
    killable: KillableRig, tmp_path: Path, *, restarted: bool
) -> None:
    """Its account and that of the next have the numbers that were recorded, not all that were passed over;
    also where the game was another one by then, of which nobody knows what it wrote.
    """
    killable.await_more(RATE)
    ran = max(sessions(killable.data))
    file = backup(killable.data, tmp_path / "backup")
    if restarted:
        killable.stop("recorder")
        killable.play_again()
    come_back(killable, file)
    recorded(killable)
    following = moment(killable.data).session + 1
    archiver = killable.start("rigd", "archive", "--data", str(killable.data))
    try:
        with connect(f"unix:{tmp_path}/rig.sock") as rig:
            until(lambda: following in numbered(killable.data))
            names = [numbered(killable.data)[number] for number in (ran, following)]
            # The account of a session is written after its folder.
            until(lambda: all(event_pb2.GAP_REASON_RESTORED in told(rig.losses(name)) for name in names))
            found = [rig.losses(name) for name in names]
    finally:
        archiver.terminate()
        archiver.wait(60)
    for losses in found:
        for stream in losses.streams:
            assert stream.expected == stream.received + stream.missing < 1_000_000
        restored = told(losses)[event_pb2.GAP_REASON_RESTORED]
        assert (restored.uncounted, restored.missing) == (1, 0)


def told(losses: rig_pb2.GetLossesResponse) -> dict[int, rig_pb2.ReasonLosses]:
    """What the stream of physics lost, by reason."""
    return {reason.reason: reason for reason in losses.streams[0].reasons}


def sync(folder: Path) -> int:
    """Load what is new, and return how many events it says that were."""
    words = ("rigclient", "sync", "--once", "--json", "--to", f"duckdb:{folder / 'warehouse.duckdb'}")
    settings = {"RIG_ADDRESS": f"unix:{folder}/rig.sock", "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", *words], check=True, capture_output=True, env={**os.environ, **settings}
    )
    return int(json.loads(done.stdout)["events"])


def test_a_warehouse_gets_what_both_lives_had_and_nothing_twice(
    killable: KillableRig, tmp_path: Path
) -> None:
    killable.await_more(RATE)
    file = backup(killable.data, tmp_path / "backup")
    killable.kill("recorder")  # which makes events
    killable.await_more(RATE)
    former = {event.seq: event for event in events(killable.data)}
    told = sync(tmp_path)
    come_back(killable, file)
    killable.await_more(RATE)
    present = {event.seq: event for event in events(killable.data)}
    told += sync(tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as there:
        loaded = there.sql("SELECT SEQ, CAPTURE_TIME_NS FROM EVENTS").fetchall()
        gaps = there.sql("SELECT STREAM, REASON, MISSING FROM GAPS WHERE LAP IS NULL").fetchall()
    assert len(dict(loaded)) == len(loaded) == told
    assert dict(loaded).items() >= {seq: event.capture_time_ns for seq, event in former.items()}.items()
    assert max(dict(loaded)) > moment(killable.data).number
    assert {event.capture_time_ns for event in present.values()} <= set(dict(loaded).values())
    assert ("events", "restored", None) in gaps
    assert not [reason for _, reason, _ in gaps if reason == "evicted"]
