"""A recorder and an archiver on one data directory, in turns: a process may open a ring only once."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from rig.v1 import event_pb2, rig_pb2
from rigd import ring as rings
from rigd.archive.archiver import Archiver, Settings
from rigd.record import committer as committers
from rigd.record.recorder import Recorder
from rigd.record.recovery import recovered
from rigd.record.settings import Settings as RecorderSettings
from rigd.ring import RingReader, RingWriter, open_ring, set_aside
from rigd.ring.tail import tail_path
from rigd.serve.losses import Losses
from rigd.store.index import IndexReader
from tests.archive.tape import ROOMY
from tests.losses.game import Game

LIMIT = 64 << 20
_TURN_NS = 10_000_000


class PowerCut(BaseException):
    """Nothing catches it."""


class Rig:
    """`start` and `stop` a recorder, `turn` it, `archive` what it left, ask for the `losses`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.game = Game()
        self.recorder: Recorder | None = None
        self._now = time.monotonic_ns()

    # The recorder.

    def start(self, trouble: str = "") -> None:
        ring, found = open_ring(self.data / "ring", LIMIT)
        settings = RecorderSettings(self.data, self.data, LIMIT)
        tail = recovered(ring, tail_path(self.data, self.data))
        self.recorder = Recorder(self.game, settings, ring, trouble or found, tail)  # type: ignore[arg-type]
        self.recorder._state = self.game.state(0)

    def turn(self) -> None:
        """Let it take what the game has written."""
        assert self.recorder is not None
        while self.game._frames or self.game._updates:
            self._now += _TURN_NS
            self.recorder._turn(self._now)

    def beat(self) -> None:
        """Its second is over."""
        assert self.recorder is not None
        self._now += _TURN_NS
        self.recorder._beat(self._now)

    def stop(self, *, kill: bool = False) -> None:
        assert self.recorder is not None
        if kill:
            self.recorder._handover.committer.close()  # what it had handed over was just committed
        else:
            self.recorder._close()
        for bell in (self.recorder._handover.bell, self.recorder._handover.committer._bell):
            bell.close()
        self.recorder.ring.close()
        self.recorder = None

    def replace_ring(self) -> None:
        """The ring is gone: another one begins with the next recorder."""
        set_aside(self.data / "ring")

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """No memory is left for what the disk does not take."""
        bound, committers.MEMORY_BOUND_BYTES = committers.MEMORY_BOUND_BYTES, 0  # type: ignore[misc]
        try:
            yield
        finally:
            committers.MEMORY_BOUND_BYTES = bound  # type: ignore[misc]

    # The archiver, and whoever asks.

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """The recorder lets go of the ring for a moment."""
        recorder = self.recorder
        if recorder is not None:
            recorder._handover.committer.close()
            recorder.ring.close()
        try:
            yield
        finally:
            if recorder is not None:
                recorder.ring.reopen()
                bell = recorder._handover.committer._bell
                recorder._handover.committer = committers.Committer(recorder.ring, bell)

    def archive(self, cut_after: int | None = None) -> None:
        """A life of the archiver: until there is nothing to do, or until the power is cut with so many
        durable writes done.
        """
        with (
            self.reading(),
            _cut_after(cut_after),
            contextlib.suppress(PowerCut),
            contextlib.closing(Archiver(Settings(self.data, ROOMY))) as archiver,
        ):
            while archiver.turn():
                pass
            assert not archiver.trouble

    def losses(self, session: str = "") -> rig_pb2.GetLossesResponse:
        with self.ring() as ring:
            request = rig_pb2.GetLossesRequest(session=session, page_size=1000)
            return Losses(self.data).answer(request, ring)

    @contextlib.contextmanager
    def ring(self) -> Iterator[RingReader]:
        """The ring, for reading."""
        with self.reading():
            ring = RingReader(self.data / "ring")
            try:
                yield ring
            finally:
                ring.close()

    def ring_id(self) -> str:
        with self.ring() as ring:
            return ring.id.hex()

    def events(self) -> list[event_pb2.Event]:
        """All events of the ring."""
        with self.ring() as ring:
            found = ring.read(rings.EVENTS, 0, 1 << 20, 1 << 30)
        return [event_pb2.Event.FromString(data) for _, data in found]

    def position(self) -> int:
        """The event up to which the archiver is done."""
        with self.ring() as ring:
            return IndexReader(self.data / "index.sqlite").position(ring.id)

    def evict(self, stream: bytes, count: int, last: int) -> None:
        """The ring lets go of the oldest records, of none after number `last` and never of the newest."""
        with self.reading():
            writer = RingWriter(self.data / "ring", LIMIT)
            with writer.env.begin(write=True) as txn:
                cursor = txn.cursor(writer.dbs[stream])
                for _ in range(count):
                    if txn.stat(writer.dbs[stream])["entries"] < 2 or not cursor.first():
                        break
                    if int.from_bytes(cursor.key(), "big") > last:
                        break
                    cursor.delete()
            writer.close()

    def close(self) -> None:
        if self.recorder is not None:
            self.stop(kill=True)


@contextlib.contextmanager
def _cut_after(count: int | None) -> Iterator[None]:
    """The power is cut at the durable write after so many."""
    if count is None:
        yield
        return
    kept, left = os.fsync, [count]

    def fsync(descriptor: int) -> None:
        if not left[0]:
            raise PowerCut
        left[0] -= 1
        kept(descriptor)

    os.fsync = fsync  # type: ignore[assignment]
    try:
        yield
    finally:
        os.fsync = kept
