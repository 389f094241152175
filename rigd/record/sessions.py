"""Which session is running, who is in it and what its flags say: a pure state machine over scoring."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rig.v1 import event_pb2, session_pb2
from rigd.record.encoder import text

_BACK_S: Final = 1.0
"""The clock falling by more than this is a new session; by less, it is the jitter of two clocks."""

_UNLIMITED_LAPS: Final = 99_999
"""More laps than this are no limit."""

_KINDS: Final = (
    [session_pb2.SESSION_KIND_TEST_DAY]
    + [session_pb2.SESSION_KIND_PRACTICE] * 4
    + [session_pb2.SESSION_KIND_QUALIFYING] * 4
    + [session_pb2.SESSION_KIND_WARMUP]
    + [session_pb2.SESSION_KIND_RACE] * 4
)

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class SessionKey:
    """What makes a session the same one: the game's start ticks, its number and the track."""

    ticks: int
    number: int
    track: bytes

    def pack(self) -> bytes:
        """Return the key as the ring keeps it."""
        return b"%d %d %s" % (self.ticks, self.number, self.track)


class SessionTracker:
    """Counts sessions and tells what changed from one scoring update to the next.

    `number` is the session's number within the ring, 0 before the first; `scored` that of the session that
    scoring showed last, whose state is `state`; `player` the slot id of the player's car, -1 without one.
    """

    def __init__(self, number: int = 0, key: bytes = b"", clock_s: float = 0.0) -> None:
        self.number = self.scored = number
        self.state: session_pb2.SessionState | None = None
        self.player = -1
        self.key = key
        self._clock_s = clock_s
        self.flags: tuple[Any, ...] = ()
        """Phase, yellow flag and sector flags as last seen; empty when not yet."""

    @property
    def ahead(self) -> bool:
        """Telemetry is in a session of which scoring has not told yet. There may be others between them."""
        return self.scored < self.number

    @property
    def over(self) -> bool:
        """The session of that number has ended and no other has begun."""
        return not self.key and self.number > 0 and not self.ahead

    @property
    def booked(self) -> int:
        """Number of the session in which a loss of now is counted: the running one, else the next."""
        return self.number + self.over

    def tick(self, clock_s: float) -> bool:
        """Follow a telemetry frame's clock. It falls before scoring tells of the new session, and what comes
        after the end of one is of the next: count that already. True when the next begins with this frame.
        """
        begins = clock_s < self._clock_s - _BACK_S or self.over
        if begins:
            self.number += 1
            self.player = -1
        self._clock_s = clock_s
        return begins

    def see(
        self, info: Any, records: Array, ticks: int, state: session_pb2.SessionState
    ) -> list[event_pb2.Event]:
        """Return what a scoring update changes. `ticks` is mTicksSessionStarted, `state` the update as a
        message.
        """
        key = SessionKey(ticks, int(info["mSession"]), bytes(info["mTrackName"])).pack()
        clock_s = float(info["mCurrentET"])
        if self.ahead and clock_s > self._clock_s + _BACK_S:
            return []  # a last update of the session that telemetry has left already
        events: list[event_pb2.Event] = []
        if self.ahead or key != self.key or clock_s < self._clock_s - _BACK_S:
            events += self._begin(key, state)
        self._clock_s = max(clock_s, self._clock_s)
        self.state = state
        self.player = _player(records)
        return events + self._flag_events(state)

    def left(self) -> list[event_pb2.Event]:
        """Note that the game is gone: the running session is over."""
        if self.state is None:
            return []
        ended = event_pb2.Event(session_ended=event_pb2.SessionEnded(session_state=self.state))
        event = self._stamped(ended, self.state)
        self.state, self.key, self.player = None, b"", -1
        return [event]

    def _begin(self, key: bytes, state: session_pb2.SessionState) -> list[event_pb2.Event]:
        number = self.number if self.ahead else self.number + 1
        events = self.left()
        self.number = self.scored = number
        self.key, self._clock_s = key, state.current_time
        self.flags = ()
        started = event_pb2.Event(session_started=event_pb2.SessionStarted(session_state=state))
        return [*events, self._stamped(started, state)]

    def _flag_events(self, state: session_pb2.SessionState) -> list[event_pb2.Event]:
        flags = (state.game_phase, state.yellow_flag_state, tuple(state.sector_flags))
        before, self.flags = self.flags, flags
        if before in ((), flags):
            return []
        changed = event_pb2.FlagChanged(
            game_phase=state.game_phase,
            yellow_flag_state=state.yellow_flag_state,
            sector_flags=state.sector_flags,
        )
        return [self._stamped(event_pb2.Event(flag_changed=changed), state)]

    def _stamped(self, event: event_pb2.Event, state: session_pb2.SessionState) -> event_pb2.Event:
        """Return an event with the clock of the scoring that showed it, whatever telemetry has come
        meanwhile.
        """
        event.session = self.scored
        event.session_time = state.current_time
        return event


def _player(records: Array) -> int:
    mine = records["mID"][records["mIsPlayer"]]
    return int(mine[0]) if len(mine) else -1


def session_state(
    info: Any,
    terrains: list[str],
    plugin_version: str,
    source: session_pb2.SessionSource.ValueType = session_pb2.SESSION_SOURCE_UNSPECIFIED,
) -> session_pb2.SessionState:
    """Return the game's session record as a message. Limits that are none are absent, non-finite numbers are
    0.
    """
    number = int(info["mSession"])
    state = session_pb2.SessionState(
        track_name=_text(info, "mTrackName"),
        kind=_KINDS[number] if 0 <= number < len(_KINDS) else session_pb2.SESSION_KIND_UNSPECIFIED,
        number=number,
        current_time=_finite(info["mCurrentET"]),
        track_length=_finite(info["mLapDist"]),
        game_phase=int(info["mGamePhase"]),
        yellow_flag_state=int(info["mYellowFlagState"]),
        sector_flags=info["mSectorFlag"].tolist(),
        start_light=int(info["mStartLight"]),
        num_red_lights=int(info["mNumRedLights"]),
        in_realtime=bool(info["mInRealtime"]),
        game_mode=int(info["mGameMode"]),
        player_name=_text(info, "mPlayerName"),
        server_name=_text(info, "mServerName"),
        start_time_of_day=_finite(info["mStartET"]),
        weather=_weather(info),
        terrain_names=terrains,
        plugin_version=plugin_version,
        source=source,
    )
    if (end := _finite(info["mEndET"])) > 0:
        state.end_time = end
    if 0 < info["mMaxLaps"] <= _UNLIMITED_LAPS:
        state.max_laps = int(info["mMaxLaps"])
    return state


def _weather(info: Any) -> session_pb2.Weather:
    return session_pb2.Weather(
        ambient_temp=_finite(info["mAmbientTemp"]),
        track_temp=_finite(info["mTrackTemp"]),
        dark_cloud=_finite(info["mDarkCloud"]),
        raining=_finite(info["mRaining"]),
        wind=[_finite(part) for part in info["mWind"]],
        min_path_wetness=_finite(info["mMinPathWetness"]),
        max_path_wetness=_finite(info["mMaxPathWetness"]),
        avg_path_wetness=_finite(info["mAvgPathWetness"]),
    )


def _text(record: Any, name: str) -> str:
    return text(record[name], record.dtype[name].itemsize)


def _finite(value: Any) -> float:
    return float(value) if np.isfinite(value) else 0.0
