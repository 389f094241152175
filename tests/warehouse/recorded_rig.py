"""A rig of real laps: a recorded race, a server on it, a process for its command queue, and `rig`."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from rigd.serve.server import Server, Settings
from tests.archive.tape import Tape, drained
from tests.stage import events, free_port
from tests.store.lap_store import CommandThread

RACE_S = 48.0
CARS = 2
LOST = 5
"""Frames that the recorder missed."""
ROOT = Path(__file__).resolve().parents[2]


def record_race(data: Path, seconds: float = RACE_S) -> Path:
    """Drive, record and archive a race; return its data directory."""
    tape = Tape(data, CARS)
    tape.drive(seconds / 3)
    for _ in range(LOST):
        tape.frame(lost=True)
    tape.drive(seconds * 2 / 3)
    tape.finish()
    drained(tape.archiver()).close()
    return data


class RecordedRig:
    """A rig on a copy of `data`, and the `rig` command with no settings of whoever runs the tests."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder = folder
        self.events = events(data)
        """All events of its ring."""
        self.data = shutil.copytree(data, folder / "data")
        self.address = f"127.0.0.1:{free_port()}"
        self._command_thread = CommandThread(self.data)
        self._command_thread.start()
        self.serve()

    def serve(self) -> None:
        """Start the server, in a thread of its own."""
        self._server = ServerThread(self.data, self.address)

    def stop(self) -> None:
        """End the server in the middle of whatever it does."""
        self._server.stop()

    def close(self) -> None:
        self.stop()
        self._command_thread.stop()

    def laps(self) -> list[Path]:
        """Its lap files."""
        return sorted(self.data.glob("laps/*/[!.]*.lap"))

    def rig(self, *words: str, cache: str = "cache") -> Result:
        """Run `rig WORDS` to its end; another `cache` is another machine."""
        return CliRunner().invoke(rig, words, env=self.environment(cache), prog_name="rig")

    def start(self, *words: str, cache: str = "cache") -> "subprocess.Popen[str]":
        """Start `python -m WORDS`, a process that can be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment(cache)},
            cwd=ROOT,
        )

    def environment(self, cache: str) -> Mapping[str, str]:
        return {
            "XDG_CACHE_HOME": str(self.folder / cache),
            "XDG_DATA_HOME": str(self.folder / "home"),
            "RIG_ADDRESS": self.address,
        }


class ServerThread(threading.Thread):
    """A server that runs until it is stopped."""

    def __init__(self, data: Path, address: str) -> None:
        super().__init__()
        self._settings = Settings(data, address)
        self._ready = threading.Event()
        self.start()
        assert self._ready.wait(20)

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self._settings)
        await server.start()
        self._ready.set()
        await self._over.wait()
        await server.stop()

    def stop(self) -> None:
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self.join()
