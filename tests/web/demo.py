"""A simulated race with its rig and a gateway, as somebody starts them."""

import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

from tests.stage import Stage, free_port, until

EXAMPLES: Final = Path(__file__).parents[2] / "client" / "web" / "examples"


@dataclass
class Demo:
    """What runs."""

    stage: Stage
    rig: str
    root: str
    """Address of the gateway."""
    running: list[Popen[str]] = field(default_factory=list)
    """The rig, then the gateway."""

    def page(self, path: str) -> str:
        """Return the address of a page."""
        return f"{self.root}/{path}"

    def rigs(self) -> list[dict[str, Any]]:
        """Return what the gateway lists; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.root}/api/rigs", timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["rigs"]
                return found
        except OSError:
            return []

    def end(self) -> None:
        """Stop the rig; the gateway goes on."""
        self.stage.stop(self.running.pop(0))


@contextmanager
def demo(*more: str) -> Iterator[Demo]:
    """Run a race and a gateway before it; `more` are options of the game."""
    with (
        tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as buffers,
        tempfile.TemporaryDirectory(prefix="rigd-test-") as data,
    ):
        stage = Stage(Path(buffers), Path(data), "")
        name = f"web{os.getpid()}-{time.monotonic_ns() % 10**6}"
        port = free_port()
        running = Demo(stage, name, f"http://127.0.0.1:{port}")
        words = ("--buffers", buffers, "--data", data, "--instance", name, "--ring-size", "256M", *more)
        try:
            running.running.append(stage.start("rigd", "run", "--demo", "--config", "", "--short", *words))
            own = ("--own", str(EXAMPLES / "own"))
            running.running.append(
                stage.start("rigclient", "--rig", name, "gateway", "--port", str(port), *own)
            )
            until(lambda: any(rig["state"] == "live" for rig in running.rigs()))
            yield running
        finally:
            stage.stop(*stage.running)
