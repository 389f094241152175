"""The seam of ring and live tail, whatever happens: each number once, in order, with the bytes written."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rigd import ring as rings
from rigd.ring import RingReader
from rigd.ring.tail import TailReader
from rigd.serve.history import RingHistory
from rigd.serve.livetail import LiveFollower
from tests.serve.scripted_recorder import RecorderProcess, RemoteRecorder


class Subscriber:
    """Follows the ticks of whatever server there is, from its position on."""

    def __init__(self, *, durable: bool) -> None:
        self.position, self._durable = 0, durable
        self.seen: dict[int, bytes] = {}
        self.missed: set[int] = set()

    def read(self, history: RingHistory) -> None:
        """Take all there is."""
        until = (history.durable if self._durable else history.heads)[rings.PHYSICS]
        while self.position < until and (ticks := history.after(rings.PHYSICS, self.position, until)):
            for tick in ticks:
                self._take(history, tick)

    def _take(self, history: RingHistory, tick: Any) -> None:
        assert tick.seq > self.position
        for gap in (
            history.missing(rings.PHYSICS, self.position, tick) if tick.seq > self.position + 1 else ()
        ):
            assert gap.reason
            assert gap.count == gap.last_seq - gap.first_seq + 1
            self.missed |= set(range(gap.first_seq, gap.last_seq + 1))
        self.seen[tick.seq] = tick.data
        self.position = tick.seq


class Seam(RuleBasedStateMachine):
    """One ring, one tail, a server that comes and goes, and those who follow."""

    process: RecorderProcess

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="rigd-seam-", dir="/dev/shm")
        self.data = Path(self.folder.name)
        self.recorder = RemoteRecorder(self.process, self.data, tail=True)
        self.recorder.hold()
        self.following: LiveFollower | None = None
        self.serve()
        self.live, self.durable = Subscriber(durable=False), Subscriber(durable=True)
        self.late: list[Subscriber] = []

    def serve(self) -> None:
        self.ring = RingReader(self.data / "ring")
        self.history = RingHistory(self.ring)
        self.following = LiveFollower(self.history)

    def stop_serving(self) -> None:
        if self.following is not None:
            self.following.close()
            self.ring.close()

    @rule(count=st.integers(1, 12))
    def append(self, count: int) -> None:
        self.recorder.ticks(count)

    @rule(count=st.integers(1, 3))
    def lose(self, count: int) -> None:
        self.recorder.gap(count)

    @rule(most=st.integers(1, 4))
    def commit(self, most: int) -> None:
        self.recorder.commit(most)

    @rule()
    def restart_the_server(self) -> None:
        self.stop_serving()
        self.serve()

    @rule()
    def subscribe_late(self) -> None:
        self.late.append(Subscriber(durable=False))

    @rule(clean=st.booleans())
    def restart_the_recorder(self, clean: bool) -> None:
        self.recorder.close() if clean else self.recorder.kill()
        self.recorder = RemoteRecorder(self.process, self.data, tail=True)
        self.recorder.hold()

    @rule()
    def lose_the_tail(self) -> None:
        """The recorder notices and begins another; all of the first is committed then."""
        self.recorder.spoil("delete")
        self.following_grows()
        self.recorder.renew()

    @rule()
    def cut_the_power(self) -> None:
        """A server that was there meanwhile goes on: it had what the disk has not."""
        self.recorder.ticks(2)
        self.everyone_has_each_number_once_with_its_bytes()
        self.recorder.spoil("delete")
        self.recorder.kill()
        self.recorder = RemoteRecorder(self.process, self.data, tail=True)
        self.recorder.hold()

    @rule()
    def be_overtaken(self) -> None:
        bundles, TailReader.bundles = TailReader.bundles, lambda *_: None  # type: ignore[method-assign]
        try:
            self.following_grows()
        finally:
            TailReader.bundles = bundles  # type: ignore[method-assign]

    @rule()
    def look(self) -> None:
        assert self.following is not None
        self.following.look()

    @rule()
    def following_grows(self) -> None:
        assert self.following is not None
        self.following.grow()

    @invariant()
    def everyone_has_each_number_once_with_its_bytes(self) -> None:
        if not hasattr(self, "recorder"):
            return
        self.following_grows()
        for one in (self.live, self.durable, *self.late):
            one.read(self.history)
            known = sorted(one.seen) + sorted(one.missed)
            assert sorted(known) == list(range(1, one.position + 1)), "each once: seen, or declared missing"

    def teardown(self) -> None:
        if not hasattr(self, "recorder"):
            return
        try:
            self.end()
        finally:
            self.stop_serving()
            self.recorder.close()
            self.folder.cleanup()

    def end(self) -> None:
        """Everyone has what the ring has, and who asked for committed records nothing else."""
        self.recorder.ticks(1)
        self.recorder.commit()
        self.look()
        self.everyone_has_each_number_once_with_its_bytes()
        stored = dict(self.ring.read(rings.PHYSICS, 0, 1 << 20, 1 << 30))
        for one in (self.live, self.durable, *self.late):
            assert one.position == max(stored)
            assert all(one.seen[seq] == stored[seq] for seq in one.seen.keys() & stored.keys())
        assert self.durable.seen == stored


@pytest.fixture(scope="module", autouse=True)
def _recorder(recorder_process: RecorderProcess) -> None:
    Seam.process = recorder_process


TestSeam = Seam.TestCase
TestSeam.settings = settings(stateful_step_count=30)
