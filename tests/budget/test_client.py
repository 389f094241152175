"""What a frame costs the client."""

import gc
import sys
import tracemalloc
from collections.abc import Callable

import pytest

from rig.channels import PHYSICS
from rig.columns import field
from rigclient import requests
from rigclient.frames import Decoder, PhysicsFrame
from rigclient.resume import Reception, framed
from rigd.serve.cursor import Cursor
from tests.budget.table import check
from tests.rig.cursors import CURSORS
from tests.rig.samples import record

FRAMES = 200
CARS = (1, 40)


def response(cars: int) -> bytes:
    return field(1, CURSORS.pack(Cursor(bytes(8), 1, 7))) + field(2, record(PHYSICS, cars))


@pytest.fixture
def reception() -> Reception[PhysicsFrame]:
    """A stream under way: what is made once has been made."""
    made = Reception(requests.physics(), framed(Decoder(PhysicsFrame)), reconnect=True)
    for cars in CARS:
        made.take(response(cars))
    return made


def blocks(work: Callable[[], object]) -> float:
    """Blocks of memory that `work` holds on to, per call; what it gives back is held. A collection also lets
    go of the interpreter's stores of small objects.
    """
    held: list[object] = [None] * FRAMES
    gc.collect()
    before = sys.getallocatedblocks()
    for at in range(FRAMES):
        held[at] = work()
    gc.collect()
    return (sys.getallocatedblocks() - before) / FRAMES


def peak(work: Callable[[], object]) -> int:
    """Bytes that `work` takes at most."""
    tracemalloc.start()
    try:
        work()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        kept = work()
        assert kept is not None
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cars", CARS)
def test_a_frame_is_a_few_blocks_however_many_columns_it_has(
    reception: Reception[PhysicsFrame], cars: int
) -> None:
    data = response(cars)
    check("blocks of memory of a frame", blocks(lambda: reception.take(data)[0]))
    check("blocks of memory that a frame leaves", blocks(lambda: len(reception.take(data))))


@pytest.mark.parametrize("cars", CARS)
def test_nothing_of_a_message_is_copied(reception: Reception[PhysicsFrame], cars: int) -> None:
    data = response(cars)
    check("bytes that decoding a frame takes", peak(lambda: reception.take(data)))
    (frame,) = reception.take(data)
    check("bytes that a column of a frame takes", peak(lambda: frame.tyre_temp))
    assert not frame.tyre_temp.flags.owndata
