"""GetSeason over a real server, on laps that the store holds, and through the client and its commands."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rig.errors import BadRequest, NotFound
from rig.v1 import catalog_pb2, lap_pb2, season_pb2, session_pb2
from rigclient.blocking import connect
from rigclient.cli.main import rig
from rigd.serve.analysis.season import season_of
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING, Viewer
from riglap.season import SeasonSession, preset, season
from tests.riglap.season.driven import NAMED, QUALIFYING, even, race
from tests.stage import Stage, stage
from tests.store.lap_store import LapStore

TRACKS = ("Meander Valley", "Harbour", "Quarry")
WIDTHS = (80, 120)


def raced() -> list[SeasonSession]:
    """Six races on three tracks, with a qualifying before the first."""
    paces = ([100.0, 101.0, 102.0, 103.0], [101.0, 100.0, 103.0, 102.5])
    races = [race(even(paces[nth % 2]), nth, TRACKS[nth % 3]) for nth in range(2, 8)]
    return [race(even([100.0, 99.0, 98.0, 97.0], 3), 1, TRACKS[2], kind=QUALIFYING), *races]


def keep(store: LapStore, one: SeasonSession) -> None:
    """Put a session into the index, as laps without samples."""
    index = store.store.index
    index.put_session(
        session_pb2.Session(
            name=one.name,
            track_name=one.track,
            kind=one.kind,  # type: ignore[arg-type]
            number=one.number,
            source=session_pb2.SESSION_SOURCE_DEMO,
            start_time_ns=one.start_time_ns,
        )
    )
    for lap in one.laps:
        index.put_lap(
            lap_pb2.Lap(
                name=f"{one.name}/laps/car{lap.car:03d}-{lap.number:04d}",
                kind=lap_pb2.LAP_KIND_LAP,
                car=lap.car,
                index=lap.number,
                number=lap.number - 1,
                driver=lap.driver,
                vehicle_class=lap.vehicle_class,
                track_name=one.track,
                lap_time=lap.lap_time,
                end_time=lap.end_time,
                start_time_ns=one.start_time_ns + round(lap.end_time * 1e9),
                stint=1,
                complete=True,
                valid=True,
                official=True,
                player=lap.car == 0,
                user="alder" if lap.car == 0 else "",
            )
        )


@pytest.fixture(scope="module")
def here() -> Iterator[Stage]:
    with stage() as made:
        store = LapStore(made.data)
        for one in raced():
            keep(store, one)
        store.close()
        made.serve()
        yield made


def run(here: Stage, *words: str, width: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(width)}).invoke(rig, ["--rig", here.address, "season", *words])


def expected(**words: Any) -> season_pb2.Season:
    told = season(raced(), **words)
    for one in told.drivers:
        one.player = one.driver == NAMED[0]
    for told_round in told.rounds:
        for car in told_round.results:
            car.player = car.driver == NAMED[0]
    return told


def test_the_answer_is_what_the_library_adds_up(here: Stage) -> None:
    with connect(here.address) as found:
        assert found.season() == expected()
        assert found.season(preset("motogp")) == expected(rule=preset("motogp"))
        assert found.season(kind="qualifying").rounds[0].results[0].driver == NAMED[3]
        assert [one.track_name for one in found.season(track="harb").rounds] == ["Harbour"] * 2
        (name, *_) = [one.name for one in raced() if one.race]
        assert [one.session for one in found.season(sessions=[name]).rounds] == [name]
        later = raced()[3].start_time_ns / 1e9
        assert len(found.season(since=later, source="demo").rounds) == 4
        assert len(found.season(until=later).rounds) == 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"track": "nowhere"}, NotFound),
        ({"kind": "warmup"}, NotFound),
        ({"sessions": ["sessions/none"]}, NotFound),
        ({"sessions": ["sessions/none"] * 201}, BadRequest),
        ({"points": season_pb2.PointsRule(points=[])}, BadRequest),
        ({"points": season_pb2.PointsRule(points=[float("nan")])}, BadRequest),
        ({"points": season_pb2.PointsRule(points=[1.0] * 101)}, BadRequest),
    ],
)
def test_odd_requests_are_refused(here: Stage, words: dict[str, Any], error: type[Exception]) -> None:
    with connect(here.address) as found, pytest.raises(error):
        found.season(**words)


def test_a_season_is_of_the_laps_that_a_token_sees(here: Stage) -> None:
    index = StoreReader(here.data).index
    request = season_pb2.GetSeasonRequest()
    own = season_of(index, request, Viewer("alder"))
    assert {one.driver for one in own.drivers} == set(NAMED[:4])
    with pytest.raises(NotFound):
        season_of(index, request, Viewer("birch"))
    with pytest.raises(NotFound):
        season_of(index, request, Viewer())


def test_a_kind_of_session_that_there_is_not_is_refused(here: Stage) -> None:
    wanted = season_pb2.SeasonFilter(session_kind=99)  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="session_kind is 99"):
        season_of(StoreReader(here.data).index, season_pb2.GetSeasonRequest(filter=wanted), EVERYTHING)


def test_more_laps_than_a_season_may_have_are_refused(here: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rigd.serve.analysis.season.MOST_LAPS", 100)
    monkeypatch.setattr("rigd.serve.analysis.season.MAX_SEASON_SESSIONS", 50)
    index = StoreReader(here.data).index
    with pytest.raises(BadRequest, match="more than 100 laps"):
        season_of(index, season_pb2.GetSeasonRequest(), Viewer(all=True))
    monkeypatch.setattr("rigd.serve.analysis.season.MAX_SEASON_SESSIONS", 2)
    with pytest.raises(BadRequest, match="more than 2 sessions"):
        season_of(index, season_pb2.GetSeasonRequest(), Viewer(all=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["results"], ["Harbour", "A. Alder"]),
        (["results", "--round", "2"], ["A. Alder", "+"]),
        (["standings"], ["default points", "B. Birch", "25"]),
        (["standings", "--points", "f1", "--driver", "birch"], ["f1 points", "B. Birch"]),
        (["drivers"], ["pace %", "D. Dogwood"]),
        (["factors"], ["racecraft", "100"]),
        (["factors", "--driver", "alder"], ["beyond pace", "brings"]),
        (["trend"], ["a round", "█"]),
        (["forecast", "--at", "quarry"], ["Quarry", "±", "80 are meant"]),
        (["report"], ["championship", "factors"]),
    ],
)
def test_commands_show_tables_that_fit(here: Stage, words: list[str], said: list[str]) -> None:
    for width in WIDTHS:
        shown = run(here, *words, width=width)
        assert shown.exit_code == 0, shown.output
        assert all(word in shown.stdout for word in said)
        assert max(map(len, shown.stdout.splitlines())) <= width
    made = json.loads(run(here, *words, "--json").stdout)
    assert made


def test_a_report_is_one_file(here: Stage, tmp_path: Path) -> None:
    page = tmp_path / "season.html"
    assert run(here, "report", "--html", str(page)).stdout.strip() == str(page)
    assert page.read_text().startswith("<!doctype html>")


def test_an_event_of_the_catalog_is_a_season(here: Stage) -> None:
    names = [one.name for one in raced() if one.race][:2]
    with connect(here.address) as found:
        event = found.catalog.create("events", catalog_pb2.RacingEvent(title="November Cup"))
        for name in names:
            found.catalog.create(f"{event.name}/sessions", catalog_pb2.EventSession(session=name))
        found.catalog.create("events", catalog_pb2.RacingEvent(title="Without"))
    rounds = json.loads(run(here, "results", "--event", "november", "--json").stdout)
    assert [one["session"] for one in rounds] == names
    assert "has no sessions" in run(here, "results", "--event", "without").stderr


@pytest.mark.parametrize(
    "words",
    [
        ["results", "--round", "99"],
        ["standings", "--driver", "nobody"],
        ["standings", "--points", "none"],
        ["forecast", "--at", "nowhere"],
        ["results", "--track", "nowhere"],
    ],
)
def test_what_is_not_there_is_said(here: Stage, words: list[str]) -> None:
    shown = run(here, *words)
    assert shown.exit_code not in (0, 1)
    assert "error:" in shown.stderr
