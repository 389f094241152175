"""Losses of billions, as a flipped bit makes them: committed in a ring, they are archived, served and checked
as any other, for nothing counts them one by one.
"""

import asyncio
import json
import shutil
import zlib
from pathlib import Path

import pytest

from rig.errors import Corrupt
from rig.v1 import event_pb2
from rigclient.warehouse import table_rows
from rigd import ring as rings
from rigd.archive.archiver import Archiver, Settings
from rigd.gather.sessionstate import session_state
from rigd.losses.account import GAP, Account, AccountEntry, Attribution
from rigd.losses.journal import read_journal
from rigd.record.absence import Absence
from rigd.ring import open_ring
from rigd.serve.feed import Feed
from rigd.watchdog import Watchdog
from tests.archive.tape import ROOMY, Tape
from tests.losses.asked import archive, losses, reading, wrong
from tests.losses.faults import Ring

BILLIONS = (1 << 32) - 2
MISSED = event_pb2.GAP_REASON_MISSED


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race whose recorder believed a broken counter three times."""
    tape = Tape(tmp_path_factory.mktemp("absurd") / "data")
    for seconds in (20, 3, 60):
        tape.drive(seconds)
        for stream in (rings.PHYSICS, rings.SCORING):
            tape.numbers.lose(stream, BILLIONS, MISSED, "")
    tape.drive(5)
    tape.close()
    return tape.data


@pytest.fixture
def data(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(recorded, tmp_path / "data")


def test_a_ring_with_billions_missing_is_archived_and_served(data: Path) -> None:
    archive(data)
    physics, scoring, _ = losses(data).streams
    assert physics.missing == scoring.missing == 3 * BILLIONS
    for stream in (physics, scoring):
        assert stream.received + stream.missing == stream.expected
    assert wrong(data) == []


async def test_a_follower_gets_past_billions(data: Path) -> None:
    feed = Feed(data)
    position, seen = feed.history.earliest(rings.PHYSICS), 0
    while ticks := feed.after(rings.PHYSICS, position):
        for tick in ticks:
            gaps = feed.history.missing(rings.PHYSICS, position, tick)
            assert tick.seq - position - 1 == sum(gap.count for gap in gaps)
            position, seen = tick.seq, seen + 1
    assert position == feed.head(rings.PHYSICS)
    assert 4000 < seen < 5000
    feed.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("at", [b"\xff" * 8, b"\xff" * 9], ids=["last", "long"])
@pytest.mark.parametrize("stream", rings.STREAMS)
async def test_a_record_after_which_nothing_can_follow_is_corrupt_and_ends_with_the_ring(
    data: Path, stream: bytes, at: bytes
) -> None:
    with Ring(data) as spoilt:
        spoilt.put(stream, at, b"")
    said: list[str] = []
    watchdog = Watchdog("serve", data)
    watchdog.trouble = said.append  # type: ignore[assignment,method-assign]
    archiver, feed = Archiver(Settings(data, ROOMY)), Feed(data, watchdog)
    assert archiver.turn() is False
    assert "under the key ffff" in archiver.trouble
    assert "under the key ffff" in said[-1]
    assert wrong(data)[-1] == "ring-unreadable"
    writer, why = open_ring(data / "ring")
    assert "it was moved to" in why
    writer.close()
    archiver.turn()
    assert not archiver.trouble
    feed._each_second()
    assert (feed.head(stream), said[-1]) == (0, "")
    feed.close()
    archiver.close()


@pytest.mark.parametrize("after", [(1 << 64) - 2, (1 << 64) - 1, 1 << 70])
def test_nothing_is_read_after_the_last_number(data: Path, after: int) -> None:
    with reading(data) as ring:
        assert ring.read(rings.PHYSICS, after, 10, 1 << 20) == []
        assert ring.visit(rings.PHYSICS, after, 10, lambda *_: True) == after


def test_who_is_who_is_found_across_missed_updates(data: Path) -> None:
    with reading(data) as ring:
        last = ring.spans()[rings.SCORING].last
        found = ring.latest(rings.SCORING, last - 10)
        assert found is not None
        assert found[0] < BILLIONS * 3 < last
        assert ring.latest(rings.SCORING, last) == (last, ring.get(rings.SCORING, last))
        assert ring.latest(rings.SCORING, last + 5) == ring.latest(rings.SCORING, last)
        assert ring.latest(rings.SCORING, 0) is None
        assert len(session_state(ring, 1, 1000.0).entries) == 3


def test_sums_and_rows_hold_what_damaged_records_declare() -> None:
    most = (1 << 64) - 1
    gap = event_pb2.Gap(
        stream=event_pb2.STREAM_PHYSICS, first_seq=1, last_seq=most, count=most, reason=MISSED
    )
    account = Account([AccountEntry(GAP, number, 0, gap=gap) for number in (1, 2)])
    shown = account.losses(event_pb2.STREAM_PHYSICS)
    assert (shown.missing, shown.expected, shown.received) == (most, most, 0)
    (row,) = table_rows.gaps_of_ring("rig", "ring", [event_pb2.Event(gap=gap)])
    assert row["MISSING"] == row["LAST_SEQ"] == (1 << 63) - 1


def test_a_session_number_of_billions_is_no_loop() -> None:
    attribution = Attribution(lambda _: None, [1])
    started = event_pb2.Event(session=BILLIONS, session_started=event_pb2.SessionStarted())
    assert [number for number, _ in attribution.take(started)] == [BILLIONS]
    gap = event_pb2.Gap(stream=event_pb2.STREAM_PHYSICS, first_seq=1, last_seq=1, count=1, session=1)
    assert list(attribution.take(event_pb2.Event(session=1, gap=gap))) == []


@pytest.mark.parametrize("seq", [1 << 70, -1, 1.5, "9" * 9, None])
def test_numbers_of_a_ledger_that_are_none_are_corrupt(tmp_path: Path, seq: object) -> None:
    text = json.dumps([{"kind": "reached", "time_ns": 1, "heads": {"physics": seq}}]).encode()
    (tmp_path / "losses.log").write_bytes(b"%08x %b\n" % (zlib.crc32(text, zlib.crc32(b"sessions/a")), text))
    with pytest.raises(Corrupt, match="is no entry"):
        read_journal(tmp_path / "losses.log", "sessions/a")


def away(frame: int, update: int) -> Absence:
    return Absence(1, b"1 0", frame, update, update_game=b"1 0", taken_ns=0, clock_s=100.0)


@pytest.mark.parametrize("bit", range(12, 26))
def test_a_restart_counts_what_the_clock_has_time_for(bit: int) -> None:
    assert away(5, 5).frames(5 + (1 << bit), b"1 0", (1 << bit) / 400) == ((1 << bit) - 1, "no recorder ran")
    count, why = away(5, 5).frames(5 + (1 << bit), b"1 0", 1.0)
    assert (count, bool(why)) == (0, True)
    count, why = away(5, 5 + (1 << bit)).updates(5, b"1 0", 1.0)
    assert (count, bool(why)) == (0, True)
    assert away(5, 5).updates(15, b"1 0", 2.0) == (9, "no recorder ran")
    assert away(5, 5).updates(6, b"1 0", 2.0) == (0, "")


def test_the_longer_of_both_clocks_counts() -> None:
    assert away(5, 5).passed_s(3_000_000_000, 101.0) == 3.0
    assert away(5, 5).passed_s(3_000_000_000, 160.0) == 60.0
