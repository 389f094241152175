"""One drive, recorded by several programs: imported, their laps lie on each other."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from rigclient.cli.main import rig
from riglap.lap import Lap
from tests.imports import known
from tests.imports.dialects import written_loggers as written
from tests.imports.dialects.driven_loggers import drive


def run(*words: object) -> str:
    result = CliRunner().invoke(rig, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_lap_of_one_program_is_compared_with_one_of_another(tmp_path: Path) -> None:
    files = [
        written.write(tmp_path, "a.csv", written.aim_csv(drive())),
        written.write(tmp_path, "b.vbo", written.vbo(drive())),
        written.write(tmp_path, "c.csv", written.dovex(drive())),
    ]
    run("import", "--into", tmp_path / "laps", *files)
    second = sorted(tmp_path.glob("laps/laps/*/car000-0002.lap"))
    assert len(second) == 3
    laps = [Lap.open(path) for path in second]
    for lap in laps:
        assert lap.info.complete
        assert lap.info.lap_time is not None
        assert abs(lap.info.lap_time - drive().lap_times[0]) < 0.002
        assert abs(float(lap.distance[-1]) - known.LENGTH_M) < 5
        assert np.abs(lap.position[0] - laps[0].position[0]).max() < 4
    assert "T1" in run("compare", second[0], second[1])
