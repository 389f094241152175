"""Codings taken over from other laps: whatever they are, a lap comes back to the bit."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.lapfile import SAMPLES, SCORINGS, LapFile, blocks, pack
from rig.lapfile.neighbours import candidates
from rig.v1 import archive_pb2
from tests.rig.laps import CHANNELS, SCORING_CHANNELS, Array, drive, header, same, table, tables

Column = archive_pb2.Column
DRIVE = drive()
HEAD = LapFile(pack(header(), DRIVE, {})).header

numbers = st.floats() | st.sampled_from((0.0, 1.0, 100.0))
neighbours = st.builds(
    archive_pb2.Neighbour,
    channel=st.sampled_from([*sorted(DRIVE), "nobody"]),
    component=st.integers(0, 12),
)
predictions = st.builds(
    archive_pb2.Prediction,
    formula=st.integers(0, 7),
    neighbours=st.lists(neighbours, max_size=5),
    factors=st.lists(numbers, max_size=4),
)
codings = st.builds(
    archive_pb2.Coding,
    codec=st.integers(0, 8),
    value=st.binary(max_size=9),
    prediction=st.none() | predictions,
    held=st.booleans(),
    grid=numbers,
    planes=st.integers(0, 9),
)


@st.composite
def tried(draw: st.DrawFn) -> archive_pb2.Coding:
    """A coding as a trial makes them, of one channel, with any factors."""
    channel = CHANNELS[draw(st.sampled_from(["speed", "orientation", "camber", "tyre_load", "lap_time"]))]
    ways = list(candidates(channel, draw(st.integers(0, channel.width - 1))))
    coding = draw(codings)
    if ways:
        coding.prediction.CopyFrom(draw(st.sampled_from(ways)))
        coding.grid = 0.0
        if coding.prediction.formula == archive_pb2.FORMULA_LINEAR:
            count = len(coding.prediction.neighbours) + 1
            coding.prediction.factors[:] = draw(st.lists(numbers, min_size=count, max_size=count))
    return coding


columns = st.builds(
    Column,
    name=st.sampled_from(sorted(DRIVE)),
    section=st.sampled_from((SAMPLES, SCORINGS)),
    codings=st.lists(codings | tried(), max_size=10),
)


def linear(name: str, neighbour: str, factors: Sequence[float], codec: blocks.Codec = blocks.DELTA) -> Column:
    """A channel of one component, linear in another."""
    out = Column(name=name, section=SAMPLES)
    coding = out.codings.add(codec=codec)
    coding.prediction.formula = archive_pb2.FORMULA_LINEAR
    coding.prediction.neighbours.add(channel=neighbour)
    coding.prediction.factors.extend(factors)
    return out


class TestWhateverIsTakenOver:
    @given(st.lists(columns, max_size=12), st.sampled_from((0, 1, 2, 300, 1200)), st.integers(0, 3))
    def test_a_drive_comes_back(self, like: list[Column], rows: int, seed: int) -> None:
        samples = drive(1200, seed)
        samples = {name: values[:rows] for name, values in samples.items()}
        lap = LapFile(pack(header(), samples, {}, like=like))
        assert same(lap.columns(), {name: samples[name] for name in lap.channels()})
        lap.verify()

    @given(tables(CHANNELS), tables(CHANNELS), tables(SCORING_CHANNELS), tables(SCORING_CHANNELS))
    def test_any_lap_comes_back_coded_like_any_other(
        self,
        samples: dict[str, Array],
        others: dict[str, Array],
        scoring: dict[str, Array],
        other_scoring: dict[str, Array],
    ) -> None:
        like = LapFile(pack(header(), others, other_scoring)).header.columns
        lap = LapFile(pack(header(), samples, scoring, like=like))
        assert same(lap.columns(), samples)
        assert same(lap.columns(section=SCORINGS), scoring)

    @pytest.mark.parametrize("rows", [0, 1, 2, 1200])
    def test_all_channels_come_back(self, rows: int) -> None:
        samples = table(CHANNELS, sorted(CHANNELS), rows, 1)
        for seed in (1, 2):
            others = table(CHANNELS, sorted(CHANNELS), 900, seed)
            like = LapFile(pack(header(), others, {})).header.columns
            lap = LapFile(pack(header(), samples, {}, like=like))
            assert same(lap.columns(), {name: samples[name] for name in lap.channels()})


class TestALapThatIsLikeTheOther:
    def test_is_the_same_file(self) -> None:
        assert pack(header(), DRIVE, {}, like=HEAD.columns) == pack(header(), DRIVE, {})

    def test_takes_over_its_codings(self) -> None:
        """All but the factors, which are those of its own springs."""
        samples = drive(seed=7)
        samples["camber"] *= np.float32(1.5)
        lap = LapFile(pack(header(), samples, {}, like=HEAD.columns))
        assert same(lap.columns(), {name: samples[name] for name in lap.channels()})
        for mine, other in zip(lap.header.columns, HEAD.columns, strict=True):
            for coding, like in zip(mine.codings, other.codings, strict=True):
                assert (coding.codec, coding.grid) == (like.codec, like.grid)
                assert coding.prediction.formula == like.prediction.formula
                assert list(coding.prediction.neighbours) == list(like.prediction.neighbours)
        assert lap.find("camber").codings[2].prediction.factors[1] == pytest.approx(-0.825, rel=1e-3)


class TestWhatDoesNotSuit:
    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("speed", np.linspace(0, 80, 1200) + np.arange(1200) % 3),
            ("camber", np.where(np.arange(1200) == 700, np.nan, 0.25)),
            ("tyre_load", np.random.default_rng(5).normal(0, 1e30, 1200)),
        ],
    )
    def test_is_tried(self, name: str, values: Array) -> None:
        """What was constant is live, and what was on a grid is off it."""
        shape = DRIVE[name].shape
        still = np.full(shape, 0.5, "<f4")
        live = (values.reshape(-1, *[1] * (len(shape) - 1)) + np.zeros(shape)).astype("<f4")
        for before in (still, np.floor(DRIVE[name]).astype("<f4")):
            like = LapFile(pack(header(), DRIVE | {name: before}, {})).header.columns
            lap = LapFile(pack(header(), DRIVE | {name: live}, {}, like=like))
            assert same(lap.columns(), DRIVE | {name: live})
            assert lap.find(name) == LapFile(pack(header(), DRIVE | {name: live}, {})).find(name)

    def test_a_neighbour_that_the_lap_has_not(self) -> None:
        samples = {name: values for name, values in DRIVE.items() if name != "suspension_deflection"}
        lap = LapFile(pack(header(), samples, {}, like=HEAD.columns))
        assert same(lap.columns(), samples)
        assert not lap.find("camber").codings[0].HasField("prediction")

    def test_neighbours_in_a_circle(self) -> None:
        samples = {"speed": DRIVE["speed"], "fuel": DRIVE["speed"][::-1] * np.float32(0.7)}
        like = [linear("speed", "fuel", [0, 1]), linear("fuel", "speed", [0, 1])]
        assert same(LapFile(pack(header(), samples, {}, like=like)).columns(), _ordered(samples))

    @pytest.mark.parametrize("factors", [[], [0.0], [0.0, np.nan], [np.inf, 1.0], [0.0, 1.0, 2.0]])
    def test_factors_of_any_number_and_kind(self, factors: list[float]) -> None:
        throttle = DRIVE["speed"] / np.float32(100)
        samples = {"throttle": throttle, "throttle_applied": throttle * np.float32(0.9)}
        like = [linear("throttle_applied", "throttle", factors)]
        assert same(LapFile(pack(header(), samples, {}, like=like)).columns(), samples)

    @pytest.mark.parametrize("grid", [0.1, 1 / 3, 1e-3, 1e9, -100.0, np.inf, np.nan, 5e-324])
    def test_a_grid_of_any_kind(self, grid: float) -> None:
        """Values that a computation in float32 takes for whole numbers of it are among them."""
        with np.errstate(all="ignore"):
            steering = (np.arange(1200, dtype="<f4") % 77 - 30) / np.float32(grid)
        like = [
            Column(
                name="steering", section=SAMPLES, codings=[archive_pb2.Coding(codec=blocks.DELTA, grid=grid)]
            )
        ]
        for values in (steering, DRIVE["speed"]):
            lap = LapFile(pack(header(), {"steering": values}, {}, like=like))
            assert same(lap.columns(), {"steering": values})

    def test_a_prediction_that_was_exact(self) -> None:
        throttle = DRIVE["speed"] / np.float32(100)
        samples = {"throttle": throttle, "throttle_applied": throttle + np.arange(1200, dtype="<f4") % 2}
        like = [linear("throttle_applied", "throttle", [0.0, 1.0], blocks.CONSTANT)]
        assert same(LapFile(pack(header(), samples, {}, like=like)).columns(), samples)


def _ordered(samples: dict[str, Array]) -> dict[str, Array]:
    return {name: samples[name] for name in CHANNELS if name in samples}
