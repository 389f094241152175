"""A machine on a bad day: slow and full disks, stopped processes, wall clocks that jump, a pinned ring."""

import errno
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.v1 import event_pb2, rig_pb2
from tests.faults.account import Account, account
from tests.faults.campaign import SEED, Campaign, campaign, tries
from tests.faults.conditions import Conditions
from tests.stage import Stage, events, stage, until

RATE = 50


class RunningRig:
    """A short race on a machine whose conditions can change: game, recorder, archiver, server, subscriber."""

    def __init__(self, here: Stage, conditions: Conditions) -> None:
        self.here, self.conditions = here, conditions
        here.environment = conditions.environment
        self.running = {
            "recorder": here.record(),
            "archiver": here.archive(),
            "server": here.serve(),
        }
        until(lambda: (here.data / "ring/data.mdb").exists())
        here.environment = None
        words = ("--cars", "2", "--rate", str(RATE), "--speed", "2", "--short", "--laps", "0")
        self.running["game"] = here.start("rigd", "demo-game", "--buffers", str(here.buffers), *words)
        log = str(here.data / "follower.log")
        self.running["subscriber"] = here.start("tests.faults.follower", here.address, log)
        self.declared = self.lost = 0
        self.go_on()

    def go_on(self) -> None:
        """All is well: half a second of frames becomes durable, and nothing is pending."""
        self.conditions.become()
        start = self.here.committed()
        until(lambda: _keeps_up(self.here.status(), start))

    def take_account(self, faults: Campaign) -> Account:
        """Count what this try has lost."""
        found = account(self.here.data)
        faults.lose(found.lost - self.lost, found.declared - self.declared)
        self.lost, self.declared = found.lost, found.declared
        assert not found.unknown, "the game ran on: every loss has a number"
        return found


def _keeps_up(status: rig_pb2.RecorderStatus, start: int) -> bool:
    return status.durable_seq > start + RATE // 2 and status.pending < RATE


@pytest.fixture(scope="module")
def running_rig() -> Iterator[RunningRig]:
    """One for all tests: each ends with all well again."""
    with stage() as here, tempfile.TemporaryDirectory() as scratch:
        built = RunningRig(here, Conditions(Path(scratch), here.data))
        yield built
        built.conditions.become()


def test_a_slow_disk_costs_nothing(running_rig: RunningRig) -> None:
    dice = random.Random(SEED)
    with campaign("slow disk: every flush takes up to a second more", tries(1, 40)) as faults:
        for _ in faults.rounds():
            running_rig.conditions.become(sync_delay_s=dice.uniform(0.1, 1.0))
            time.sleep(dice.uniform(0.5, 2.0))
            running_rig.go_on()
            assert "DISK" not in running_rig.take_account(faults).reasons


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_disk_that_refuses_for_seconds_costs_nothing(running_rig: RunningRig, error: int) -> None:
    dice = random.Random(SEED)
    what = "full" if error == errno.ENOSPC else "with input/output errors"
    with campaign(f"disk {what} for seconds", tries(1, 20)) as faults:
        for _ in faults.rounds():
            running_rig.conditions.become(refuse=error)
            until(lambda: bool(running_rig.here.status().disk_error))
            time.sleep(dice.uniform(0.2, 2.0))
            running_rig.go_on()
            assert not running_rig.here.status().disk_error
            assert "DISK" not in running_rig.take_account(faults).reasons


def test_stopped_processes_lose_what_is_declared(running_rig: RunningRig) -> None:
    dice = random.Random(SEED)
    names = sorted(running_rig.running)
    with campaign("SIGSTOP of any process for seconds", tries(1, 10) * len(names)) as faults:
        for number in faults.rounds():
            process = running_rig.running[names[number % len(names)]]
            process.send_signal(signal.SIGSTOP)
            time.sleep(dice.uniform(0.3, 1.5))
            process.send_signal(signal.SIGCONT)
            running_rig.go_on()
            running_rig.take_account(faults)
            assert all(one.poll() is None for one in running_rig.running.values())


def test_a_wall_clock_that_jumps_costs_nothing(running_rig: RunningRig) -> None:
    dice = random.Random(SEED)
    with campaign("steps of the wall clock, up to a day either way", tries(1, 60)) as faults:
        for _ in faults.rounds():
            laps = closed(running_rig)
            running_rig.conditions.become(clock_step_s=dice.uniform(-86_400, 86_400))
            until(lambda laps=laps: closed(running_rig) > laps)  # type: ignore[misc]
            running_rig.go_on()
            clocks = [head.session_time for head in running_rig.take_account(faults).heads]
            assert clocks == sorted(clocks), "the session's clock knows nothing of it"


def closed(running_rig: RunningRig) -> int:
    return sum(event.HasField("lap_closed") for event in events(running_rig.here.data))


PINNED = """
import sys
from pathlib import Path
from typing import NamedTuple
from rigd.ring import PHYSICS, RingReader

def wait(seq, data):
    print(seq, flush=True)
    sys.stdin.read()
    return False

RingReader(Path(sys.argv[1])).visit(PHYSICS, 0, 5, wait)
"""
"""A reader that stops in the middle of a read: the pages that it sees cannot be used again."""


FULL_SOON = ("--ring-size", "16M")
"""Its map has 96 MB: 20 s of 60 cars at 100 Hz. Half as much again fits into memory after that."""


def refused_ticks(data: Path) -> int:
    """Ticks in gaps of the reason DISK, in a ring that has let go of its oldest."""
    gaps = [event.gap for event in events(data) if event.HasField("gap")]
    return sum(gap.count for gap in gaps if gap.reason == event_pb2.GAP_REASON_DISK)


def test_a_ring_that_is_pinned_until_its_map_is_full_goes_on_when_it_is_let_go() -> None:
    with stage() as here, campaign("ring pinned by a reader until its map is full", tries(1, 6)) as faults:
        here.record(*FULL_SOON)
        here.game(60, 100, 600)
        until(lambda: _keeps_up(here.status(), 0))
        for _ in faults.rounds():
            reader = subprocess.Popen(
                [sys.executable, "-c", PINNED, str(here.data / "ring")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert reader.stdout is not None
            reader.stdout.readline()
            until(lambda: bool(here.status().disk_error), seconds=90)
            assert "MDB_MAP_FULL" in here.status().disk_error
            reader.kill()
            reader.communicate()
            start = here.status().durable_seq
            until(lambda start=start: _keeps_up(here.status(), start))  # type: ignore[misc]
            assert not here.status().disk_error
            assert refused_ticks(here.data) == 0, "memory held what the ring did not take"
