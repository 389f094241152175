"""The scorer: what a scoring update means. Session, laps, and whether it is worth a record."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from rig import parse
from rig.errors import Corrupt
from rig.v1 import event_pb2, scoring_pb2, session_pb2
from rigd.record.entries import Entries
from rigd.record.laps import LapTracker
from rigd.record.sessions import SessionTracker, session_state
from rigd.sources.rf2.reader import Snapshot

Array = np.ndarray[Any, np.dtype[Any]]
Compounds = Callable[[], dict[int, tuple[str, str]]]

SAVED: Final = b"scorer."
"""Begins the names under which the ring keeps what a scorer needs to go on."""
_CAR: Final = SAVED + b"car"
_OWN: Final = SAVED + b"own"

_PERIOD_S: Final = 1.0
"""An update is stored at least this often, by the session clock."""
_REPLAY_CONTROL: Final = 3
_SLOTS: Final = 1 << 31
_MOST_SESSIONS: Final = (1 << 32) - 1
"""Numbers of the contract: a slot id is a sfixed32, that of a session a fixed32."""


class Verdict(NamedTuple):
    """What follows from an update."""

    state: session_pb2.SessionState
    events: list[event_pb2.Event]
    triggers: Array | None
    """Why each row is stored, None when the update is not."""
    entries: session_pb2.EntryList | None
    """To be stored beside the rows, when it is time."""
    saved: dict[bytes, bytes]
    """To be stored with the events, in one transaction: the next recorder goes on from it."""


class Scorer:
    """Follows sessions and laps through the scoring updates."""

    def __init__(
        self,
        sessions: SessionTracker,
        origin: session_pb2.SessionSource.ValueType,
        saved: Mapping[bytes, bytes],
        clock_s: float,
    ) -> None:
        self.sessions = sessions
        self._origin = origin
        self._entries = Entries()
        self.saved = dict(saved)
        """What the next recorder needs, as it was last handed out."""
        own = _own(saved, sessions.number)
        sessions.scored = own.session
        sessions.flags = own.flags
        if not sessions.ahead:
            sessions.player = own.player  # ticks come before the first update, up to 0.2 s of them
        self._laps = LapTracker(own.session, own.track_length, _cars(saved))
        if own.unreadable or self._laps.unreadable:
            sessions.key = b""  # begin another session: the numbers of these laps are taken
        self._stored_s = own.stored_s
        self._clock_s = clock_s

    def see(
        self,
        update: Snapshot,
        ticks: int,
        terrains: list[str],
        plugin: str,
        compounds: Compounds,
        user: str = "",
    ) -> Verdict | None:
        """Take an update; None for one of a session that telemetry has left already. `ticks` is
        mTicksSessionStarted, `compounds` gives front and rear tyre by slot id, `user` is in the seat.
        """
        info, records = update.info, update.records
        assert info is not None
        state = session_state(info, terrains, plugin, self._source(records))
        seen = self.sessions.see(info, records, ticks, state)
        if self.sessions.ahead:
            return None
        events, saved = self._turn(state, seen)
        laps = self._laps.see(records, state.current_time, compounds, user)
        triggers = self._triggers(laps.triggers, seen, state.current_time)
        saved |= _named(laps.changed) | self._own(state)
        self.saved |= saved
        entries = None if triggers is None else self._entries.due(records, compounds, state.current_time)
        return Verdict(state, events + laps.events, triggers, entries, saved)

    def left(self) -> tuple[list[event_pb2.Event], dict[bytes, bytes]]:
        """Note that the game is gone; return what ends with the session."""
        if self.sessions.state is None:
            return [], {}
        ended = self._laps.end(self._clock_s)
        return ended.events + self.sessions.left(), _named(ended.changed)

    def _own(self, state: session_pb2.SessionState) -> dict[bytes, bytes]:
        """Return what is ours to go on from, when it has changed."""
        facts = {
            "session": self.sessions.number,
            "track_length": state.track_length,
            "stored_s": self._stored_s,
            "flags": self.sessions.flags,
            "player": self.sessions.player,
        }
        own = json.dumps(facts).encode()
        return {} if own == self.saved.get(_OWN) else {_OWN: own}

    def _source(self, records: Array) -> session_pb2.SessionSource.ValueType:
        """Return the source; the game shows a replay when it controls every car so."""
        replay = len(records) > 0 and bool((records["mControl"] == _REPLAY_CONTROL).all())
        return session_pb2.SESSION_SOURCE_REPLAY if replay else self._origin

    def _turn(
        self, state: session_pb2.SessionState, seen: list[event_pb2.Event]
    ) -> tuple[list[event_pb2.Event], dict[bytes, bytes]]:
        """End, in a new session, the laps of the one before and begin with new ones."""
        if any(event.HasField("session_started") for event in seen):
            ended = self._laps.end(self._clock_s)
            self._laps = LapTracker(self.sessions.number, state.track_length)
            self._stored_s, self._clock_s = -np.inf, state.current_time
            return ended.events + seen, _named(ended.changed)
        self._clock_s = state.current_time
        return seen, {}

    def _triggers(self, rows: Array, seen: list[event_pb2.Event], clock_s: float) -> Array | None:
        if any(event.HasField("flag_changed") for event in seen):
            rows = rows | np.uint32(scoring_pb2.TRIGGER_FLAG)
        if not 0 <= clock_s - self._stored_s < _PERIOD_S:
            rows = rows | np.uint32(scoring_pb2.TRIGGER_PERIODIC)
            self._stored_s = clock_s
        return rows if rows.any() else None


def newest_session(saved: Mapping[bytes, bytes]) -> tuple[int, float]:
    """Return the number of the newest session that scoring showed, and its clock at its last stored
    update.
    """
    own = _own(saved, _MOST_SESSIONS)
    if _OWN not in saved or own.unreadable:
        return 0, 0.0
    return own.session, max(own.stored_s, 0.0)


class _Own(NamedTuple):
    """What is ours to go on from, beside the cars."""

    session: int
    track_length: float = 0.0
    stored_s: float = -np.inf
    flags: tuple[Any, ...] = ()
    player: int = -1
    unreadable: bool = False


def _own(saved: Mapping[bytes, bytes], session: int) -> _Own:
    if _OWN not in saved:
        return _Own(session)
    try:
        own = parse.json_object(saved[_OWN])
        flags = tuple(tuple(part) if isinstance(part, list) else part for part in own["flags"])
        lengths = float(own["track_length"]), float(own["stored_s"])
        player = int(own.get("player", -1))  # a recorder of an earlier version said none
        found = _Own(int(own["session"]), *lengths, flags, player)
    except (Corrupt, KeyError, TypeError, ValueError, OverflowError):
        return _Own(session, unreadable=True)
    sound = 0 <= found.session <= session and abs(found.player) < _SLOTS
    return found if sound else _Own(session, unreadable=True)


def _cars(saved: Mapping[bytes, bytes]) -> dict[int, bytes]:
    return {int(name.removeprefix(_CAR)): state for name, state in saved.items() if name.startswith(_CAR)}


def _named(states: Mapping[int, bytes]) -> dict[bytes, bytes]:
    return {_CAR + str(slot).encode(): state for slot, state in states.items()}
