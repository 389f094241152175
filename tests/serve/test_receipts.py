"""When a reader has stopped: a model of written and acknowledged messages."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from rigd.serve.receipts import STALL_S, Receipts


def written(receipts: Receipts, seq: int, now: float) -> None:
    receipts.writing(seq, now)
    receipts.written()


def test_a_reader_that_acknowledges_what_was_written_is_never_overdue() -> None:
    receipts = Receipts(True, 0)
    for second in range(10):
        written(receipts, second + 1, float(second))
        receipts.acknowledge(second + 1, second + 0.5)
        assert not receipts.overdue(second + 0.99)
    assert not receipts.overdue(1000.0), "nothing was written since"


def test_a_reader_is_overdue_from_the_first_message_it_does_not_acknowledge() -> None:
    receipts = Receipts(True, 0)
    for tick in range(100):
        written(receipts, tick + 1, tick * 0.02)
    assert not receipts.overdue(STALL_S - 0.01)
    assert receipts.overdue(STALL_S)
    assert receipts.stalled(STALL_S)


def test_a_word_that_is_behind_buys_time_and_no_more() -> None:
    receipts = Receipts(True, 0)
    written(receipts, 10, 0.0)
    receipts.acknowledge(4, 1.0)
    assert receipts.acknowledged == 4
    assert not receipts.overdue(1.0 + STALL_S - 0.01)
    assert receipts.overdue(1.0 + STALL_S + 0.001)


def test_nobody_can_acknowledge_what_was_not_written() -> None:
    receipts = Receipts(True, 0)
    written(receipts, 10, 0.0)
    receipts.acknowledge(1000, 1.0)
    assert receipts.acknowledged == 10


def test_a_reader_that_does_not_acknowledge_has_stopped_when_a_message_is_stuck() -> None:
    receipts = Receipts(False, 0)
    written(receipts, 1, 0.0)
    assert not receipts.stalled(100.0)
    receipts.writing(2, 100.0)
    assert not receipts.overdue(1000.0), "it never promised to speak"
    assert not receipts.stalled(100.0 + STALL_S - 0.01)
    assert receipts.stalled(100.0 + STALL_S + 0.001)
    receipts.written()
    assert not receipts.stalled(1000.0)


async def test_hearing_ends_when_the_reader_speaks_or_the_time_is_over() -> None:
    receipts = Receipts(True, 0)
    written(receipts, 1, 0.0)
    hearing = asyncio.ensure_future(receipts.hear(30.0))
    await asyncio.sleep(0)
    receipts.acknowledge(1, 0.1)
    await asyncio.wait_for(hearing, 10)
    await asyncio.wait_for(receipts.hear(0.01), 10)


@given(st.lists(st.tuples(st.sampled_from("wa"), st.floats(0.01, 3.0), st.integers(0, 30)), max_size=60))
def test_overdue_is_as_a_plain_model_says(script: list[tuple[str, float, int]]) -> None:
    receipts, now, seq, acknowledged = Receipts(True, 0), 0.0, 0, 0
    since: float | None = None
    for verb, pause, back in script:
        now += pause
        assert receipts.overdue(now) == (since is not None and now - since >= STALL_S)
        if verb == "w":
            seq += 1
            since = now if since is None else since
            written(receipts, seq, now)
        else:
            acknowledged = max(acknowledged, seq - back)
            since = None if acknowledged == seq else now
            receipts.acknowledge(max(seq - back, 0), now)
        assert receipts.acknowledged == acknowledged
