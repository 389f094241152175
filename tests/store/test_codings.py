"""What is remembered of codings: for how long, of which laps, and when it is forgotten."""

import numpy as np
import pytest

from rig.lapfile import LapFile, pack
from rig.v1 import archive_pb2
from rigd.store.codings import LearnedCodings
from tests.rig.laps import drive

LAPS = 20
CLASSES = 32


def head(
    vehicle_class: str = "GT3", *, noise: float = 0.0, rows: int = 1200, complete: bool = True
) -> archive_pb2.LapHeader:
    """The head of a lap whose tyre loads are as uneven as `noise` says, in newtons."""
    out = archive_pb2.LapHeader()
    out.lap.vehicle_class, out.lap.complete = vehicle_class, complete
    samples = drive(rows)
    if noise:
        samples["tyre_load"] += np.random.default_rng(2).normal(0, noise, (rows, 4)).astype("<f4")
    return LapFile(pack(out, samples, {})).header


HEAD = head()


def names(learned: LearnedCodings, vehicle_class: str = "GT3") -> set[str]:
    return {column.name for column in learned.like(vehicle_class)}


@pytest.fixture
def learned() -> LearnedCodings:
    out = LearnedCodings()
    out.learn(HEAD)
    return out


def test_a_lap_teaches_those_of_its_class(learned: LearnedCodings) -> None:
    assert names(learned) == {column.name for column in HEAD.columns}
    assert not learned.like("LMP2")
    for column, tried in zip(learned.like("GT3"), HEAD.columns, strict=True):
        assert list(column.codings) == list(tried.codings)


def test_a_piece_of_a_lap_teaches_nothing() -> None:
    learned = LearnedCodings()
    learned.learn(head(complete=False))
    assert not learned.like("GT3")


def test_all_is_tried_anew_now_and_then(learned: LearnedCodings) -> None:
    for lap in range(2, 3 * LAPS + 1):
        assert bool(names(learned)) == (lap % LAPS != 1)
        learned.learn(HEAD)


def test_a_block_that_has_grown_is_tried_anew_once(learned: LearnedCodings) -> None:
    grown = head(noise=5000.0)
    learned.learn(grown)
    assert "tyre_load" not in names(learned)
    assert "camber" in names(learned)
    for _ in range(3):
        learned.learn(grown)
        assert "tyre_load" in names(learned)


def test_a_longer_lap_has_not_grown() -> None:
    learned = LearnedCodings()
    learned.learn(head(rows=1000))
    learned.learn(head(rows=2000))
    assert {"tyre_load", "suspension_deflection", "local_velocity"} <= names(learned)


def test_the_newest_classes_are_remembered(learned: LearnedCodings) -> None:
    for number in range(CLASSES - 1):
        learned.learn(head(f"class {number}", rows=8))
    learned.learn(HEAD)
    learned.learn(head("one more", rows=8))
    assert names(learned)
    assert not learned.like("class 0")
    assert learned.like("class 1")
