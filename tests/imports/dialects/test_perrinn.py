"""Telemetry of the PERRINN 424 simulator."""

from pathlib import Path

import pytest

from rig.errors import BadRequest
from rigclient.imports.dialects.perrinn import DIALECT
from tests.imports import known
from tests.imports.dialects import written_games as written
from tests.imports.dialects.reading import Read, near, read

SAMPLE_S = 0.02


def made(folder: Path, text: str) -> Read:
    path = folder / "telemetry.csv"
    path.write_text(text)
    return read(DIALECT, path)


def test_laps_begin_where_their_clock_is_zero(tmp_path: Path) -> None:
    expected = known.laps()
    (laps,) = made(tmp_path, written.perrinn(expected)).laps
    assert [lap.index for lap in laps] == [1, 2, 3]
    for lap, one in zip(laps, expected, strict=True):
        assert lap.start_s == pytest.approx(one.start_s, abs=0.001)
        assert lap.lap_time_s == pytest.approx(one.time_s, abs=SAMPLE_S)
        assert near(lap.samples["position"], one.position, 1e-3)
        assert near(lap.samples["speed"], one.speed, 1e-3)


def test_a_share_that_is_labelled_a_percentage_is_found(tmp_path: Path) -> None:
    found = made(tmp_path, written.perrinn(known.laps()[:1]))
    assert near(found.lap.samples["throttle"], known.laps()[0].throttle, 1e-6)
    assert found.note("THROTTLE") == "labelled %, holds 0 to 1"


def test_a_row_without_a_time_is_left_out_and_told(tmp_path: Path) -> None:
    lines = written.perrinn(known.laps()[:1]).splitlines()
    at = [name.strip() for name in lines[0].split(",")].index("TIME")
    cells = lines[40].split(",")
    lines[40] = ",".join([*cells[:at], "", *cells[at + 1 :]])
    found = made(tmp_path, "\n".join(lines))
    assert found.refused == [(41, "no time", "the row has no TIME")]
    assert len(found.lap.samples["lap_time"]) == len(lines) - 3


def test_a_clock_that_starts_again_is_refused(tmp_path: Path) -> None:
    text = written.perrinn(known.laps()[:1])
    again = "\n".join([text.rstrip(), *text.splitlines()[2:]])
    with pytest.raises(BadRequest, match="TOTALTIME starts again 1 times"):
        made(tmp_path, again)
