"""The tally: received + declared + undeclared = the numbers passed, whatever comes."""

from hypothesis import given
from hypothesis import strategies as st

from rig.v1 import event_pb2
from rigclient.cli.watch.tally import Tally
from tests.cli.race import gap


def test_a_declared_hole_and_an_undeclared_one() -> None:
    tally = Tally()
    tally.take(10)
    tally.take(14, [gap(11, 12)])
    assert (tally.received, tally.declared_missing, tally.undeclared_missing) == (2, 2, 1)
    assert (tally.first_seq, tally.last_seq) == (10, 14)


def test_what_came_before_the_first_record_is_not_ours() -> None:
    tally = Tally()
    tally.take(100, [gap(1, 99)])
    assert (tally.declared_missing, tally.undeclared_missing) == (0, 0)


def test_records_that_never_had_a_number() -> None:
    tally = Tally()
    tally.take(1)
    tally.take(2, [gap(2, 1, count=500, reason=event_pb2.GAP_REASON_RECORDER_DOWN)])
    assert (tally.unnumbered_missing, tally.declared_missing, tally.undeclared_missing) == (500, 0, 0)


def test_another_ring_counts_anew() -> None:
    tally = Tally()
    tally.take(500)
    tally.take(3, [event_pb2.Gap(reason=event_pb2.GAP_REASON_RING_REPLACED)])
    tally.take(4)
    assert (tally.received, tally.undeclared_missing) == (3, 0)
    tally.take(900, [event_pb2.Gap(reason=event_pb2.GAP_REASON_RING_REPLACED)])
    assert tally.undeclared_missing == 0


def test_skipped_on_request_is_not_lost() -> None:
    tally = Tally()
    tally.take(1)
    tally.take(5, [], 3)
    assert (tally.skipped, tally.undeclared_missing) == (3, 0)


@given(st.lists(st.sampled_from(["come", "declared", "silent"]), max_size=60), st.booleans())
def test_every_number_is_accounted_for(fates: list[str], twice: bool) -> None:
    tally, gaps = Tally(), []
    tally.take(1)
    for seq, fate in enumerate([*fates, "come"], start=2):
        if fate == "declared":
            gaps += [gap(seq, seq)] * (1 + twice)
        elif fate == "come":
            tally.take(seq, gaps)
            gaps = []
    assert tally.received == fates.count("come") + 2
    assert tally.declared_missing == fates.count("declared")
    assert tally.undeclared_missing == fates.count("silent")
    assert tally.received + tally.declared_missing + tally.undeclared_missing == tally.last_seq
