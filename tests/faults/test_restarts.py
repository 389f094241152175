"""The server is stopped and started again, as by an upgrade, while a dozen streams read: none loses a record,
none gets one twice, and each stop ends well.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import rigclient
from rigclient.aio import AsyncRig
from rigd import ring as rings
from rigd.ring import RingReader
from tests.faults.campaign import campaign, tries
from tests.stage import Stage, stage, until

CARS, RATE = 20, 50
STREAMS = 12
RESTARTS = tries(3, 30)
BETWEEN = RATE // 2
"""Records that each stream reads between two restarts."""

WISHES: tuple[dict[str, Any], ...] = (
    {},
    {"channels": ["speed", "gear"]},
    {"channels": ["speed"], "ticks_per_message": 7},
    {"channels": ["gear"], "cars": "player"},
)
"""How the streams read, in turn: everything, columns, collected, one car."""


class Reader:
    """One stream across all restarts."""

    def __init__(self, rig: AsyncRig, number: int) -> None:
        self.stream = rig.physics(start="earliest", **WISHES[number % len(WISHES)])
        self.seqs: list[int] = []
        self.declared: list[int] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.stream:
            for gap in frame.gaps:
                self.declared += range(gap.first_seq, gap.last_seq + 1)
            self.seqs.append(frame.seq)

    async def reads_on(self, records: int) -> None:
        """Wait until it has so many more."""
        enough = len(self.seqs) + records
        while len(self.seqs) < enough:
            assert not self.task.done(), self.task.result()
            await asyncio.sleep(0.02)


@pytest.fixture
def here() -> Iterator[Stage]:
    with stage() as made:
        made.record()
        until(lambda: (made.data / "ring/data.mdb").exists())
        made.game(CARS, RATE, 600)
        yield made


@contextlib.asynccontextmanager
async def reading(address: str) -> AsyncIterator[list[Reader]]:
    """A dozen streams over three connections."""
    async with contextlib.AsyncExitStack() as stack:
        rigs = [await stack.enter_async_context(rigclient.aio.connect(address)) for _ in range(3)]
        readers = [Reader(rigs[number % len(rigs)], number) for number in range(STREAMS)]
        yield readers
        for reader in readers:
            await reader.stream.close()
            await reader.task


async def test_restarts_under_load_lose_nothing_and_repeat_nothing(here: Stage) -> None:
    server = await asyncio.to_thread(here.serve)
    with campaign("SIGTERM of the server under a dozen streams, and a new one", RESTARTS) as faults:
        async with asyncio.timeout(60 + 20 * RESTARTS), reading(here.address) as readers:
            for _ in faults.rounds():
                await asyncio.gather(*(reader.reads_on(BETWEEN) for reader in readers))
                await asyncio.to_thread(here.stop, server)
                assert server.returncode == 0
                server = await asyncio.to_thread(here.serve)
            await asyncio.gather(*(reader.reads_on(BETWEEN) for reader in readers))
    ring, last = RingReader(here.data / "ring"), max(reader.seqs[-1] for reader in readers)
    await asyncio.to_thread(until, lambda: ring.heads()[rings.PHYSICS] >= last)  # shown is not committed yet
    stored = {seq for seq, _ in ring.read(rings.PHYSICS, 0, 1 << 20, 1 << 30)}
    for reader in readers:
        expected = range(1, reader.seqs[-1] + 1)
        assert reader.seqs == [seq for seq in expected if seq in stored], "every record once, in order"
        assert reader.declared == [seq for seq in expected if seq not in stored], "what the ring has not got"
        assert reader.stream.reconnects == RESTARTS
