"""The processes of a measurement, and what they cost."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rig.v1 import event_pb2, rig_pb2
from rigd import ring as rings
from rigd.ring import RingReader
from rigd.wake import Listener

_CPUCLOCK_SCHED = 2


def cpu_s(pid: int) -> float:
    """CPU seconds that a running process has used, all its threads, to the nanosecond.

    By the process's own clock, whose number is made as clock_getcpuclockid(3) does: /proc counts in steps of
    10 ms, which is a third of what a server uses in a second with one subscriber.
    """
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def rss_mb(pid: int) -> float:
    """Resident memory, mapped pages of the ring included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(ready: Callable[[], bool], seconds: float = 120.0, pause_s: float = 0.05) -> None:
    """Wait for something that must come, also from an archiver, which runs when nobody else does, where every
    core is taken.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(pause_s)


def events(data: Path) -> list[event_pb2.Event]:
    """All events of the ring in a data directory that no writer of this process has open."""
    ring = RingReader(data / "ring")
    try:
        found = ring.read(rings.EVENTS, 0, 1 << 20, 1 << 30)
    finally:
        ring.close()
    return [event_pb2.Event.FromString(value) for _, value in found]


@dataclass
class Stage:
    """A folder for buffers, one for data, and the processes that use them."""

    buffers: Path
    data: Path
    address: str
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    environment: dict[str, str] | None = None
    """Of the processes started from now on; None: ours."""

    def start(self, *words: str, stderr: int | None = None) -> subprocess.Popen[str]:
        """Start `python -m WORDS`."""
        return self.launch(sys.executable, "-m", *words, stderr=stderr)

    def launch(self, *command: str, stderr: int | None = None) -> subprocess.Popen[str]:
        """Start a program."""
        environment = {**(self.environment or os.environ), "RIGD_TAIL_FOLDER": str(self.buffers)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
        self.running.append(process)
        return process

    def stop(self, *processes: subprocess.Popen[str]) -> None:
        """Stop some processes before the others."""
        for process in processes:
            self.running.remove(process)
            process.terminate()
        for process in processes:
            process.wait(60)

    def record(self, *more: str, stderr: int | None = None) -> subprocess.Popen[str]:
        """The recorder."""
        words = ("--data", str(self.data), "--buffers", str(self.buffers), "--ring-size", "512M")
        return self.start("rigd", "record", *words, *more, stderr=stderr)

    def serve(self) -> subprocess.Popen[str]:
        """The server, once it listens."""
        process = self.start("rigd", "serve", "--data", str(self.data), "--address", self.address)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def archive(self) -> subprocess.Popen[str]:
        """The archiver."""
        return self.start("rigd", "archive", "--data", str(self.data))

    def archived(self) -> bool:
        """Whether every lap that was closed has its file. It reads all events: ask once a second."""
        closed = sum(event.HasField("lap_closed") for event in events(self.data))
        return len(list(self.data.glob("laps/*/[!.]*.lap"))) == closed

    def game(self, cars: int, rate: int, seconds: float) -> subprocess.Popen[str]:
        """The stamping game."""
        return self.start("tests.bench.game", str(self.buffers), str(cars), str(rate), str(seconds))

    def subscribe(self, count: int, channels: str, cars: str, seconds: float) -> subprocess.Popen[str]:
        """Subscribers."""
        words = (self.address, str(count), channels, cars, str(seconds))
        return self.start("tests.bench.subscribers", *words)

    def committed(self) -> int:
        """The newest tick's number in the ring; 0 in one without. It need not wait for the next status."""
        ring = RingReader(self.data / "ring")
        try:
            return ring.heads()[rings.PHYSICS]
        finally:
            ring.close()

    def status(self) -> rig_pb2.RecorderStatus:
        """What the recorder says next."""
        listener = Listener(self.data / "wake")
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                for message in listener.take():
                    if message:
                        return rig_pb2.RecorderStatus.FromString(message)
                time.sleep(0.01)
        finally:
            listener.close()
        raise RuntimeError("the recorder says nothing")


def scratch() -> Path:
    """A folder on a real disk: a commit to memory costs nothing."""
    build = Path(__file__).resolve().parent.parent / "build"
    build.mkdir(exist_ok=True)
    return build


def answer(process: subprocess.Popen[str], within_s: float) -> Any:
    """The JSON a process prints before it ends."""
    out, _ = process.communicate(timeout=within_s)
    return json.loads(out.strip().splitlines()[-1])


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """A stage whose processes are stopped, each by its id, and whose folders are removed."""
    with (
        tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as buffers,
        tempfile.TemporaryDirectory(prefix="rigd-", dir=scratch()) as data,
    ):
        here = Stage(Path(buffers), Path(data), f"127.0.0.1:{free_port()}")
        try:
            yield here
        finally:
            here.stop(*reversed(here.running))
