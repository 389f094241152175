"""Marked moments: an excerpt of every car is kept and pinned."""

from pathlib import Path

from rig.lapfile import LapFile
from rig.v1 import laps_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.store.marks import Marks
from tests.archive.race_frames import RaceFrames
from tests.archive.tape import ROOMY, SECOND_NS, START_NS, Tape, drained


def test_a_marked_moment_is_kept_for_all_cars_and_pinned(tape: Tape) -> None:
    tape.drive(30.0)
    marks = Marks(tape.data)
    marks.put(moment("late", at_s=20.0, before_s=5.0, after_s=3.0))
    marks.put(moment("overlapping", at_s=18.0, before_s=4.0, after_s=6.0, cars=[int(tape.race.field.ids[0])]))
    marks.put(moment("before", at_s=-100.0, before_s=5.0, after_s=1.0))
    archiver = drained(tape.archiver())
    late, overlapping, before = (marks.get(name) for name in ("late", "overlapping", "before"))
    assert late is not None
    assert late.status == laps_pb2.MOMENT_STATUS_KEPT
    assert len(late.laps) == 3
    for name in late.laps:
        with LapFile.open(archiver.store.folder.path(name)) as file:
            clock = file.column("elapsed_time")
            assert abs(clock[0] - 15.0) < 0.05
            assert abs(clock[-1] - 23.0) < 0.05
            assert file.header.lap.driver
        listed = archiver.store.index.lap(name)
        assert listed is not None
        assert listed.pinned
    assert overlapping is not None
    assert len(overlapping.laps) == 1
    assert before is not None
    assert before.status == laps_pb2.MOMENT_STATUS_LOST
    archiver.close()


def moment(
    name: str, at_s: float, before_s: float, after_s: float, cars: list[int] | None = None
) -> laps_pb2.Moment:
    return laps_pb2.Moment(
        name=f"marks/{name}",
        time_ns=START_NS + int(at_s * SECOND_NS),
        before_s=before_s,
        after_s=after_s,
        cars=cars or [],
        status=laps_pb2.MOMENT_STATUS_PENDING,
    )


def test_an_excerpt_that_was_written_and_not_yet_pinned_is_pinned_by_the_next_archiver(tape: Tape) -> None:
    tape.drive(30.0)
    marks = Marks(tape.data)
    marks.put(moment("one", at_s=20.0, before_s=5.0, after_s=3.0))
    archiver = drained(tape.archiver())
    kept = marks.get("one")
    assert kept is not None
    archiver.store.pin(kept.laps[0], pinned=False)  # as after a kill between the two
    kept.status = laps_pb2.MOMENT_STATUS_PENDING
    marks.put(kept)
    archiver.close()
    archiver = drained(Archiver(Settings(tape.data, ROOMY)))
    assert archiver.store.folder.pinned(kept.laps[0])
    archiver.close()


def test_an_excerpt_of_the_rigs_own_car_is_whose_who_was_in_the_seat_all_along(tape: Tape) -> None:
    tape.player = int(tape.race.field.ids[0])
    tape.sit("ann")
    tape.drive(15.0)
    tape.sit("bob")
    tape.drive(15.0)
    marks = Marks(tape.data)
    for name, at_s in (("ann", 8.0), ("both", 15.0), ("bob", 24.0)):
        marks.put(moment(name, at_s=at_s, before_s=4.0, after_s=2.0))
    archiver = drained(tape.archiver())
    for name, user in (("ann", "ann"), ("both", ""), ("bob", "bob")):
        mark = marks.get(name)
        assert mark is not None
        laps = [lap for one in mark.laps if (lap := archiver.store.index.lap(one))]
        assert {lap.car: lap.user for lap in laps if lap.player} == {tape.player: user}
        assert {lap.user for lap in laps if not lap.player} == {""}
    archiver.close()


def test_an_excerpt_names_who_drove_then(tmp_path: Path) -> None:
    tape = Tape(tmp_path, shown=RaceFrames(3, short=True))
    tape.drive(15.0)
    entries = tape.race.field.entries
    wanted = {
        int(slot): entry.driver.decode() for slot, entry in zip(tape.race.field.ids, entries, strict=True)
    }
    tape.race.relieved[:] = True  # everybody hands over
    tape.drive(15.0)
    marks = Marks(tape.data)
    marks.put(moment("early", at_s=8.0, before_s=4.0, after_s=2.0))
    archiver = drained(tape.archiver())
    early = marks.get("early")
    assert early is not None
    for name in early.laps:
        lap = archiver.store.index.lap(name)
        assert lap is not None
        assert lap.driver == wanted[lap.car]
    archiver.close()
