"""Streams over the live tail: what is not committed yet is seen, once, and goes on in the ring."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

import rigclient
from rig.v1 import event_pb2, telemetry_pb2, telemetry_pb2_grpc
from rigclient.aio import AsyncRig
from rigclient.frames import PhysicsFrame
from rigd.serve.server import Server, Settings
from tests.serve.scripted_recorder import MARGIN, START_NS, STEP_S, RecorderProcess, RemoteRecorder
from tests.serve.test_streams import take


@pytest.fixture
def recorder(tmp_path: Path, recorder_process: RecorderProcess) -> Iterator[RemoteRecorder]:
    made = RemoteRecorder(recorder_process, tmp_path, tail=True)
    yield made
    recorder_process.call("kill")


@contextlib.asynccontextmanager
async def serving(data: Path) -> AsyncIterator[AsyncRig]:
    """A connection to a server that runs so long."""
    server = Server(Settings(data, "127.0.0.1:0"))
    await server.start()
    async with rigclient.aio.connect(f"127.0.0.1:{server.port}") as rig:
        yield rig
    await server.stop()


@pytest.fixture
async def second(recorder: RemoteRecorder, rig: AsyncRig, tmp_path: Path) -> AsyncIterator[AsyncRig]:
    """A connection to a second server on the same ring and tail: in a process of its own, for LMDB."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.budget.server", str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = (await process.stdout.readline()).split()[1].decode()
    async with rigclient.aio.connect(f"127.0.0.1:{port}") as connected:
        yield connected
    process.terminate()
    await process.wait()


def numbers(frames: list[PhysicsFrame]) -> list[int]:
    return [frame.seq for frame in frames]


async def until_live(rig: AsyncRig, live: bool = True) -> None:
    """Wait until the server follows a tail, or none."""
    async with asyncio.timeout(10):
        while bool((await rig.status()).why_not_live) is live:
            await asyncio.sleep(0.02)


async def test_ticks_arrive_before_they_are_committed(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(3)
    recorder.hold()
    stream = rig.physics(["speed"], start="earliest")
    frames = await take(stream, 3)
    recorder.ticks(2)
    frames += await take(stream, 2)
    assert numbers(frames) == [1, 2, 3, 4, 5]
    assert frames[4].speed.tolist() == [5.0] * 4
    assert recorder.last_committed() == 3
    assert not (await rig.status()).why_not_live
    for _ in range(5):
        recorder.commit(1)
        recorder.ticks(1)
    frames = await take(stream, 5)
    assert numbers(frames) == [6, 7, 8, 9, 10]
    assert not any(frame.gaps for frame in frames)


async def test_what_waits_for_its_commit_can_be_read_from_its_beginning(
    recorder: RemoteRecorder, rig: AsyncRig, second: AsyncRig
) -> None:
    """By two servers; more ticks than a server keeps of those that are committed."""
    recorder.ticks(200)
    recorder.hold()
    for _ in range(30):
        recorder.ticks(1)
    for one in (rig, second):
        assert numbers(await take(one.physics(["speed"], start="earliest"), 230)) == list(range(1, 231))
    assert recorder.last_committed() == 200


async def test_ticks_beyond_the_reserve_wait_for_the_commit(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(1)
    recorder.hold()
    recorder.ticks(MARGIN)
    stream = rig.physics(["speed"], start="earliest")
    await take(stream, MARGIN + 1)
    recorder.ticks(1)
    coming = asyncio.ensure_future(take(stream, 1))
    assert not (await asyncio.wait((coming,), timeout=0.2))[0]
    recorder.commit()
    assert numbers(await coming) == [MARGIN + 2]


async def test_who_asks_for_what_is_durable_gets_it_with_the_commit(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.ticks(3)
    recorder.hold()
    live, durable = (rig.physics(["speed"], start="earliest", durable_only=only) for only in (False, True))
    await take(durable, 3)
    recorder.ticks(2)
    assert numbers(await take(live, 5))[-1] == 5
    coming = asyncio.ensure_future(take(durable, 2))
    assert not (await asyncio.wait((coming,), timeout=0.2))[0]
    recorder.commit()
    assert numbers(await coming) == [4, 5]


async def test_progress_says_how_far_the_disk_is(recorder: RemoteRecorder, address: str) -> None:
    recorder.ticks(3)
    recorder.hold()
    recorder.ticks(2)
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = telemetry_pb2_grpc.TelemetryServiceStub(channel)
        call = stub.StreamPhysics(telemetry_pb2.StreamPhysicsRequest(durable_only=True))
        progress = (await asyncio.wait_for(call.read(), 10)).progress
        assert (progress.head_seq, progress.durable_seq) == (5, 3)


async def test_a_stream_starts_at_a_time_that_is_not_committed(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.ticks(50)
    recorder.hold()
    recorder.ticks(10)
    for seq in (30, 50, 51, 55, 60):
        (frame,) = await take(rig.physics(["speed"], start=START_NS / 1e9 + seq * STEP_S), 1)
        assert frame.seq == seq


async def test_a_lap_that_began_just_now_is_the_running_one(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(995)
    recorder.hold()
    recorder.ticks(10)  # 20.1 s: the running lap began at 20 s
    (frame,) = await take(rig.physics(cars="player", start="running_lap"), 1)
    assert frame.session_time == pytest.approx(20.0)


async def test_a_loss_is_told_before_it_is_committed(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.ticks(2)
    recorder.hold()
    recorder.gap(3)
    recorder.gap(0, int(event_pb2.GAP_REASON_RECORDER_DOWN))
    for _ in range(2):
        frames = await take(rig.physics(["speed"], start="earliest"), 4)
        assert numbers(frames) == [1, 2, 6, 7]
        assert [(gap.first_seq, gap.last_seq, gap.count) for gap in frames[2].gaps] == [(3, 5, 3)]
        assert [gap.reason for gap in frames[3].gaps] == [event_pb2.GAP_REASON_RECORDER_DOWN]
        recorder.commit()


async def test_the_entry_list_is_found_where_it_is_not_committed(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    recorder.update()
    recorder.hold()
    recorder.update(entries=True)
    recorder.update()
    recorder.update()
    stream = rig.scoring(start="earliest")
    frames = await take(stream, 3)
    (later,) = await take(rig.scoring(start=frames[2].cursor), 1)
    assert later.entry_list is not None
    assert later.entry_list.entries[1].driver_name == "Driver 7"


async def test_events_arrive_in_order_and_the_seat_with_them(recorder: RemoteRecorder, rig: AsyncRig) -> None:
    recorder.event()
    recorder.hold()
    recorder.event()
    recorder.sit("ada", START_NS)
    events = await take(rig.events("earliest"), 3)
    assert [event.WhichOneof("kind") for event in events[-2:]] == ["recorder_started", "seat_changed"]
    assert (await rig.seat()).user == "ada"


async def test_a_killed_recorder_goes_on_in_its_tail(
    recorder: RemoteRecorder, rig: AsyncRig, tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    recorder.ticks(3)
    recorder.hold()
    stream = rig.physics(["speed"], start="earliest")
    frames = await take(stream, 3)
    recorder.ticks(3)
    recorder.kill()
    frames += await take(stream, 3)
    later = RemoteRecorder(recorder_process, tmp_path, tail=True)
    assert later.last_committed() == 6
    later.hold()
    later.ticks(2)
    frames += await take(stream, 2)
    assert numbers(frames) == list(range(1, 9))
    assert not any(frame.gaps for frame in frames)


async def test_a_server_that_starts_without_a_recorder_shows_what_the_tail_holds(
    recorder: RemoteRecorder, tmp_path: Path
) -> None:
    recorder.ticks(3)
    recorder.hold()
    recorder.ticks(3)
    recorder.kill()
    async with serving(tmp_path) as rig:
        assert numbers(await take(rig.physics(["speed"], start="earliest"), 6)) == list(range(1, 7))
    RemoteRecorder(recorder._process, tmp_path, tail=True)


async def test_a_power_cut_is_a_gap_after_what_a_client_had(
    recorder: RemoteRecorder, tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    """Before and after the next recorder begins; no number is used twice."""
    recorder.ticks(3)
    recorder.hold()
    recorder.ticks(5)
    cursors = {}
    async with serving(tmp_path) as rig:
        for frame in await take(rig.physics(["speed"], start="earliest"), 8):
            cursors[frame.seq] = frame.cursor
    recorder.spoil("delete")
    recorder.kill()
    after = 3 + MARGIN + 1

    async with serving(tmp_path) as rig:
        had = [cursors[at] for at in (3, 6, 8)]
        waiting = [asyncio.ensure_future(take(rig.physics(["speed"], start=one), 1)) for one in had]
        while len((await rig.status()).followers) < 3:
            await asyncio.sleep(0.01)
        RemoteRecorder(recorder_process, tmp_path, tail=True).ticks(2)
        late = [await take(rig.physics(["speed"], start=one), 1) for one in had]
        for at, (frame,) in zip((3, 6, 8) * 2, (*await asyncio.gather(*waiting), *late), strict=True):
            assert frame.seq == after
            (gap,) = frame.gaps
            assert (gap.first_seq, gap.last_seq, gap.count) == (at + 1, after - 1, after - 1 - at)
            assert gap.reason == event_pb2.GAP_REASON_POWER_CUT


async def test_what_a_power_cut_took_is_not_given_out_for_durable(
    recorder: RemoteRecorder, rig: AsyncRig, tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    """Not by a server either that has it in memory still: the tail was lost with its recorder alone."""
    recorder.ticks(3)
    recorder.hold()
    recorder.ticks(5)
    assert numbers(await take(rig.physics(["speed"], start="earliest"), 8)) == list(range(1, 9))
    recorder.spoil("delete")
    recorder.kill()
    RemoteRecorder(recorder_process, tmp_path, tail=True).ticks(1)
    for durable in (True, False):
        frames = await take(rig.physics(["speed"], start="earliest", durable_only=durable), 4)
        assert numbers(frames) == [1, 2, 3, 3 + MARGIN + 1]
        assert [(gap.first_seq, gap.count) for gap in frames[-1].gaps] == [(4, MARGIN)]


async def test_a_cursor_beyond_all_that_was_given_out_is_of_no_ring_of_ours(
    recorder: RemoteRecorder, tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    """As when an older copy of the data directory was put back."""
    recorder.ticks(1)
    ring = tmp_path / "ring" / "data.mdb"
    before = ring.read_bytes()
    recorder.ticks(4 * MARGIN)
    async with serving(tmp_path) as rig:
        frames = await take(rig.physics(["speed"], start="earliest"), 4 * MARGIN + 1)
    recorder.close()
    ring.unlink()
    ring.write_bytes(before)
    RemoteRecorder(recorder_process, tmp_path, tail=True).ticks(1)
    async with serving(tmp_path) as rig:
        with pytest.raises(rigclient.ForeignCursor, match=f"the cursor is at {4 * MARGIN + 1}"):
            await take(rig.physics(start=frames[-1].cursor, reconnect=False), 1)
        (good,) = await take(rig.physics(start=frames[9].cursor), 1)
        assert good.gaps[0].reason == event_pb2.GAP_REASON_POWER_CUT


async def test_a_cursor_waits_for_what_a_power_cut_took_to_be_declared(
    tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    """No record came before the recorder was stopped, so that nothing is reserved and nothing declared."""
    recorder = RemoteRecorder(recorder_process, tmp_path)
    recorder.ticks(3)
    ring = tmp_path / "ring" / "data.mdb"
    before = ring.read_bytes()
    recorder.ticks(5)
    async with serving(tmp_path) as rig:
        cursor = (await take(rig.physics(["speed"], start="earliest"), 8))[-1].cursor
    recorder.close()
    ring.unlink()
    ring.write_bytes(before)
    recorder = RemoteRecorder(recorder_process, tmp_path)
    recorder.owe(20)
    async with serving(tmp_path) as rig:
        coming = asyncio.ensure_future(take(rig.physics(["speed"], start=cursor, reconnect=False), 1))
        while not (coming.done() or (await rig.status()).followers):
            await asyncio.sleep(0.01)
        recorder.gap(20, event_pb2.GAP_REASON_POWER_CUT)
        (frame,) = await coming
        assert (frame.seq, [(gap.first_seq, gap.count) for gap in frame.gaps]) == (24, [(9, 15)])
    recorder_process.call("close")


async def test_the_server_of_a_copy_does_not_follow_what_is_recorded_elsewhere(
    recorder: RemoteRecorder, tmp_path: Path
) -> None:
    """A copied or restored ring has the other's id, and names its live tail."""
    recorder.ticks(3)
    recorder.hold()
    copy = tmp_path / "copy"
    (copy / "ring").mkdir(parents=True)
    (copy / "ring" / "data.mdb").write_bytes((tmp_path / "ring" / "data.mdb").read_bytes())
    recorder.ticks(2)
    async with serving(copy) as rig:
        assert "another recorder" in (await rig.status()).why_not_live
        stream = rig.physics(["speed"], start="earliest")
        assert numbers(await take(stream, 3)) == [1, 2, 3]
        coming = asyncio.ensure_future(take(stream, 1))
        assert not (await asyncio.wait((coming,), timeout=0.2))[0]
        coming.cancel()
        await asyncio.wait((coming,))


@pytest.mark.parametrize("how", ["delete", "truncate", "replace"])
async def test_a_spoilt_tail_is_left_for_the_ring_and_a_new_one_joined(
    recorder: RemoteRecorder, rig: AsyncRig, how: str
) -> None:
    recorder.ticks(3)
    recorder.hold()
    stream = rig.physics(["speed"], start="earliest")
    await take(stream, 3)
    recorder.ticks(2)
    frames = await take(stream, 2)
    recorder.spoil(how)
    recorder.ticks(2)
    recorder.commit()
    frames += await take(stream, 2)
    await until_live(rig, False)
    assert "live tail" in (await rig.status()).why_not_live
    recorder.renew()
    await until_live(rig)
    recorder.ticks(2)
    assert recorder.last_committed() == 7
    frames += await take(stream, 2)
    assert numbers(frames) == list(range(4, 10))
    assert not any(frame.gaps for frame in frames)


async def test_a_server_that_finds_a_tail_in_ruins_follows_the_ring(
    recorder: RemoteRecorder, tmp_path: Path
) -> None:
    recorder.ticks(3)
    recorder.hold()
    recorder.ticks(3)
    recorder.spoil("overwrite")
    async with serving(tmp_path) as rig:
        stream = rig.physics(["speed"], start="earliest")
        assert numbers(await take(stream, 3)) == [1, 2, 3]
        assert "no bundle at" in (await rig.status()).why_not_live
        recorder.commit()
        assert numbers(await take(stream, 3)) == [4, 5, 6]


async def test_a_reader_that_was_overtaken_goes_on_in_the_ring(
    recorder: RemoteRecorder, rig: AsyncRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.ticks(3)
    stream = rig.physics(["speed"], start="earliest")
    frames = await take(stream, 3)
    with monkeypatch.context() as overtaken:
        overtaken.setattr("rigd.ring.tail.TailReader.bundles", lambda *_: None)
        recorder.ticks(3)
        frames += await take(stream, 3)
        assert "overwritten" in (await rig.status()).why_not_live
    await until_live(rig)
    recorder.hold()
    recorder.ticks(3)
    frames += await take(stream, 3)
    assert numbers(frames) == list(range(1, 10))


async def test_a_recorder_that_ends_and_one_without_a_tail_are_followed_in_the_ring(
    recorder: RemoteRecorder, rig: AsyncRig, tmp_path: Path, recorder_process: RecorderProcess
) -> None:
    recorder.ticks(3)
    stream = rig.physics(["speed"], start="earliest")
    frames = await take(stream, 3)
    recorder.close()
    later = RemoteRecorder(recorder_process, tmp_path)
    later.ticks(2)
    frames += await take(stream, 2)
    assert (await rig.status()).why_not_live == "the recorder keeps no live tail"
    later.close()
    last = RemoteRecorder(recorder_process, tmp_path, tail=True)
    last.ticks(2)
    frames += await take(stream, 2)
    await until_live(rig)
    assert numbers(frames) == list(range(1, 8))


async def test_a_recorder_that_goes_on_without_its_tail_is_followed_in_the_ring(
    recorder: RemoteRecorder, rig: AsyncRig
) -> None:
    """It had no room there: the file is where it was, and nothing more comes in it."""
    recorder.ticks(3)
    stream = rig.physics(["speed"], start="earliest")
    await take(stream, 3)
    recorder.straight(2)
    assert numbers(await take(stream, 2)) == [4, 5]
