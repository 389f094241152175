"""What a power cut took has numbers, is declared, and is counted once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring.tail import CUT, PLACE, RESERVED, Reserve, tail_path
from tests.losses.asked import wrong
from tests.losses.rig import Rig
from tests.stage import until

CUT_REASON = event_pb2.GAP_REASON_POWER_CUT


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def drive(rig: Rig, updates: int = 1) -> None:
    """Some frames, and scoring updates, each of which is stored; the ring has them all then."""
    for _ in range(updates):
        rig.game.score()
        rig.turn()
        for _ in range(3):
            rig.game.frame()
            rig.turn()
    assert rig.recorder is not None
    committer = rig.recorder._handover.committer
    until(lambda: committer.pending == 0)


def cut(rig: Rig, missed: int = 0) -> None:
    """The power is cut, so that the tail is gone; the game runs on, and a recorder is there again."""
    rig.stop(kill=True)
    tail_path(rig.data, rig.data).unlink()
    rig.start()
    if missed:
        rig.game.frame(missed)


def reserve(rig: Rig) -> Reserve:
    with rig.ring() as ring:
        return Reserve.read(ring.meta(RESERVED))


def declared(rig: Rig) -> dict[int, int]:
    """Counts of what was cut, by stream."""
    gaps = [event.gap for event in rig.events() if event.gap.reason == CUT_REASON]
    return {gap.stream: gap.count for gap in gaps}


def test_the_account_has_it_in_every_stream(rig: Rig) -> None:
    rig.start()
    drive(rig, 4)
    rig.archive()
    with rig.ring() as ring:
        heads = ring.heads()
    ahead = {
        number: end - head - 1
        for number, end, head in zip((1, 2, 3), reserve(rig), heads.values(), strict=True)
    }
    assert min(ahead.values()) > 10
    cut(rig, 2000)
    drive(rig, 4)
    rig.archive()
    assert declared(rig) == ahead
    for stream in rig.losses().streams:
        assert {reason.reason for reason in stream.reasons} >= {CUT_REASON}
        assert event_pb2.GAP_REASON_EVICTED not in {reason.reason for reason in stream.reasons}
        assert stream.received + stream.missing == stream.expected
    assert rig.losses().streams[0].missing == 2000, "what the game wrote meanwhile, and not twice"
    rig.stop()
    assert wrong(rig.data) == []


def test_it_is_declared_by_whoever_records_next_in_a_stream(rig: Rig) -> None:
    """Before there was a tick or an update the recorder is stopped, in whatever way."""
    rig.start()
    drive(rig, 4)
    lost = reserve(rig)
    cut(rig)
    rig.stop()
    with rig.ring() as ring:
        assert ring.meta(PLACE) is ring.meta(RESERVED) is None
        assert Reserve.read(ring.meta(CUT)) == lost
    rig.start()
    rig.stop(kill=True)
    rig.start()
    drive(rig)
    found: dict[int, event_pb2.Gap] = {
        event.gap.stream: event.gap for event in rig.events() if event.gap.reason == CUT_REASON
    }
    assert (found[1].last_seq + 1, found[2].last_seq + 1) == lost[:2]
    with rig.ring() as ring:
        assert ring.read(rings.PHYSICS, found[1].first_seq - 1, 1, 1)[0][0] == lost.physics
        assert ring.read(rings.SCORING, found[2].first_seq - 1, 1, 1)[0][0] == lost.scoring
    rig.stop()
    assert wrong(rig.data) == []


def test_a_clean_stop_and_a_kill_cut_nothing(rig: Rig) -> None:
    for kill in (False, True, True, False):
        rig.start()
        drive(rig)
        rig.stop(kill=kill)
    with rig.ring() as ring:
        assert ring.spans()[rings.PHYSICS].last == 12
    assert declared(rig) == {}
