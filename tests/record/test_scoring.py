"""Scoring updates that nobody read are declared with their number, as telemetry frames are."""

import os
import signal
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from rig.errors import RingMissing
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import RingReader
from tests.stage import stage, until

AWAY_S = 1.5
"""Seven updates of scoring."""


def scoring_gaps(data: Path) -> list[event_pb2.Gap]:
    """Declared losses of scoring, in order, and that they and the records are all the numbers there are."""
    ring = RingReader(data / "ring")
    try:
        span = ring.spans()[rings.SCORING]
        gaps = [event_pb2.Gap.FromString(gap) for gap in ring.gaps(rings.SCORING, 0, span.last)]
        stored = [seq for seq, _ in ring.read(rings.SCORING, 0, 1 << 20, 1 << 30) if seq <= span.last]
        assert len(stored) + sum(gap.count for gap in gaps) == span.last
        return gaps
    finally:
        ring.close()


def recorded(data: Path) -> int:
    """Updates stored."""
    try:
        ring = RingReader(data / "ring")
    except RingMissing:
        return 0
    try:
        return ring.heads()[rings.SCORING]
    finally:
        ring.close()


def counted(data: Path, reasons: Collection[int]) -> bool:
    """Whether most of the time away is declared for one of these reasons."""
    return any(gap.count >= 5 for gap in scoring_gaps(data) if gap.reason in reasons)


def test_updates_that_a_stopped_recorder_did_not_read_are_counted() -> None:
    with stage() as here:
        recorder = here.record()
        here.game(3, 50, 60)
        until(lambda: recorded(here.data) > 1)
        os.kill(recorder.pid, signal.SIGSTOP)
        time.sleep(AWAY_S)
        os.kill(recorder.pid, signal.SIGCONT)
        until(lambda: counted(here.data, (event_pb2.GAP_REASON_MISSED, event_pb2.GAP_REASON_TORN)))
        until(lambda: here.status().missed_updates >= 5)
        status = here.status()
        by_stream = Counter[int]()
        for loss in status.losses:
            assert loss.declarations > 0
            by_stream[loss.stream] += loss.missing
        assert by_stream[event_pb2.STREAM_PHYSICS] == status.missed
        assert by_stream[event_pb2.STREAM_SCORING] == status.missed_updates


def test_updates_of_the_time_between_two_recorders_are_counted() -> None:
    with stage() as here:
        recorder = here.record()
        here.game(3, 50, 60)
        until(lambda: recorded(here.data) > 1)
        recorder.kill()
        recorder.wait()
        time.sleep(AWAY_S)
        here.record()
        until(lambda: counted(here.data, (event_pb2.GAP_REASON_RECORDER_DOWN,)))
