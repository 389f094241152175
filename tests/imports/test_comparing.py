"""The telemetry of a real car, given to those who compare laps: two pieces of laps are too little."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rigclient.cli.main import rig
from tests.imports.recorded import SAMPLE
from tests.warehouse.empty import EmptyWarehouse

CAR = "GR86-002-000"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("compare {0} {1}", "car000-0002 is no complete lap\nhint: only whole laps are compared"),
        (
            "coach {0} --against {1}",
            "car000-0003 is no complete lap\nhint: only whole laps are compared",
        ),
        ("coach {0}", f"no other clean lap of {CAR} at barber\nhint: name the lap to compare with"),
        (f"warehouse compare {CAR} {CAR}", f"are both {CAR}\nhint: name two drivers"),
    ],
)
def test_it_is_refused_as_too_little_with_the_reason(
    duck: EmptyWarehouse, recordings: Path, words: str, why: str
) -> None:
    runner = CliRunner(env={"COLUMNS": "200", "RIG_WAREHOUSE": duck.where})
    assert runner.invoke(rig, ["warehouse", "load", str(recordings / SAMPLE)]).exit_code == 0
    with duck.open() as there:
        found = there.rows("SELECT SESSION, LAP, COMPLETE, LAP_TIME FROM LAPS WHERE SAMPLES > 0 ORDER BY LAP")
    assert [row[2:] for row in found] == [(False, None)] * 2
    done = runner.invoke(rig, words.format(*(f"warehouse:{row[0]}/{row[1]}" for row in found)).split())
    assert done.exit_code != 0
    assert why in done.stderr
    assert done.stdout == ""
