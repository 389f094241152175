"""Neighbours: the formulas, to the bit, and the table of who may predict whom."""

from itertools import pairwise

import numpy as np
import pytest

from rig.channels import LAP, PHYSICS, SCORING
from rig.errors import Corrupt
from rig.lapfile import LapFile, pack
from rig.lapfile.components import DEEPEST
from rig.lapfile.neighbours import CROSS, LINEAR, NORM, ORTHOGONAL, UNIT, Key, candidates, predict, rounded
from rig.v1 import archive_pb2
from tests.rig.laps import Array, drive, header, same
from tests.rig.test_damage import spoiled

ALL = {
    (channel.name, component): [
        [(it.channel, it.component) for it in prediction.neighbours]
        for prediction in candidates(channel, component)
    ]
    for channel in (*PHYSICS.channels, *LAP.channels)
    for component in range(channel.width)
}


def depth(key: Key, above: tuple[Key, ...] = ()) -> int:
    assert key not in above, f"{key} is predicted from itself"
    ways = [depth(other, (*above, key)) for way in ALL[key] for other in way]
    return 1 + max(ways) if ways else 0


class TestFormulas:
    @pytest.mark.parametrize(
        ("formula", "sources", "factors", "wanted"),
        [
            (LINEAR, [2.0], [0.5, 3.0], 6.5),
            (LINEAR, [2.0, 7.0], [0.5, 3.0, -1.0], -0.5),
            (NORM, [3.0, 4.0], [], 5.0),
            (NORM, [2.0, 3.0, 6.0], [], 7.0),
            (UNIT, [0.6], [], 0.8),
            (CROSS, [2.0, 3.0, 4.0, 5.0], [], -14.0),
            (ORTHOGONAL, [2.0, 3.0, 4.0, 5.0, 2.0], [], -13.0),
        ],
    )
    def test_they_are_what_the_contract_says(
        self, formula: int, sources: list[float], factors: list[float], wanted: float
    ) -> None:
        arrays = [np.array([source]) for source in sources]
        assert predict(formula, arrays, factors)[0] == wanted
        assert [array[0] for array in arrays] == sources, "neighbours are not changed"

    def test_what_is_no_number_becomes_zero(self) -> None:
        with np.errstate(all="ignore"):
            back = rounded(np.array([np.nan, -np.nan, np.inf, 1e300, -0.0]), np.dtype("<f4"))
        assert back.tobytes() == np.array([0.0, 0.0, np.inf, np.inf, -0.0], "<f4").tobytes()

    def test_third_row_of_a_rotation_follows_from_the_others(self) -> None:
        matrix = drive(200)["orientation"].astype(float).T
        rebuilt = predict(CROSS, [matrix[2], matrix[3], matrix[0], matrix[5]], [])
        assert np.abs(rebuilt - matrix[7]).max() < 1e-6


class TestTheTable:
    @pytest.mark.parametrize("key", sorted(ALL))
    def test_every_neighbour_is_a_component_of_the_registry(self, key: Key) -> None:
        assert all(other in ALL for way in ALL[key] for other in way)

    def test_there_are_no_circles_and_no_chain_is_too_long(self) -> None:
        assert max(depth(key) for key in ALL) <= DEEPEST

    def test_scoring_rows_fit_the_same_table(self) -> None:
        names = {channel.name: channel.width for channel in (*SCORING.channels, *LAP.channels)}
        kept = [key for key in ALL if key[0] in names]
        assert any(ALL[key] for key in kept)
        assert all(key[1] < names[key[0]] for key in kept)


class TestFiles:
    def test_a_chain_of_neighbours_is_read_through(self) -> None:
        samples = _chain()
        lap = LapFile(pack(header(), samples, {}))
        assert same(
            {"front_wing_height": lap.column("front_wing_height")}, _only(samples, "front_wing_height")
        )
        whole = lap.block_bytes(lap.channels())
        assert lap.block_bytes(["front_wing_height"]) == whole

    def test_a_neighbour_that_is_missing_when_packing_is_done_without(self) -> None:
        samples = drive()
        del samples["local_velocity"], samples["tyre_load"]
        assert same(LapFile(pack(header(), samples, {})).columns(), samples)

    @pytest.mark.parametrize(("links", "sound"), [(DEEPEST, True), (DEEPEST + 1, False)])
    def test_a_chain_that_is_too_long_is_corrupt(self, links: int, sound: bool) -> None:
        names = [c.name for c in PHYSICS.channels if c.dtype == "<f4" and c.width == 1][: links + 1]
        rng = np.random.default_rng(3)
        samples = {name: rng.normal(50, 9, 40).astype("<f4") for name in names}

        def chain(head: archive_pb2.LapHeader) -> None:
            for column, other in pairwise(head.columns):
                column.codings[0].ClearField("prediction")
                column.codings[0].prediction.formula = NORM
                column.codings[0].prediction.neighbours.add(channel=other.name)

        lap = LapFile(spoiled(pack(header(), samples, {}), chain))
        if sound:
            lap.verify()
            return
        with pytest.raises(Corrupt, match="more than 8 neighbours"):
            lap.verify()


def _chain() -> dict[str, Array]:
    rng = np.random.default_rng(8)
    travel = np.cumsum(rng.normal(0, 1e-3, (1500, 4)), axis=0) + 0.1
    height = 0.2 - travel.astype("<f4").astype(float)
    front, rear = (height[:, :2].astype("<f4").mean(axis=1), height[:, 2:].astype("<f4").mean(axis=1))
    wing = front.astype("<f4").astype(float) * 1.25 - rear.astype("<f4").astype(float) * 0.25 + 0.028
    return {
        "suspension_deflection": travel.astype("<f4"),
        "wheel_ride_height": height.astype("<f4"),
        "front_ride_height": front.astype("<f4"),
        "rear_ride_height": rear.astype("<f4"),
        "front_wing_height": wing.astype("<f4"),
    }


def _only(samples: dict[str, Array], name: str) -> dict[str, Array]:
    return {name: samples[name]}
