"""What a ring holds, read again after the disk has damaged it, and what daemons say of themselves."""

import asyncio
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rig.channels import PHYSICS, SCORING
from rig.columns import Layout
from rig.v1 import event_pb2, rig_pb2
from rigd import ring as rings
from rigd.archive.archiver import Archiver
from rigd.archive.archiver import Settings as ArchiverSettings
from rigd.record.laps import LapTracker
from rigd.record.recorder import Recorder
from rigd.record.recovery import unreadable
from rigd.record.scorer import Scorer
from rigd.record.sessions import SessionTracker
from rigd.record.settings import Settings
from rigd.ring import Record, RingWriter
from rigd.serve.feed import Feed
from rigd.serve.selection import Cars, Selections
from rigd.store.heartbeat import Heartbeat, heard
from rigd.wake import Bell
from tests.archive.tape import ROOMY, Tape
from tests.fuzz.target import Target, file_of, folder
from tests.record.script import LENGTH_M, SESSION, Game

_LIMIT = 16 << 20
_SIZE = 4


# Records: an input is a tick, a scoring update and an event, each after its size.


def _packed(values: Iterable[bytes]) -> bytes:
    return b"".join(len(value).to_bytes(_SIZE, "little") + value for value in values)


def _values(data: bytes) -> list[bytes]:
    out = []
    for _ in range(len(rings.STREAMS)):
        size, data = int.from_bytes(data[:_SIZE], "little"), data[_SIZE:]
        out.append(data[:size])
        data = data[size:]
    return out


@cache
def _race() -> list[list[bytes]]:
    """The ring of a race that has just begun: what each stream holds."""
    with np.errstate(all="ignore"):
        tape = Tape(folder() / "race", cars=2)
        tape.drive(2.0)
    found = [tape.values(stream) for stream in rings.STREAMS]
    tape.close()
    return found


@cache
def _records() -> list[bytes]:
    """A tick and an update, with the start of their session, a car that joins, and a lap that had both."""
    ticks, updates, events = _race()
    event = event_pb2.Event.FromString(events[-1])
    lap = event.lap_closed.lap
    lap.car, lap.session, lap.index, lap.end_time = int(_ids(ticks[-1])[0]), event.session, 1, 1e4
    return [
        _packed((ticks[-1], updates[-1], each)) for each in (events[0], events[1], event.SerializeToString())
    ]


def _ids(tick: bytes) -> Any:
    return Layout(PHYSICS, tick, 0, len(tick)).view(tick, 0)["id"]


def _ring(name: str, data: bytes) -> Path:
    """A data directory whose ring holds these records and nothing else."""
    place = folder() / name
    shutil.rmtree(place, ignore_errors=True)
    ring = RingWriter(place / "ring", _LIMIT)
    pairs = zip(rings.STREAMS, _values(data), strict=True)
    ring.append([Record(stream, rings.key(1), value) for stream, value in pairs], {})
    ring.close()
    return place


def _served(data: bytes) -> None:
    """What is sent of them has a head; a record without one is missing."""
    asyncio.run(_serve(_ring("served", data)))


async def _serve(place: Path) -> None:
    feed = Feed(place)
    try:
        for stream, table in ((rings.PHYSICS, PHYSICS), (rings.SCORING, SCORING)):
            for cars in (Cars(), Cars(player=True)):
                selections = Selections(table, lambda _: b"")
                selection = selections.take(selections.read((), cars))
                assert all(selection.message(tick) for tick in feed.after(stream, 0))
            assert feed.history.earliest(stream) >= 0
        assert len(feed.after(rings.EVENTS, 0)) == feed.head(rings.EVENTS)
    finally:
        feed.close()


def _archived(data: bytes) -> None:
    """The archiver takes what it can read; it never takes bytes for a disk that refuses."""
    archiver = Archiver(ArchiverSettings(_ring("archived", data), ROOMY))
    try:
        while archiver.turn():
            pass
        assert not archiver.trouble or "of the ring cannot be read" in archiver.trouble
    finally:
        archiver.close()


class _NoGame:
    """A source that has nothing to tell."""


def _resumed(data: bytes) -> None:
    """A recorder starts on them, or on a new ring."""
    place = _ring("resumed", data)
    ring = RingWriter(place / "ring", _LIMIT)
    try:
        recorder: Any = Recorder(_NoGame(), Settings(place, place), ring, unreadable(ring))  # type: ignore[arg-type]
        assert recorder._handover.committer.close()
    finally:
        ring.close()


# State that a recorder goes on from.


@cache
def _states() -> list[bytes]:
    """A car on its second lap, and one in its garage; behind them what the scorer keeps of its own."""
    game = Game()
    game.join(7)
    game.lap(7, 90.0)
    game.join(8, mInGarageStall=True)
    game.run(5.0)
    own = b'{"session": 3, "track_length": 5000.0, "stored_s": 99.5, "flags": [5, 0, [11, 11, 11]]}'
    return [_packed((game.saved[slot], own, b"")) for slot in (7, 8)]


def _restored(data: bytes) -> None:
    """Another recorder goes on, or begins another session."""
    car, own, _ = _values(data)
    game = Game(clock=300.0)
    game.join(7)
    game.machine = LapTracker(SESSION, LENGTH_M, {7: car})
    game.run(2.0)
    game.end()
    sessions = SessionTracker(SESSION, b"key", 300.0)
    scorer = Scorer(sessions, 0, {b"scorer.car7": car, b"scorer.own": own}, 300.0)  # type: ignore[arg-type]
    assert scorer._laps._session <= SESSION
    assert sessions.key in (b"key", b"")


# Words of daemons.


@cache
def _follower() -> tuple[asyncio.Runner, Feed, Bell]:
    """A server's feed, without a ring, and a recorder's bell."""
    place, runner = folder() / "follower", asyncio.Runner()

    async def made() -> Feed:
        return Feed(place)

    feed = runner.run(made())
    return runner, feed, Bell(place / "wake")


def _statuses() -> list[bytes]:
    status = rig_pb2.RecorderStatus(source_state="LIVE", captured=7, durable_seq=3, disk_error="no room")
    status.tick_work.p99_ms = 0.3
    return [status.SerializeToString(), b""]


def _rung(data: bytes) -> None:
    """The feed hears a status, or nothing."""
    runner, feed, bell = _follower()

    async def ring() -> None:
        bell.ring(data[:60_000])
        feed._rung()

    runner.run(ring())
    status = feed.recorder()
    assert status is None or rig_pb2.RecorderStatus.FromString(status.SerializeToString()) == status


def _beats() -> list[bytes]:
    Heartbeat(folder()).beat(rig_pb2.ArchiverStatus(archived=3, laps=9, trouble="no room"))
    return [(folder() / "archiver.status").read_bytes(), b""]


def _heard(data: bytes) -> None:
    """The server hears a status, or nothing."""
    status = heard(file_of("archiver.status", data).parent)
    assert status is None or rig_pb2.ArchiverStatus.FromString(data).laps == status.laps


TARGETS = (
    Target("ring_served", _records, _served, weight=2),
    Target("ring_archived", _records, _archived, weight=3),
    Target("ring_resumed", _records, _resumed, weight=2),
    Target("saved_state", _states, _restored, weight=2),
    Target("wake_up", _statuses, _rung),
    Target("archiver_status", _beats, _heard),
)
