"""What a reader takes for a frame and what not, one buffer at a time."""

import math
from pathlib import Path

import numpy as np
import pytest

from rigd.sources.rf2.layout import BUFFERS, Buffer, Extended, Scoring, Telemetry
from rigd.sources.rf2.reader import WINDOWS, BufferReader, Snapshot, allowed
from rigd.sources.rf2.writer import BufferWriter
from tests.sources.plugin import MS, SECOND, Plugin


@pytest.fixture
def reader(folder: Path, plugin: Plugin) -> BufferReader:
    """A reader of telemetry that has its baseline."""
    reader = BufferReader(folder, Telemetry)
    assert reader.snapshot(0) is None
    return reader


def take(reader: BufferReader, now_ns: int = 0) -> Snapshot:
    found = reader.snapshot(now_ns)
    assert found is not None
    return found


def test_a_frame_is_given_once_with_its_cars_and_its_bytes(reader: BufferReader, plugin: Plugin) -> None:
    plugin.drive(1.0, cars=3)
    frame = take(reader)
    assert (frame.version, frame.count, frame.whole, frame.missed) == (1, 3, True, 0)
    assert frame.records["mID"].tolist() == [10, 11, 12]
    assert bytes(frame.raw) == plugin.telemetry.bytes[: 16 + 3 * 1888].tobytes()
    assert reader.snapshot(0) is None
    assert reader.frames == 1


def test_what_is_there_at_first_is_only_a_baseline(folder: Path, plugin: Plugin) -> None:
    for step in range(5):
        plugin.drive(float(step))
    reader = BufferReader(folder, Telemetry)
    assert reader.snapshot(0) is None
    assert (reader.baseline, reader.version, reader.moved_ns) == (5, 5, None)
    plugin.drive(9.0)
    assert take(reader).version == 6


def test_what_is_there_at_first_can_be_asked_for(folder: Path, plugin: Plugin) -> None:
    plugin.score(3.0)
    frame = take(BufferReader(folder, Scoring, first=True))
    assert frame.info is not None
    assert (frame.info["mCurrentET"], frame.missed) == (3.0, 0)


def test_scoring_comes_with_its_session_and_extended_as_one_piece(folder: Path, plugin: Plugin) -> None:
    scoring, extended = BufferReader(folder, Scoring), BufferReader(folder, Extended, first=True)
    assert scoring.snapshot(0) is None
    plugin.score(7.5, cars=2)
    frame = take(scoring)
    assert frame.info is not None
    assert (frame.info["mCurrentET"], frame.records["mID"].tolist()) == (7.5, [10, 11])
    assert len(frame.raw) == 560 + 584 * 2
    assert len(take(extended).raw) == Extended.size


def test_frames_that_were_not_looked_at_are_counted(reader: BufferReader, plugin: Plugin) -> None:
    plugin.drive(1.0)
    take(reader)
    for step in range(4):
        plugin.drive(2.0 + step)
    assert take(reader).missed == 3
    plugin.drive(9.0)
    assert take(reader).missed == 0
    assert reader.missed == 3


def word(plugin: Plugin, value: int) -> None:
    """Set both version words, as a flipped bit of memory does from which the plugin goes on."""
    plugin.telemetry.bytes[:8].view("<u4")[:] = value


@pytest.mark.parametrize("bit", range(1, 32))
def test_a_flipped_bit_in_the_version_words_is_no_count_of_frames(
    reader: BufferReader, plugin: Plugin, bit: int
) -> None:
    """Nor is the way back to the true counter: what the clock has no time for, nobody can count."""
    word(plugin, 123_454)
    plugin.drive(0.0)
    take(reader, 123_455 * 20 * MS)
    for true, flip in enumerate((0, 0, 1 << bit, 0, 1 << bit, 0, 0), start=123_456):
        word(plugin, (true ^ flip) - 1)
        plugin.drive(true / 50)
        frame = take(reader, true * 20 * MS)
        assert frame.missed <= allowed(0.02)
    assert frame.missed == 0
    assert not frame.jumped


def test_what_the_session_clock_has_time_for_is_a_count(reader: BufferReader, plugin: Plugin) -> None:
    """A replay may run faster than the wall clock."""
    plugin.drive(1.0)
    take(reader)
    word(plugin, 2001)
    plugin.drive(41.0)
    frame = take(reader, 20 * MS)
    assert (frame.missed, frame.jumped) == (2000, False)
    word(plugin, 4002)
    plugin.drive(41.02)
    frame = take(reader, 40 * MS)
    assert (frame.missed, frame.jumped, reader.jumps) == (0, True, 1)


def test_what_our_clock_has_time_for_is_a_count(reader: BufferReader, plugin: Plugin) -> None:
    plugin.drive(1.0)
    take(reader)
    word(plugin, 2001)
    plugin.drive(1.02)
    assert take(reader, 10 * SECOND).missed == 2000


@pytest.mark.parametrize("clock", [math.inf, 1e300, -1e300])
def test_a_session_clock_out_of_this_world_makes_no_billions(
    reader: BufferReader, plugin: Plugin, clock: float
) -> None:
    plugin.drive(1.0)
    take(reader)
    word(plugin, 1 << 30)
    plugin.drive(clock)
    assert reader.snapshot(20 * MS) is None or reader.missed == 0


def test_hints_of_every_length_keep_no_more_than_some_windows(reader: BufferReader, plugin: Plugin) -> None:
    for step in range(3 * WINDOWS):
        plugin.telemetry.begin()
        plugin.telemetry.array["mBytesUpdatedHint"] = 1000 + step
        plugin.telemetry.end()
        reader.snapshot(0)
    assert len(reader._windows) <= WINDOWS


def test_the_version_word_may_wrap(reader: BufferReader, plugin: Plugin) -> None:
    plugin.telemetry.bytes[:8].view("<u4")[:] = 0x7FFF_FFFF
    reader.snapshot(0)
    plugin.telemetry.bytes[:8].view("<u4")[:] = 0xFFFF_FFFE
    reader.snapshot(0)
    plugin.drive(1.0)
    take(reader)
    plugin.telemetry.bytes[:8].view("<u4")[:] = 0
    plugin.fill(2.0, range(3))
    frame = take(reader)
    assert (frame.version, frame.missed, reader.epoch) == (0, 0, 0)


def test_a_frame_that_repeats_the_clock_is_a_duplicate_and_not_a_loss(
    reader: BufferReader, plugin: Plugin
) -> None:
    plugin.drive(1.0)
    take(reader)
    plugin.drive(1.0)
    assert reader.snapshot(0) is None
    plugin.drive(1.02)
    assert (take(reader).missed, reader.duplicates, reader.version) == (0, 1, 3)


def test_scoring_that_repeats_its_clock_is_given(folder: Path, plugin: Plugin) -> None:
    reader = BufferReader(folder, Scoring)
    reader.snapshot(0)
    for _ in range(2):
        plugin.score(1.0)
        assert take(reader).count == 3


def test_a_cleared_buffer_is_no_frame_but_moves_the_version(reader: BufferReader, plugin: Plugin) -> None:
    plugin.drive(1.0)
    take(reader)
    plugin.telemetry.clear()
    assert reader.snapshot(0) is None
    assert (reader.cleared, reader.version, reader.frames) == (1, 2, 1)
    plugin.drive(1.0)
    assert take(reader).missed == 0


def test_an_open_frame_is_not_read(reader: BufferReader, plugin: Plugin) -> None:
    plugin.telemetry.begin()
    plugin.fill(1.0, range(3))
    assert reader.snapshot(0) is None
    plugin.close(3)
    assert take(reader).count == 3


@pytest.mark.parametrize(
    ("field", "value"), [("mNumVehicles", 129), ("mNumVehicles", -1), ("mNumVehicles", 2)]
)
def test_a_count_out_of_range_or_against_the_hint_is_rejected(
    reader: BufferReader, plugin: Plugin, field: str, value: int
) -> None:
    plugin.telemetry.begin()
    plugin.fill(1.0, range(3))
    plugin.close(3)
    plugin.telemetry.array[field] = value
    assert reader.snapshot(0) is None
    plugin.drive(2.0)
    assert (take(reader).missed, reader.rejected) == (1, 1)


@pytest.mark.parametrize("hint", [-5, 2**31 - 1, 9])
def test_a_hint_out_of_range_is_rejected(reader: BufferReader, plugin: Plugin, hint: int) -> None:
    plugin.drive(1.0)
    plugin.telemetry.array["mBytesUpdatedHint"] = hint
    found = reader.snapshot(0)
    assert (found is None) == (hint == 9)


@pytest.mark.parametrize("clock", [float("nan"), float("inf"), float("-inf")])
def test_a_clock_that_is_no_number_is_rejected(reader: BufferReader, plugin: Plugin, clock: float) -> None:
    plugin.drive(clock)
    assert (reader.snapshot(0), reader.rejected) == (None, 1)


@pytest.mark.parametrize("cars", [1, 2, 40])
def test_a_frame_closed_late_over_a_cleared_buffer_is_rejected(
    reader: BufferReader, plugin: Plugin, cars: int
) -> None:
    plugin.telemetry.begin()
    plugin.telemetry.bytes[8:] = 0
    plugin.close(cars)
    assert (reader.snapshot(0), reader.rejected) == (None, 1)


def test_scoring_may_announce_more_cars_than_it_has_room_for(folder: Path, plugin: Plugin) -> None:
    reader = BufferReader(folder, Scoring)
    reader.snapshot(0)
    plugin.score(1.0, cars=128)
    plugin.scoring.array["mScoringInfo"]["mNumVehicles"] = 140
    assert take(reader).count == 128


def test_everything_means_cleared_repeated_and_implausible_frames_too(folder: Path, plugin: Plugin) -> None:
    reader = BufferReader(folder, Telemetry, everything=True)
    reader.snapshot(0)
    counts = []
    for _ in range(2):
        plugin.drive(1.0)
        counts.append(take(reader).count)
    plugin.telemetry.clear()
    counts.append(take(reader).count)
    plugin.drive(float("nan"))
    assert (counts, take(reader).count, reader.missed) == ([3, 3, 0], 0, 0)


def test_records_beyond_the_count_are_not_given(reader: BufferReader, plugin: Plugin) -> None:
    plugin.drive(1.0, cars=5)
    take(reader)
    plugin.drive(2.0, cars=2)
    assert take(reader).records["mID"].tolist() == [10, 11]


def test_peek_tells_of_news_and_opens_nothing(folder: Path) -> None:
    reader = BufferReader(folder, Telemetry)
    with Plugin(folder) as plugin:
        assert not reader.peek()
        reader.snapshot(0)
        assert not reader.peek()
        plugin.drive(1.0)
        assert reader.peek()
        take(reader)
        assert not reader.peek()


@pytest.mark.parametrize("buffer", BUFFERS, ids=lambda buffer: buffer.name)
def test_a_reader_never_creates_its_file(folder: Path, buffer: Buffer) -> None:
    reader = BufferReader(folder, buffer)
    for step in range(20):
        assert reader.snapshot(step * SECOND) is None
    assert list(folder.iterdir()) == []


def test_a_larger_file_is_accepted(folder: Path, reader: BufferReader, plugin: Plugin) -> None:
    with (folder / Telemetry.file_name).open("r+b") as file:
        file.truncate(250_000)
    plugin.drive(1.0)
    assert take(reader).count == 3


def test_a_short_file_is_waited_for(folder: Path) -> None:
    path = folder / Telemetry.file_name
    path.write_bytes(bytes(100))
    reader = BufferReader(folder, Telemetry)
    assert reader.snapshot(0) is None
    with Plugin(folder) as plugin:
        assert reader.snapshot(0) is None
        plugin.drive(1.0)
        assert take(reader).version == 1


def test_a_truncated_file_starts_a_new_life(folder: Path, reader: BufferReader, plugin: Plugin) -> None:
    for step in range(3):
        plugin.drive(1.0 + step)
    take(reader)
    path = folder / Telemetry.file_name
    path.open("r+b").truncate(0)
    assert reader.snapshot(0) is None
    path.open("r+b").truncate(Telemetry.size)
    plugin.drive(0.5)
    frame = take(reader)
    assert (frame.version, frame.missed, reader.epoch, reader.reopens) == (1, 0, 1, 0)


def test_a_restart_between_two_looks_is_seen_by_the_counter_going_back(
    folder: Path, reader: BufferReader, plugin: Plugin
) -> None:
    for step in range(9):
        plugin.drive(1.0 + step)
    take(reader)
    with BufferWriter(folder, Telemetry) as again:
        plugin.telemetry, before = again, plugin.telemetry
        plugin.drive(0.5)
        plugin.drive(0.52)
        plugin.telemetry = before
        frame = take(reader)
    assert (frame.version, frame.missed, reader.epoch) == (2, 1, 1)


@pytest.mark.parametrize("gone_for_s", [0, 3])
def test_a_replaced_file_is_opened_again(
    folder: Path, reader: BufferReader, plugin: Plugin, gone_for_s: int
) -> None:
    plugin.drive(1.0)
    take(reader)
    (folder / Telemetry.file_name).unlink()
    for second in range(gone_for_s):
        assert reader.snapshot((1 + second) * SECOND) is None
    with Plugin(folder) as other:
        other.drive(5.0)
        assert reader.snapshot(10 * SECOND) is None
        other.drive(6.0)
        frame = take(reader, 10 * SECOND)
    assert (frame.records["mElapsedTime"][0], reader.reopens, reader.epoch) == (6.0, 1, 1)


def test_the_birth_of_a_file_tells_one_life_from_the_next(folder: Path, plugin: Plugin) -> None:
    plugin.drive(1.0, cars=128)
    reader = BufferReader(folder, Telemetry)
    assert reader.file.birth == (0, 0)
    reader.snapshot(0)
    birth = reader.file.birth
    plugin.drive(2.0, cars=128)
    assert reader.file.birth == birth
    with BufferWriter(folder, Telemetry):
        assert reader.file.birth != birth


def starve(reader: BufferReader, plugin: Plugin) -> int:
    """Hold a frame open beyond the reader's patience; the time by which it is."""
    plugin.drive(1.0)
    take(reader)
    plugin.telemetry.begin()
    assert reader.snapshot(10 * MS) is None
    return 60 * MS


def test_records_are_taken_one_by_one_while_no_frame_closes(reader: BufferReader, plugin: Plugin) -> None:
    now = starve(reader, plugin)
    plugin.fill(1.02, range(2))
    frame = take(reader, now)
    assert (frame.whole, frame.version, frame.count, reader.fallbacks) == (False, 1, 3, 1)
    assert frame.records["mElapsedTime"].tolist() == [1.02, 1.02, 1.0]
    head = np.frombuffer(frame.raw[:16], "<i4").tolist()
    assert head == [1, 1, 8 + 3 * 1888, 3]


def test_the_fallback_waits_for_movement_and_takes_its_time(reader: BufferReader, plugin: Plugin) -> None:
    now = starve(reader, plugin)
    assert reader.snapshot(now) is None
    plugin.fill(1.02, range(3))
    assert reader.snapshot(now + MS) is None
    assert not take(reader, now + 20 * MS).whole


def test_the_frame_that_closes_after_a_fallback_is_a_repeat_or_news(
    reader: BufferReader, plugin: Plugin
) -> None:
    now = starve(reader, plugin)
    plugin.fill(1.02, range(3))
    take(reader, now)
    plugin.close(3)
    assert reader.snapshot(now + MS) is None
    plugin.drive(1.04)
    frame = take(reader, now + 2 * MS)
    assert (frame.whole, frame.missed, reader.duplicates) == (True, 0, 1)


def test_a_writer_that_died_in_a_frame_is_given_up_once(reader: BufferReader, plugin: Plugin) -> None:
    now = starve(reader, plugin)
    for step in range(200):
        assert reader.snapshot(now + step * 20 * MS) is None
    assert (reader.given_up, reader.fallbacks, reader.peek()) == (1, 0, False)


def test_yesterdays_open_frame_is_not_taken_for_news(folder: Path, plugin: Plugin) -> None:
    plugin.drive(1.0)
    plugin.telemetry.begin()
    reader = BufferReader(folder, Telemetry)
    assert all(reader.snapshot(step * 20 * MS) is None for step in range(200))
    assert (reader.given_up, reader.frames) == (1, 0)


def test_a_reader_that_starts_in_a_starvation_takes_records_once_they_move(
    folder: Path, plugin: Plugin
) -> None:
    plugin.drive(1.0)
    plugin.telemetry.begin()
    reader = BufferReader(folder, Telemetry)
    assert [reader.snapshot(now * MS) for now in (0, 60)] == [None, None]
    plugin.fill(1.02, range(3))
    assert take(reader, 80 * MS).records["mElapsedTime"].tolist() == [1.02] * 3


def test_two_cars_with_one_id_in_an_open_frame_are_rejected(reader: BufferReader, plugin: Plugin) -> None:
    now = starve(reader, plugin)
    plugin.telemetry.array["mVehicles"]["mID"][1] = 10
    assert (reader.snapshot(now), reader.rejected) == (None, 1)


def test_an_open_scoring_frame_is_only_waited_for(folder: Path, plugin: Plugin) -> None:
    reader = BufferReader(folder, Scoring)
    reader.snapshot(0)
    plugin.scoring.begin()
    assert all(reader.snapshot(step * 20 * MS) is None for step in range(100))
    assert reader.fallbacks == 0


def test_a_frame_begun_during_the_copy_is_not_accepted(
    reader: BufferReader, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin.drive(1.0)
    copy = reader._copy

    def copy_and_write(length: int) -> bool:
        done = copy(length)
        plugin.drive(2.0)
        return done

    monkeypatch.setattr(reader, "_copy", copy_and_write)
    assert reader.snapshot(0) is None
    assert (reader.torn_retries, reader.given_up, reader.frames) == (4, 1, 0)


def test_a_record_that_moves_under_the_fallback_is_left_out(
    reader: BufferReader, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = starve(reader, plugin)
    plugin.fill(1.02, range(3))
    fill, clock = reader.file.fill, iter(range(100))

    def fill_and_write(views: list[memoryview], offset: int, length: int) -> bool:
        done = fill(views, offset, length)
        plugin.fill(2.0 + next(clock), range(1, 2))
        return done

    monkeypatch.setattr(reader.file, "fill", fill_and_write)
    assert take(reader, now).records["mID"].tolist() == [10, 12]
