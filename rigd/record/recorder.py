"""The recorder: the game's memory into the ring. One process, one tick thread, one committer thread."""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

import rigd
from rig import parse
from rig.channels import PHYSICS, SCORING
from rig.columns import Head, read_head
from rig.columns import field as wire_field
from rig.v1 import event_pb2, rig_pb2, scoring_pb2, session_pb2
from rigd import log
from rigd import ring as rings
from rigd.record.absence import Absence
from rigd.record.encoder import Encoder, text
from rigd.record.handover import Handover
from rigd.record.numbers import Numbers
from rigd.record.pacer import Pacer
from rigd.record.recovery import recovered, unreadable
from rigd.record.scorer import SAVED, Scorer, Verdict, newest_session
from rigd.record.seat_keeper import SeatKeeper
from rigd.record.sessions import SessionTracker
from rigd.record.settings import Settings
from rigd.record.status import Figures
from rigd.record.summary import RecordingSummary
from rigd.record.troubles import Troubles
from rigd.ring import Record, RingWriter, open_ring
from rigd.ring.lock import ring_lock
from rigd.ring.tail import CUT, RESERVED, Reserve, TailWriter, tail_path
from rigd.seat import META
from rigd.sources.rf2.layout import VEHICLE_SCORING
from rigd.sources.rf2.reader import Snapshot
from rigd.sources.rf2.source import Source, SourceState
from rigd.watchdog import Watchdog

_BEAT_NS: Final = 1_000_000_000
_FIRST_BEAT_NS: Final = 100_000_000
"""From the start to the first word of how things are: by then a game that runs has shown a frame."""
_SCORING_NS: Final = 4_000_000
"""Between two looks at scoring, which comes every 200 ms: not at every poll for telemetry."""
_NO_UPDATE: Final = np.zeros(0, VEHICLE_SCORING)
_STATE_FIELD: Final = scoring_pb2.Scoring.SESSION_STATE_FIELD_NUMBER
_ENTRIES_FIELD: Final = scoring_pb2.Scoring.ENTRY_LIST_FIELD_NUMBER

_UPPER_BOUND: Final = "the power was cut, or the live tail was lost with the recorder; these at most"
_MOST_CUT: Final = 1 << 20
"""Numbers that a reserve may be ahead: 1.2 s take 480 at 400 Hz, and only damage makes more."""
"""Nobody reserves that much: such a number is a damaged one."""
_AWAY: Final = "the ring's folder was moved away; what is recorded goes with it, and nobody is served"
_SESSIONS: Final[dict[Any, log.LogEvent]] = {
    "session_started": log.SESSION_STARTED,
    "session_ended": log.SESSION_ENDED,
}
_GONE: Final = frozenset({SourceState.ABSENT, SourceState.PLUGIN_DOWN, SourceState.GONE, SourceState.STALE})
"""States in which the running session is over."""


class Recorder:
    """Captures, numbers and hands over. Use `record` to run one."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        ring: RingWriter,
        trouble: str,
        tail: TailWriter | None = None,
        watchdog: Watchdog | None = None,
        latest: Callable[[], Settings] | None = None,
    ) -> None:
        self._latest = latest or (lambda: settings)
        self.source = source
        self.settings = settings
        self.ring = ring
        self.summary = RecordingSummary()
        self._watchdog = watchdog or Watchdog("record", settings.data)
        self._pulse = self._watchdog.pulse("tick thread")
        self._troubles = Troubles()
        self._physics, self._scoring = Encoder(PHYSICS), Encoder(SCORING)
        self._pacer = Pacer()
        self._numbers = Numbers(ring.spans())
        pulse = self._watchdog.pulse("committer")
        self._handover = Handover(ring, settings, self._numbers, self._pacer, pulse)
        self._figures = Figures(settings, source, self._handover)
        self._records: Any = None
        self._rehearsal: tuple[Any, Head, bytes, int] | None = None
        self._plugin = ""
        self._ticks = 0
        self._state: SourceState | None = None
        self._beat_ns = time.monotonic_ns()
        self._beat_due_ns = self._beat_ns + _FIRST_BEAT_NS
        self._scoring_ns = 0
        self._clock_s = 0.0
        self._given_up = dict.fromkeys((rings.PHYSICS, rings.SCORING), 0)
        self._meta: dict[bytes, bytes] = {}
        self._epoch = -1
        self._cut = dict.fromkeys(rings.STREAMS, 0)
        """How many numbers a power cut took of each stream."""
        self._handover.begin(tail)
        self._resume(trouble, cut=tail is None)

    def run(self, stop: Callable[[], bool]) -> RecordingSummary:
        """Record until `stop`; then make everything durable. What has been captured is made durable also when
        an error ends it.
        """
        self._pulse.beat()  # from now on: also a first look may hang
        try:
            with np.errstate(all="ignore"):  # numbers that overflow become NaN, see Encoder
                while not stop():
                    if self._pacer.wait():
                        self._rehearse()
                    self._turn(time.monotonic_ns())
        except BaseException:
            self._handover.committer.close()  # else its thread would keep the process alive
            raise
        return self._close()

    def _rehearse(self) -> None:
        """Encode the last frame once more, for the caches: the real one then takes half the time.

        Measured at 50 Hz with 40 cars, with it and without: tick work 0.49 and 0.59 ms in the median, the age
        at 8 subscribers 2.42 and 2.56 ms, 6.0 and 5.0 % of a core.
        """
        if self._rehearsal is not None:
            self._physics.encode(*self._rehearsal)

    def _turn(self, now: int) -> None:
        """Look once at the game's memory."""
        if self._sessions.state is None:
            self._look_at_scoring(now)  # a tick needs a session to belong to
        if (frame := self.source.telemetry(now)) is not None:
            self._tick(frame, now)
        if now - self._scoring_ns >= _SCORING_NS:
            self._look_at_scoring(now)
        if now >= self._beat_due_ns:
            self._beat(now)

    # Starting again where the last recorder ended.

    def _resume(self, trouble: str, *, cut: bool) -> None:
        """Take up numbers and session from the ring, and tell that we are here. `cut`: what was in the live
        tail of the last recorder is gone.
        """
        saved, frame, taken_ns = self.ring.metas(SAVED), None, 0
        newest = [newest_session(saved)]  # its number is taken, also when no record of it could be stored
        for stream in (rings.SCORING, rings.PHYSICS):
            if (last := self.ring.last(stream)) is not None:
                head = read_head(last)
                newest.append((head.session, head.session_time))
                self._numbers.resume(stream, head.capture_time_ns)
                taken_ns = max(taken_ns, head.capture_time_ns)
                frame = head.frame if stream == rings.PHYSICS else None
        number = max(number for number, _ in newest)
        self._clock_s = [clock_s for of, clock_s in newest if of == number][-1]
        key = self.ring.meta(b"session") or b""
        self._sessions = SessionTracker(number, key, self._clock_s)
        self._scorer = Scorer(self._sessions, self.settings.origin, saved, self._clock_s)
        if self._sessions.ahead:
            self._numbers.part(self.ring.bisect(rings.PHYSICS, lambda tick: read_head(tick).session < number))
        game = self.ring.meta(b"game") or b""
        update, _, update_game = (self.ring.meta(b"scored") or b"").partition(b" ")
        self._absence = Absence(
            session=number if key else 0,
            game=game,
            frame=frame,
            update=int(update) if update.isdigit() else None,
            update_game=update_game or game,  # a recorder of an earlier version said it for both
            taken_ns=taken_ns,
            clock_s=self._clock_s,
        )
        self._lose_cut(cut=cut)
        self._resume_terrains()
        self._physics.load_score(self.ring.meta(b"score") or b"")
        started = event_pb2.RecorderStarted(version=rigd.__version__)
        self._tell(self._event(recorder_started=started))
        configured = self._latest
        saved_seat = self.ring.meta(META) or b""
        self._seat = SeatKeeper(self.settings.data, lambda: configured().drivers, saved_seat)
        self._look_at_seat()
        if trouble:
            self._lose_ring(trouble)

    def _lose_cut(self, *, cut: bool) -> None:
        """Declare what followers may have seen and the disk never had. That is done with the next record of a
        stream, which may come after the next recorder: so the ring keeps it.
        """
        known = Reserve.read(self.ring.meta(CUT))
        reserve = Reserve.read(self.ring.meta(RESERVED)) if cut else known
        ends = Reserve(*map(max, zip(known, reserve, strict=True)))
        for stream, end, following in zip(rings.STREAMS, ends, self._numbers.following(), strict=True):
            if end >= following + _MOST_CUT:
                what = f"it goes to {end}, {following} comes next, the limit is {_MOST_CUT} ahead"
                log.say(log.RESERVE_SPOILED, stream=stream.decode(), what=what)
            elif end > following:
                self._meta[CUT] = ends.pack()
                self._cut[stream] = end - following
                reason = event_pb2.GAP_REASON_POWER_CUT
                session = self._absence.session or self._sessions.booked or 1  # or the first one to come
                self._lose(stream, end - following, reason, _UPPER_BOUND, session)

    def _resume_terrains(self) -> None:
        """Resume the terrains: what their numbers mean must not change within a lap."""
        if (update := self.ring.last(rings.SCORING)) is not None:
            self._physics.terrains += parse.message(scoring_pb2.Scoring, update).session_state.terrain_names

    def _lose_ring(self, why: str) -> None:
        """Note that another ring took the place of a damaged one: nobody knows how much is missing."""
        session = self._sessions.booked or 1  # before the first one, that is the one to know of it
        for stream in (rings.PHYSICS, rings.SCORING):
            self._lose(stream, 0, event_pb2.GAP_REASON_RING_REPLACED, why, session)

    def _catch_up(self, frame: Snapshot) -> bool:
        """Take the first frame after a restart: declare what the game wrote while nobody recorded.
        False when the frame is in the ring already.

        The game's frame counter goes on while the game runs, so the count is exact; after a restart of the
        game nobody can know it.
        """
        if self._absence.repeats(frame.version, self._birth()):
            return False
        passed_s = self._absence.passed_s(time.time_ns(), self._clock_of(frame.records["mElapsedTime"]))
        self._lose_absent(rings.PHYSICS, *self._absence.frames(frame.version, self._birth(), passed_s))
        return True

    def _catch_up_scoring(self, update: Snapshot) -> None:
        """Take the first update after a restart."""
        assert update.info is not None
        passed_s = self._absence.passed_s(time.time_ns(), float(update.info["mCurrentET"]))
        self._lose_absent(rings.SCORING, *self._absence.updates(update.version, self._birth(), passed_s))

    def _lose_absent(self, stream: bytes, count: int, why: str) -> None:
        """Note what came since the last record in the ring, but for what a power cut took of it."""
        more = max(count - self._cut[stream], 0)
        if why and (more or not count):
            self._lose(stream, more, event_pb2.GAP_REASON_RECORDER_DOWN, why, self._absence.session)

    def _miss(self, stream: bytes, frame: Snapshot, reason: Any) -> None:
        """Note what the game wrote since the last frame, and nobody read."""
        if frame.missed:
            self._lose(stream, frame.missed, reason, "")
        if frame.jumped:
            self.summary.counter_jumps += 1
            self._lose(stream, 0, reason, f"the game's counter jumped to {frame.version}")

    def _birth(self) -> bytes:
        return b"%d %d" % self.source.telemetry_reader.file.birth

    # The tick.

    def _tick(self, frame: Snapshot, now: int) -> None:
        if self._epoch != self.source.epoch:
            self._epoch = self.source.epoch
            self._meta[b"game"] = self._birth()
        torn = self._why_missed(rings.PHYSICS, self.source.telemetry_reader.given_up)
        if self._absence.frame is not None:
            if not self._catch_up(frame):
                return
        else:
            self._miss(rings.PHYSICS, frame, torn)
        self._pacer.arrived(now, frame.missed + 1)
        self._figures.lateness.add(max(self._pacer.overslept_ns, 0))
        self._records = frame.records
        self._clock_s = self._clock_of(frame.records["mElapsedTime"])
        if self._sessions.tick(self._clock_s):
            self._numbers.part()
            self._note_score(_NO_UPDATE, 0.0)
        self._append_tick(frame, now)
        self.summary.captured += 1
        self._figures.work.add(time.monotonic_ns() - now)

    def _clock_of(self, clocks: Any) -> float:
        """Return the frame's session clock: the earliest car's. One car alone does not begin a new
        session.
        """
        earliest = float(np.minimum.reduce(clocks))
        return earliest if earliest > self._clock_s - 1.0 else float(np.median(clocks))

    def _append_tick(self, frame: Snapshot, now: int) -> None:
        if self._handover.committer.full:
            self._lose(rings.PHYSICS, 1, event_pb2.GAP_REASON_DISK, self._handover.committer.error)
            return
        records, skip = self._chosen(frame.records)
        gap = self._declare(rings.PHYSICS)
        head = self._head(rings.PHYSICS, frame, len(records), PHYSICS.schema, bool(gap))
        data = self._physics.encode(records, head, b"", skip)
        self._rehearsal = (records, head, b"", skip)
        self._hand_over([*gap, Record(rings.PHYSICS, rings.key(head.seq), data)], now, head.seq)

    def _head(self, stream: bytes, frame: Snapshot, rows: int, schema: int, after_gap: bool) -> Head:
        taken = time.time_ns()
        sessions = self._sessions
        return Head(
            self._numbers.take(stream, taken),
            taken,
            sessions.number,
            self._clock_s,
            frame.version,
            schema,
            rows,
            sessions.player,
            after_gap,
            frame.whole,
        )

    def _chosen(self, records: Any) -> tuple[Any, int]:
        """Return the rows to record, by the setting, and where they begin."""
        if not self.settings.player_only:
            return records, 0
        found = np.flatnonzero(records["mID"] == self._sessions.player)
        if not len(found):
            return records[:0], 0
        row = int(found[0])
        return records[row : row + 1], row

    def _why_missed(self, stream: bytes, given_up: int) -> Any:
        """Return the reason of what was missed since the last frame of a buffer, by how many reads were
        given up.
        """
        before, self._given_up[stream] = self._given_up[stream], given_up
        return event_pb2.GAP_REASON_TORN if given_up > before else event_pb2.GAP_REASON_MISSED

    # Scoring, sessions, events.

    def _look_at_scoring(self, now: int) -> None:
        self._scoring_ns = now
        if (update := self.source.scoring(now)) is not None:
            self._score(update, now)

    def _score(self, update: Snapshot, now: int) -> None:
        self.summary.updates += 1
        why = self._why_missed(rings.SCORING, self.source.scoring_reader.given_up)
        if self._absence.update is not None:
            self._catch_up_scoring(update)
        else:
            self._miss(rings.SCORING, update, why)
        extended = self.source.extended()
        if extended is not None:
            self._ticks = int(extended["mTicksSessionStarted"])
            self._plugin = text(extended["mVersion"])
        terrains = self._physics.terrains
        self._seat.drive(update.records)
        self._note_seat()
        verdict = self._scorer.see(
            update, self._ticks, terrains, self._plugin, self._compounds, self._seat.user
        )
        self._meta[b"scored"] = b"%d %b" % (update.version, self._birth())
        if verdict is None:
            return
        self._note_score(update.records, verdict.state.current_time)
        if any(event.HasField("session_started") for event in verdict.events):
            self._clock_s = verdict.state.current_time  # also when no car is on the track yet
        _log_sessions(verdict.events)
        self._meta |= {b"session": self._sessions.key, **verdict.saved}
        records = [self._numbers.record(event) for event in verdict.events]
        if verdict.triggers is not None:
            records += self._scoring_records(update, verdict)
        if records:
            self._hand_over(records, now, 0)  # all or nothing: the saved state has seen these events

    def _note_score(self, records: Any, clock_s: float) -> None:
        """Give ticks the newest update of their cars, also those of the next recorder."""
        self._physics.score(records, clock_s)
        self._meta[b"score"] = self._physics.saved_score()

    def _scoring_records(self, update: Snapshot, verdict: Verdict) -> list[Record]:
        if self._handover.committer.full:
            self._lose(rings.SCORING, 1, event_pb2.GAP_REASON_DISK, self._handover.committer.error)
            return []
        gap = self._declare(rings.SCORING)
        tail = wire_field(_STATE_FIELD, verdict.state.SerializeToString())
        if verdict.entries is not None:
            tail += wire_field(_ENTRIES_FIELD, verdict.entries.SerializeToString())
        head = self._head(rings.SCORING, update, update.count, SCORING.schema, bool(gap))
        head = head._replace(session_time=verdict.state.current_time)
        assert verdict.triggers is not None
        self._scoring.triggers = verdict.triggers
        data = self._scoring.encode(update.records, head, tail)
        return [*gap, Record(rings.SCORING, rings.key(head.seq), data)]

    def _look_at_seat(self) -> str:
        """Look once a second who is in the seat; return what keeps us from it."""
        trouble = self._seat.look()
        self._note_seat()
        return trouble

    def _note_seat(self) -> None:
        """Keep the seat for the next recorder and for who serves, and tell of another user."""
        former, changed = self._seat.saved, self._seat.news()
        if self._seat.saved != former:
            self._meta[META] = self._seat.saved
        if changed is not None:
            self._tell(self._event(seat_changed=changed))

    def _compounds(self) -> dict[int, tuple[str, str]]:
        """Return front and rear tyre compound by slot id, from the last telemetry frame."""
        if self._records is None:
            return {}
        rows = self._records[["mID", "mFrontTireCompoundName", "mRearTireCompoundName"]].tolist()
        return {slot: (text(front), text(rear)) for slot, front, rear in rows}

    def _lose(self, stream: bytes, count: int, reason: Any, detail: str, session: int = 0) -> None:
        """Note a loss, of the running session unless it is another's; it is declared with the next record of
        the stream. `count` 0: nobody knows.
        """
        self._numbers.lose(stream, count, reason, detail, session or self._sessions.booked)
        self.summary.lose(stream, count, reason)

    def _declare(self, stream: bytes) -> list[Record]:
        return self._numbers.declare(stream, self._event())

    def _event(self, **kind: Any) -> event_pb2.Event:
        """Return an event of our own, at the session's clock."""
        return event_pb2.Event(session=self._sessions.number, session_time=self._clock_s, **kind)

    def _tell(self, *events: event_pb2.Event) -> None:
        """Record events, after what is lost of their stream."""
        records = [*self._declare(rings.EVENTS), *map(self._numbers.record, events)]
        self._hand_over(records, time.monotonic_ns(), 0)

    def _hand_over(self, records: list[Record], now: int, tick: int) -> None:
        meta, self._meta = self._meta, {}
        self._handover.put(records, meta, tick, now)

    # Once a second.

    def _beat(self, now: int) -> None:
        """Say how things are, to every follower."""
        self._pulse.beat()
        self._watchdog.trouble(self._trouble())
        if news := [self._event(**kind) for kind in self._troubles.news(self._watchdog.words())]:
            self._tell(*news)
        if why := self._handover.replaced():
            self._lose_ring(why)
            self._meta |= {b"session": self._sessions.key, META: self._seat.saved, **self._scorer.saved}
        state = self.source.state(now)
        if state is not self._state:
            self._change(state, now)
        self._handover.bell.ring(self._status(state, now).SerializeToString())
        self._beat_ns, self._beat_due_ns = now, now + _BEAT_NS

    def _trouble(self) -> str:
        """Return what keeps us from our work, the worst first; empty when nothing does."""
        seat = self._look_at_seat()
        self._handover.tend()
        away = _AWAY if self._handover.committer.away else ""
        return self._handover.committer.error or away or self._handover.error or seat

    def _change(self, state: SourceState, now: int) -> None:
        self._state = state
        if state in _GONE:
            events, saved = self._scorer.left()
            self._meta |= {b"session": self._sessions.key, **saved}
            _log_sessions(events)
            self._tell(*events)
        word, sentence = self._state_words(state, now)
        log.say(log.SOURCE, state=word.lower(), why=sentence)
        changed = event_pb2.SourceChanged(state=state.name, explanation=sentence)
        self._tell(self._event(source_changed=changed))

    def _state_words(self, state: SourceState, now: int) -> tuple[str, str]:
        """Return the source's state for people. They need not start a simulated game."""
        if state in _GONE and self.settings.origin == session_pb2.SESSION_SOURCE_DEMO:
            return SourceState.WAITING.name, "Waiting for the simulated game; it comes by itself."
        return state.name, self.source.explain(now)

    def _status(self, state: SourceState, now: int) -> rig_pb2.RecorderStatus:
        status = self._figures.status(self.summary, (now - self._beat_ns) / 1e9)
        status.source_state, status.source_explanation = self._state_words(state, now)
        status.cars = 0 if self._records is None else len(self._records)
        status.session = self._sessions.number
        return status

    def _close(self) -> RecordingSummary:
        self._pulse.rest()
        stopped = event_pb2.RecorderStopped()
        self._tell(self._event(recorder_stopped=stopped))
        self._handover.close()
        self.summary.committed = self._handover.committer.committed
        return self.summary


def _log_sessions(events: Sequence[event_pb2.Event]) -> None:
    """Log which sessions began and ended."""
    for event in events:
        for field_name, logged in _SESSIONS.items():
            if event.HasField(field_name):
                state = getattr(event, field_name).session_state
                kind = session_pb2.SessionKind.Name(state.kind).removeprefix("SESSION_KIND_").lower()
                log.say(logged, session=event.session, track=state.track_name, kind=kind)


def record(
    source: Source,
    settings: Settings,
    stop: Callable[[], bool],
    watchdog: Watchdog | None = None,
    latest: Callable[[], Settings] | None = None,
) -> RecordingSummary:
    """Record `source` until `stop`. `latest` gives the settings in force: drivers may change. Raises Busy
    when another recorder owns the ring.
    """
    # The tick thread holds the interpreter for 0.2 ms at most; the committer must get it in between.
    sys.setswitchinterval(0.0005)
    lock = ring_lock(settings.data)
    try:
        ring, trouble = open_ring(settings.data / "ring", settings.limit_bytes)
        tail = recovered(ring, tail_path(settings.tail_folder, settings.data))
        recorder = Recorder(source, settings, ring, trouble or unreadable(ring), tail, watchdog, latest)
        if watchdog is not None:
            watchdog.ready()
        # What lives now lives for good: a collection must not walk it during a race.
        gc.freeze()
        try:
            return recorder.run(stop)
        finally:
            ring.close()
    finally:
        lock.release()
