"""Sessions: which one is running, told from scoring and from telemetry that runs ahead of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from rig.v1 import event_pb2, session_pb2
from rigd.record.entries import Entries
from rigd.record.sessions import SessionTracker, session_state
from rigd.sources.rf2.layout import SCORING_INFO, VEHICLE_SCORING

Step = Callable[[SessionTracker], list[event_pb2.Event]]


@dataclass(frozen=True)
class Update:
    """A scoring update, as far as it matters here."""

    clock: float = 10.0
    ticks: int = 1000
    number: int = 10
    track: bytes = b"Sebring"
    phase: int = 5
    yellow: int = 0
    sectors: tuple[int, int, int] = (11, 11, 11)
    player: int | None = 3

    def info(self) -> Any:
        info = np.zeros(1, SCORING_INFO)[0]
        info["mCurrentET"], info["mSession"], info["mTrackName"] = self.clock, self.number, self.track
        info["mGamePhase"], info["mYellowFlagState"], info["mSectorFlag"] = (
            self.phase,
            self.yellow,
            self.sectors,
        )
        return info

    def records(self) -> Any:
        records = np.zeros(3, VEHICLE_SCORING)
        records["mID"] = [7, 3, 9]
        if self.player is not None:
            records["mIsPlayer"] = records["mID"] == self.player
        return records


def see(**changes: Any) -> Step:
    update = Update(**changes)
    state = session_state(update.info(), [], "3.7.15.1")
    return lambda sessions: sessions.see(update.info(), update.records(), update.ticks, state)


def tick(clock: float) -> Step:
    def step(sessions: SessionTracker) -> list[event_pb2.Event]:
        sessions.tick(clock)
        return []

    return step


def leave() -> Step:
    return lambda sessions: sessions.left()


def kinds(events: list[event_pb2.Event]) -> list[str]:
    """Kinds of events with the session they belong to: `started 2`."""
    short = {"session_started": "started", "session_ended": "ended", "flag_changed": "flags"}
    return [f"{short[event.WhichOneof('kind') or '']} {event.session}" for event in events]


FIRST = [see(clock=10.0), tick(10.2), see(clock=10.2)]

STORIES: dict[str, tuple[list[Step], list[str]]] = {
    "the first": (FIRST, ["started 1"]),
    "telemetry before any scoring": ([tick(9.0), tick(9.02), *FIRST], ["started 1"]),
    "nothing changes": ([*FIRST, see(clock=11.0), see(clock=60.0)], ["started 1"]),
    "the game starts a session": (
        [*FIRST, see(clock=0.5, ticks=2000, number=11)],
        ["started 1", "ended 1", "started 2"],
    ),
    "new ticks alone": ([*FIRST, see(clock=10.4, ticks=2000)], ["started 1", "ended 1", "started 2"]),
    "a new number alone": ([*FIRST, see(clock=10.4, number=11)], ["started 1", "ended 1", "started 2"]),
    "another track": ([*FIRST, see(clock=10.4, track=b"Spa")], ["started 1", "ended 1", "started 2"]),
    "the clock falls": ([*FIRST, see(clock=9.1)], ["started 1", "ended 1", "started 2"]),
    "the clock steps back a little": ([*FIRST, see(clock=9.3), see(clock=9.5)], ["started 1"]),
    "the clock of a restart": ([*FIRST, see(clock=0.0)], ["started 1", "ended 1", "started 2"]),
    "telemetry leads by a little": ([*FIRST, tick(10.9), see(clock=10.4), tick(11.1)], ["started 1"]),
    "telemetry falls first": (
        [*FIRST, tick(0.02), tick(0.04), see(clock=0.1, ticks=2000)],
        ["started 1", "ended 1", "started 2"],
    ),
    "telemetry falls first, and nothing else changes": (
        [*FIRST, tick(0.02), tick(0.04), see(clock=0.1)],
        ["started 1", "ended 1", "started 2"],
    ),
    "telemetry jitters": ([*FIRST, tick(9.5), tick(10.3), tick(9.4), see(clock=10.5)], ["started 1"]),
    "two starts one after another": (
        [*FIRST, tick(0.02), see(clock=0.1, ticks=2), see(clock=0.0, ticks=3, number=11)],
        ["started 1", "ended 1", "started 2", "ended 2", "started 3"],
    ),
    "the game leaves": ([*FIRST, leave()], ["started 1", "ended 1"]),
    "the game leaves twice": ([*FIRST, leave(), leave()], ["started 1", "ended 1"]),
    "nobody was there": ([leave()], []),
    "the game leaves and comes back": (
        [*FIRST, leave(), see(clock=5.0)],
        ["started 1", "ended 1", "started 2"],
    ),
    "it comes back where it was": ([*FIRST, leave(), see(clock=10.6)], ["started 1", "ended 1", "started 2"]),
    "telemetry comes back first": (
        [*FIRST, leave(), tick(0.02), see(clock=0.1)],
        ["started 1", "ended 1", "started 2"],
    ),
    "the clock falls as the game leaves": (
        [*FIRST, tick(0.0), leave(), see(clock=0.3, ticks=2)],
        ["started 1", "ended 1", "started 2"],
    ),
    "two starts before scoring tells of one": (
        [*FIRST, tick(0.02), tick(3.0), tick(0.02), see(clock=0.1, ticks=3)],
        ["started 1", "ended 1", "started 3"],
    ),
    "the game leaves two starts later": (
        [*FIRST, tick(0.02), tick(3.0), tick(0.0), leave(), see(clock=0.3, ticks=3)],
        ["started 1", "ended 1", "started 3"],
    ),
    "the phase changes": ([*FIRST, see(phase=6, clock=11.0)], ["started 1", "flags 1"]),
    "yellow": ([*FIRST, see(yellow=1), see(yellow=1), see(yellow=0)], ["started 1", "flags 1", "flags 1"]),
    "a sector is yellow": ([*FIRST, see(sectors=(11, 1, 11))], ["started 1", "flags 1"]),
    "flags of a new session are no change": (
        [*FIRST, see(clock=0.0, ticks=2, phase=0, yellow=-1)],
        ["started 1", "ended 1", "started 2"],
    ),
}


@pytest.mark.parametrize(("steps", "wanted"), STORIES.values(), ids=STORIES.keys())
def test_it_tells(steps: list[Step], wanted: list[str]) -> None:
    sessions = SessionTracker()
    assert kinds([event for step in steps for event in step(sessions)]) == wanted


def after(*steps: Step, **changes: Any) -> SessionTracker:
    sessions = SessionTracker(**changes)
    for step in steps:
        step(sessions)
    return sessions


class TestWhatIsKnown:
    def test_ticks_ahead_of_scoring_belong_to_the_next_session(self) -> None:
        sessions = after(*FIRST)
        assert (sessions.number, sessions.player) == (1, 3)
        sessions.tick(0.02)
        assert (sessions.number, sessions.player) == (2, -1)
        sessions.tick(0.04)
        assert sessions.number == 2
        see(clock=0.1, ticks=2, player=9)(sessions)
        assert (sessions.number, sessions.player) == (2, 9)

    @pytest.mark.parametrize(("player", "wanted"), [(3, 3), (9, 9), (None, -1)])
    def test_the_player_is_the_one_of_the_last_update(self, player: int | None, wanted: int) -> None:
        assert after(*FIRST, see(player=player)).player == wanted

    def test_nobody_is_there_before_and_after(self) -> None:
        assert (SessionTracker().number, SessionTracker().player, SessionTracker().state) == (0, -1, None)
        sessions = after(*FIRST, leave())
        assert (sessions.number, sessions.player, sessions.state) == (1, -1, None)

    def test_events_carry_the_state_and_its_clock(self) -> None:
        sessions = after(see(clock=10.0), see(clock=99.0, phase=6))
        ended, started = see(clock=0.5, ticks=2, track=b"Spa")(sessions)
        assert ended.session_ended.session_state.track_name == "Sebring"
        assert ended.session_ended.session_state.current_time == 99.0
        assert ended.session_time == 99.0
        assert started.session_started.session_state.track_name == "Spa"
        assert started.session_time == 0.5

    def test_a_flag_event_says_what_is_flown(self) -> None:
        sessions = after(*FIRST)
        (event,) = see(clock=12.0, phase=6, yellow=-1, sectors=(1, 11, 11))(sessions)
        assert event.flag_changed == event_pb2.FlagChanged(
            game_phase=6, yellow_flag_state=-1, sector_flags=[1, 11, 11]
        )
        assert event.session_time == 12.0


class TestResuming:
    def test_the_same_session_goes_on(self) -> None:
        first = after(*FIRST)
        again = SessionTracker(first.number, first.key, 10.2)
        assert kinds(see(clock=300.0)(again)) == []
        assert again.number == 1

    @pytest.mark.parametrize("changes", [{"ticks": 2}, {"number": 11}, {"track": b"Spa"}, {"clock": 5.0}])
    def test_another_session_is_told_apart(self, changes: dict[str, Any]) -> None:
        first = after(*FIRST)
        again = SessionTracker(first.number, first.key, 10.2)
        assert kinds(see(**{"clock": 20.0} | changes)(again)) == ["started 2"]

    def test_telemetry_tells_it_as_well(self) -> None:
        again = SessionTracker(1, after(*FIRST).key, 10.2)
        again.tick(2.0)
        assert again.number == 2
        assert kinds(see(clock=2.1, ticks=2)(again)) == ["started 2"]

    def test_a_track_with_any_bytes_in_its_name_is_kept(self) -> None:
        odd = after(see(track=b"N\xfcrburg 7 \xff"))
        again = SessionTracker(odd.number, odd.key, 10.0)
        assert kinds(see(track=b"N\xfcrburg 7 \xff")(again)) == []


class TestTheState:
    def state(self, **fields: Any) -> session_pb2.SessionState:
        info = np.zeros(1, SCORING_INFO)[0]
        for name, value in fields.items():
            info[name] = value
        return session_state(info, ["Road", "Grass"], "3.7.15.1")

    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            (-1, "UNSPECIFIED"),
            (0, "TEST_DAY"),
            *[(number, "PRACTICE") for number in range(1, 5)],
            *[(number, "QUALIFYING") for number in range(5, 9)],
            (9, "WARMUP"),
            *[(number, "RACE") for number in range(10, 14)],
            (14, "UNSPECIFIED"),
            (2**31 - 1, "UNSPECIFIED"),
        ],
    )
    def test_numbers_are_kinds(self, number: int, kind: str) -> None:
        state = self.state(mSession=number)
        assert session_pb2.SessionKind.Name(state.kind) == f"SESSION_KIND_{kind}"
        assert state.number == number

    @pytest.mark.parametrize(
        ("end", "wanted"), [(3600.0, 3600.0), (0.0, None), (-1.0, None), (math.nan, None), (math.inf, None)]
    )
    def test_a_time_limit_that_is_none_is_absent(self, end: float, wanted: float | None) -> None:
        state = self.state(mEndET=end)
        assert (state.end_time if state.HasField("end_time") else None) == wanted

    @pytest.mark.parametrize(
        ("laps", "wanted"),
        [(1, 1), (99_999, 99_999), (100_000, None), (2**31 - 1, None), (0, None), (-1, None)],
    )
    def test_a_lap_limit_that_is_none_is_absent(self, laps: int, wanted: int | None) -> None:
        state = self.state(mMaxLaps=laps)
        assert (state.max_laps if state.HasField("max_laps") else None) == wanted

    def test_it_says_what_the_game_says(self) -> None:
        state = self.state(
            mTrackName="Nürburg".encode("cp1252"),
            mCurrentET=12.5,
            mLapDist=6004.0,
            mGamePhase=5,
            mYellowFlagState=-1,
            mSectorFlag=[11, 1, -1],
            mInRealtime=True,
            mGameMode=3,
            mPlayerName="Åke".encode(),
            mServerName=b"-none-",
            mStartET=43_200.0,
            mAmbientTemp=21.5,
            mWind=[1.0, math.nan, -2.0],
            mRaining=math.inf,
        )
        assert (state.track_name, state.player_name, state.server_name) == ("Nürburg", "Åke", "-none-")
        assert (state.current_time, state.track_length, state.start_time_of_day) == (12.5, 6004.0, 43_200.0)
        assert (state.game_phase, state.yellow_flag_state, list(state.sector_flags)) == (5, -1, [11, 1, -1])
        assert (state.in_realtime, state.game_mode) == (True, 3)
        assert list(state.weather.wind) == [1.0, 0.0, -2.0]
        assert (state.weather.ambient_temp, state.weather.raining) == (21.5, 0.0)
        assert list(state.terrain_names) == ["Road", "Grass"]
        assert state.plugin_version == "3.7.15.1"


class TestEntries:
    def cars(self) -> Any:
        records = np.zeros(2, VEHICLE_SCORING)
        records["mID"] = [7, 3]
        records["mDriverName"] = ["Åke".encode(), "Jo/Müller".encode("cp1252")]
        records["mVehicleClass"] = [b"GT3", b"LMP2"]
        records["mUpgradePack"][0] = range(16)
        records["mSteamID"] = [2**63 + 5, 0]
        return records

    def test_the_list_says_who_is_who(self) -> None:
        entries = Entries().due(self.cars(), lambda: {7: ("Soft", "Hard")}, 0.0)
        assert entries is not None
        first, second = entries.entries
        assert (first.id, first.driver_name, first.vehicle_class) == (7, "Åke", "GT3")
        assert (first.front_compound, first.rear_compound) == ("Soft", "Hard")
        assert (first.upgrade_pack, first.steam_id) == (bytes(range(16)), 2**63 + 5)
        assert (second.id, second.driver_name, second.front_compound) == (3, "Jo/Müller", "")

    def test_it_comes_first_then_every_ten_seconds(self) -> None:
        entries, cars = Entries(), self.cars()
        due = [second for second in range(35) if entries.due(cars, dict, 100.0 + second)]
        assert due == [0, 10, 20, 30]

    def test_it_comes_again_when_the_clock_starts_again(self) -> None:
        entries, cars = Entries(), self.cars()
        assert entries.due(cars, dict, 1000.0)
        assert entries.due(cars, dict, 1.0)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("mDriverName", b"Somebody else"),
            ("mID", 8),
            ("mVehicleName", b"#99"),
            ("mVehicleClass", b"GTE"),
            ("mPitGroup", b"Group 4"),
        ],
    )
    def test_it_comes_at_once_when_someone_changes(self, name: str, value: Any) -> None:
        entries, cars = Entries(), self.cars()
        assert entries.due(cars, dict, 5.0)
        assert not entries.due(cars, dict, 5.2)
        cars[name][1] = value
        assert entries.due(cars, dict, 5.4)
        assert not entries.due(cars, dict, 5.6)

    def test_it_comes_at_once_when_someone_leaves(self) -> None:
        entries, cars = Entries(), self.cars()
        assert entries.due(cars, dict, 5.0)
        assert entries.due(cars[:1], dict, 5.2)

    def test_compounds_are_asked_for_only_when_it_is_sent(self) -> None:
        asked = []

        def compounds() -> dict[int, tuple[str, str]]:
            asked.append(1)
            return {}

        entries, cars = Entries(), self.cars()
        for clock in (1.0, 2.0, 3.0):
            entries.due(cars, compounds, clock)
        assert len(asked) == 1


def test_a_late_update_of_the_session_before_is_no_session_of_its_own() -> None:
    sessions = SessionTracker()
    old = Update(clock=100.0)
    sessions.see(old.info(), old.records(), old.ticks, session_state(old.info(), [], ""))
    sessions.tick(0.02)
    late = Update(clock=100.2)
    assert sessions.see(late.info(), late.records(), late.ticks, session_state(late.info(), [], "")) == []
    new = Update(clock=0.1)
    events = sessions.see(new.info(), new.records(), new.ticks, session_state(new.info(), [], ""))
    kinds = [(event.WhichOneof("kind"), event.session) for event in events]
    assert kinds == [("session_ended", 1), ("session_started", 2)]
