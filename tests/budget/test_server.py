"""What a message costs the server: cut once, read once, and the same bytes for all who want the same."""

import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import grpc.aio
import pytest

from rig.channels import PHYSICS
from rig.columns import read_head
from rig.v1 import telemetry_pb2
from rigclient import requests
from rigd.ring import RingReader
from rigd.ring.tail import TailReader
from rigd.serve.feed import Feed
from rigd.serve.recent import Tick
from rigd.serve.selection import Cars, Selection, Selections
from rigd.serve.server import Server, Settings
from rigd.serve.subscription import Subscription
from tests.budget.readers import METHOD, lockstep
from tests.budget.table import check
from tests.budget.trace import Window, read_windows
from tests.rig.samples import record
from tests.serve.scripted_recorder import RecorderProcess, RemoteRecorder

TICKS = 20
FEW, MANY = 2, 8
SELECTIONS: tuple[tuple[str, ...], ...] = ((), ("speed", "gear"))
TRACED_TICKS = 40
OWN = {"write", "read", "recvfrom", "recvmsg", "ioctl"}
"""How the threads of gRPC wake each other and the event loop, and how it hears of the readers."""


class Count:
    """Counts calls of a method, and goes on as it would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.calls = 0
        self._original = getattr(owner, name)
        count = self

        def counted(*args: Any, **kwargs: Any) -> Any:
            count.calls += 1
            return count._original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)


@asynccontextmanager
async def following(data: Path, readers: int) -> AsyncIterator[list[Any]]:
    """A server with readers of both selections in turn; its feed moves by ticks alone, not by the clock."""
    server = Server(Settings(data, "127.0.0.1:0"))
    await server.start()
    feed: Feed = server._feed
    feed._timer.cancel()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call: Any = channel.unary_stream(METHOD)
        wishes = (requests.physics(SELECTIONS[at % 2], start="earliest") for at in range(readers))
        streams = [call(wish.SerializeToString()) for wish in wishes]
        yield streams
    await server.stop()


async def ticked(data: Path, recorder: RemoteRecorder, readers: int, ready: Callable[[], None]) -> None:
    """Send ticks one by one; `ready` is called when all is under way. The recorder looks for followers when
    it rings for the first time, so the server comes before.
    """
    async with following(data, readers) as streams:
        await lockstep(recorder, streams, 5)
        ready()
        await lockstep(recorder, streams, TICKS)


@pytest.mark.parametrize("readers", [FEW, MANY])
async def test_a_tick_is_read_once_and_cut_once_per_selection(
    tmp_path: Path, recorder_process: RecorderProcess, monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    recorder = RemoteRecorder(recorder_process, tmp_path)
    begins, cuts = Count(monkeypatch, RingReader, "begin"), Count(monkeypatch, Selection, "_make")

    def ready() -> None:
        begins.calls = cuts.calls = 0

    await ticked(tmp_path, recorder, readers, ready)
    recorder.close()
    check("read transactions per tick", begins.calls / TICKS)
    check("cuts per tick and selection", cuts.calls / TICKS / len(SELECTIONS))
    assert min(begins.calls, cuts.calls / len(SELECTIONS)) >= TICKS


async def test_a_tick_of_the_live_tail_takes_no_transaction(
    tmp_path: Path, recorder_process: RecorderProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = RemoteRecorder(recorder_process, tmp_path, tail=True)
    recorder.hold()
    begins, reads = Count(monkeypatch, RingReader, "begin"), Count(monkeypatch, TailReader, "bundles")

    def ready() -> None:
        begins.calls = reads.calls = 0

    await ticked(tmp_path, recorder, FEW, ready)
    recorder.close()
    check("read transactions per tick of the live tail", begins.calls / TICKS)
    assert reads.calls == TICKS


async def test_all_who_want_the_same_get_the_same_bytes(
    tmp_path: Path, recorder_process: RecorderProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = RemoteRecorder(recorder_process, tmp_path)
    sent: list[bytes] = []
    original = Subscription.run

    def run(self: Subscription, write: Any) -> Any:
        def kept(message: bytes) -> Any:
            if telemetry_pb2.StreamPhysicsResponse.FromString(message).ticks:
                sent.append(message)  # a server that ends says how far it was, to those who still listen
            return write(message)

        return original(self, kept)

    monkeypatch.setattr(Subscription, "run", run)
    await ticked(tmp_path, recorder, MANY, sent.clear)
    recorder.close()
    assert len(sent) == TICKS * MANY
    assert len(set(map(id, sent))) == TICKS * len(SELECTIONS), "one object for all, no copies of it"


def test_a_message_is_made_with_few_copies_and_shared_with_none() -> None:
    selections = Selections(PHYSICS, lambda seq: seq.to_bytes(26, "big"))
    selection = selections.take(selections.read((), Cars()))
    records = [record(PHYSICS, 40, seed) for seed in range(3)]
    for seq in (0, 1):  # what is made once is made
        selection.message(tick(seq, records[seq]))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    message = selection.message(tick(2, records[2]))
    first = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    again = selection.message(tick(2, records[2]))
    more = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert again is message
    assert len(message) > 35_000
    check("copies of a message that live at once", first / len(message))
    check("bytes that a reader more takes of a message", more)


def tick(seq: int, data: bytes) -> Tick:
    return Tick(seq, read_head(data), data)


@pytest.mark.parametrize(("readers", "tail"), [(1, ""), (MANY, ""), (MANY, "tail")])
def test_a_message_is_one_write_to_a_socket(shm: Path, readers: int, tail: str) -> None:
    place = shm / f"{readers}{tail}"
    words = ["-m", "tests.budget.readers", str(place), str(readers), str(TRACED_TICKS), *tail.split()]
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, check=True, timeout=120)
    windows = read_windows(place / "windows.json")[1 : TRACED_TICKS + 1]
    assert len(windows) == TRACED_TICKS

    def usual(count: Callable[[Window], int]) -> float:
        """Of the middle tick: once a second there is something else to do."""
        return median(map(count, windows))

    def woken(window: Window) -> int:
        return sum(window.calls[name] for name in OWN)

    writes = usual(lambda window: window.calls["sendmsg"]) / readers
    assert writes >= 1
    check("socket writes per message", writes)
    sent = usual(lambda window: window.moved["sendmsg"]) / readers
    check("bytes on the wire beyond a message", sent - int(done.stdout))
    check("calls by which gRPC's threads wake each other, per message", usual(woken) / readers)
    reads = usual(lambda window: window.calls["pread64"])
    check("reads of the live tail per tick", reads)
    assert bool(reads) is bool(tail)
    others = usual(lambda window: window.calls.total() - woken(window) - window.calls["sendmsg"])
    check("other calls of the server per tick", others - reads)
