"""`rig` on the laps of a short race."""

from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from tests.rigclient.lap_rig import LapRig

NARROW, WIDE = 80, 200


def run(lap_rig: LapRig, *words: str, columns: int = NARROW, answer: str | None = None) -> Result:
    """Run `rig WORDS` in so many columns; `answer` is what is typed."""
    runner = CliRunner(env={"COLUMNS": str(columns)})
    return runner.invoke(rig, ["--rig", lap_rig.address, *words], input=answer)


def printed(result: Result) -> str:
    """What it printed, once it ended well and had nothing to complain about."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout
