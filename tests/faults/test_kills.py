"""`kill -9` of recorder, server and client at random moments: nothing committed is lost or sent twice."""

import json
import random
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.channels import PHYSICS
from rig.columns import Layout, read_head
from rigd import ring as rings
from rigd.ring import RingReader
from tests.faults.campaign import SEED, campaign, tries
from tests.stage import free_port

KILLS = tries(3, 400)
CARS, RATE = 6, 100


class KillableRig:
    """Game, recorder, server and client, each a process that can be killed and started again."""

    def __init__(self, folder: Path, buffers: Path) -> None:
        self.data, self.log = folder / "data", folder / "follower.log"
        address = f"127.0.0.1:{free_port()}"
        data = ("--data", str(self.data))
        self.commands = {
            "recorder": ("rigd", "record", *data, "--buffers", str(buffers), "--ring-size", "256M"),
            "server": ("rigd", "serve", *data, "--address", address),
            "client": ("tests.faults.follower", address, str(self.log)),
        }
        self.game = self.start("tests.bench.game", str(buffers), str(CARS), str(RATE), "600")
        self.running = {name: self.start(*words) for name, words in self.commands.items()}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()
        self.running[name] = self.start(*self.commands[name])

    def lines(self) -> list[dict[str, object]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().split("\n")[:-1]]

    def wait_for(self, ready: object, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not ready():  # type: ignore[operator]
            assert time.monotonic() < deadline, "it did not come to that"
            time.sleep(0.05)

    def close(self) -> None:
        for process in (*self.running.values(), self.game):
            process.send_signal(signal.SIGTERM)
        for process in (*self.running.values(), self.game):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def killable(tmp_path: Path, buffers: Path) -> Iterator[KillableRig]:
    built = KillableRig(tmp_path, buffers)
    yield built
    built.close()


def test_every_committed_tick_arrives_once_and_every_loss_is_declared(killable: KillableRig) -> None:
    chance = random.Random(SEED)
    killable.wait_for(lambda: len(killable.lines()) > RATE)
    with campaign("kill -9 of recorder, server or client", KILLS) as faults:
        order: list[str] = []
        for _ in faults.rounds():
            order = order or chance.sample(sorted(killable.commands), len(killable.commands))
            killable.kill(order.pop())
            time.sleep(chance.uniform(0.0, 0.9))
        faults.lose(*losses(killable))


def losses(killable: KillableRig) -> tuple[int, int]:
    """What is missing of a last look at everything, and how much of it was declared."""
    # A last stretch without kills, so that what was going on at the last one is declared.
    calm = len(killable.lines())
    killable.wait_for(lambda: len(killable.lines()) > calm + RATE)
    killable.game.send_signal(signal.SIGTERM)
    written = int(killable.game.communicate(timeout=10)[0])
    ring = RingReader(killable.data / "ring")
    time.sleep(1.0)  # the last frames reach the ring
    stored = read_all(ring)
    killable.wait_for(lambda: killable.lines()[-1]["seq"] == stored[-1][0])
    lines = killable.lines()
    assert [(line["seq"], line["crc"]) for line in lines] == [
        (seq, checksum(data)) for seq, data in stored
    ], "every committed tick once, in order, unchanged"
    received, declared = count(lines)
    assert received + declared == lines[-1]["seq"], "received + declared missing = expected"
    first, last = read_head(stored[0][1]), read_head(stored[-1][1])
    assert last.frame == written, "the last frame that the game closed is the last in the ring"
    assert last.seq - first.seq == last.frame - first.frame, "every frame of the game has a number"
    return lines[-1]["seq"] - received, declared


def read_all(ring: RingReader) -> list[tuple[int, bytes]]:
    out: list[tuple[int, bytes]] = []
    while batch := ring.read(rings.PHYSICS, out[-1][0] if out else 0, 1000, 1 << 30):
        out += batch
    return out


def checksum(data: bytes) -> int:
    """The columns of a record, as the follower counts them."""
    assert read_head(data).schema == PHYSICS.schema
    layout = Layout(PHYSICS, data, 0, len(data))
    view = layout.view(data, 0)
    return zlib.crc32(b"".join(view[name].tobytes() for name in layout.spans))


def count(lines: list[dict[str, object]]) -> tuple[int, int]:
    """Received and declared missing; fails where a number is in neither or in both."""
    expected, declared = 1, 0
    for line in lines:
        for first, last, missing, _ in line["gaps"]:  # type: ignore[attr-defined]
            assert missing is not None, "the game ran on, so every loss has a number"
            assert first == expected
            assert missing == last - first + 1
            expected, declared = last + 1, declared + missing
        assert line["seq"] == expected, f"{expected} is neither received nor declared"
        expected += 1
    return len(lines), declared
