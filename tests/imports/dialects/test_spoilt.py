"""Whatever stands in a file, it becomes laps that a lap file holds, or it is refused in words."""

import contextlib
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import RigError
from rig.v1 import archive_pb2, session_pb2
from rigclient.imports.dialects import collector, lmu_telemetry, perrinn, rf2_results, telemetry_tool
from rigclient.imports.lap_files import lap_file
from rigclient.imports.recording import Dialect
from tests.imports import known
from tests.imports.dialects import written_collector, written_games
from tests.imports.dialects.reading import head_of

SESSION: Final = session_pb2.Session(name="sessions/x", track_name=known.TRACK)
ONE, TWO = known.laps(2, 5.0)
DIALECTS: Final[dict[str, Dialect]] = {
    "player": telemetry_tool.DIALECT,
    "scaled": telemetry_tool.DIALECT,
    "sparse": telemetry_tool.DIALECT,
    "opponent": telemetry_tool.DIALECT,
    "lmu 2": lmu_telemetry.DIALECT,
    "lmu 3": lmu_telemetry.DIALECT,
    "perrinn": perrinn.DIALECT,
    "results": rf2_results.DIALECT,
    "collector": collector.DIALECT,
}
JUNK: Final = (
    "",
    "nan",
    "inf",
    "-1e308",
    "1e308",
    "abc",
    "1,2",
    '"',
    "999999999999",
    "0",
    "-5",
    "\x00",
    "é",
    "<",
    "&",
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    few = written_collector.write_compact(tmp_path_factory.mktemp("few") / "few.csv", (ONE, TWO))
    results = Path(__file__).parent / "data" / "rf2-race.xml"
    return {
        "player": written_games.player(ONE),
        "scaled": written_games.scaled(ONE),
        "sparse": written_games.sparse(ONE),
        "opponent": written_games.opponent(ONE),
        "lmu 2": written_games.lmu_telemetry_2(ONE),
        "lmu 3": written_games.lmu_telemetry_3(ONE),
        "perrinn": written_games.perrinn((ONE, TWO)),
        "results": results.read_text("cp1252"),
        "collector": few.read_text(),
    }


def spoilt(text: str, draw: st.DataObject) -> str:
    """The file with some of its cells, lines and rows otherwise."""
    lines = text.split("\n")
    for _ in range(draw.draw(st.integers(1, 12))):
        at = draw.draw(st.integers(0, len(lines) - 1))
        how = draw.draw(st.sampled_from(("cell", "column", "cut", "twice", "gone", "reversed")))
        if how == "cell":
            lines[at] = _with_cell(lines[at], draw)
        elif how == "column":
            place, junk = draw.draw(st.integers(0, 8)), draw.draw(st.sampled_from(JUNK))
            lines = [*lines[:20], *(_with(line, place, junk) for line in lines[20:])]
        elif how == "cut":
            lines = [*lines[:at], lines[at][: draw.draw(st.integers(0, 40))]]
        elif how == "twice":
            lines[at:at] = lines[at : at + 40]
        elif how == "gone":
            del lines[at : at + 3]
            lines = lines or [""]
        else:
            lines[at : at + 40] = lines[at : at + 40][::-1]
    return "\n".join(lines)


def _with_cell(line: str, draw: st.DataObject) -> str:
    cells = line.count(",")
    return _with(line, draw.draw(st.integers(0, cells)), draw.draw(st.sampled_from(JUNK)))


def _with(line: str, place: int, junk: str) -> str:
    cells = line.split(",")
    return ",".join([*cells[:place], junk, *cells[place + 1 :]]) if place < len(cells) else line


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_spoilt_files_are_laps_or_refused(sound: dict[str, str], tmp_path: Path, draw: st.DataObject) -> None:
    name = draw.draw(st.sampled_from(tuple(DIALECTS)))
    dialect = DIALECTS[name]
    path = tmp_path / "x.csv"
    path.write_text(spoilt(sound[name], draw))
    if not dialect.recognises(head_of(path)):
        return
    with contextlib.suppress(RigError):
        for recording in dialect.read(path, lambda *_: None, lambda _: None):
            for lap in recording.laps:
                assert (np.diff(lap.samples.get("lap_time", np.zeros(1))) > 0).all()
                lap_file(lap, SESSION, archive_pb2.Recording())
