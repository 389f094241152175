"""The laps of a session: from scoring updates to closed laps and events. A pure state machine, no I/O."""

import json
import zlib
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final, NamedTuple

import numpy as np

from rig.errors import Corrupt
from rig.v1 import event_pb2
from rigd.record.car import Slot
from rigd.record.moment import Moment
from rigd.record.row import CarRows

Array = np.ndarray[Any, np.dtype[Any]]

_NOTHING: Final[Mapping[int, bytes]] = {}


class Update(NamedTuple):
    """What an update of scoring came to."""

    events: list[event_pb2.Event]
    """In order, with session and session clock; number and capture time are the recorder's to give."""
    triggers: Array
    """(rows,) uint32: why each row is to be written, bits of Trigger; never TRIGGER_PERIODIC."""
    changed: dict[int, bytes]
    """State by slot id of the cars that changed: to be kept in the transaction of the events."""


class LapTracker:
    """Follows the cars of one session.

    Session clocks are seconds. `saved` is what earlier updates of the same session gave as `changed`, the
    newest per slot: it goes on exactly there. Bytes of another session are ignored; what cannot be read makes
    it `unreadable`.
    """

    def __init__(
        self, session: int, track_length: float = 0.0, saved: Mapping[int, bytes] = _NOTHING
    ) -> None:
        self._session = session
        self._track_length = track_length
        self._cars: dict[int, Slot] = {}
        self._states: dict[int, str] = {}
        self._due: dict[int, float] = {}
        self._clock_s = -inf
        self._rows = CarRows()
        self.unreadable = False
        """Some state of this session could not be read: its numbers must not be used again."""
        for slot, data in saved.items():
            self._restore(slot, data)

    def see(
        self,
        records: Array,
        clock_s: float,
        compounds: Callable[[], dict[int, tuple[str, str]]],
        user: str = "",
    ) -> Update:
        """Follow an update: `records` (VEHICLE_SCORING, a row per car, in any order) at session clock
        `clock_s`. `compounds` gives front and rear tyre by slot id, and is asked only when it matters. `user`
        is in the seat: the laps that the player's car begins are theirs.

        An update whose clock has not moved on, or without cars, is none: the game is paused, or its buffers
        were just cleared.
        """
        triggers = np.zeros(len(records), np.uint32)
        if not len(records) or not clock_s > self._clock_s:
            return Update([], triggers, {})
        self._clock_s = clock_s
        moment = self._moment(clock_s, compounds, user)
        slots = self._wanted(records, clock_s)
        for slot in slots:
            moment.trigger = 0
            self._look(slot, moment)
            if slot in self._rows.of:
                triggers[self._rows.of[slot]] = moment.trigger
        return Update(moment.events, triggers, self._changed(slots))

    def end(self, clock_s: float) -> Update:
        """End the session at `clock_s`: laps that wait for a time are closed with what is known, running ones
        as pieces, stints end.
        """
        moment = self._moment(max(clock_s, self._clock_s))
        here = sorted(slot for slot, car in self._cars.items() if car.here)
        for slot in here:
            self._cars[slot].finish_up(moment)
        return Update(moment.events, np.zeros(0, np.uint32), self._changed(here))

    def _moment(
        self, clock_s: float, compounds: Callable[[], dict[int, tuple[str, str]]] = dict, user: str = ""
    ) -> Moment:
        return Moment(self._session, self._track_length, clock_s, compounds, user)

    def _wanted(self, records: Array, clock_s: float) -> list[int]:
        """Return slots to look at: the row changed, the car is missing, or time alone decides something."""
        wanted = {slot for slot, due_s in self._due.items() if due_s <= clock_s}
        wanted.update(self._rows.take(records))
        missed = (slot for slot, car in self._cars.items() if car.here and slot not in self._rows.of)
        return sorted(wanted.union(missed))

    def _look(self, slot: int, moment: Moment) -> None:
        car = self._cars.get(slot) or self._cars.setdefault(slot, Slot(slot))
        if slot in self._rows.of:
            car.see(self._rows.read(slot), moment)
        elif car.here:
            car.miss(moment)

    # What is kept, so that another recorder goes on where this one was killed.

    def _changed(self, slots: list[int]) -> dict[int, bytes]:
        changed = {}
        for slot in slots:
            car = self._cars[slot]
            self._due[slot] = car.due_s(self._clock_s)
            state = json.dumps(car, default=vars)
            if state != self._states.get(slot):
                self._states[slot] = state
                clock = repr(self._clock_s)
                crc = _crc(self._session, clock, state)
                changed[slot] = f"{self._session} {clock} {crc} {state}".encode()
        return changed

    def _restore(self, slot: int, data: bytes) -> None:
        try:
            session, clock, crc, state = data.decode().split(" ", 3)
            if int(session) != self._session:
                return
            if crc != _crc(self._session, clock, state):
                raise Corrupt("it is not what was written")
            self._cars[slot] = Slot.restored(json.loads(state))
        except (Corrupt, ValueError, KeyError, TypeError):
            self.unreadable = True
            return
        self._states[slot] = state
        self._clock_s = max(self._clock_s, float(clock))


def _crc(session: int, clock: str, state: str) -> str:
    """Return a checksum: the store has none of its own, and one wrong digit would go on as if it were
    true.
    """
    return f"{zlib.crc32(f'{session} {clock} {state}'.encode()):08x}"
