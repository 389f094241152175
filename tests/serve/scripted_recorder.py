"""Writes rings and live tails as the recorder does, tick by tick, without a game, in a process of its own.

LMDB opens a folder once per process, and the server under test is in the test's.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rig.channels import PHYSICS, SCORING
from rig.columns import Head, Template, field
from rig.errors import RigError
from rig.v1 import event_pb2, scoring_pb2, session_pb2
from rigd import ring as rings
from rigd.ring import Record, RingWriter
from rigd.ring.tail import CUT, PLACE, RESERVED, Place, Reserve, TailWriter, tail_path
from rigd.seat import META, Seat, seal
from rigd.wake import Bell

START_NS = 1_700_000_000_000_000_000
STEP_S = 0.02
PLAYER = 7
IDS = (3, 7, 11, 12)
"""Slot ids of the four cars, in their order in telemetry."""

ENTRIES = session_pb2.EntryList(entries=[session_pb2.Entry(id=i, driver_name=f"Driver {i}") for i in IDS])


MARGIN = 100
"""Numbers of each stream that are reserved ahead."""
_BUNDLE = 400
"""Ticks handed over at once: a live tail takes 2 MB."""

Numbers = Mapping[bytes, int]
"""The newest of each stream."""


class Handover:
    """Hands records to live tail and ring as the recorder does, and commits when the script says so."""

    def __init__(self, ring: RingWriter, data: Path) -> None:
        self._ring, self._data = ring, data
        self._path = tail_path(data / "memory", data)
        self._path.parent.parent.mkdir(exist_ok=True)
        self._pending: list[tuple[int, list[Record], Numbers]] = []
        self.power_cut = Reserve.read(ring.meta(RESERVED))
        """What was given out at most, when the tail has gone."""
        self._tail = self._go_on() or TailWriter.begin(self._path, ring.id, data)
        self._reserve = Reserve()

    def _go_on(self) -> TailWriter | None:
        """The tail of a recorder that was killed, all of which the ring has then."""
        place = Place.read(self._ring.meta(PLACE))
        with contextlib.suppress(OSError, RigError):
            if place is not None and (tail := TailWriter(place.path)).id == place.tail:
                for bundle in tail.bundles(place.position, tail.head, 1 << 30) or ():
                    self._store(bundle.records, {})
                self.power_cut = Reserve()
                return tail
        return None

    def _store(self, records: Sequence[Record], meta: Mapping[bytes, bytes]) -> None:
        small = {record.key: record.value for record in records if record.table == rings.META}
        self._ring.append([record for record in records if record.table != rings.META], small | {**meta})

    def append(self, records: Sequence[Record], numbers: Numbers) -> None:
        """Hand over records. Followers see them once all numbers are reserved."""
        end = self._tail.append(records, shown=self._may_show(numbers))
        assert end is not None
        self._pending.append((end, [*records], {**numbers}))

    def _may_show(self, numbers: Numbers) -> bool:
        return self._reserve.covers(numbers[stream] + 1 for stream in rings.STREAMS)

    def commit(self, most: int, numbers: Numbers) -> None:
        """Commit what was handed over, the oldest first, and reserve more numbers."""
        done, self._pending = self._pending[:most], self._pending[most:]
        end, newest = (done[-1][0], done[-1][2]) if done else (self._tail.head, numbers)
        self._reserve = Reserve(*(newest[stream] + 1 + MARGIN for stream in rings.STREAMS))
        place = Place(self._tail.id, end, self._path).pack()
        records = [record for _, some, _ in done for record in some]
        self._store(records, {PLACE: place, RESERVED: self._reserve.pack()})
        self._tail.commit(end)

    def end(self, numbers: Numbers) -> None:
        """End as the recorder does when it is asked to: everything is in the ring."""
        self.commit(len(self._pending), numbers)
        self._ring.append((), {PLACE: b"", RESERVED: b""})
        self._path.unlink()
        self._tail.close()

    def renew(self, numbers: Numbers) -> None:
        """Begin another tail, as the recorder does when its own is lost."""
        self.commit(len(self._pending), numbers)
        self._tail.close()
        self._tail = TailWriter.begin(self._path, self._ring.id, self._data)
        self.commit(0, numbers)

    def abandon(self) -> None:
        """End as when it is killed."""
        self._tail.close()

    def spoil(self, how: str) -> None:
        """Delete, truncate or overwrite the file, or put that of another ring in its place."""
        if how == "delete":
            self._path.unlink()
        elif how == "truncate":
            os.truncate(self._path, 0)
        elif how == "overwrite":
            with self._path.open("r+b") as file:
                file.seek(4096)
                file.write(bytes(self._tail.head))
        else:
            TailWriter.begin(self._path, bytes(8), self._data).close()


class ScriptedRecorder:
    """A ring with four cars at 50 Hz; every car's speed is its tick's number."""

    def __init__(self, data: Path, limit_bytes: int = 64 << 20, tail: bool = False) -> None:
        """`tail`: it keeps a live tail; without one every call is a commit."""
        self.ring = RingWriter(data / "ring", limit_bytes)
        self.ring.append((), {b"limit": str(limit_bytes).encode()})
        self.bell = Bell(data / "wake")
        self._ids: tuple[int, ...] = IDS
        self._physics, self._scoring = Template(PHYSICS, len(IDS)), Template(SCORING, len(IDS))
        self._held = False
        self._handover: Handover | None = None
        if tail:
            self._handover = Handover(self.ring, data)
        self.seq = {stream: span.last for stream, span in self.ring.spans().items()}
        self._begin()

    def _begin(self) -> None:
        if self._handover is None:
            return
        records = self._power_cut(self._handover.power_cut)
        self._handover.append(records, self.seq)
        self._handover.commit(1, self.seq)  # the first bell finds who listens

    def _power_cut(self, reserve: Reserve) -> list[Record]:
        """Losses of all that may have been given out and is not on the disk, and the tick after them."""
        if reserve == Reserve():
            return []
        records, before = [], self.seq
        self.seq = {stream: end - 1 for stream, end in zip(rings.STREAMS, reserve, strict=True)}
        for stream, last in before.items():
            count = reserve[rings.STREAMS.index(stream)] - 1 - last
            records += self._loss(stream, last + 1, count, event_pb2.GAP_REASON_POWER_CUT)
        return [*records, self.tick(after_gap=True)]

    def _append(self, records: Sequence[Record], meta: Mapping[bytes, bytes] | None = None) -> None:
        small = [Record(rings.META, name, value) for name, value in (meta or {}).items()]
        if self._handover is None:
            self.ring.append(records, meta or {})
        else:
            self._handover.append([*records, *small], self.seq)
            if not self._held:
                self.commit()
        self.bell.ring()

    def hold(self, held: bool = True) -> None:
        """Commit no longer by itself: what comes is in the live tail alone."""
        self._held = held

    def commit(self, most: int = 1 << 30) -> None:
        """Commit so many of the calls before."""
        assert self._handover is not None
        self._handover.commit(most, self.seq)
        self.bell.ring()

    def spoil(self, how: str) -> None:
        """Have the file of the live tail spoiled."""
        assert self._handover is not None
        self._handover.spoil(how)

    def renew(self) -> None:
        """Begin another live tail."""
        assert self._handover is not None
        self._handover.renew(self.seq)
        self.bell.ring()

    def kill(self) -> None:
        """End without a commit."""
        if self._handover is not None:
            self._handover.abandon()
        self.ring.close()
        self.bell.close()

    def field_of(self, cars: int) -> None:
        """Have so many cars from now on, with the ids 1, 2, 3, ... in telemetry."""
        self._ids = tuple(range(1, cars + 1))
        self._physics = Template(PHYSICS, cars)

    def ticks(self, count: int, **head: Any) -> None:
        """Append ticks, so many at once."""
        while count:
            some = min(count, _BUNDLE)
            self._append([self.tick(**head) for _ in range(some)])
            count -= some

    def tick(self, **head: Any) -> Record:
        """The next tick. Laps last 10 s: the lap start is the session time rounded down."""
        seq = self._number(rings.PHYSICS)
        clock_s = seq * STEP_S
        columns = self._physics.columns
        columns["id"][:] = self._ids
        columns["speed"][:] = seq
        columns["gear"][:] = range(len(self._ids))
        columns["lap_start_time"][:] = clock_s // 10 * 10
        return self._record(rings.PHYSICS, self._physics, seq, clock_s, PHYSICS.schema, b"", head)

    def update(self, entries: bool = False) -> None:
        """Append a scoring update."""
        seq = self._number(rings.SCORING)
        self._scoring.columns["id"][:] = IDS[::-1]
        state = session_pb2.SessionState(track_name="Ring", current_time=seq * 0.2)
        message = scoring_pb2.Scoring
        tail = field(message.SESSION_STATE_FIELD_NUMBER, state.SerializeToString())
        if entries:
            tail += field(message.ENTRY_LIST_FIELD_NUMBER, ENTRIES.SerializeToString())
        record = self._record(rings.SCORING, self._scoring, seq, seq * 0.2, SCORING.schema, tail, {})
        self._append([record])

    def gap(self, count: int, reason: Any = event_pb2.GAP_REASON_MISSED) -> None:
        """Declare the next `count` ticks missing and append the one after; 0: an unknown number."""
        first = self.seq[rings.PHYSICS] + 1
        self.seq[rings.PHYSICS] += count
        self._append([*self._loss(rings.PHYSICS, first, count, reason), self.tick(after_gap=True)])

    def _loss(self, stream: bytes, first: int, count: int, reason: Any) -> list[Record]:
        """The event and the row that declare a loss; 0: of an unknown number."""
        gap = event_pb2.Gap(
            stream=rings.STREAMS.index(stream) + 1,  # type: ignore[arg-type]
            first_seq=first,
            last_seq=first + count - 1,
            count=count or None,
            reason=reason,
        )
        seq = self._number(rings.EVENTS)
        event = event_pb2.Event(seq=seq, capture_time_ns=START_NS + seq, gap=gap)
        return [
            Record(rings.EVENTS, rings.key(seq), event.SerializeToString()),
            Record(rings.GAPS, rings.gap_key(stream, first, seq), gap.SerializeToString()),
        ]

    def owe(self, count: int) -> None:
        """Note that a power cut took the next `count` numbers of every stream, all undeclared."""
        cut = Reserve(*(self.seq[stream] + 1 + count for stream in rings.STREAMS))
        self.ring.append((), {CUT: cut.pack()})

    def damaged(self) -> None:
        """Append a tick of which the disk has kept nothing."""
        record = Record(rings.PHYSICS, rings.key(self._number(rings.PHYSICS)), b"\xff" * 300)
        self._append([record])

    def say(self, words: str) -> None:
        """Ring with bytes that may be no status."""
        self.bell.ring(words.encode())

    def event(self) -> None:
        """Append an event."""
        seq = self._number(rings.EVENTS)
        event = event_pb2.Event(
            seq=seq,
            capture_time_ns=START_NS + seq,
            recorder_started=event_pb2.RecorderStarted(version=str(seq)),
        )
        self._append([Record(rings.EVENTS, rings.key(seq), event.SerializeToString())])

    def sit(self, user: str, since_ns: int) -> None:
        """Tell of who is in the seat by the name of the driver."""
        seq = self._number(rings.EVENTS)
        changed = event_pb2.SeatChanged(user=user, by_driver=True, since_time_ns=since_ns)
        event = event_pb2.Event(seq=seq, capture_time_ns=START_NS + seq, seat_changed=changed)
        record = Record(rings.EVENTS, rings.key(seq), event.SerializeToString())
        self._append([record], {META: seal({**Seat(user, since_ns, True)._asdict(), "driver": "x"})})

    def _number(self, stream: bytes) -> int:
        self.seq[stream] += 1
        return self.seq[stream]

    def _record(
        self,
        stream: bytes,
        template: Template,
        seq: int,
        clock_s: float,
        schema: int,
        tail: bytes,
        change: Any,
    ) -> Record:
        time_ns = START_NS + int(clock_s * 1e9)
        cars = len(self._ids) if template is self._physics else len(IDS)
        head = Head(seq, time_ns, 1, clock_s, seq, schema, cars, PLAYER, False, True)
        return Record(stream, rings.key(seq), template.pack(head._replace(**change), tail))

    def last_committed(self) -> int:
        """The newest tick on the disk."""
        return self.ring.spans()[rings.PHYSICS].last

    def straight(self, count: int) -> None:
        """Append ticks to the ring alone, as a recorder whose tail has no room."""
        self.ring.append([self.tick() for _ in range(count)], {})
        self.bell.ring()

    def identity(self) -> str:
        """The ring's id."""
        return self.ring.id.hex()

    def first(self) -> int:
        """The oldest tick held."""
        return self.ring.spans()[rings.PHYSICS].first

    def close(self) -> None:
        """Let go of the ring."""
        if self._handover is not None:
            self._handover.end(self.seq)
        self.ring.close()
        self.bell.close()


class RecorderProcess:
    """The process that writes; one serves all tests, one ring at a time."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "tests.serve.scripted_recorder"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Have a method of the recorder called, or with `open` a new recorder made."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, args, kwargs]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


class RemoteRecorder:
    """A recorder in the process that writes."""

    def __init__(
        self, recorder_process: RecorderProcess, data: Path, limit_bytes: int = 64 << 20, tail: bool = False
    ) -> None:
        self._process = recorder_process
        recorder_process.call("open", str(data), limit_bytes, tail)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self._process.call(name, *args, **kwargs)


def main() -> None:
    """Do what is asked, line by line."""
    recorder: ScriptedRecorder | None = None
    for line in sys.stdin:
        name, args, kwargs = json.loads(line)
        result = None
        if name == "open":
            recorder = ScriptedRecorder(Path(args[0]), *args[1:])
        else:
            result = getattr(recorder, name)(*args, **kwargs)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
