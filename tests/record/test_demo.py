"""The simulated game, stepped without wall time, against its own journal."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from rig.v1 import event_pb2, lap_pb2
from rigd.demo.journal import Event
from rigd.demo.race import GREEN_S, Race
from rigd.demo.scoring import Scoring
from rigd.record.laps import LapTracker


@dataclass
class Story:
    """What the race was, and what the machine told of it."""

    race: Race
    truth: list[Event] = field(default_factory=list)
    events: list[event_pb2.Event] = field(default_factory=list)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.truth if event["kind"] == kind]

    def laps(self) -> list[lap_pb2.Lap]:
        return [event.lap_closed.lap for event in self.events if event.HasField("lap_closed")]

    def of_kind(self, kind: str) -> list[event_pb2.Event]:
        return [event for event in self.events if event.WhichOneof("kind") == kind]

    def complete(self) -> dict[tuple[int, int], lap_pb2.Lap]:
        return {(lap.car, lap.number): lap for lap in self.laps() if lap.complete}


def _run(seed: int) -> Story:
    race = Race(12, seed=seed, short=True, laps=6)
    story, scoring = Story(race), Scoring(race)
    laps = LapTracker(1, race.circuit.length)
    while not race.over:
        story.truth += race.step()
        if race.scoring_due:
            scoring.update()
            story.events += laps.see(scoring.vehicles, race.clock, dict).events
    story.events += laps.end(race.clock).events
    return story


@pytest.fixture(scope="module")
def story() -> Story:
    """Twelve cars, six laps: six stops, two driver swaps, five cuts, two spins, one car towed away."""
    return _run(seed=1)


def test_every_lap_of_the_journal_is_told_exactly_once(story: Story) -> None:
    found = [(lap.car, lap.number) for lap in story.laps() if lap.complete]
    assert sorted(found) == sorted((lap["id"], lap["number"]) for lap in story.of("lap"))
    assert len(found) > 60


def test_clocks_times_and_validity_are_the_journals(story: Story) -> None:
    found = story.complete()
    for truth in story.of("lap"):
        lap = found[truth["id"], truth["number"]]  # type: ignore[index]
        assert (lap.start_time, lap.end_time) == (truth["start"], truth["end"])
        assert lap.lap_time == pytest.approx(truth["time"], abs=1e-3)
        assert (lap.valid, lap.official) == (truth["valid"], truth["valid"])
        assert lap.driver == truth["driver"]


def test_laps_that_met_the_pits_say_so(story: Story) -> None:
    found = story.complete()
    touched = {key for key, lap in found.items() if lap.out_lap or lap.in_lap or lap.pit_visits}
    assert touched == {(lap["id"], lap["number"]) for lap in story.of("lap") if lap["pit"]}
    assert len(touched) > 6


def test_sectors_of_valid_laps_are_known_and_sum_to_the_lap(story: Story) -> None:
    found = story.complete()
    for truth in story.of("lap"):
        lap = found[truth["id"], truth["number"]]  # type: ignore[index]
        if truth["valid"]:
            sectors = (lap.sector1, lap.sector2, lap.sector3)
            assert sectors == pytest.approx([truth[f"sector{at}"] for at in (1, 2, 3)], abs=1e-9)
            assert sum(sectors) == pytest.approx(lap.lap_time, abs=1e-6)


def test_every_stay_in_the_lane_is_told_once_whatever_the_flag_does(story: Story) -> None:
    for kind, journal in (("pit_entered", "pit_in"), ("pit_exited", "pit_out")):
        found = [event for event in story.of_kind(kind) if not _towed(story, getattr(event, kind).car)]
        truth = [event for event in story.of(journal) if not _towed(story, event["id"])]
        assert len(found) == len(truth) > 5
    for event in story.of_kind("pit_exited"):
        visit = event.pit_exited.visit
        assert visit.enter_time < visit.stop_time < visit.exit_time


def _towed(story: Story, car: object) -> bool:
    return any(event["id"] == car for event in story.of("retired"))


def test_drivers_change_where_they_did(story: Story) -> None:
    found = [
        (event.driver_changed.car, event.driver_changed.driver) for event in story.of_kind("driver_changed")
    ]
    swaps = story.of("driver_swap")
    assert sorted(found) == sorted((swap["id"], swap["driver"]) for swap in swaps)
    assert len(swaps) == 2
    for swap in swaps:
        lap = next(lap for lap in story.laps() if _at(lap, swap))
        assert lap.driver == swap["driver"]
        assert len(lap.former_drivers) == 1


def _at(lap: lap_pb2.Lap, swap: Event) -> bool:
    return lap.car == swap["id"] and lap.start_time <= swap["clock"] < lap.end_time  # type: ignore[operator]


def test_who_is_towed_to_the_garage_leaves_a_piece(story: Story) -> None:
    retired = story.of("retired")
    assert retired
    for truth in retired:
        pieces = [lap for lap in story.laps() if lap.car == truth["id"] and not lap.complete]
        assert [piece.in_lap for piece in pieces] == [True]
        assert truth["clock"] <= pieces[0].end_time < truth["clock"] + 0.21  # type: ignore[operator]


def test_laps_of_a_car_are_seamless_from_the_green_flag_to_the_end(story: Story) -> None:
    for car in story.race.field.ids.tolist():
        laps = [lap for lap in story.laps() if lap.car == car]
        assert [lap.index for lap in laps] == list(range(1, len(laps) + 1))
        assert laps[0].start_time == GREEN_S
        assert all(one.end_time == two.start_time for one, two in pairwise(laps))
