"""Streams as a subscriber sees them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

import rigclient
from rig.channels import PHYSICS
from rig.v1 import event_pb2
from rigclient.aio import AsyncRig
from rigclient.requests import Cars
from rigd.serve.server import Server, Settings
from tests.serve.scripted_recorder import IDS, PLAYER, START_NS, STEP_S, RecorderProcess, RemoteRecorder

T = TypeVar("T")


async def take(stream: AsyncIterator[T], count: int) -> list[T]:
    """The next `count` items."""
    return [await asyncio.wait_for(anext(stream), 10) for _ in range(count)]


async def test_all_channels_of_all_cars_arrive_unchanged(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(3)
    frames = await take(rig.physics(start="earliest"), 3)
    assert [frame.seq for frame in frames] == [1, 2, 3]
    assert set(frames[0].channels) == set(PHYSICS.by_name)
    assert frames[2].id.tolist() == list(IDS)
    assert frames[2].speed.tolist() == [3.0] * 4


async def test_only_the_channels_asked_for_arrive_and_the_id(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(1)
    (frame,) = await take(rig.physics(["speed", "gear"], start="earliest"), 1)
    assert sorted(frame.channels) == ["gear", "id", "speed"]
    with pytest.raises(AttributeError, match="engine_rpm"):
        _ = frame.engine_rpm


@pytest.mark.parametrize(
    ("cars", "ids"),
    [("player", [PLAYER]), ([12, 3], [3, 12]), ([99], []), ("all", list(IDS))],
)
async def test_only_the_cars_asked_for_arrive(
    recorder: RemoteRecorder, rig: AsyncRig, cars: Cars, ids: list[int]
) -> None:
    recorder.ticks(1)
    (frame,) = await take(rig.physics(["gear"], cars, start="earliest"), 1)
    assert frame.id.tolist() == ids
    assert frame.gear.tolist() == [IDS.index(i) for i in ids]
    assert len(frame) == len(ids)


async def test_history_runs_into_live_without_gap_or_overlap(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(300)
    stream = rig.physics(["speed"], start="earliest")
    frames = await take(stream, 150)
    for _ in range(100):
        recorder.ticks(1)
        frames += await take(stream, 2)
    frames += await take(stream, 50)
    assert [frame.seq for frame in frames] == list(range(1, 401))
    assert not any(frame.gaps for frame in frames)


async def test_a_stream_resumes_after_its_cursor(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(10)
    first = await take(rig.physics(start="earliest"), 4)
    second = await take(rig.physics(start=first[-1].cursor), 6)
    assert [frame.seq for frame in second] == [5, 6, 7, 8, 9, 10]


async def test_a_stream_starts_at_a_time(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(100)
    (frame,) = await take(rig.physics(start=START_NS / 1e9 + 50 * STEP_S), 1)
    assert frame.seq == 50


async def test_a_stream_starts_at_the_running_lap(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(1200)  # 24 s: the running lap began at 20 s
    (frame,) = await take(rig.physics(cars="player", start="running_lap"), 1)
    assert frame.session_time == pytest.approx(20.0)


async def test_now_is_the_next_tick(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(5)
    stream = rig.physics()
    coming = asyncio.ensure_future(take(stream, 1))
    while not (await rig.status()).followers:
        await asyncio.sleep(0.01)
    recorder.ticks(1)
    assert [frame.seq for frame in await coming] == [6]


async def test_a_maximum_rate_keeps_one_tick_of_each_slot(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(200)
    frames = await take(rig.physics(["speed"], start="earliest", max_rate_hz=10), 30)
    steps = np.diff([frame.seq for frame in frames])
    assert set(steps[1:].tolist()) == {5}
    assert not any(frame.gaps for frame in frames)


async def test_a_rate_resumes_without_repeating_a_slot(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(200)
    whole = await take(rig.physics(start="earliest", max_rate_hz=7), 20)
    again = await take(rig.physics(start=whole[4].cursor, max_rate_hz=7), 15)
    assert [frame.seq for frame in again] == [frame.seq for frame in whole[5:]]


async def test_ticks_are_collected_into_messages(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(20)
    frames = await take(rig.physics(["gear"], start="earliest", ticks_per_message=8), 16)
    assert [frame.seq for frame in frames if frame.cursor] == [8, 16]


async def test_collected_ticks_do_not_wait_for_ever(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(3)
    frames = await take(rig.physics(["gear"], start="earliest", ticks_per_message=8), 3)
    assert [frame.seq for frame in frames] == [1, 2, 3]


async def test_the_latest_skips_what_waits_and_counts_it(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(100)
    (frame,) = await take(rig.physics(["gear"], start="earliest", delivery="latest"), 1)
    assert (frame.seq, frame.skipped) == (100, 99)


async def test_the_latest_still_tells_of_losses(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(10)
    recorder.gap(5)
    recorder.ticks(10)
    (frame,) = await take(rig.physics(["gear"], start="earliest", delivery="latest"), 1)
    assert (frame.seq, frame.skipped, frame.gaps[0].count) == (26, 20, 5)


async def test_compressed_messages_arrive_unchanged(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(2)
    frames = await take(rig.physics(start="earliest", gzip=True), 2)
    assert frames[1].speed.tolist() == [2.0] * 4


async def test_a_declared_loss_stands_before_the_tick_after_it(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.ticks(2)
    recorder.gap(3)
    recorder.gap(0, int(event_pb2.GAP_REASON_RECORDER_DOWN))
    frames = await take(rig.physics(start="earliest"), 4)
    assert [frame.seq for frame in frames] == [1, 2, 6, 7]
    (known,) = frames[2].gaps
    assert (known.first_seq, known.last_seq, known.count) == (3, 5, 3)
    (unknown,) = frames[3].gaps
    assert not unknown.HasField("count")
    assert unknown.reason == event_pb2.GAP_REASON_RECORDER_DOWN


async def test_a_loss_before_the_first_tick_is_told_to_who_starts_at_the_earliest(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.gap(4)
    (frame,) = await take(rig.physics(start="earliest"), 1)
    assert (frame.seq, frame.gaps[0].count) == (5, 4)


async def test_falling_off_the_ring_is_an_expired_cursor(
    tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    recorder = RemoteRecorder(recorder_process, tmp_path, limit_bytes=2 << 20)
    server = Server(Settings(tmp_path, "127.0.0.1:0"))
    await server.start()
    recorder.ticks(10)
    async with rigclient.aio.connect(f"127.0.0.1:{server.port}") as rig:
        first = await take(rig.physics(["gear"], start="earliest", ticks_per_message=1), 10)
        cursor = first[4].cursor
        for _ in range(60):
            recorder.ticks(20)
        with pytest.raises(rigclient.CursorExpired) as expired:
            await take(rig.physics(start=cursor), 1)
        assert int(expired.value.facts["first_seq"]) == recorder.first() > 6
    await server.stop()
    recorder.close()


async def test_the_first_scoring_message_brings_the_entry_list(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.update(entries=True)
    for _ in range(5):
        recorder.update()
    stream = rig.scoring(start="earliest")
    frames = await take(stream, 3)
    later = await take(rig.scoring(start=frames[2].cursor), 2)
    assert [bool(frame.entry_list) for frame in frames] == [True, False, False]
    assert later[0].entry_list is not None
    assert later[0].entry_list.entries[1].driver_name == "Driver 7"
    assert later[1].entry_list is None
    assert later[0].session_state.track_name == "Ring"
    assert later[0].id.tolist() == list(IDS[::-1])


async def test_events_arrive_in_order(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    for _ in range(3):
        recorder.event()
    events = await take(rig.events("earliest"), 3)
    assert [event.recorder_started.version for event in events] == ["1", "2", "3"]


async def test_a_new_ring_is_a_gap_of_unknown_size_and_the_stream_goes_on(
    recorder: RemoteRecorder, rig: AsyncRig, tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    recorder.ticks(5)
    stream = rig.physics(["speed"], start="earliest")
    await take(stream, 5)
    recorder.close()
    (tmp_path / "ring").rename(tmp_path / "ring.damaged")
    another = RemoteRecorder(recorder_process, tmp_path)
    another.ticks(3)
    frames = await take(stream, 3)
    assert [frame.seq for frame in frames] == [1, 2, 3]
    assert frames[0].gaps[0].reason == event_pb2.GAP_REASON_RING_REPLACED


async def test_subscribers_with_the_same_wishes_share_their_bytes(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.ticks(4)
    streams = [rig.physics(["speed", "gear"], "player", start="earliest") for _ in range(5)]
    taken = await asyncio.gather(*(take(stream, 4) for stream in streams))
    assert len({tuple(frame.seq for frame in frames) for frames in taken}) == 1
    status = await rig.status()
    assert sorted(f.seq for f in status.followers) == [4] * 5
    assert all(f.lag == 0 and f.messages >= 1 and f.channels == 2 for f in status.followers)


async def test_what_waits_for_a_reader_comes_in_few_messages_and_can_be_resumed_anywhere(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.ticks(300)  # more than the feed keeps: from the ring, then from memory
    frames = await take(rig.physics(["speed"], start="earliest"), 300)
    assert [frame.seq for frame in frames] == list(range(1, 301))
    (follower,) = (await rig.status()).followers
    assert follower.messages <= 10
    for at in (0, 1, 150, 298):
        (after,) = await take(rig.physics(["speed"], start=frames[at].cursor), 1)
        assert after.seq == frames[at].seq + 1


async def test_large_records_are_not_joined_without_a_bound(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(100)
    await take(rig.physics(start="earliest"), 100)
    (follower,) = (await rig.status()).followers
    record = follower.bytes / 100
    assert follower.bytes / follower.messages <= max(64 << 10, record) + record


@pytest.mark.parametrize("stop", [1, 40, 99])
async def test_the_cursor_of_a_stream_follows_within_a_message(
    recorder: RemoteRecorder, rig: AsyncRig, stop: int
) -> None:
    recorder.ticks(100)
    stream = rig.physics(["speed"], start="earliest")
    await take(stream, stop)
    (after,) = await take(rig.physics(["speed"], start=stream.cursor), 1)
    assert after.seq == stop + 1


async def test_a_record_that_the_disk_has_spoiled_is_a_gap_and_the_stream_goes_on(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    """It held up all streams for good, without a word."""
    recorder.ticks(1)
    live = rig.physics(["speed"], start="earliest")
    await take(live, 1)
    recorder.damaged()
    recorder.ticks(200)  # more than the feed keeps: a late reader takes them from the ring
    for frame in (*await take(live, 1), (await take(rig.physics(["speed"], start="earliest"), 2))[1]):
        assert frame.seq == 3
        assert [(gap.first_seq, gap.count) for gap in frame.gaps] == [(2, 1)]


async def test_bytes_that_are_no_status_do_not_keep_the_recorder_alive(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.ticks(1)
    stream = rig.physics(start="earliest")
    await take(stream, 1)
    recorder.say("\x01\x02 no status")
    recorder.ticks(1)
    assert [frame.seq for frame in await take(stream, 1)] == [2]
    assert not (await rig.status()).HasField("recorder")
