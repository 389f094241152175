"""`rigd run --demo` as a process of its own, and everything that belongs to it."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.stage import until


@dataclass
class DemoRun:
    """Folders for a run, and the words of its command."""

    data: Path
    buffers: Path
    sockets: Path
    """What stands for $XDG_RUNTIME_DIR."""
    home: Path | None = None
    """What stands for $XDG_CONFIG_HOME; None: an empty folder."""
    running: list["subprocess.Popen[str]"] = field(default_factory=list)

    def command(self, *more: str) -> list[str]:
        """The command line of a demo of three cars, if `more` says no other number."""
        words = ["run", "--demo", "--data", str(self.data), "--buffers", str(self.buffers)]
        return [sys.executable, "-m", "rigd", *words, "--ring-size", "64M", "--short", "--cars", "3", *more]

    @property
    def environment(self) -> dict[str, str]:
        """Of the command."""
        return {
            **os.environ,
            "XDG_RUNTIME_DIR": str(self.sockets),
            "XDG_CONFIG_HOME": str(self.home or self.sockets),
        }

    def run(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """Run to the end."""
        words = self.command(*more)
        return subprocess.run(
            words, capture_output=True, text=True, timeout=240, check=False, env=self.environment
        )

    def start(self, *more: str) -> "subprocess.Popen[str]":
        """Start, and wait until the simulated game drives."""
        process = subprocess.Popen(
            self.command(*more), stdout=subprocess.PIPE, text=True, env=self.environment
        )
        self.running.append(process)
        until(lambda: self.played() or process.poll() is not None)
        return process

    def played(self) -> bool:
        """Whether the game has written something."""
        return any(path.stat().st_size for path in self.buffers.glob("*Telemetry*"))

    def members(self) -> list[int]:
        """Processes that work on the data or the buffers, whoever is their parent."""
        wanted = {str(self.data).encode(), str(self.buffers).encode()}
        return [pid for pid, words in _processes() if wanted & set(words)]

    def member(self, command: str) -> int:
        """The daemon of a command of `rigd`."""
        (found,) = (
            pid for pid, words in _processes() if pid in self.members() and words[3] == command.encode()
        )
        return found

    def close(self) -> None:
        """Kill what is left."""
        for pid in self.members():
            os.kill(pid, signal.SIGKILL)
        for process in self.running:
            process.communicate()


@contextlib.contextmanager
def demo_run(data: Path) -> Iterator[DemoRun]:
    """Folders for a run on this data directory; the processes of it that are left are killed."""
    with (
        tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as buffers,
        tempfile.TemporaryDirectory(prefix="rigd-run-") as sockets,
    ):
        made = DemoRun(data, Path(buffers), Path(sockets))
        try:
            yield made
        finally:
            made.close()


def _processes() -> Iterator[tuple[int, list[bytes]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
