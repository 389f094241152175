"""Laps against each other, held against where the simulated cars truly were."""

import dataclasses
from collections.abc import Callable
from itertools import accumulate, combinations, takewhile
from typing import Any

import numpy as np
import pytest

from rig.errors import BadRequest, Mismatch, RigError, Unavailable
from rig.lapfile import pack
from rig.v1 import archive_pb2
from riglap.alignment import DISTANCE, POSITIONS, Doubt, align
from riglap.circuits.circuit import Circuit
from riglap.compare import Comparison, compare, ideal, traces
from riglap.cornering import cornering
from riglap.lap import Lap
from tests.riglap import driven as invented
from tests.riglap.conftest import surveyed
from tests.riglap.raced import Raced

Array = np.ndarray[Any, np.dtype[Any]]
Races = pytest.mark.parametrize("which", ["race", "real_race"])

COLUMNS = (
    *("session_time", "lap_time", "distance", "position", "speed", "throttle", "brake", "steering", "gear"),
    *("local_velocity", "in_pit_lane"),
)


def flying(laps: list[Lap]) -> list[Lap]:
    """Laps at speed all along: not from the grid, in the pits, or under yellow."""
    return [
        lap for lap in laps if lap.info.number and lap.info.valid and not lap.info.pit_visits and fast(lap)
    ]


def fast(lap: Lap) -> bool:
    return float(lap.speed.min()) > 12


def remade(lap: Lap, change: Callable[[dict[str, Array]], None], **facts: Any) -> Lap:
    """The same lap with other columns and facts."""
    columns = {name: np.array(lap[name]) for name in COLUMNS}
    change(columns)
    info = type(lap.info.message)()
    info.CopyFrom(lap.info.message)
    for name, value in facts.items():
        setattr(info, name, value)
    return Lap.from_bytes(pack(archive_pb2.LapHeader(lap=info), columns, {}))


def same(columns: dict[str, Array]) -> None:
    pass


def rows(columns: dict[str, Array], kept: Array) -> None:
    for name in columns:
        columns[name] = columns[name][kept]


def true_times(race: Raced, lap: Lap, length: float) -> Callable[[Array], Array]:
    """When the car truly was where, from the game's own metres scaled to the line."""
    metres = np.maximum.accumulate(race.truth(lap)) * (length / lap.info.track_length)
    known = np.concatenate(([True], np.diff(metres) > 1e-9)) & (lap["lap_time"] >= 0)
    s = np.concatenate(([0.0], metres[known], [length]))
    time = np.concatenate(([0.0], lap["lap_time"][known], [lap.info.lap_time or np.nan]))
    return lambda places: np.interp(places, s, time)


@Races
def test_the_delta_is_right_to_a_millisecond(which: str, request: pytest.FixtureRequest) -> None:
    race = request.getfixturevalue(which)
    laps = race.laps()
    circuit, chosen = surveyed(laps), flying(laps)
    assert len(chosen) > 2
    rms = []
    for a, b in combinations(chosen, 2):
        found = compare([a, b], circuit)
        assert {trace.how for trace in found.traces} == {POSITIONS}
        theirs, ours = (true_times(race, lap, circuit.length)(found.places) for lap in (b, a))
        error = 1000 * (found.delta() - (theirs - ours))
        assert np.nanmax(np.abs(error)) < 1.0
        rms.append(float(np.sqrt(np.nanmean(error**2))))
    assert np.mean(rms) < 0.15


def official_splits(lap: Lap) -> list[float]:
    """When the lap passed the splits, as far as the game said so."""
    known = takewhile(bool, (lap.info.sector1 or 0.0, lap.info.sector2 or 0.0))
    return list(accumulate(known))


@Races
def test_parts_add_up_and_official_differences_are_met(which: str, request: pytest.FixtureRequest) -> None:
    laps: list[Lap] = request.getfixturevalue(which).laps()
    circuit = surveyed(laps)
    reference = flying(laps)[0]
    for lap in laps:
        found = compare([reference, lap], circuit)
        official = float(lap.info.lap_time or 0) - float(reference.info.lap_time or 0)
        assert found.lost() == pytest.approx(official, abs=1e-9)
        assert sum(
            part.lost_s for part in found.parts() if part.compared
        ) + found.uncompared() == pytest.approx(official, abs=1e-9)
        if not lap.info.pit_visits:  # the pit lane is doubtful: its time is no part's, but it is said
            assert abs(found.uncompared()) < 1e-9
        # It is driven from an official moment to another as well: the line and the splits hold for every lap.
        assert found.delta()[-1] == pytest.approx(official, abs=1e-9)
        assert sum(part.lost_s for part in found.sectors()) == pytest.approx(official, abs=1e-6)
        for split, at in zip(circuit.splits, official_splits(lap), strict=False):
            assert found.others[0].at(split) == pytest.approx(at, abs=0.005)
        assert sum(part.segment.pieces[0][1] - part.segment.begin for part in found.minis()) == pytest.approx(
            circuit.length
        )


def test_the_pit_lane_is_not_compared(real_race: Raced) -> None:
    laps = real_race.laps()
    circuit = surveyed(laps)
    reference = flying(laps)[0]
    visited = [lap for lap in laps if lap.info.pit_visits]
    assert visited
    for lap in visited:
        found = compare([reference, lap], circuit)
        assert np.isnan(found.delta()).any()
        assert [part.segment.title for part in found.parts() if not part.compared] in (
            ["T6-line"],
            ["line-T1"],
        )
        assert found.uncompared() > 3


def test_the_ideal_lap_is_no_slower_than_any(laps: list[Lap], circuit: Circuit) -> None:
    chosen = [*traces(flying(laps), circuit)]
    best = ideal(chosen)
    assert best.lap_time <= min(trace.lap_time for trace in chosen)
    assert best.time[-1] == pytest.approx(best.lap_time)
    assert np.all(np.diff(best.time) > 0)
    assert np.isfinite(best.read("speed")).all()
    against = Comparison(circuit, (best, *chosen))
    for at in range(len(chosen)):
        assert all(part.lost_s >= -0.002 for part in against.minis(at))


def test_a_line_of_one_lap_serves_too(laps: list[Lap], circuit: Circuit) -> None:
    a, b = flying(laps)[:2]
    surveyed_one, driven_one = compare([a, b], circuit), compare([a, b])
    assert driven_one.circuit is not None
    line = driven_one.circuit.line
    feet = circuit.line.project(line.x, line.z, line.s * circuit.length / line.length)
    before = np.interp(feet.s, surveyed_one.places, surveyed_one.delta())
    after = np.interp(line.s, driven_one.places, driven_one.delta())
    assert np.nanmax(np.abs(before - after)) < 0.006
    assert a.compare(b).lost() == pytest.approx(driven_one.lost())


def test_without_positions_it_is_scaled_distance_and_says_so(laps: list[Lap], circuit: Circuit) -> None:
    a, b = (remade(lap, _placeless) for lap in flying(laps)[:2])
    found = compare([a, b], circuit)
    assert {trace.how for trace in found.traces} == {DISTANCE}
    assert any("no positions" in note for note in found.notes)
    assert all(trace.error_s > 0.05 for trace in found.traces)
    mixed = compare([flying(laps)[0], b], circuit)
    assert mixed.traces[0].how == POSITIONS
    assert any("no positions" in note for note in mixed.notes)


def test_sparse_samples_say_what_to_expect(laps: list[Lap], circuit: Circuit) -> None:
    lap = flying(laps)[0]
    sparse = remade(lap, lambda columns: rows(columns, np.arange(0, len(lap), 14)))
    found = compare([lap, sparse], circuit)
    assert any("3.6 samples a second" in note for note in found.notes)
    assert 0.001 < found.others[0].error_s < 0.01
    assert np.nanmax(np.abs(found.delta())) < 5 * found.others[0].error_s


def _placeless(columns: dict[str, Array]) -> None:
    columns.pop("position")


def _hole(columns: dict[str, Array]) -> None:
    rows(columns, np.flatnonzero(np.abs(columns["lap_time"] - 30) > 1.0))


def _teleport(columns: dict[str, Array]) -> None:
    columns["position"][1500:1520] += np.array([200.0, 0.0, 200.0], np.float32)


def _backwards(columns: dict[str, Array]) -> None:
    columns["lap_time"][1500:1600] -= 4.0


def _rolled(columns: dict[str, Array]) -> None:
    """For two seconds the car goes back the way it came, and for two seconds forward again."""
    count, clock = len(columns["speed"]), columns["lap_time"].copy()
    rows(columns, np.concatenate((np.arange(1500), np.arange(1500, 1400, -1), np.arange(1400, count))))
    columns["lap_time"] = np.concatenate((clock, clock[-1] + 0.02 * np.arange(1, 201)))
    columns["distance"][1500:1700] = columns["distance"][1500]
    columns["local_velocity"][1500:1600] *= -1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(_hole, "no samples"), (_teleport, "teleported"), (_rolled, "rolled back")],
)
def test_what_is_doubtful_is_marked_and_has_no_number(
    laps: list[Lap], circuit: Circuit, spoil: Callable[[dict[str, Array]], None], reason: str
) -> None:
    lap = flying(laps)[0]
    longer = 4.0 if spoil is _rolled else 0.0
    broken = remade(lap, spoil, lap_time=(lap.info.lap_time or 0.0) + longer)
    aligned = align(broken, circuit)
    assert np.all(np.diff(aligned.s) > 0)
    assert np.all(np.diff(aligned.time) > 0)
    assert reason in {doubt.reason.replace("spun or rolled back", "rolled back") for doubt in aligned.doubts}
    found = compare([lap, broken], circuit)
    missing = np.isnan(found.delta())
    assert 0 < missing.mean() < 0.2
    delta = found.delta()
    away = delta - np.where(found.places > aligned.doubts[0].begin, longer, 0.0)
    assert np.nanmax(np.abs(away)) < 0.005
    assert [part for part in found.parts() if not part.compared]


def test_a_clock_that_goes_backwards_is_said(laps: list[Lap], circuit: Circuit) -> None:
    lap = flying(laps)[0]
    found = compare([lap, remade(lap, _backwards)], circuit)
    assert any("backwards" in note for note in found.notes)
    known = np.isfinite(found.delta())
    assert np.abs(found.delta()[known]).max() < 4.1


def _elsewhere(columns: dict[str, Array]) -> None:
    columns["position"][:, 0] *= -1


def _late(columns: dict[str, Array]) -> None:
    columns["lap_time"] = columns["lap_time"] - 0.5


@pytest.mark.parametrize(
    ("error", "spoil", "facts", "words"),
    [
        (Mismatch, _elsewhere, {}, "was not driven on"),
        (Mismatch, _late, {}, "official time"),
        (Mismatch, same, {"track_length": 4000.0}, "different circuits or layouts"),
        (BadRequest, same, {"complete": False}, "no complete lap"),
        (Unavailable, lambda c: rows(c, np.arange(0, len(c["speed"]), 200)), {}, "a second"),
        (Unavailable, lambda c: c.pop("lap_time"), {}, "times of its samples"),
        (Unavailable, lambda c: [c.pop("distance"), c.pop("speed")], {}, "neither distance nor speed"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    laps: list[Lap],
    circuit: Circuit,
    error: type[RigError],
    spoil: Callable[[dict[str, Array]], None],
    facts: dict[str, Any],
    words: str,
) -> None:
    lap = flying(laps)[0]
    with pytest.raises(error, match=words):
        compare([lap, remade(lap, spoil, **facts)], circuit)


def test_one_lap_is_no_comparison(laps: list[Lap], circuit: Circuit) -> None:
    with pytest.raises(BadRequest):
        compare(laps[:1], circuit)


def test_seeds_may_be_wrong(laps: list[Lap], circuit: Circuit) -> None:
    """A distance that is 150 m off in places still finds the right place, or is marked."""
    lap = flying(laps)[0]

    def off(columns: dict[str, Array]) -> None:
        columns["distance"] += np.float32(150) * np.sin(np.arange(len(lap)) / 300).astype(np.float32)

    found = compare([lap, remade(lap, off)], circuit)
    assert np.nanmax(np.abs(found.delta())) < 0.001


def test_laps_nobody_drove_have_no_positions() -> None:
    found = compare(
        [invented.lap(), invented.lap(invented.info(4, lap_time=93.0), invented.samples(93.0, seed=2))]
    )
    assert found.circuit is None
    assert found.lost() == pytest.approx(0.625)
    assert [part.segment.title for part in found.parts()] == ["lap"]


@Races
def test_corners_of_a_lap(which: str, request: pytest.FixtureRequest) -> None:
    laps: list[Lap] = request.getfixturevalue(which).laps()
    circuit = surveyed(laps)
    for lap in flying(laps):
        for corner, passed in zip(circuit.corners, cornering(align(lap, circuit), circuit), strict=True):
            assert passed.clear
            assert passed.corner == corner.number
            inside = (lap.distance > corner.begin + 15) & (lap.distance < corner.end - 15)
            assert passed.least_mps <= lap.speed[inside].min(initial=99.0) + 0.2
            assert passed.least_mps <= min(passed.entry_mps, passed.exit_mps)
            assert passed.time_s > (corner.end - corner.begin) / passed.entry_mps / 1.3
            if not corner.weak:
                assert passed.brake_m < passed.least_m
                assert not passed.full_throttle_m < passed.least_m
                assert passed.brake_peak > 0.2
                # The racing line lies at the inside of the apex.
                assert np.sign(passed.apex_lateral_m) == (-1 if corner.right else 1)
                assert 0.3 < passed.grip_use < 1.4
            assert passed.speed_class == circuit.thresholds.of(passed.least_mps)


def test_doubtful_corners_have_no_numbers(laps: list[Lap], circuit: Circuit) -> None:
    aligned = align(flying(laps)[0], circuit)
    moved = dataclasses.replace(aligned, doubts=(Doubt(1600.0, 1620.0, "pit lane"),))
    passed = cornering(moved, circuit)
    assert [one.clear for one in passed] == [corner.number != 4 for corner in circuit.corners]
    assert np.isnan(passed[3].least_mps)
