"""A rig that serves the short race and a catalog, by the real daemon."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from rigd.ring import RingWriter
from rigd.store.folder import LapFolder
from rigd.store.reindex import reindex
from tests.rigclient import field
from tests.riglap import driven
from tests.stage import Stage, stage

NARROW, WIDE = 80, 120
OWN = 12
"""Slot of the rig's own car."""


@dataclass(frozen=True)
class GarageRig:
    """Where it answers, and `rig` on it."""

    here: Stage

    def run(self, *words: str, columns: int = NARROW, answer: str | None = None, editor: str = "") -> Result:
        """Run `rig WORDS` in so many columns; `answer` is what is typed or piped."""
        env = {"COLUMNS": str(columns), "EDITOR": editor, "VISUAL": editor}
        return CliRunner(env=env).invoke(rig, ["--rig", self.here.address, *words], input=answer)

    def printed(self, *words: str, **more: Any) -> str:
        """What it prints, once it ends well and has nothing to complain about."""
        result = self.run(*words, **more)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def plain(self, *words: str, **more: Any) -> Any:
        """What it prints with --json."""
        return json.loads(self.printed(*words, "--json", **more))

    def refused(self, *words: str, **more: Any) -> str:
        """What it complains about."""
        result = self.run(*words, **more)
        assert result.exit_code not in (0, 1), result.output
        return result.stderr


@contextlib.contextmanager
def garage_rig() -> Iterator[GarageRig]:
    """Serve it."""
    with stage() as here:
        _keep(here.data)
        here.address = f"unix:{here.data}/socket"  # where everybody is the administrator
        here.serve()
        yield GarageRig(here)


def _keep(data: Path) -> None:
    """Keep the short race, in which car 12 is the rig's own, and the practice before it."""
    folder = LapFolder(data / "laps")
    for session in field.sessions():
        folder.put_session(session)
    old = driven.info(1, name=f"{field.OLD}/laps/car001-0001", car=1, valid=False)
    for lap in (*field.laps(), old):
        lap.player = lap.car == OWN
        samples = driven.samples(lap.end_time - lap.start_time, rate=10)
        folder.write(lap.name, driven.data(lap, samples))
    reindex(data)
    RingWriter(data / "ring", 1 << 24).close()
