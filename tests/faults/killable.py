"""Game, recorder, server and client as processes that can be killed and started again."""

import json
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

from rig.channels import PHYSICS
from rig.columns import Head, Layout, read_head
from rigd import ring as rings
from rigd.ring import RingReader
from tests.stage import until

CARS, RATE = 6, 100

Line = dict[str, Any]
"""What the client notes of a frame."""


class KillableRig:
    """A rig that is watched by one client, whose log is its memory."""

    def __init__(self, folder: Path, buffers: Path, *recording: str) -> None:
        self.data, self.log = folder / "data", folder / "follower.log"
        address = f"unix:{folder}/rig.sock"  # a port may be another's when the server is back
        data = ("--data", str(self.data))
        # The 50,000 frames of a thousand kills are 450 MB: all are to be compared at the end.
        recorder = ("rigd", "record", *data, "--buffers", str(buffers), "--ring-size", "1G", *recording)
        self.commands = {
            "recorder": recorder,
            "server": ("rigd", "serve", *data, "--address", address),
            "client": ("tests.faults.follower", address, str(self.log)),
        }
        self._playing = ("tests.bench.game", str(buffers), str(CARS), str(RATE), "3600")
        self.game = self.start(*self._playing)
        self.running = {name: self.start(*words) for name, words in self.commands.items()}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `python -m WORDS`."""
        return subprocess.Popen(
            [sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def stop(self, *names: str) -> None:
        """Kill processes, all at once."""
        for name in names:
            self.running[name].kill()
        for name in names:
            self.running[name].wait()

    def again(self, *names: str) -> None:
        """Start processes that were killed, one after the other."""
        for name in names:
            self.running[name] = self.start(*self.commands[name])

    def kill(self, name: str) -> None:
        """Kill a process and start it again."""
        self.stop(name)
        self.again(name)

    def play_again(self) -> None:
        """Kill the game and start it again."""
        self.game.kill()
        self.game.wait()
        self.game = self.start(*self._playing)

    def lines(self) -> list[Line]:
        """Return what the client has noted."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().split("\n")[:-1]]

    def last(self) -> int:
        """Return the newest number that the client has noted."""
        return int(lines[-1]["seq"]) if (lines := self.lines()) else 0

    def await_more(self, count: int) -> None:
        """Wait until the client has noted so many frames more."""
        before = len(self.lines())
        until(lambda: self._alive() and len(self.lines()) > before + count)

    def _alive(self) -> bool:
        """Return True; fails where a process has ended by itself."""
        for name, process in self.running.items():
            assert process.poll() is None, f"the {name} ended with {process.returncode}"
        return True

    def stored(self) -> list[tuple[int, bytes]]:
        """Return the ticks that are in the ring."""
        ring, out = RingReader(self.data / "ring"), list[tuple[int, bytes]]()
        try:
            while batch := ring.read(rings.PHYSICS, out[-1][0] if out else 0, 1000, 1 << 30):
                out += batch
        finally:
            ring.close()
        return out

    def newest(self) -> Head | None:
        """Return the head of the newest tick in the ring, None where there is none."""
        ring = RingReader(self.data / "ring")
        try:
            found = ring.latest(rings.PHYSICS, ring.heads()[rings.PHYSICS])
        finally:
            ring.close()
        return found and read_head(found[1])

    def ahead(self) -> int:
        """Return how many numbers the client is ahead of the ring."""
        newest = self.newest()
        return self.last() - (newest.seq if newest else 0)

    def close(self) -> None:
        """Stop everything."""
        for process in (*self.running.values(), self.game):
            process.send_signal(signal.SIGTERM)
        for process in (*self.running.values(), self.game):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def checksum(data: bytes) -> int:
    """Return that of the columns of a record, as the client counts it."""
    assert read_head(data).schema == PHYSICS.schema
    layout = Layout(PHYSICS, data, 0, len(data))
    view = layout.view(data, 0)
    return zlib.crc32(b"".join(view[name].tobytes() for name in layout.spans))


def count(lines: list[Line]) -> tuple[int, int]:
    """Return how many were received and how many declared missing; fails where a number is in neither or in
    both.
    """
    expected, declared = 1, 0
    for line in lines:
        for first, last, missing, _ in line["gaps"]:
            assert missing is not None, "the game ran on, so every loss has a number"
            assert first == expected
            assert missing == last - first + 1
            expected, declared = last + 1, declared + missing
        assert line["seq"] == expected, f"{expected} is neither received nor declared"
        expected += 1
    return len(lines), declared
