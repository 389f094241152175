"""Writes rings as the recorder does, tick by tick, without a game, in a process of its own.

LMDB opens a folder once per process, and the server under test is in the test's.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rig.channels import PHYSICS, SCORING
from rig.columns import Head, Template, field
from rig.v1 import event_pb2, scoring_pb2, session_pb2
from rigd import ring as rings
from rigd.ring import Record, RingWriter
from rigd.seat import META, Seat, seal
from rigd.wake import Bell

START_NS = 1_700_000_000_000_000_000
STEP_S = 0.02
PLAYER = 7
IDS = (3, 7, 11, 12)
"""Slot ids of the four cars, in their order in telemetry."""

ENTRIES = session_pb2.EntryList(entries=[session_pb2.Entry(id=i, driver_name=f"Driver {i}") for i in IDS])


class ScriptedRecorder:
    """A ring with four cars at 50 Hz; every car's speed is its tick's number."""

    def __init__(self, data: Path, limit_bytes: int = 64 << 20) -> None:
        self.ring = RingWriter(data / "ring", limit_bytes)
        self.ring.append((), {b"limit": str(limit_bytes).encode()})
        self.bell = Bell(data / "wake")
        self._ids: tuple[int, ...] = IDS
        self._physics, self._scoring = Template(PHYSICS, len(IDS)), Template(SCORING, len(IDS))
        self.seq = {stream: span.last for stream, span in self.ring.spans().items()}

    def field_of(self, cars: int) -> None:
        """Have so many cars from now on, with the ids 1, 2, 3, ... in telemetry."""
        self._ids = tuple(range(1, cars + 1))
        self._physics = Template(PHYSICS, cars)

    def ticks(self, count: int, **head: Any) -> None:
        """Append ticks in one commit."""
        self.ring.append([self.tick(**head) for _ in range(count)], {})
        self.bell.ring()

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
        self.ring.append([record], {})
        self.bell.ring()

    def gap(self, count: int, reason: Any = event_pb2.GAP_REASON_MISSED) -> None:
        """Declare the next `count` ticks missing and append the one after; 0: an unknown number."""
        first = self.seq[rings.PHYSICS] + 1
        self.seq[rings.PHYSICS] += count
        gap = event_pb2.Gap(
            stream=event_pb2.STREAM_PHYSICS, first_seq=first, last_seq=first + count - 1, reason=reason
        )
        if count:
            gap.count = count
        seq = self._number(rings.EVENTS)
        event = event_pb2.Event(seq=seq, capture_time_ns=START_NS + seq, gap=gap)
        records = [
            Record(rings.EVENTS, rings.key(seq), event.SerializeToString()),
            Record(rings.GAPS, rings.gap_key(rings.PHYSICS, first, seq), gap.SerializeToString()),
            self.tick(after_gap=True),
        ]
        self.ring.append(records, {})
        self.bell.ring()

    def damaged(self) -> None:
        """Append a tick of which the disk has kept nothing."""
        record = Record(rings.PHYSICS, rings.key(self._number(rings.PHYSICS)), b"\xff" * 300)
        self.ring.append([record], {})
        self.bell.ring()

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
        self.ring.append([Record(rings.EVENTS, rings.key(seq), event.SerializeToString())], {})
        self.bell.ring()

    def sit(self, user: str, since_ns: int) -> None:
        """Tell of who is in the seat by the name of the driver."""
        seq = self._number(rings.EVENTS)
        changed = event_pb2.SeatChanged(user=user, by_driver=True, since_time_ns=since_ns)
        event = event_pb2.Event(seq=seq, capture_time_ns=START_NS + seq, seat_changed=changed)
        record = Record(rings.EVENTS, rings.key(seq), event.SerializeToString())
        self.ring.append([record], {META: seal({**Seat(user, since_ns, True)._asdict(), "driver": "x"})})
        self.bell.ring()

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

    def identity(self) -> str:
        """The ring's id."""
        return self.ring.id.hex()

    def first(self) -> int:
        """The oldest tick held."""
        return self.ring.spans()[rings.PHYSICS].first

    def close(self) -> None:
        """Let go of the ring."""
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

    def __init__(self, recorder_process: RecorderProcess, data: Path, limit_bytes: int = 64 << 20) -> None:
        self._process = recorder_process
        recorder_process.call("open", str(data), limit_bytes)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self._process.call(name, *args, **kwargs)


def main() -> None:
    """Do what is asked, line by line."""
    recorder: ScriptedRecorder | None = None
    for line in sys.stdin:
        name, args, kwargs = json.loads(line)
        result = None
        if name == "open":
            recorder = ScriptedRecorder(Path(args[0]), args[1])
        else:
            result = getattr(recorder, name)(*args, **kwargs)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
