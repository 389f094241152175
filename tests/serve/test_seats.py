"""Two users and an administrator at one rig: what each sees of laps, marks and streams, and who may sit."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.errors import BadRequest, Denied, NotFound, RigError
from rig.v1 import lap_pb2, laps_pb2, session_pb2, telemetry_pb2
from rigclient.aio import AsyncRig
from rigd.auth.caller import LOCAL, Caller, Scope
from rigd.seat import Seat, SeatFile
from rigd.serve.server import Server
from rigd.store.marks import Marks
from tests.serve.callers import Call
from tests.serve.callers import call as call
from tests.serve.scripted_recorder import IDS, PLAYER, START_NS, STEP_S, RemoteRecorder
from tests.serve.secured import settings
from tests.store.lap_store import SESSION, CommandThread, LapStore, lap, session

OTHER = "sessions/20261120-150000-meander-valley-race-5f3a-2"
NARROW = frozenset((Scope.LIVE, Scope.LAPS))
ANN, BOB = Caller("ann", NARROW), Caller("bob", NARROW)
NAMELESS = Caller("", NARROW)
WIDE = Caller("cem", frozenset((Scope.LIVE_ALL, Scope.LAPS_ALL)))

HERS = lap(PLAYER, 1, player=True, user="ann")
HIS = lap(PLAYER, 2, player=True, user="bob")
NOBODYS = lap(PLAYER, 3, player=True)
FOREIGN = lap(3, 1)
"""Of another car, in the session in which ann and bob have sat."""
ELSEWHERE = lap(3, 1, OTHER)
"""In a session in which bob alone has."""
LAPS = (HERS, HIS, NOBODYS, FOREIGN, ELSEWHERE, lap(PLAYER, 2, OTHER, player=True, user="bob"))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(settings(tmp_path))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[LapStore]:
    lap_store = LapStore(tmp_path)
    lap_store.store.put_session(session())
    lap_store.store.put_session(session(OTHER, start_time_ns=session().start_time_ns + 1))
    for one in LAPS:
        lap_store.put(one)
    yield lap_store
    lap_store.close()


async def error_of(call: Awaitable[Any]) -> RigError:
    with pytest.raises(RigError) as caught:
        await asyncio.wait_for(call, 30)
    return caught.value


async def names(rig: AsyncRig) -> set[str]:
    return {one.name async for one in rig.laps()}


@pytest.mark.parametrize(
    ("caller", "laps"),
    [
        (ANN, (HERS, FOREIGN)),
        (BOB, (HIS, FOREIGN, ELSEWHERE, LAPS[-1])),
        (NAMELESS, ()),
        (Caller("dee", NARROW), ()),
        (Caller("ANN", NARROW), ()),
        (Caller("\uff41nn", NARROW), ()),
        (Caller("ann' OR '1", NARROW), ()),
        (Caller("%", NARROW), ()),
        (WIDE, LAPS),
        (LOCAL, LAPS),
    ],
    ids=["ann", "bob", "nameless", "stranger", "ANN", "wide ann", "SQL", "pattern", "laps:all", "local"],
)
async def test_everybody_finds_reads_and_lists_their_laps_and_no_others(
    kept: LapStore, call: Call, caller: Caller, laps: tuple[lap_pb2.Lap, ...]
) -> None:
    rig = call(caller)
    there = {one.name for one in laps}
    assert await names(rig) == there
    homes = {name.partition("/laps/")[0] for name in there}
    assert {one.name async for one in rig.sessions()} == homes
    for one in LAPS:
        if one.name in there:
            assert (await rig.lap_info(one.name)).user == one.user
            assert len(await rig.lap_file(one.name)) > 1000
            await rig.lap_scoring(one.name)
            continue
        missing = one.name.replace("car", "car9")
        asking: tuple[Callable[[str], Awaitable[Any]], ...] = (
            rig.lap_file,
            rig.lap_scoring,
            rig.pin,
            rig.unpin,
            rig.delete_lap,
            rig.lap_info,
        )
        for ask in asking:
            error, unknown = await error_of(ask(one.name)), await error_of(ask(missing))
            assert isinstance(error, NotFound), ask
            # The very words that are said of a lap that there never was.
            assert str(error).replace(one.name, missing) == str(unknown)


async def test_a_session_tells_of_the_laps_that_there_are(call: Call, kept: LapStore) -> None:
    rig = call(ANN)
    (found,) = [one async for one in rig.sessions()]
    assert (found.name, found.laps, found.cars) == (SESSION, 2, 2)
    assert found.best_lap in (HERS.name, FOREIGN.name)
    asked = laps_pb2.GetSessionRequest(name=OTHER)
    assert isinstance(await error_of(rig._ask(rig._lap.GetSession, asked)), NotFound)
    assert isinstance(await error_of(rig.losses(OTHER)), NotFound)


async def test_who_is_in_the_seat_sees_the_session_before_a_lap_is_kept(
    recorder: RemoteRecorder, call: Call, kept: LapStore
) -> None:
    running = session(
        "sessions/now",
        status=session_pb2.SESSION_STATUS_RECORDING,
        ring=recorder.identity(),
        start_time_ns=2 * START_NS,
    )
    kept.store.put_session(running)
    rig = call(ANN)
    assert {one.name async for one in rig.sessions()} == {SESSION}
    SeatFile(kept.data).put(Seat("ann", START_NS))
    assert {one.name async for one in rig.sessions()} == {SESSION, "sessions/now"}
    SeatFile(kept.data).put(Seat("bob", START_NS + 1))
    assert {one.name async for one in rig.sessions()} == {SESSION}


async def test_the_running_lap_of_the_rigs_own_car_is_whose_who_began_it(
    recorder: RemoteRecorder, call: Call, kept: LapStore
) -> None:
    recorder.ticks(700)
    recorder.update(True)
    recording = session_pb2.SESSION_STATUS_RECORDING
    kept.store.put_session(session(status=recording, ring=recorder.identity(), ring_session=1))
    own, other = (f"{SESSION}/laps/car{slot:03d}-running" for slot in (PLAYER, 3))

    async def seeing(name: str) -> list[Caller]:
        callers = []
        for caller in (ANN, BOB, NAMELESS, LOCAL):
            with contextlib.suppress(NotFound):
                assert (await call(caller).lap_info(name)).running
                callers.append(caller)
        return callers

    assert await seeing(own) == [LOCAL]
    assert await seeing(other) == [ANN, BOB, LOCAL]
    recorder.sit("ann", START_NS)
    assert await seeing(own) == [ANN, LOCAL]
    with pytest.raises(NotFound):
        await call(BOB).lap_file(own)


async def test_one_deletes_and_pins_what_is_ones_own(call: Call, kept: LapStore) -> None:
    kept.close()
    command_thread = CommandThread(kept.data)
    command_thread.start()
    try:
        rig, wide = call(ANN), call(WIDE)
        assert (await rig.pin(HERS.name)).pinned
        assert not (await rig.unpin(HERS.name)).pinned
        assert (await rig.pin(FOREIGN.name)).pinned
        await rig.unpin(FOREIGN.name)
        for one, who in ((FOREIGN, rig), (HERS, wide)):
            assert isinstance(await error_of(who.delete_lap(one.name)), Denied)
        await rig.delete_lap(HERS.name)
        assert isinstance(await error_of(rig.lap_info(HERS.name)), NotFound)
        local = call(LOCAL)
        await local.delete_lap(FOREIGN.name)
        assert HERS.name not in await names(local)
    finally:
        command_thread.stop()
        kept.store.folder.hold()


async def test_a_pin_of_somebody_else_stays(call: Call, kept: LapStore) -> None:
    kept.close()
    command_thread = CommandThread(kept.data)
    command_thread.start()
    ann, bob, local, name = call(ANN), call(BOB), call(LOCAL), FOREIGN.name
    try:
        assert isinstance(await error_of(ann.unpin(HIS.name)), NotFound)
        for one in (bob, local):
            await one.pin(name)
            for other in {ann, bob} - {one}:
                error = await error_of(other.unpin(name))
                assert isinstance(error, Denied)
                assert "somebody else" in str(error)
            assert (await ann.lap_info(name)).pinned
            assert not (await one.unpin(name)).pinned
        await local.pin(name)  # as an excerpt is pinned
        Marks(kept.data).put(laps_pb2.Moment(name="marks/1", user="ann", laps=[name]))
        assert isinstance(await error_of(bob.unpin(name)), Denied)
        assert not (await ann.unpin(name)).pinned
        await local.pin(HERS.name)
        assert not (await ann.unpin(HERS.name)).pinned
    finally:
        command_thread.stop()
        kept.store.folder.hold()


async def test_marks_are_ones_own_and_of_ones_own_time(
    recorder: RemoteRecorder, call: Call, tmp_path: Path
) -> None:
    recorder.ticks(500)  # ten seconds
    since_ns = START_NS + 5 * 10**9
    SeatFile(tmp_path).put(Seat("ann", since_ns))
    later = (since_ns + 3 * 10**9) / 1e9
    ann, bob, local = call(ANN), call(BOB), call(LOCAL)
    hers = await ann.mark(2.0, 1.0, at=later)
    assert hers.user == "ann"
    for rig, before_s, why in ((ann, 4.0, "since"), (bob, 1.0, "you are not")):
        error = await error_of(rig.mark(before_s, 1.0, at=later))
        assert isinstance(error, Denied)
        assert why in str(error)
    theirs = [await local.mark(8.0, 1.0, at=later) for _ in range(3)]
    assert [one.name async for one in ann.marks()] == [hers.name]
    assert [one async for one in bob.marks()] == []
    assert {one.name async for one in local.marks()} == {hers.name, *(one.name for one in theirs)}


# Streams.


def now_in_the_ring(tick: int) -> int:
    return START_NS + int(tick * STEP_S * 1e9)


async def take(stream: Any, count: int) -> list[Any]:
    return [await asyncio.wait_for(anext(stream), 30) for _ in range(count)]


async def raw(rig: AsyncRig, **fields: Any) -> AsyncIterator[telemetry_pb2.StreamPhysicsResponse]:
    """What comes over the wire, progress as well."""
    call: Any = rig._channel.unary_stream(
        "/rig.v1.TelemetryService/StreamPhysics",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=telemetry_pb2.StreamPhysicsResponse.FromString,
    )
    async for response in call(telemetry_pb2.StreamPhysicsRequest(channels=["speed"], **fields)):
        yield response


async def test_a_stream_follows_the_seat(recorder: RemoteRecorder, call: Call, tmp_path: Path) -> None:
    recorder.ticks(10)
    seat = SeatFile(tmp_path)
    ann, wide = call(ANN), call(WIDE)
    stream, all_of_it = raw(ann), wide.physics(["speed"])
    first = asyncio.ensure_future(anext(stream))
    everything = asyncio.ensure_future(take(all_of_it, 15))
    assert (await asyncio.wait_for(first, 30)).HasField("progress")
    recorder.ticks(5)  # to 15: nobody is in the seat
    response = await asyncio.wait_for(anext(stream), 30)
    assert response.HasField("progress")
    skipped, ticks = response.skipped, list(response.ticks)
    seat.put(Seat("ann", now_in_the_ring(16)))
    recorder.ticks(5)  # to 20
    while not ticks:
        response = await asyncio.wait_for(anext(stream), 30)
        skipped += response.skipped
        ticks += response.ticks
    assert skipped == 5
    while ticks[-1].seq < 20:
        ticks += (await asyncio.wait_for(anext(stream), 30)).ticks
    assert [tick.seq for tick in ticks] == [16, 17, 18, 19, 20]
    assert all(list(tick.id) == [PLAYER] for tick in ticks)
    seat.put(Seat("bob", now_in_the_ring(21)))
    recorder.ticks(5)  # to 25
    response = await asyncio.wait_for(anext(stream), 30)
    assert response.HasField("progress")
    assert not response.ticks
    assert [frame.seq for frame in await asyncio.wait_for(everything, 30)] == list(range(11, 26))


async def test_who_waits_for_the_seat_is_told(
    recorder: RemoteRecorder, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    stream = asyncio.ensure_future(anext(call(ANN).physics(["speed"])))
    while "rig seat USER" not in caplog.text:
        recorder.ticks(1)
        await asyncio.sleep(0.05)
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    assert [one.levelname for one in caplog.records if one.name == "rigclient"] == ["WARNING"]


@pytest.mark.parametrize(("cars", "ids"), [("all", [PLAYER]), ([PLAYER, 3], [PLAYER]), ([3], [])])
async def test_in_the_seat_one_sees_the_rigs_own_car(
    recorder: RemoteRecorder, call: Call, tmp_path: Path, cars: Any, ids: list[int]
) -> None:
    SeatFile(tmp_path).put(Seat("ann", START_NS))
    recorder.ticks(3)
    rig, wide = call(ANN), call(WIDE)
    frames = await take(rig.physics(["speed"], cars, start="earliest"), 3)
    assert [frame.id.tolist() for frame in frames] == [ids] * 3
    (frame,) = await take(wide.physics(["speed"], "all", start="earliest"), 1)
    assert frame.id.tolist() == list(IDS)


async def test_in_the_seat_one_sees_scoring_and_events_whole_and_else_nothing(
    recorder: RemoteRecorder, call: Call, tmp_path: Path
) -> None:
    for _ in range(3):
        recorder.update()
        recorder.event()
    rig = call(ANN)
    for stream in (rig.scoring, rig.events):
        assert isinstance(await error_of(anext(stream(start="earliest"))), Denied)
    SeatFile(tmp_path).put(Seat("ann", START_NS))
    (update,) = await take(rig.scoring(start="earliest"), 1)
    assert sorted(update.id.tolist()) == sorted(IDS)
    assert len(await take(rig.events(start="earliest"), 3)) == 3


async def test_the_past_is_denied_where_it_is_not_ones_own(
    recorder: RemoteRecorder, call: Call, tmp_path: Path
) -> None:
    recorder.ticks(100)
    rig, other = call(ANN), call(BOB)
    SeatFile(tmp_path).put(Seat("ann", now_in_the_ring(51)))
    for start in ("earliest", "running_lap", now_in_the_ring(40) / 1e9):
        error = await error_of(anext(rig.physics(start=start)))
        assert isinstance(error, Denied)
        assert error.hint
    frames = await take(rig.physics(start=now_in_the_ring(60) / 1e9), 1)
    assert abs(frames[0].seq - 60) <= 1
    error = await error_of(anext(other.physics(start=now_in_the_ring(60) / 1e9)))
    assert "you are not" in str(error)


async def test_a_cursor_of_before_passes_over_what_is_not_ones_own(
    recorder: RemoteRecorder, call: Call, tmp_path: Path
) -> None:
    recorder.ticks(100)
    local, rig = call(LOCAL), call(ANN)
    (frame,) = await take(local.physics(["speed"], start="earliest"), 1)
    SeatFile(tmp_path).put(Seat("ann", now_in_the_ring(90)))
    (found,) = await take(rig.physics(["speed"], start=frame.cursor), 1)
    assert (found.seq, found.skipped) == (90, 88)


# The seat itself.


async def test_the_seat_is_taken_by_the_rights_of_the_caller(
    recorder: RemoteRecorder, call: Call, tmp_path: Path
) -> None:
    ann, bob, local = call(ANN), call(BOB), call(LOCAL)
    assert (await ann.seat()).user == ""
    assert await ann.take_seat("ann") == "ann"
    since = (await bob.seat()).since_time_ns
    assert abs(since - time.time_ns()) < 3600 * 10**9
    assert await ann.take_seat("ann") == "ann"
    assert (await ann.seat()).since_time_ns == since
    for rig, user in ((bob, "bob"), (bob, ""), (ann, "bob")):
        assert isinstance(await error_of(rig.take_seat(user)), Denied)
    assert await ann.take_seat("") == ""
    assert await bob.take_seat("bob") == "bob"
    assert await local.take_seat("dee") == "dee"
    assert isinstance(await error_of(local.take_seat(" dee")), BadRequest)
    assert await local.take_seat("") == ""
    assert (await bob.seat()).since_time_ns == 0

    rig = call(NAMELESS)
    assert isinstance(await error_of(rig.take_seat("")), Denied)


async def test_the_later_of_what_is_asked_for_and_what_the_recorder_tells_counts(
    recorder: RemoteRecorder, call: Call, tmp_path: Path
) -> None:
    rig = call(LOCAL)
    await rig.take_seat("ann")
    asked = (await rig.seat()).since_time_ns
    recorder.sit("bob", asked + 1)
    while (now := await rig.seat()).user != "bob":
        await asyncio.sleep(0.02)
    assert now.by_driver
    assert await rig.take_seat("ann") == "ann"
    assert not (await rig.seat()).by_driver
