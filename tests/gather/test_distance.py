"""Distance along the lap: continuous, and the game's own at the line and the splits."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rig.v1 import lap_pb2, session_pb2
from rigd.gather.distance import distances, held
from rigd.gather.gather import gather
from rigd.ring import RingReader
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import Tape

Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]


def driven(
    speed: float = 50.0, length: float = 2000.0, line: float = 1.0
) -> tuple[Columns, Columns, lap_pb2.Lap]:
    """A lap at one speed, whose way is `line` times as long as the track."""
    end = length * line / speed
    clock = 100.0 + np.arange(0.01, end, 0.02)
    told_at = 100.0 + np.arange(0.15, end, 0.2)
    samples: Columns = {"elapsed_time": clock, "speed": np.full(len(clock), speed, np.float32)}
    known = ((told_at - 100.0) * speed / line).astype(np.float32)
    lap = lap_pb2.Lap(start_time=100.0, end_time=100.0 + end, number=3, complete=True, track_length=length)
    lap.sector1, lap.sector2, lap.sector3 = end / 4, end / 2, end / 4
    return samples, {"session_time": told_at, "lap_distance": known}, lap


def test_a_racing_line_longer_than_the_track_still_ends_at_the_line() -> None:
    samples, scoring, lap = driven(line=1.03)
    found = distances(samples, scoring, lap)
    np.testing.assert_allclose(found, (samples["elapsed_time"] - 100.0) * 50.0 / 1.03, atol=0.05)
    assert found.dtype == np.float32


def test_the_last_laps_distance_right_after_the_line_is_not_believed() -> None:
    samples, scoring, lap = driven()
    lap.complete = False
    scoring["lap_distance"][:3] = 1990.0
    found = distances(samples, scoring, lap)
    np.testing.assert_allclose(found, (samples["elapsed_time"] - 100.0) * 50.0, atol=0.1)


def test_a_distance_that_nobody_could_have_driven_is_not_an_anchor() -> None:
    samples, scoring, lap = driven()
    near_split = int(np.argmin(np.abs(scoring["session_time"] - lap.start_time - lap.sector1)))
    scoring["lap_distance"][near_split - 2 : near_split + 3] += 700.0
    found = distances(samples, scoring, lap)
    np.testing.assert_allclose(found, (samples["elapsed_time"] - 100.0) * 50.0, atol=0.5)


def test_a_piece_of_a_lap_lies_where_the_game_says() -> None:
    samples, scoring, lap = driven()
    lap.complete = False
    scoring["lap_distance"] = scoring["lap_distance"] + 300.0
    found = distances(samples, scoring, lap)
    np.testing.assert_allclose(found, (samples["elapsed_time"] - 100.0) * 50.0 + 300.0, atol=0.1)


@given(st.floats(5, 90), st.floats(0.97, 1.04), st.floats(500, 20_000))
def test_distance_never_goes_back_and_meets_the_line(speed: float, line: float, length: float) -> None:
    samples, scoring, lap = driven(speed, length, line)
    found = distances(samples, scoring, lap)
    assert (np.diff(found) >= 0).all()
    assert 0 <= found[0] < speed * 0.05
    assert length - speed * 0.05 < found[-1] <= length


def test_no_samples_and_no_scoring_give_what_is_known() -> None:
    samples, scoring, lap = driven()
    nothing = {name: values[:0] for name, values in samples.items()}
    untold = {name: values[:0] for name, values in scoring.items()}
    assert distances(nothing, scoring, lap).shape == (0,)
    np.testing.assert_allclose(distances(samples, untold, lap)[-1], 2000.0, atol=2.0)


def test_the_games_value_holds_until_the_next_is_told() -> None:
    told_at, known = np.array([1.0, 2.0]), np.array([10.0, 20.0], np.float32)
    found = held(np.array([0.5, 1.0, 1.9, 2.0, 9.0]), told_at, known)
    np.testing.assert_array_equal(found, np.array([np.nan, 10, 10, 20, 20], np.float32))


def test_on_the_demos_circuit_it_is_the_true_distance_within_some_metres(tmp_path: Path) -> None:
    tape = Tape(tmp_path, shown=RaceFrames(3, short=True))
    truth: dict[float, float] = {}
    for _ in range(95 * 50):
        tape.frame()
        truth[float(tape.records["mElapsedTime"][1])] = float(tape.race.motion.s[1])
    tape.commit()
    laps = [lap for lap in tape.closed() if lap.complete and lap.car == tape.race.field.ids[1]]
    tape.close()
    ring = RingReader(tape.data / "ring")
    for found in gather(ring, laps, session_pb2.Session()):
        wanted = np.array([truth[clock] for clock in found.samples["elapsed_time"].tolist()])
        wanted -= (
            (wanted > 1000) * (found.samples["lap_time"] < 10) * found.header.lap.track_length
        )  # the grid
        error = np.abs(found.samples["distance"] - wanted)
        assert error.max() < 9.0
        assert np.median(error) < 3.0
    ring.close()
