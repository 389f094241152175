"""The game's own memory, whatever is in it: reader, encoder and scorer.

An input is a list of writes. Each names a buffer, a place and up to 255 bytes, and says whether a frame is
closed after it; only then does the recorder's side look.
"""

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from rig.channels import PHYSICS, SCORING
from rig.columns import Head, Layout
from rig.v1 import physics_pb2, scoring_pb2, session_pb2
from rigd.demo.plugin import Plugin
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring as Scores
from rigd.record.encoder import Encoder, text
from rigd.record.laps import LapTracker
from rigd.record.scorer import Scorer
from rigd.record.sessions import SessionTracker
from rigd.sources.rf2.layout import BUFFERS, MAX_VEHICLES, Extended, Scoring, Telemetry
from rigd.sources.rf2.reader import Snapshot
from rigd.sources.rf2.source import SENTENCES, SharedMemory
from tests.fuzz.target import Target, folder

_CARS = 3
_STEP_NS = 20_000_000
_MOST_WRITES = 60
_WRITE = struct.Struct("<BHBB")
"""Buffer and whether a frame closes, place (two bytes and one), number of bytes."""
_CLOSES, _OPENS, _CUTS = 4, 8, 16

Array = np.ndarray[Any, np.dtype[Any]]


class Write(NamedTuple):
    """One write of an input."""

    buffer: int
    flags: int
    at: int
    data: bytes


def _writes(data: bytes) -> Iterator[Write]:
    at = 0
    for _ in range(_MOST_WRITES):
        if at + _WRITE.size > len(data):
            return
        kind, low, high, size = _WRITE.unpack_from(data, at)
        at += _WRITE.size
        yield Write(kind & 3, kind, low + (high << 16), data[at : at + size])
        at += size


# What stands there at first, and what a game would write next.


@cache
def _images() -> tuple[bytes, ...]:
    """The buffers of a race that has just begun."""
    race = Race(_CARS, 3, laps=20, short=True)
    scores, place = Scores(race), folder() / "images"
    with Plugin(place, ticks=lambda: 1) as plugin:
        plugin.start_session(race)
        scores.update()
        plugin.write_scoring(scores, race)
        race.step()
        plugin.write_telemetry()
        return tuple((place / buffer.file_name).read_bytes() for buffer in BUFFERS)


def _place(buffer: Any, path: str) -> tuple[int, np.dtype[Any]]:
    """Offset and type of a field by its dotted name; numbers choose among several."""
    dtype, at = buffer.dtype, 0
    for word in path.split("."):
        if word.isdigit():
            dtype = dtype.base
            at += int(word) * dtype.itemsize
        else:
            dtype, offset = dtype.fields[word][:2]
            at += offset
    return at, dtype


def _said(buffer: int, path: str, value: Any, flags: int = 0) -> bytes:
    """A write that sets a field."""
    at, dtype = _place(BUFFERS[buffer], path)
    data = np.array(value, dtype).tobytes()[:255]
    return _WRITE.pack(buffer | flags, at & 0xFFFF, at >> 16, len(data)) + data


def _tapes() -> list[bytes]:
    """Frames with a clock that runs, a lap that is completed, a session that changes, a plugin that goes."""
    t, s, e = (BUFFERS.index(each) for each in (Telemetry, Scoring, Extended))
    clocks = [
        _said(t, f"mVehicles.{car}.mElapsedTime", 9.0, _CLOSES * (car == _CARS - 1)) for car in range(_CARS)
    ]
    line = [
        _said(s, "mVehicles.1.mTotalLaps", 1),
        _said(s, "mVehicles.1.mLapStartET", 95.5),
        _said(s, "mVehicles.1.mLastLapTime", 90.5),
        _said(s, "mScoringInfo.mCurrentET", 96.0, _CLOSES),
        _said(s, "mScoringInfo.mCurrentET", 99.0, _CLOSES),
    ]
    pits = [
        _said(s, "mVehicles.0.mInPits", True),
        _said(s, "mVehicles.0.mPitState", 3),
        _said(s, "mVehicles.0.mDriverName", b"B. Birch"),
        _said(s, "mScoringInfo.mCurrentET", 30.0, _CLOSES),
        _said(s, "mVehicles.0.mInGarageStall", True),
        _said(s, "mScoringInfo.mCurrentET", 33.0, _CLOSES),
    ]
    odd = [
        _said(t, "mVehicles.2.mWheels.1.mTerrainName", b"GRASS"),
        _said(t, "mVehicles.2.mLocalVel.0", np.inf),
        _said(t, "mVehicles.0.mElapsedTime", 7.0, _CLOSES),
        _said(s, "mScoringInfo.mSession", 5),
        _said(s, "mScoringInfo.mNumVehicles", 2, _CLOSES),
        _said(e, "mExtended.mVersion", b"3.8.0.0", _CLOSES),
        _said(t, "mNumVehicles", -1, _CLOSES),
    ]
    return [b"".join(each) for each in (clocks, line, pits, odd, line + clocks + pits)]


# The recorder's side.


@cache
def _encoders() -> tuple[Encoder, Encoder]:
    """One pair for all inputs: what they build for a number of cars takes longer than all the rest."""
    return Encoder(PHYSICS), Encoder(SCORING)


@cache
def _room(dtype: np.dtype[Any]) -> Array:
    return np.zeros(MAX_VEHICLES, dtype)


def _moved(records: Array) -> Array:
    """The same records at a place that all inputs share, for which the encoders are built."""
    room = _room(records.dtype)
    room.view(np.uint8)[: records.nbytes] = records.view(np.uint8)
    return room[: len(records)]


class _Rig:
    """Files, source, encoders and scorer, as the recorder has them."""

    def __init__(self) -> None:
        self.paths = [folder() / "memory" / buffer.file_name for buffer in BUFFERS]
        self.paths[0].parent.mkdir(exist_ok=True)
        for path, image in zip(self.paths, _images(), strict=True):
            path.write_bytes(image)
        self.files = [path.open("r+b", buffering=0) for path in self.paths]
        self.source = SharedMemory(self.paths[0].parent, game=lambda: None)
        self.physics, self.scoring = _encoders()
        self.sessions = SessionTracker()
        self.scorer = Scorer(self.sessions, session_pb2.SESSION_SOURCE_LIVE, {}, 0.0)
        self.now = _STEP_NS
        self.records: Array | None = None
        self.version = 2
        self.ticks, self.plugin = 0, ""
        self.look()

    def write(self, write: Write) -> None:
        """Do a write; afterwards look if a frame closes."""
        buffer = write.buffer % len(BUFFERS)
        file, size = self.files[buffer], BUFFERS[buffer].size
        if write.flags & _CUTS:
            file.truncate(write.at % (size + 1))
        file.seek(write.at % size)
        file.write(write.data[: size - write.at % size])
        if write.flags & _CLOSES:
            self.version += 1
            begin = self.version + bool(write.flags & _OPENS)
            file.seek(0)
            file.write(struct.pack("<II", begin, self.version))
            self.look()

    def look(self) -> None:
        """A turn of the recorder."""
        self.now += _STEP_NS
        if (frame := self.source.telemetry(self.now)) is not None:
            self.tick(frame)
        if (update := self.source.scoring(self.now)) is not None:
            self.score(update)
        assert self.source.explain(self.now)
        assert self.source.state(self.now) in SENTENCES

    def tick(self, frame: Snapshot) -> None:
        """Every record has the rows that it says, and no number in it is infinite."""
        assert 0 < len(frame.records) == frame.count <= MAX_VEHICLES
        self.records = frame.records
        self.sessions.tick(float(np.minimum.reduce(frame.records["mElapsedTime"])))
        head = self.head(frame, PHYSICS.schema)
        check(self.physics.encode(_moved(frame.records), head), physics_pb2.Physics, PHYSICS)

    def score(self, update: Snapshot) -> None:
        assert update.count <= MAX_VEHICLES
        extended = self.source.extended()
        if extended is not None:  # as the recorder does: else what was last known goes on
            self.ticks, self.plugin = int(extended["mTicksSessionStarted"]), text(extended["mVersion"])
        verdict = self.scorer.see(update, self.ticks, self.physics.terrains, self.plugin, self.compounds)
        if verdict is None:
            return
        for event in verdict.events:
            assert event.SerializeToString()
        if verdict.triggers is not None:
            self.scoring.triggers = verdict.triggers
            head = self.head(update, SCORING.schema)
            check(self.scoring.encode(_moved(update.records), head), scoring_pb2.Scoring, SCORING)
            assert len(verdict.state.SerializeToString()) < 65_536

    def compounds(self) -> dict[int, tuple[str, str]]:
        if self.records is None:
            return {}
        rows = self.records[["mID", "mFrontTireCompoundName", "mRearTireCompoundName"]].tolist()
        return {slot: (text(front), text(rear)) for slot, front, rear in rows}

    def head(self, frame: Snapshot, schema: int) -> Head:
        number, player = self.sessions.number, self.sessions.player
        return Head(1, 2, number, 4.0, frame.version, schema, frame.count, player, False, frame.whole)

    def close(self) -> None:
        """What is kept for the next recorder can be read by it."""
        saved = self.scorer.saved
        again = Scorer(SessionTracker(self.sessions.number), session_pb2.SESSION_SOURCE_LIVE, saved, 0.0)
        laps: LapTracker = again._laps
        assert not laps.unreadable
        self.scorer.left()
        self.source.close()
        for file in self.files:
            file.close()


def check(data: bytes, kind: Any, table: Any) -> None:
    """A record that protobuf and our own reader understand alike."""
    layout, message = Layout(table, data, 0, len(data)), kind.FromString(data)
    view = layout.view(data, 0)
    assert layout.rows == message.rows
    for channel in table.channels:
        values = view[channel.name]
        assert len(values) == message.rows
        assert channel.dtype.kind != "f" or not np.isinf(values).any(), channel.name


def _remembered(data: bytes) -> None:
    rig = _Rig()
    try:
        with np.errstate(all="ignore"):  # as the recorder does
            for write in _writes(data):
                rig.write(write)
    finally:
        rig.close()


TARGETS = (Target("game_memory", _tapes, _remembered, weight=2),)
