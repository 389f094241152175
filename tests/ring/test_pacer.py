"""The pacer: it learns the game's rate and looks at the right times, by a clock that only it moves."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from rigd.record.pacer import Pacer

MS = 1_000_000


@dataclass
class Clock:
    """Stands for `time`: sleeping moves it."""

    now: int = 10**12
    slept: list[int] = field(default_factory=list)
    late_ns: int = 0
    """How much later than asked every sleep ends."""

    def monotonic_ns(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(round(seconds * 1e9))
        self.now += round(seconds * 1e9) + self.late_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("rigd.record.pacer.time", made)
    return made


def beats(rate_hz: float, seconds: float, jitter_ms: float = 0.2, straggler: float = 0.0) -> Iterator[int]:
    """When a game closes its frames: in even steps, a little late each; now and then a step takes 30 ms."""
    chance = random.Random(7)
    at = 0.0
    while at < seconds * 1e9:
        at += 30 * MS if chance.random() < straggler else 1e9 / rate_hz
        yield int(at + chance.random() * jitter_ms * MS)


def learn(pacer: Pacer, clock: Clock, times: Iterator[int]) -> float:
    """Show frames to the pacer at their times; the period it believes in, milliseconds."""
    start = clock.now
    for at in times:
        pacer.arrived(start + at, 1)
    return pacer.period_ns / MS


@dataclass
class Watch:
    """A recorder that watches a game."""

    looks: int = 0
    lateness_ns: list[int] = field(default_factory=list)
    missed: int = 0


def watch(pacer: Pacer, clock: Clock, times: Iterator[int]) -> Watch:
    """Wait, look, take: as the recorder does, until the game ends."""
    seen, start = Watch(), clock.now
    ahead = [start + at for at in times]
    while ahead:
        pacer.wait()
        seen.looks += 1
        come = [at for at in ahead if at <= clock.now]
        if come:
            del ahead[: len(come)]
            seen.missed += len(come) - 1
            seen.lateness_ns.append(clock.now - come[-1])
            pacer.arrived(clock.now, len(come))
    return seen


RATES = [50.0, 90.0, 400.0]


@pytest.mark.parametrize("rate", RATES)
class TestTheEstimate:
    def test_it_settles_at_the_games_period(self, clock: Clock, rate: float) -> None:
        assert learn(Pacer(), clock, beats(rate, seconds=5)) == pytest.approx(1000 / rate, rel=0.03, abs=0.1)

    def test_it_has_it_within_a_second(self, clock: Clock, rate: float) -> None:
        assert learn(Pacer(), clock, beats(rate, seconds=1)) == pytest.approx(1000 / rate, rel=0.05, abs=0.1)

    def test_stragglers_move_it_little_and_not_for_long(self, clock: Clock, rate: float) -> None:
        pacer, start, period = Pacer(), clock.now, 1e9 / rate
        learn(pacer, clock, beats(rate, seconds=2))
        clock.now = start
        off = []
        for at in beats(rate, seconds=30, straggler=0.01):
            pacer.arrived(start + 2_000 * MS + at, 1)
            off.append(abs(pacer.period_ns - period) / period)
        near = [error for error in off if error < 0.1]
        assert len(near) >= 0.9 * len(off)
        assert max(off) <= 0.5

    def test_missed_frames_are_taken_into_account(self, clock: Clock, rate: float) -> None:
        pacer, start = Pacer(), clock.now
        times = list(beats(rate, seconds=5, jitter_ms=0.0))
        for index in range(3, len(times), 3):
            pacer.arrived(start + times[index], 3)
        assert pacer.period_ns / MS == pytest.approx(1000 / rate, rel=0.03)

    def test_a_pause_is_no_period(self, clock: Clock, rate: float) -> None:
        pacer = Pacer()
        before = learn(pacer, clock, beats(rate, seconds=5))
        pacer.arrived(clock.now + 60_000 * MS, 1)
        assert pacer.period_ns / MS == before


@pytest.mark.parametrize("rate", RATES)
class TestLooking:
    def test_frames_are_taken_soon_and_none_is_missed(self, clock: Clock, rate: float) -> None:
        pacer = Pacer()
        watch(pacer, clock, beats(rate, seconds=2))
        seen = watch(pacer, clock, beats(rate, seconds=5))
        assert seen.missed == 0
        assert sorted(seen.lateness_ns)[len(seen.lateness_ns) // 2] <= 0.25 * MS
        assert max(seen.lateness_ns) <= 1 * MS

    def test_most_of_the_time_is_slept(self, clock: Clock, rate: float) -> None:
        pacer = Pacer()
        watch(pacer, clock, beats(rate, seconds=2))
        seen = watch(pacer, clock, beats(rate, seconds=5))
        assert seen.looks <= 8 * len(seen.lateness_ns)

    def test_stragglers_cost_no_frames(self, clock: Clock, rate: float) -> None:
        pacer = Pacer()
        watch(pacer, clock, beats(rate, seconds=2))
        seen = watch(pacer, clock, beats(rate, seconds=10, straggler=0.02))
        assert seen.missed <= 0.01 * len(seen.lateness_ns)
        assert sorted(seen.lateness_ns)[len(seen.lateness_ns) // 2] <= 0.3 * MS

    def test_timers_that_are_late_are_told(self, clock: Clock, rate: float) -> None:
        clock.late_ns = 100_000
        pacer = Pacer()
        pacer.wait()
        assert pacer.overslept_ns == 100_000


class TestTheIdle:
    def test_it_looks_less_often_when_nothing_moves(self, clock: Clock) -> None:
        pacer = Pacer()
        learn(pacer, clock, beats(50.0, seconds=2))
        arrived = pacer._arrived_ns
        clock.now = arrived + 21 * MS
        clock.slept.clear()
        pacer.wait()
        clock.now = arrived + 500 * MS
        pacer.wait()
        clock.now = arrived + 3000 * MS
        pacer.wait()
        due, overdue, idle = clock.slept
        assert due < overdue < idle
        assert due <= 0.25 * MS
        assert overdue <= 1 * MS
        assert idle <= 20 * MS

    def test_an_idle_minute_costs_little(self, clock: Clock) -> None:
        pacer = Pacer()
        clock.now += 10_000 * MS
        clock.slept.clear()
        for _ in range(3000):
            pacer.wait()
        assert sum(clock.slept) >= 55_000 * MS

    def test_there_is_time_to_rehearse_before_a_frame_and_not_in_the_idle(self, clock: Clock) -> None:
        pacer = Pacer()
        learn(pacer, clock, beats(50.0, seconds=5))
        clock.now = pacer._arrived_ns
        assert pacer.wait(), "the long sleep before the next frame"
        assert not pacer.wait(), "the fine looks after it"
        clock.now += 10_000 * MS
        assert not pacer.wait(), "nothing is expected"
