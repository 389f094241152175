"""From the ring's records to a lap's columns."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from rig.channels import PHYSICS, SCORING, Table
from rig.columns import Cut, Head, Layout, read_head
from rig.v1 import event_pb2, lap_pb2, session_pb2
from rigd import ring as rings
from rigd.gather.gather import Gathered, gather
from rigd.gather.running import running
from rigd.ring import RingReader, RingWriter
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import Tape

LAP_S = 60.0
"""The grid, and a lap of the short circuit by the slowest car."""


class Driven(NamedTuple):
    tape: Tape
    laps: list[lap_pb2.Lap]
    gathered: list[Gathered]
    physics: list[bytes]
    scoring: list[bytes]


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    tape = Tape(tmp_path_factory.mktemp("gather"))
    tape.drive(LAP_S)
    laps = [lap for lap in tape.closed() if lap.complete]
    records = tape.values(rings.PHYSICS), tape.values(rings.SCORING)
    tape.close()
    ring = RingReader(tape.data / "ring")
    gathered = gather(ring, laps, session_pb2.Session(name="sessions/x"))
    ring.close()
    return Driven(tape, laps, gathered, *records)


View = np.ndarray[tuple[()], np.dtype[Any]]


def plainly(table: Table, records: list[tuple[Head, View]], lap: lap_pb2.Lap) -> Iterator[dict[str, Any]]:
    """The car's rows, one record after another."""
    for head, view in records:
        (row,) = np.flatnonzero(view["id"] == lap.car)
        clock = view["elapsed_time"][row] if table is PHYSICS else head.session_time
        if lap.start_time <= clock < lap.end_time:
            yield {channel.name: view[channel.name][row] for channel in table.channels}


def test_there_is_a_lap_of_every_car(driven: Driven) -> None:
    assert sorted(lap.car for lap in driven.laps) == sorted(driven.tape.race.field.ids.tolist())


@pytest.mark.parametrize("table", [PHYSICS, SCORING], ids=lambda table: table.name)
def test_every_row_is_the_cars_own_bit_by_bit(driven: Driven, table: Table) -> None:
    physics = table is PHYSICS
    records = [
        (read_head(data), Layout(table, data, 0, len(data)).view(data, 0))
        for data in (driven.physics if physics else driven.scoring)
    ]
    for gathered in driven.gathered:
        found = gathered.samples if physics else gathered.scoring
        rows = list(plainly(table, records, gathered.header.lap))
        assert len(rows) > (1000 if physics else 20)
        for channel in table.channels:
            wanted = np.stack([row[channel.name] for row in rows])
            assert found[channel.name].tobytes() == wanted.tobytes(), channel.name


def test_the_lap_says_what_was_kept(driven: Driven) -> None:
    for gathered in driven.gathered:
        lap = gathered.header.lap
        assert lap.samples == len(gathered.samples["speed"])
        assert lap.scorings == len(gathered.scoring["place"])
        assert lap.start_time_ns == gathered.samples["capture_time_ns"][0]
        assert lap.end_time_ns == gathered.samples["capture_time_ns"][-1]
        assert not gathered.header.gaps
        assert gathered.header.session.state.track_name == driven.tape.race.circuit.name


def test_events_are_the_cars_own_and_the_sessions(driven: Driven) -> None:
    for gathered in driven.gathered:
        lap = gathered.header.lap
        kinds = [event.WhichOneof("kind") for event in gathered.header.events]
        assert kinds.count("sector_completed") == 2
        for event in gathered.header.events:
            body = getattr(event, event.WhichOneof("kind") or "")
            assert isinstance(body, event_pb2.FlagChanged) or body.car == lap.car
            assert lap.start_time <= event.session_time < lap.end_time
            assert event.seq == 0


def test_lap_time_counts_from_the_line(driven: Driven) -> None:
    for gathered in driven.gathered:
        samples, lap = gathered.samples, gathered.header.lap
        np.testing.assert_array_equal(samples["lap_time"], samples["elapsed_time"] - lap.start_time)
        assert 0 <= samples["lap_time"][0] < 0.05
        assert lap.lap_time - 0.05 < samples["lap_time"][-1] < lap.lap_time


def test_lost_frames_are_declared_in_their_lap_and_in_no_other(tape: Tape) -> None:
    tape.drive(20.0)
    for _ in range(7):
        tape.frame(lost=True)
    tape.drive(LAP_S + 25)
    laps = [lap for lap in tape.closed() if lap.complete]
    tape.close()
    ring = RingReader(tape.data / "ring")
    found = gather(ring, laps, session_pb2.Session())
    ring.close()
    for gathered in found:
        lap = gathered.header.lap
        touched = lap.start_time < 20.0 < lap.end_time
        assert lap.missing == (7 if touched else 0)
        assert [gap.reason for gap in gathered.header.gaps] == [event_pb2.GAP_REASON_MISSED] * touched
    assert {gathered.header.lap.missing for gathered in found} == {0, 7}


def test_a_loss_across_the_line_is_shared_by_both_laps(tape: Tape) -> None:
    tape.drive(30.0)
    before = len(tape.journal)
    while not any(event["kind"] == "lap" for event in tape.journal[before:]):
        tape.frame(lost=len(tape.pending) > 0 and tape.now.clock > 40.0)
    for _ in range(9):
        tape.frame(lost=True)
    tape.drive(60.0)
    laps = [lap for lap in tape.closed() if lap.complete]
    tape.close()
    ring = RingReader(tape.data / "ring")
    found = gather(ring, laps, session_pb2.Session())
    ring.close()
    assert any(gathered.header.lap.missing for gathered in found)
    for gathered in found:
        lap = gathered.header.lap
        assert lap.samples + lap.missing == pytest.approx(lap.lap_time * 50, abs=1)


def test_a_lap_longer_than_a_file_says_so(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rigd.gather.gather.MOST_ROWS", 1000)
    ring = RingReader(driven.tape.data / "ring")
    (found,) = gather(ring, driven.laps[:1], session_pb2.Session())
    ring.close()
    lap = found.header.lap
    assert [gap.reason for gap in found.header.gaps] == [event_pb2.GAP_REASON_TOO_LONG]
    assert lap.samples + lap.missing == pytest.approx(lap.lap_time * 50, abs=30)


@pytest.fixture
def written(driven: Driven, tmp_path: Path) -> Iterator[RingWriter]:
    """A copy of the ring, to write to."""
    writer = RingWriter(shutil.copytree(driven.tape.data / "ring", tmp_path / "ring"), 256 << 20)
    yield writer
    writer.close()


def test_a_beginning_that_was_evicted_is_declared(
    driven: Driven, written: RingWriter, tmp_path: Path
) -> None:
    half = driven.laps[0].start_time + 10
    with written.env.begin(write=True) as txn:
        cursor = txn.cursor(written.dbs[rings.PHYSICS])
        while cursor.first() and read_head(cursor.value()).session_time < half:
            cursor.delete()
    written.close()
    ring = RingReader(tmp_path / "ring")
    (found,) = gather(ring, driven.laps[:1], session_pb2.Session())
    ring.close()
    assert [gap.reason for gap in found.header.gaps] == [event_pb2.GAP_REASON_EVICTED]
    assert not found.header.gaps[0].HasField("count")
    assert found.samples["elapsed_time"][0] >= half


def found_laps(tape: Tape) -> list[Gathered]:
    """All complete laps, gathered. The tape is closed."""
    laps = [lap for lap in tape.closed() if lap.complete]
    tape.close()
    ring = RingReader(tape.data / "ring")
    found = gather(ring, laps, session_pb2.Session())
    ring.close()
    return found


@pytest.mark.parametrize("yellow", [True, False])
def test_a_lap_says_whether_it_was_green(tmp_path: Path, *, yellow: bool) -> None:
    tape = Tape(tmp_path, shown=RaceFrames(3, short=True))
    tape.drive(20.0)
    if yellow:
        tape.race.flags._show_yellow(tape.now.clock, sector=1)
    tape.drive(LAP_S - 20.0)
    told = [found.header.lap for found in found_laps(tape)]
    assert told
    assert all(lap.HasField("green") and lap.green != yellow for lap in told)


def test_frames_missed_before_the_rings_first_are_no_eviction(tape: Tape) -> None:
    for _ in range(25):
        tape.frame(lost=True)
    tape.drive(LAP_S)
    for gathered in found_laps(tape):
        lap, gaps = gathered.header.lap, gathered.header.gaps
        begun_before = bool(gathered.samples["lap_time"][0] > 0.25)
        assert [gap.reason for gap in gaps] == [event_pb2.GAP_REASON_MISSED] * begun_before
        assert lap.missing == 25 * begun_before


def test_samples_of_frames_that_were_not_whole_are_marked_and_counted(tape: Tape) -> None:
    tape.drive(20.0)
    for number in range(40):
        tape.frame(whole=number % 2 > 0)
    tape.drive(LAP_S + 25)
    found = found_laps(tape)
    assert {gathered.header.lap.torn_samples for gathered in found} == {0, 20}
    for gathered in found:
        assert np.count_nonzero(~gathered.samples["whole"]) == gathered.header.lap.torn_samples
        assert "whole" not in gathered.scoring


def test_the_games_distance_moves_with_every_update_though_few_are_stored(driven: Driven) -> None:
    for gathered in driven.gathered:
        samples, clock = gathered.samples, gathered.samples["elapsed_time"]
        steps = clock[1:][np.diff(samples["game_distance"]) != 0]
        assert np.median(np.diff(steps)) == pytest.approx(0.2, abs=0.021)
        assert len(gathered.scoring["seq"]) < len(steps) / 2
        age = clock - samples["update_time"]
        assert np.nanmin(age) >= 0
        assert np.nanmax(age) < 0.3


def test_samples_without_updates_of_their_own_fall_back_on_the_stored_ones(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As release 0.1 recorded them: the ring's records lack the channels."""
    monkeypatch.setattr(tape.encoders[0], "score", lambda *_: None)
    own = [channel for channel in PHYSICS.channels if not channel.name.startswith("update_")]
    encode = tape.encoders[0].encode

    def older(records: Any, head: Any, *rest: Any) -> bytes:
        data = encode(records, head._replace(schema=1), *rest)
        return b"".join(Cut(Layout(PHYSICS, data, 0, len(data)), own, None)(data))

    monkeypatch.setattr(tape.encoders[0], "encode", older)
    tape.drive(LAP_S)
    for gathered in found_laps(tape):
        assert np.isnan(gathered.samples["update_distance"]).all()
        assert np.isnan(gathered.samples["update_time"]).all()
        assert np.isfinite(gathered.samples["game_distance"][60:]).all()
        np.testing.assert_array_equal(gathered.samples["id"], gathered.header.lap.car)


def test_a_lap_of_which_nothing_is_left_has_no_samples_and_says_so(
    driven: Driven, written: RingWriter, tmp_path: Path
) -> None:
    with written.env.begin(write=True) as txn:
        cursor = txn.cursor(written.dbs[rings.PHYSICS])
        while cursor.first() and txn.stat(written.dbs[rings.PHYSICS])["entries"] > 10:
            cursor.delete()
    written.close()
    ring = RingReader(tmp_path / "ring")
    (found,) = gather(ring, driven.laps[:1], session_pb2.Session())
    ring.close()
    assert found.header.lap.samples == 0
    assert found.samples["tyre_temp"].shape == (0, 12)
    assert [gap.reason for gap in found.header.gaps] == [event_pb2.GAP_REASON_EVICTED]


def test_the_running_lap_is_read_up_to_the_newest_tick(driven: Driven) -> None:
    tape = driven.tape
    car = tape.race.field.ids.tolist()[0]
    newest = tape.records["mElapsedTime"][0]
    ring = RingReader(tape.data / "ring")
    found, nobody = running(ring, car), running(ring, 999)
    ring.close()
    assert nobody is None
    assert found is not None
    lap = found.header.lap
    assert lap.running
    assert lap.driver
    assert lap.track_name == tape.race.circuit.name
    assert lap.start_time == tape.records["mLapStartET"][0]
    assert found.samples["elapsed_time"][-1] == newest
