"""Which lap another one is compared with, where laps lack samples."""

import pytest

from rig.errors import Mismatch, NotFound
from rig.v1 import lap_pb2
from riglap.references import DRIVER, IDEAL, reference

HALF = 800
"""Samples that a lap lacks; a lap has twice as many."""


def lap(number: int, lap_time: float, missing: int = 0) -> lap_pb2.Lap:
    return lap_pb2.Lap(
        name=f"sessions/20261130-180230-oval-race-7fbc-1/laps/car007-{number:04d}",
        number=number,
        driver="A. Alder",
        vehicle_class="GT3",
        track_name="Oval",
        track_length=1200.0,
        lap_time=lap_time,
        valid=True,
        complete=True,
        samples=2 * HALF - missing,
        missing=missing,
    )


def compare(one: lap_pb2.Lap) -> None:
    """Refuse what lacks half of it."""
    if one.missing >= HALF:
        raise Mismatch(f"{one.name} crosses the line 1.6 s after its official time")


def test_a_lap_that_lacks_half_of_itself_is_no_reference_of_its_session() -> None:
    best, few, slow = lap(1, 32.0, HALF), lap(2, 33.0, 3), lap(3, 34.0)
    for word in ("", DRIVER):
        found = reference(slow, lambda _: [best, few, slow], compare, word)
        assert found.laps == (few,)
        assert found.about.endswith("of those that can be compared: not car007-0001")
    assert reference(slow, lambda _: [best, few, slow], compare, IDEAL).laps == (few, slow)
    with pytest.raises(NotFound, match=r"that can be compared: .* crosses the line"):
        reference(slow, lambda _: [best, slow], compare)
