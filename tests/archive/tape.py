"""A recorded race without processes: the demo's frames through encoder and scorer into a ring."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rig.channels import PHYSICS, SCORING
from rig.columns import Head, field
from rig.v1 import event_pb2, lap_pb2, session_pb2
from rigd import ring as rings
from rigd.archive.archiver import Archiver, Settings
from rigd.archive.retention import Limits
from rigd.demo.sheet import Records
from rigd.record.encoder import Encoder
from rigd.record.numbers import Numbers
from rigd.record.scorer import Scorer
from rigd.record.sessions import SessionTracker
from rigd.ring import Record, RingWriter
from rigd.seat import META, NOBODY, seal
from rigd.sources.rf2.reader import WORD
from tests.archive.race_frames import RaceFrames, Screen, shared_frames

SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
ROOMY = Limits(min_free_bytes=0, hard_floor_bytes=0)
"""The tests' disk may be as full as it likes."""


class Update(NamedTuple):
    """What the scorer needs of a snapshot."""

    info: Any
    records: Any
    version: int = 1


class Tape:
    """Records a race, a second of session clock being a second of wall clock. `shown` is a race of
    one's own, to change or to look into.
    """

    def __init__(
        self,
        data: Path,
        cars: int = 3,
        *,
        short: bool = True,
        limit_bytes: int = 256 << 20,
        shown: RaceFrames | None = None,
    ) -> None:
        self.data = data
        self.ring = RingWriter(data / "ring", limit_bytes)
        self._frames = shown or shared_frames(cars, short)
        self._screen = Screen(self._frames)
        self.race = self._frames.race
        self.number = 0
        self._show()
        self.numbers = Numbers(self.ring.spans())
        self.sessions = SessionTracker()
        self.scorer = Scorer(self.sessions, session_pb2.SESSION_SOURCE_DEMO, {}, 0.0)
        self.encoders = Encoder(PHYSICS), Encoder(SCORING)
        self.journal: list[dict[str, Any]] = []
        self.taken_ns = START_NS
        self.seat, self.player = NOBODY, -1
        """Who is in the seat; slot id of the rig's own car."""
        self.pending: list[Record] = []
        self.score()

    def _show(self) -> None:
        self.now = self._frames.frame(self.number)
        self._screen.show(self.now)

    @property
    def records(self) -> Records:
        """Telemetry of all cars, by car number. Overwritten by every frame."""
        return self._screen.records

    def drive(self, seconds: float) -> None:
        """Record so many seconds."""
        with np.errstate(all="ignore"):  # as the recorder does
            for frame in range(round(seconds / self.race.dt)):
                self.frame()
                if frame % self.race.rate == 0:
                    self.commit()
        self.commit()

    def frame(self, *, lost: bool = False, whole: bool = True) -> None:
        """A frame; a lost one takes a number and is declared with the next."""
        self.number += 1
        self._show()
        self.journal += self.now.events
        self.taken_ns += round(self.race.dt * SECOND_NS)
        if self.now.scored:
            self.score()
        if lost:
            self.numbers.lose(rings.PHYSICS, 1, event_pb2.GAP_REASON_MISSED, "")
            return
        gap = self.numbers.declare(rings.PHYSICS, self.event())
        head = self.head(rings.PHYSICS, PHYSICS.schema)._replace(after_gap=bool(gap), whole=whole)
        data = self.encoders[0].encode(self.records[:], head)
        self.pending += [*gap, Record(rings.PHYSICS, rings.key(head.seq), data)]

    def score(self, **changed: Any) -> None:
        """A scoring update; `changed` replaces fields of the session's record."""
        for name, value in changed.items():
            self._screen.info[name] = value
        info, records = self._screen.info[()], self._screen.vehicles[:]
        update: Any = Update(info, records)
        verdict = self.scorer.see(update, 1, self.encoders[0].terrains, "3.7", dict, self.seat.user)
        assert verdict is not None
        self.encoders[0].score(records, verdict.state.current_time)
        self.tell(*verdict.events)
        if verdict.triggers is not None:
            self.encoders[1].triggers = verdict.triggers
            gap = self.numbers.declare(rings.SCORING, self.event())
            head = self.head(rings.SCORING, SCORING.schema)
            head = head._replace(session_time=verdict.state.current_time, after_gap=bool(gap))
            tail = field(11, verdict.state.SerializeToString())
            if verdict.entries is not None:
                tail += field(12, verdict.entries.SerializeToString())
            data = self.encoders[1].encode(records, head, tail)
            self.pending += [*gap, Record(rings.SCORING, rings.key(head.seq), data)]

    def tell(self, *events: event_pb2.Event) -> None:
        """Record events."""
        self.pending += [self.numbers.record(event) for event in events]

    def sit(self, user: str) -> None:
        """Put a user into the seat, as the recorder tells of it."""
        former, self.seat = self.seat, self.seat.next(user)
        event = self.event()
        event.seat_changed.user, event.seat_changed.former_user = user, former.user
        self.tell(event)
        self.ring.append((), {META: seal(self.seat._asdict())})

    def finish(self) -> None:
        """End the session."""
        self.tell(*self.scorer.left()[0])
        self.commit()

    def event(self) -> event_pb2.Event:
        return event_pb2.Event(session=self.sessions.number, session_time=self.now.clock)

    def head(self, stream: bytes, schema: int) -> Head:
        seq = self.numbers.take(stream, self.taken_ns)
        clock, rows = self.now.clock, self.race.field.cars
        return Head(
            seq,
            self.taken_ns,
            self.sessions.number,
            clock,
            seq & WORD,
            schema,
            rows,
            self.player,
            False,
            True,
        )

    def commit(self) -> None:
        self.ring.append(self.pending, {})
        self.pending = []

    def closed(self) -> list[lap_pb2.Lap]:
        """Every lap that was told to be closed."""
        events = [event_pb2.Event.FromString(data) for data in self.values(rings.EVENTS)]
        return [event.lap_closed.lap for event in events if event.HasField("lap_closed")]

    def values(self, stream: bytes) -> list[bytes]:
        with self.ring.env.begin() as txn:
            return [bytes(value) for _, value in txn.cursor(self.ring.dbs[stream])]

    def truth(self, car: int, number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The simulated lap: start, end, time."""
        for event in self.journal:
            if event["kind"] == "lap" and (event["id"], event["number"]) == (car, number):
                return np.array([event["start"], event["end"], event["time"]])
        raise AssertionError(f"car {car} did not drive lap {number}")

    @property
    def closed_files(self) -> list[str]:
        """Names of the files that all closed laps should have."""
        return [f"car{lap.car:03d}-{lap.index:04d}.lap" for lap in self._closed]

    def archiver(self, limits: Limits = ROOMY) -> Archiver:
        """An archiver of this ring, in a process of its own as far as LMDB can tell: the ring is closed."""
        self._closed = self.closed()
        self.close()
        return Archiver(Settings(self.data, limits))

    def resume(self) -> None:
        """Go on recording after an archiver has read."""
        self.ring = RingWriter(self.data / "ring", self.ring.limit_bytes)

    def close(self) -> None:
        self.ring.close()


def drained(archiver: Archiver) -> Archiver:
    """Return an archiver that has done all there is to do, without trouble."""
    while archiver.turn():
        pass
    assert not archiver.trouble
    return archiver


def restarted(data: Path) -> Archiver:
    """Return an archiver that has looked at everything, and done what there was to do."""
    return drained(Archiver(Settings(data, ROOMY)))


def files(data: Path) -> dict[str, bytes]:
    """Return the lap files of a data directory by their names."""
    return {path.name: path.read_bytes() for path in sorted(data.glob("laps/*/[!.]*.lap"))}
