"""A rig of real laps: a race that was recorded, a server process on it, and someone who obeys its orders."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rigd.archive.archiver import Archiver
from tests.archive.tape import Tape
from tests.lapservice.shelf import Clerk
from tests.stage import free_port

RACE_S = 60.0
CARS = 3
LOST = 5
"""Frames that the recorder missed."""
ROOT = Path(__file__).resolve().parents[2]


def race(data: Path, seconds: float = RACE_S) -> Path:
    """The data directory of a race that was driven, recorded and archived."""
    tape = Tape(data, CARS)
    tape.drive(seconds / 3)
    for _ in range(LOST):
        tape.frame(lost=True)
    tape.drive(seconds * 2 / 3)
    tape.finish()
    archiver: Archiver = tape.archiver()
    while archiver.turn():
        pass
    archiver.close()
    return data


class Town:
    """A rig on a copy of `data`, and the `rig` command as a process of its own."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder = folder
        self.data = shutil.copytree(data, folder / "data")
        self.address = f"127.0.0.1:{free_port()}"
        self._server: subprocess.Popen[str] | None = None
        self._clerk = Clerk(self.data)
        self._clerk.start()
        self.serve()

    def serve(self) -> None:
        """Start the server."""
        words = ("rigd", "serve", "--data", str(self.data), "--address", self.address)
        self._server = subprocess.Popen(
            [sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._server.stdout is not None
        self._server.stdout.readline()

    def kill_server(self) -> None:
        """As a power cut does."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()
        if self._server.stdout:
            self._server.stdout.close()

    def close(self) -> None:
        self.kill_server()
        self._clerk.stop()

    def command(self, *words: str, cache: str = "cache") -> subprocess.Popen[str]:
        """Start `python -m WORDS` in an environment of its own; another `cache` is another machine."""
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(cache),
            cwd=ROOT,
        )

    def environment(self, cache: str = "cache") -> Mapping[str, str]:
        """No warehouse of the developer, no settings of his."""
        return {
            **os.environ,
            "XDG_CACHE_HOME": str(self.folder / cache),
            "XDG_DATA_HOME": str(self.folder / "home"),
            "RIG_ADDRESS": self.address,
        }
