"""The board: all that a live view knows of the rig, kept up to date by what the feeds bring. No I/O here."""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rig.errors import RigError
from rig.v1 import rig_pb2, session_pb2
from rigclient.cli.watch.feeds import Item, Refusal, Report, TimedFrame, TimedScoring
from rigclient.cli.watch.history import History
from rigclient.cli.watch.tally import Tally
from rigclient.frames import Car, PhysicsFrame, ScoringFrame

PHYSICS_CHANNELS: Final = (
    *("id", "speed", "gear", "engine_rpm", "engine_max_rpm", "lap_number", "delta_best"),
    *("throttle", "brake", "clutch", "steering", "local_acceleration", "speed_limiter", "in_pit_lane"),
    *("fuel", "fuel_capacity", "engine_water_temp", "engine_oil_temp", "overheating"),
    *("tyre_temp", "tyre_pressure", "tyre_tread", "brake_temp", "wheel_flat", "wheel_detached"),
    *("elapsed_time", "lap_start_time", "front_compound_index"),
)

SCORING_CHANNELS: Final = (
    *("id", "place", "laps", "sector", "lap_distance", "speed", "last_lap_time", "best_lap_time"),
    *("time_behind_next", "time_behind_leader", "laps_behind_next", "laps_behind_leader"),
    *("finish_status", "pit_state", "in_pits", "in_garage", "pit_stops", "penalties"),
    *("flag", "count_lap_flag", "drs_active"),
)

_LATENCY_WEIGHT: Final = 0.05
_FURTHEST_S: Final = 1.0
"""Between two scoring updates cars move on by their speed, at most this long."""

Array = np.ndarray[Any, np.dtype[Any]]


class Condition(enum.Enum):
    """How things stand, the worst first."""

    CONNECTING = "CONNECTING"
    AWAY = "NO ANSWER"
    NO_RING = "NO RING"
    NO_RECORDER = "NO RECORDER"
    SILENT = "SILENT"
    TROUBLE = "TROUBLE"
    LIVE = "LIVE"


@dataclass(frozen=True)
class BoardState:
    """How things stand, in one word and one sentence."""

    condition: Condition
    word: str
    sentence: str


class Board:
    """State of the view; `take` is the only thing that changes it, apart from the chosen car."""

    def __init__(self, address: str, chosen: int | None = None) -> None:
        self.address = address
        self.chosen = chosen
        """Slot id of the car someone asked for."""
        self.physics: PhysicsFrame | None = None
        self.scoring: ScoringFrame | None = None
        self.session: session_pb2.SessionState | None = None
        self.entries: dict[int, session_pb2.Entry] = {}
        self.tally: Tally = Tally()
        self.history: History = History()
        self.latency_ms: float = float("nan")
        """From capture to here, a moving mean."""
        self.sector_ends: tuple[float, float] = (1 / 3, 2 / 3)
        """Ends of sectors 1 and 2 as shares of the lap, as far as they were seen."""
        self._answer: rig_pb2.GetStatusResponse | RigError | None = None
        self._seen_sectors = np.ones(2)

    def take(self, items: Iterable[Item]) -> None:
        """Take what the feeds brought. Raises the error of a feed that was refused."""
        for item in items:
            match item:
                case TimedFrame():
                    self._tick(item)
                case TimedScoring():
                    self._update(item)
                case Report():
                    self._answer = item.answer
                case Refusal():
                    raise item.error

    def _tick(self, tick: TimedFrame) -> None:
        frame = tick.frame
        self.tally.take(frame.seq, frame.gaps, frame.skipped)
        self.history.take(frame)
        self.physics = frame
        latency = (tick.received_ns - frame.head.capture_time_ns) / 1e6
        weight = 1.0 if np.isnan(self.latency_ms) else _LATENCY_WEIGHT
        self.latency_ms = latency if weight == 1.0 else self.latency_ms + weight * (latency - self.latency_ms)

    def _update(self, update: TimedScoring) -> None:
        if self.session is None or update.state.track_name != self.session.track_name:
            self._seen_sectors = np.ones(2)
        self.scoring, self.session = update.frame, update.state
        if update.entries is not None:
            self.entries = {entry.id: entry for entry in update.entries.entries}
        self._learn_sectors(update.frame)

    def _learn_sectors(self, frame: ScoringFrame) -> None:
        """Learn the sectors: one begins no later than where the first car in it has been."""
        share = self._lap_shares(frame.lap_distance)
        racing = ~(frame.in_pits | frame.in_garage) & (share > 0.02) & (share < 0.98)
        for at, sector in enumerate((2, 3)):
            inside = share[racing & (frame.sector == sector)]
            if len(inside):
                self._seen_sectors[at] = min(self._seen_sectors[at], float(inside.min()))
        known = np.where(self._seen_sectors < 1.0, self._seen_sectors, (1 / 3, 2 / 3))
        self.sector_ends = (float(known[0]), float(max(known)))

    @property
    def state(self) -> BoardState:
        """How things stand."""
        answer = self._answer
        if answer is None:
            return BoardState(Condition.CONNECTING, "CONNECTING", f"asking {self.address}")
        if isinstance(answer, RigError):
            return BoardState(
                Condition.AWAY, "NO ANSWER", f"{answer}; this view goes on by itself when it is back"
            )
        if not answer.HasField("ring"):
            return BoardState(Condition.NO_RING, "NO RING", "the server runs and there is no ring yet")
        if not answer.HasField("recorder"):
            return BoardState(
                Condition.NO_RECORDER, "NO RECORDER", "the recorder has been silent for three seconds"
            )
        recorder = answer.recorder
        if recorder.source_state != "LIVE":
            word = recorder.source_state.replace("_", " ")
            return BoardState(Condition.SILENT, word, recorder.source_explanation)
        if answer.troubles:
            words = "; ".join(f"{trouble.daemon}: {trouble.what}" for trouble in answer.troubles)
            return BoardState(Condition.TROUBLE, "TROUBLE", words)
        return BoardState(Condition.LIVE, "LIVE", recorder.source_explanation)

    @property
    def recorder(self) -> rig_pb2.RecorderStatus | None:
        """The recorder's last words."""
        if isinstance(self._answer, rig_pb2.GetStatusResponse) and self._answer.HasField("recorder"):
            return self._answer.recorder
        return None

    @property
    def focus(self) -> int | None:
        """Slot id of the car shown: the chosen one, else the player's, else the leader's."""
        order = self.order
        player = self.scoring.head.player if self.scoring is not None else -1
        for slot in (self.chosen, player, *order[:1]):
            if slot is not None and slot in order:
                return slot
        if self.physics is not None and len(self.physics):
            return int(self.physics.id[0])
        return None

    @property
    def absent(self) -> int | None:
        """Slot id of the car that was asked for, while it is not in the session."""
        return self.chosen if self.scoring is not None and self.chosen not in self.order else None

    @property
    def order(self) -> list[int]:
        """Slot ids by position."""
        if self.scoring is None:
            return []
        frame = self.scoring
        ids: list[int] = frame.id[np.argsort(frame.place, kind="stable")].tolist()
        return ids

    @property
    def car(self) -> Car | None:
        """Telemetry of the car shown."""
        focus = self.focus
        return None if self.physics is None or focus is None else self.physics.car(focus)

    @property
    def standing(self) -> Car | None:
        """Scoring of the car shown."""
        focus = self.focus
        return None if self.scoring is None or focus is None else self.scoring.car(focus)

    def choose(self, step: int, order: Sequence[int] = ()) -> None:
        """Show the car `step` rows further down in this order; default: by position."""
        order, focus = order or self.order, self.focus
        if focus in order:
            self.chosen = order[min(max(order.index(focus) + step, 0), len(order) - 1)]

    def name(self, slot: int) -> str:
        """Return the driver's name."""
        entry = self.entries.get(slot)
        return entry.driver_name if entry is not None and entry.driver_name else f"car {slot}"

    @property
    def clock_s(self) -> float:
        """Session clock: telemetry's if it is in the same session, else scoring's."""
        if self.scoring is None:
            return 0.0 if self.physics is None else self.physics.session_time
        if self.physics is None or self.physics.head.session != self.scoring.head.session:
            return self.scoring.session_time
        return max(self.physics.session_time, self.scoring.session_time)

    def lap_shares(self) -> Array:
        """Return how far round the lap each car of the scoring table is by now, 0 to 1."""
        frame = self.scoring
        assert frame is not None
        later_s = min(max(self.clock_s - frame.session_time, 0.0), _FURTHEST_S)
        moving = ~frame.in_garage
        return self._lap_shares(frame.lap_distance + frame.speed * (later_s * moving))

    def _lap_shares(self, distance_m: Array) -> Array:
        length_m = self.session.track_length if self.session is not None else 0.0
        return np.mod(distance_m / length_m, 1.0) if length_m > 0 else np.zeros(len(distance_m))
