"""The season of fourteen races by their charts: what the views say of each, and what all of it adds up to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from rig.v1 import season_pb2
from rigclient.cli.main import rig
from rigclient.warehouse import Destination, connect
from rigclient.warehouse.questions.season import sessions_of
from rigd.serve.analysis.season import season_of
from rigd.store.reindex import reindex
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING
from riglap.season import SeasonSession, season
from riglap.season.pace import paces
from tests.imports.recorded import all_charts, chart
from tests.once import once


@pytest.fixture(scope="module")
def there(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Destination]:
    """A warehouse with the charts."""

    def make(folder: Path) -> None:
        charts = map(str, all_charts(recordings))
        words = ["warehouse", "load", *charts, "--to", f"duckdb:{folder / 'season.duckdb'}"]
        done = CliRunner().invoke(rig, words)
        assert done.exit_code == 0, done.output

    folder = once(tmp_path_factory, "season-charts", make)
    with connect(f"duckdb:{folder / 'season.duckdb'}", read_only=True) as destination:
        yield destination


@pytest.fixture(scope="module")
def sessions(there: Destination) -> list[SeasonSession]:
    return sessions_of(there, season_pb2.SeasonFilter())


@pytest.fixture(scope="module")
def told(sessions: list[SeasonSession]) -> season_pb2.Season:
    return season(sessions, by_car=True)


def test_results_are_those_of_the_view(there: Destination, sessions: list[SeasonSession]) -> None:
    told = season(sessions)
    assert (len(told.rounds), told.laps) == (14, 7214)
    sql = (
        "SELECT SESSION, PLACE, CAR, CAR_NUMBER, CLASS_PLACE, LAPS, TOTAL_TIME, GAP, TO_NEXT, BEST, "
        "BEST_LAP_NO, LAPS_LED, PIT_VISITS, RETIRED FROM RESULTS_V ORDER BY SESSION, PLACE"
    )
    assert there.rows(sql) == [
        (
            one.session.removeprefix("sessions/"),
            *(car.place, car.car, car.car_number, car.class_place, car.laps, car.total_time),
            *(car.gap if car.HasField("gap") else None, car.to_next if car.HasField("to_next") else None),
            *(car.best if car.HasField("best") else None,),
            *(car.best_lap_number if car.HasField("best_lap_number") else None, car.laps_led, car.pit_visits),
            car.status == season_pb2.RESULT_STATUS_RETIRED,
        )
        for one in told.rounds
        for car in one.results
    ]


def test_a_rig_that_imported_a_chart_tells_the_same(
    there: Destination, recordings: Path, tmp_path: Path
) -> None:
    words = ["import", str(chart(recordings, "COTA", 1)), "--into", str(tmp_path)]
    done = CliRunner().invoke(rig, words)
    assert done.exit_code == 0, done.output
    assert reindex(tmp_path).laps == 486
    found = season_of(StoreReader(tmp_path).index, season_pb2.GetSeasonRequest(), EVERYTHING)
    (one,) = found.rounds
    assert found == season(sessions_of(there, season_pb2.SeasonFilter(sessions=[one.session])))


def test_pace_is_that_of_the_view(there: Destination, sessions: list[SeasonSession]) -> None:
    sql = (
        "SELECT SESSION, CAR, DRIVER, LAPS, FLYING_LAPS, PACE_LAPS, BEST, MEAN, CONSISTENCY FROM STATISTICS_V"
    )
    found = {tuple(row[:3]): row[3:] for row in there.rows(sql)}
    ours = {
        (one.name.removeprefix("sessions/"), *key): pace
        for one in sessions
        for key, pace in paces(one).items()
    }
    assert found.keys() == ours.keys()
    for key, pace in ours.items():
        counts = (len(pace.laps), pace.flying, len(pace.at_pace), pace.best)
        assert found[key][:4] == counts
        assert found[key][4:] == (pytest.approx(pace.mean), pytest.approx(pace.spread))


def test_the_champion_has_the_pace(told: season_pb2.Season) -> None:
    leader = told.standings[0]
    assert (leader.driver, leader.points, leader.wins, len(leader.rounds)) == ("#13", 245.0, 5, 14)
    assert told.drivers[0].driver == "#13"
    assert told.drivers[0].factors[0].score == 100.0
    assert sum(one.wins for one in told.drivers) == 14


def test_forecasts_of_the_gap_are_better_than_naive_ones_and_as_sure_as_they_say(
    told: season_pb2.Season,
) -> None:
    quality = told.quality
    assert (quality.sessions, quality.forecasts) == (14, 353)
    assert 0.76 <= quality.gap_coverage <= 0.84
    assert 0.40 < quality.gap_error < 0.48 < quality.naive_gap_error
    assert 0.76 <= quality.coverage <= 0.90
    assert quality.error < quality.naive_error
