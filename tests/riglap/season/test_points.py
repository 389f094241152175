"""Points and championships."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest
from rig.v1 import season_pb2
from riglap.season import preset
from riglap.season.points import PRESETS, check
from riglap.season.rule_file import points_rule
from tests.riglap.season.driven import NAMED, QUALIFYING, even, race, season

A, B, C, D, *_ = NAMED
RULES = st.builds(
    season_pb2.PointsRule,
    points=st.lists(st.integers(0, 50).map(float), min_size=1, max_size=8),
    pole=st.integers(0, 5),
    fastest_lap=st.integers(0, 5),
    fastest_lap_places=st.integers(0, 4),
    dropped=st.integers(0, 4),
    by_class=st.booleans(),
    classified=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)


def table(told: season_pb2.Season) -> dict[str, float]:
    return {row.driver: row.points for row in told.standings}


def test_places_become_points_and_the_fastest_lap_one_more() -> None:
    races = [race(even([100.0, 101.0, 102.0]), 1), race(even([102.0, 101.0, 100.0]), 2)]
    assert table(season(races)) == {A: 40.0, B: 36.0, C: 40.0}
    assert table(season(races, preset("f1"))) == {A: 41.0, B: 36.0, C: 41.0}
    assert table(season(races, preset("motogp"))) == {A: 41.0, B: 40.0, C: 41.0}


def test_a_pole_counts_where_the_qualifying_is_known() -> None:
    grid = race({A: [90.0], B: [88.0], C: [89.0]}, kind=QUALIFYING)
    told = season([grid, race(even([100.0, 101.0, 102.0]), 2)], preset("indycar"))
    assert table(told) == {A: 50.0, B: 41.0, C: 35.0}


def test_the_worst_rounds_are_dropped_and_missed_ones_first() -> None:
    races = [race(even([100.0, 101.0, 102.0]), nth) for nth in (1, 2)]
    races.append(race({A: [103.0] * 9, B: [102.0] * 9}, 3))
    rule = season_pb2.PointsRule(name="two", points=[10, 6, 4], dropped=1)
    told = season(races, rule)
    assert table(told) == {A: 20.0, B: 16.0, C: 8.0}
    assert [[one.dropped for one in row.rounds] for row in told.standings] == [
        [False, False, True],
        [True, False, False],
        [False, False],
    ]


def test_equal_points_are_decided_by_wins() -> None:
    races = [race(even([100.0, 101.0, 102.0]), 1), race(even([102.0, 101.0, 100.0]), 2)]
    rule = season_pb2.PointsRule(name="flat", points=[3, 2, 1])
    assert [row.driver for row in season(races, rule).standings] == [A, C, B]


def test_who_drove_too_little_has_no_points() -> None:
    times = {A: [100.0] * 10, B: [100.0] * 6}
    rule = season_pb2.PointsRule(name="strict", points=[10, 6], classified=0.75)
    assert table(season([race(times)], rule)) == {A: 10.0, B: 0.0}


@given(RULES)
def test_a_table_is_in_order_and_adds_up_whatever_the_rule(rule: season_pb2.PointsRule) -> None:
    races = [race(even([100.0, 101.0, 102.0, 103.0]), 1), race({B: [99.0] * 9, C: [98.0] * 7}, 2)]
    rows = season(races, rule).standings
    assert [row.points for row in rows if not rule.by_class or row.vehicle_class == "GT3"] == sorted(
        (row.points for row in rows), reverse=True
    )
    for row in rows:
        assert row.points == sum(one.points for one in row.rounds if not one.dropped)
        assert sum(one.dropped for one in row.rounds) <= rule.dropped
        assert row.behind >= 0


class TestRules:
    def test_a_file_is_a_rule(self, tmp_path: Path) -> None:
        path = tmp_path / "club.toml"
        path.write_text("points = [10, 8, 6]\nfastest_lap = 1\ndropped = 2\n")
        rule = points_rule(str(path))
        assert (rule.name, list(rule.points), rule.dropped, rule.by_class) == ("club", [10, 8, 6], 2, True)

    @pytest.mark.parametrize(
        "text",
        [
            "points = []",
            "points = [-1]",
            "points = [1]\nclassified = 2",
            "points = [inf]",
            "points = 'many'",
            "points = [1]\npints = 3",
            "points = [1",
            f"points = [{'1,' * 101}]",
            "points = [1]\ndropped = -1",
            "\x00",
        ],
    )
    def test_by_what_nobody_can_count_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "odd.toml"
        path.write_text(text)
        with pytest.raises(BadRequest):
            points_rule(str(path))

    def test_an_unknown_name_tells_those_that_are_known(self) -> None:
        with pytest.raises(BadRequest) as refused:
            points_rule("formula9")
        assert "motogp" in (refused.value.hint or "")

    def test_presets_can_be_counted_by(self) -> None:
        for rule in PRESETS.values():
            check(rule)
