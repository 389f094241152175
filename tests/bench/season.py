"""A season of fourteen races, 7,214 laps: from the index of a rig, and from a warehouse."""

import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from rig.v1 import lap_pb2, season_pb2, session_pb2
from rigclient.cli.main import rig
from rigclient.warehouse import connect
from rigclient.warehouse.questions.season import sessions_of
from rigd.serve.analysis.season import season_of
from rigd.store.store import Store, StoreReader
from rigd.store.viewer import EVERYTHING
from riglap.season import SeasonSession, season
from tests.imports.recorded import all_charts

_CHARTS: Final = Path(__file__).resolve().parents[1] / "warehouse/data/gr-cup.zip"
_RUNS: Final = 7
_WANTED: Final = season_pb2.SeasonFilter()


def season_figures() -> dict[str, float]:
    """Medians of seven runs, each from the question to the whole season."""
    with tempfile.TemporaryDirectory(prefix="rigd-bench-") as folder:
        place = Path(folder)
        where = _loaded(place)
        with connect(where, read_only=True) as there:
            sessions = sessions_of(there, _WANTED)
            assert sum(len(one.laps) for one in sessions) == 7214
            of_warehouse = _median(lambda: season(sessions_of(there, _WANTED)))
        _keep(place / "data", sessions)
        index = StoreReader(place / "data").index
        request = season_pb2.GetSeasonRequest()
        return {
            "season_laps_7214_ms": _median(lambda: season_of(index, request, EVERYTHING)),
            "season_warehouse_7214_ms": of_warehouse,
            "season_alone_7214_ms": _median(lambda: season(sessions)),
        }


def _median(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        run()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def _loaded(place: Path) -> str:
    """Return a warehouse with the fourteen charts."""
    with zipfile.ZipFile(_CHARTS) as archive:
        archive.extractall(place / "charts")
    where = f"duckdb:{place / 'season.duckdb'}"
    words = ["warehouse", "load", *map(str, all_charts(place / "charts" / "Data")), "--to", where]
    done = CliRunner().invoke(rig, words)
    assert done.exit_code == 0, done.output
    return where


def _keep(data: Path, sessions: list[SeasonSession]) -> None:
    """Put the laps into the index of a rig."""
    store = Store.open(data)
    for one in sessions:
        store.index.put_session(
            session_pb2.Session(
                name=one.name,
                track_name=one.track,
                kind=one.kind,  # type: ignore[arg-type]
                number=one.number,
                start_time_ns=one.start_time_ns,
            )
        )
        for lap in _laps(one):
            store.index.put_lap(lap)
    store.close()


def _laps(one: SeasonSession) -> Iterator[lap_pb2.Lap]:
    for lap in one.laps:
        yield lap_pb2.Lap(
            name=f"{one.name}/laps/car{lap.car:03d}-{lap.number:04d}",
            kind=lap_pb2.LAP_KIND_LAP,
            car=lap.car,
            index=lap.number,
            number=lap.number - 1,
            stint=lap.stint,
            driver=lap.driver,
            vehicle_class=lap.vehicle_class,
            track_name=one.track,
            lap_time=lap.lap_time,
            end_time=lap.end_time,
            complete=True,
            valid=lap.valid,
            in_lap=lap.through_pits,
            green=lap.green,
            chequered=lap.chequered,
        )
