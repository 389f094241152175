"""One stream, two ways through it: a record that goes as it comes, and records that are read and collected.

Whoever keeps up is sent the record that woke them; whoever wants records otherwise, or is behind, reads what
there is. Both have the same records and gaps, whatever happens to recorder, tail and reader.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest.mock import Mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rig.channels import PHYSICS
from rig.errors import Draining, Unauthenticated
from rig.v1 import telemetry_pb2
from rigd import ring as rings
from rigd.auth.caller import LOCAL
from rigd.auth.lease import Lease
from rigd.ring.tail import TailReader
from rigd.serve.feed import Feed
from rigd.serve.recent import Tick
from rigd.serve.selection import Cars, Selections
from rigd.serve.subscription import StreamOptions, Subscription
from tests.serve.scripted_recorder import RecorderProcess, RemoteRecorder

TURNS: Final = 40
"""Of the event loop, after which everybody has what there is: each message takes three."""


class Reader:
    """Follows the ticks; a message that it is given while it is `stuck` is written when it no longer is."""

    def __init__(
        self, feed: Feed, options: StreamOptions, permit: Callable[[Tick], bool] | None = None
    ) -> None:
        self.options, self.lease = options, Lease(LOCAL)
        selections = Selections(PHYSICS, lambda seq: feed.cursor_field(rings.PHYSICS, seq))
        cut = selections.take(selections.read(["speed"], Cars()))
        self.stream = Subscription(feed, rings.PHYSICS, 0, cut, options, "test", 1, self.lease, permit)
        self.moving = asyncio.Event()
        self.moving.set()
        self.seen: list[int] = []
        self.gaps: list[tuple[int, int, int]] = []
        self.skipped = 0
        self.run = asyncio.ensure_future(self.stream.run(self.write))

    async def write(self, message: bytes) -> None:
        """Take a message, as gRPC does: no sooner than in the next turn."""
        await asyncio.sleep(0)
        await self.moving.wait()
        found = telemetry_pb2.StreamPhysicsResponse.FromString(message)
        self.gaps += ((gap.first_seq, gap.last_seq, int(gap.reason)) for gap in found.gaps)
        self.seen += (tick.seq for tick in found.ticks)
        self.skipped += found.skipped
        assert all(set(tick.speed) == {tick.seq} for tick in found.ticks)
        self.stream.acknowledge(self.stream.status().seq)

    def known(self) -> int:
        """How many numbers it was sent, was told of as missing, or left out."""
        return len(self.seen) + sum(last - first + 1 for first, last, _ in self.gaps) + self.skipped


class KeepingUp(RuleBasedStateMachine):
    """One recorder, one feed, and readers of every kind."""

    process: RecorderProcess

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="rigd-keeping-", dir="/dev/shm")
        self.data = Path(self.folder.name)
        self.recorder = RemoteRecorder(self.process, self.data, tail=True)
        self.recorder.hold()
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self.follow())

    async def follow(self) -> None:
        self.feed = Feed(self.data)
        self.feed._timer.cancel()  # it moves by ticks alone
        self.direct = Reader(self.feed, StreamOptions())
        self.speaking = Reader(self.feed, StreamOptions(acknowledges=True))
        self.collected = Reader(self.feed, StreamOptions(ticks_per_message=2))
        self.looked_at = Reader(self.feed, StreamOptions(), lambda tick: True)
        self.durable = Reader(self.feed, StreamOptions(durable_only=True))
        self.latest = Reader(self.feed, StreamOptions(latest=True))
        self.readers = (
            self.direct, self.speaking, self.collected, self.looked_at, self.durable, self.latest,
        )  # fmt: skip
        await self.turn()

    async def turn(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def ring(self) -> None:
        """Have the feed rung, and everybody get what there is."""

        async def rung() -> None:
            self.feed._rung()
            await self.turn()

        self.loop.run_until_complete(rung())

    @rule(count=st.integers(1, 4))
    def append(self, count: int) -> None:
        """One by one, each as it comes; mostly so."""
        for _ in range(count):
            self.recorder.ticks(1)
            self.ring()

    @rule(count=st.integers(1, 12))
    def append_at_once(self, count: int) -> None:
        self.recorder.ticks(count)

    @rule(count=st.integers(0, 3))
    def lose(self, count: int) -> None:
        self.recorder.gap(count)

    @rule(most=st.integers(1, 4))
    def commit(self, most: int) -> None:
        self.recorder.commit(most)

    @rule(at=st.integers(0, 5))
    def stop_reading(self, at: int) -> None:
        self.readers[at].moving.clear()

    @rule()
    def read_on(self) -> None:
        for reader in self.readers:
            reader.moving.set()

    @rule()
    def pass_a_second(self) -> None:
        self.feed._each_second()
        self.feed._timer.cancel()

    @rule(clean=st.booleans())
    def restart_the_recorder(self, clean: bool) -> None:
        self.recorder.close() if clean else self.recorder.kill()
        self.recorder = RemoteRecorder(self.process, self.data, tail=True)
        self.recorder.hold()
        self.pass_a_second()

    @rule()
    def be_overtaken(self) -> None:
        """The feed goes on in the ring, which has less."""
        bundles, TailReader.bundles = TailReader.bundles, lambda *_: None  # type: ignore[method-assign]
        try:
            self.ring()
        finally:
            TailReader.bundles = bundles  # type: ignore[method-assign]
        self.pass_a_second()

    @invariant()
    def everyone_knows_of_each_number_once(self) -> None:
        if not hasattr(self, "readers"):
            return
        self.ring()
        for reader in self.readers:
            assert reader.seen == sorted(set(reader.seen))
            assert not reader.run.done()
            if reader.moving.is_set() and reader is not self.collected:
                assert reader.known() == reader.stream.status().seq
                assert reader.stream.status().seq >= self.feed.head(
                    rings.PHYSICS, durable=reader.options.durable_only
                )

    def teardown(self) -> None:
        if not hasattr(self, "readers"):
            return
        try:
            self.end()
        finally:
            self.feed.close()
            self.loop.close()
            self.recorder.close()
            self.folder.cleanup()

    def end(self) -> None:
        """Whichever way they went, they had the same; the end of the server reaches all of them."""
        self.read_on()
        self.recorder.ticks(1)
        self.recorder.commit()
        self.ring()
        self.feed.drain()
        self.loop.run_until_complete(self.turn())
        for reader in self.readers:
            assert isinstance(reader.run.exception(), Draining)
        for other in (self.speaking, self.collected, self.looked_at, self.durable):
            assert (other.seen, sorted(other.gaps)) == (self.direct.seen, sorted(self.direct.gaps))
        assert set(self.latest.seen) <= set(self.direct.seen)


@pytest.fixture(scope="module", autouse=True)
def _recorder(recorder_process: RecorderProcess) -> None:
    KeepingUp.process = recorder_process


TestKeepingUp = KeepingUp.TestCase
TestKeepingUp.settings = settings(stateful_step_count=30)


@pytest.fixture
def recorder(tmp_path: Path, recorder_process: RecorderProcess) -> Any:
    made = RemoteRecorder(recorder_process, tmp_path, tail=True)
    made.hold()
    yield made
    made.close()


@pytest.mark.parametrize("why", ["lease", "drain"])
async def test_what_ends_a_stream_ends_one_that_keeps_up_before_its_next_record(
    tmp_path: Path, recorder: RemoteRecorder, why: str
) -> None:
    feed = Feed(tmp_path)
    reader = Reader(feed, StreamOptions())
    for _ in range(3):
        recorder.ticks(1)
        feed._rung()
        for _ in range(TURNS):
            await asyncio.sleep(0)
    assert reader.seen == [1, 2, 3]
    recorder.ticks(1)
    feed._rung()  # it is woken with the record, and its token is revoked before it is sent
    reader.lease.end(Unauthenticated("revoked")) if why == "lease" else feed.drain()
    with pytest.raises(Unauthenticated if why == "lease" else Draining):
        await reader.run
    assert reader.seen == [1, 2, 3]
    feed.close()


async def test_who_keeps_up_does_not_ask_for_what_is_new(
    tmp_path: Path, recorder: RemoteRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is done for each of many readers is to write what all of them want."""
    feed = Feed(tmp_path)
    reader, other = Reader(feed, StreamOptions()), Reader(feed, StreamOptions(ticks_per_message=2))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    asked = Mock(side_effect=feed.after)
    monkeypatch.setattr(feed, "after", asked)
    for _ in range(6):
        recorder.ticks(1)
        feed._rung()
        for _ in range(TURNS):
            await asyncio.sleep(0)
    assert reader.seen == other.seen == [1, 2, 3, 4, 5, 6]
    assert asked.call_count <= 12, "two questions a record, of the other"
    reader.run.cancel()
    other.run.cancel()
    feed.close()
