"""A rig that serves the short race and a catalog, by the real daemon."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from rig.lapfile import LapFile
from rigclient.cli.main import rig
from rigd.ring import RingWriter
from rigd.store.folder import LapFolder
from rigd.store.reindex import reindex
from tests.rigclient import field
from tests.stage import Stage, stage

NARROW, WIDE = 80, 120


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
    folder = LapFolder(data / "laps")
    for session in field.sessions():
        folder.put_session(session)
    for file in field.files():
        folder.write(LapFile(file).header.lap.name, file)
    reindex(data)
    RingWriter(data / "ring", 1 << 24).close()
