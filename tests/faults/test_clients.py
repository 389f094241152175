"""Slow and hostile clients beside a healthy one, which must not notice."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

import rigclient
from rig.v1 import rig_pb2
from tests.faults.campaign import campaign, tries
from tests.faults.hostile import HABITS
from tests.stage import Stage, stage, until

CARS, RATE = 20, 50
SECONDS = tries(1, 3)
"""How long each keeps its habit."""


class Healthy:
    """A subscriber that reads everything, in a thread of its own."""

    def __init__(self, address: str) -> None:
        self.seqs: list[int] = []
        self.missing = 0
        self._rig = rigclient.connect(address)
        self._stream = self._rig.physics(["speed", "gear"], start="earliest")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for frame in self._stream:
            self.missing += sum(gap.count for gap in frame.gaps)
            self.seqs.append(frame.seq)

    def check(self) -> None:
        """It is still served, and every number it did not get was declared."""
        seen = len(self.seqs)
        until(lambda: len(self.seqs) > seen + RATE // 2)
        seqs, missing = list(self.seqs), self.missing
        assert sorted(set(seqs)) == seqs, "once each, in order"
        assert 0 <= len(seqs) + self.missing - seqs[-1] <= self.missing - missing, "received + declared"

    def close(self) -> None:
        self._stream.close()
        self._thread.join(20)
        self._rig.close()


class ServedRig:
    """Game, recorder, server, and a healthy subscriber."""

    def __init__(self, here: Stage) -> None:
        self.here = here
        here.record()
        until(lambda: (here.data / "ring/data.mdb").exists())
        here.game(CARS, RATE, 600)
        self.server = here.serve()
        self.rig = rigclient.connect(here.address)
        self.healthy = Healthy(here.address)
        until(lambda: len(self.healthy.seqs) > RATE)

    def hostile(self, habit: str) -> "subprocess.Popen[str]":
        return self.here.start("tests.faults.hostile", self.here.address, habit, str(SECONDS))

    def others(self) -> list[rig_pb2.Follower]:
        """Everyone who reads but the healthy one, which has two channels."""
        return [one for one in self.rig.status().followers if one.channels != 2]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    def close(self) -> None:
        self.healthy.close()
        self.rig.close()


@pytest.fixture(scope="module")
def served() -> Iterator[ServedRig]:
    with stage() as here:
        built = ServedRig(here)
        yield built
        built.close()


def test_hostile_clients_are_borne_and_leave_nothing_behind(served: ServedRig) -> None:
    habits = sorted(HABITS.keys() - {"stopped"})
    open_before = served.descriptors()
    with campaign("hostile clients: silent, slow, a thousand streams, idle, garbage, malformed, reconnecting",
                  tries(1, 20) * len(habits)) as faults:  # fmt: skip
        for number in faults.rounds():
            client = served.hostile(habits[number % len(habits)])
            assert client.wait(60) == 0
            until(lambda: not served.others())
            assert served.server.poll() is None
            served.healthy.check()
        until(lambda: served.descriptors() <= open_before + 2)


@pytest.mark.parametrize("wish", ["continued", "killed"])
def test_a_stopped_client_is_noticed_costs_its_position_and_comes_back(served: ServedRig, wish: str) -> None:
    with campaign(f"SIGSTOP of a client, which is then {wish}", tries(1, 15)) as faults:
        for _ in faults.rounds():
            client = served.hostile("stopped")
            assert client.stdout is not None
            last = int(client.stdout.readline())
            until(lambda: any(one.stalled for one in served.others()))
            (stalled,) = served.others()
            served.healthy.check()
            (later,) = served.others()
            assert later.seq == stalled.seq, "a stopped client is sent nothing more"
            assert later.lag > stalled.lag
            if wish == "continued":
                client.send_signal(signal.SIGCONT)
                caught_up(client, last, served.healthy.seqs[-1])
            client.kill()
            client.wait(20)
            client.stdout.close()
            # A killed one is gone when the kernel says so, one on a cut line when the keepalive does.
            until(lambda: not served.others())


def caught_up(client: "subprocess.Popen[str]", last: int, head: int) -> None:
    """It gets every record since it stopped, or is told of it."""
    assert client.stdout is not None
    while last < head:
        seq, missing = map(int, client.stdout.readline().split())
        assert seq == last + missing + 1, "caught up without a hole"
        last = seq
