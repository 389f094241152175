"""ReadLap and ReadScoring over a real server: the bytes of the file, cuts, ranges, plain columns, damage."""

import asyncio
import contextlib
import math
import re
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.lapfile import SCORINGS, LapFile, pack
from rig.v1 import archive_pb2, laps_pb2
from rigd.serve.laps import lapdata
from rigd.serve.limits import Quotas
from rigd.store.commands import CommandQueue
from tests.store.lap_store import (
    CHANNELS,
    SAMPLES,
    STEP_S,
    TRIGGERS,
    Columns,
    CommandThread,
    LapStore,
    lap,
    samples,
    scoring,
)

BLOCKS, COLUMNS = laps_pb2.ENCODING_BLOCKS, laps_pb2.ENCODING_COLUMNS
NAME = lap().name


def asked(**fields: Any) -> laps_pb2.ReadLapRequest:
    return laps_pb2.ReadLapRequest(**{"name": NAME} | fields)


async def read(stub: Any, **fields: Any) -> list[laps_pb2.ReadLapResponse]:
    return [message async for message in stub.ReadLap(asked(**fields))]


async def blocks(stub: Any, **fields: Any) -> LapFile:
    """The answer as a lap file."""
    return LapFile(b"".join(message.data for message in await read(stub, **fields)))


def joined(messages: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Plain columns as arrays."""
    parts: dict[str, list[Any]] = {}
    for message in messages:
        for column in message.columns:
            values = np.frombuffer(column.values, column.dtype).reshape(column.rows, column.width)
            parts.setdefault(column.name, []).append(values)
    whole = {name: np.concatenate(values) for name, values in parts.items()}
    return {name: values[:, 0] if values.shape[1] == 1 else values for name, values in whole.items()}


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [message async for message in call]
    return caught.value


async def test_a_whole_lap_is_the_file_byte_for_byte(lap_store: LapStore, stub: Any) -> None:
    written = lap_store.put(lap())
    for encoding in (0, BLOCKS):
        messages = await read(stub, encoding=encoding)
        assert b"".join(message.data for message in messages) == written


async def test_a_large_file_comes_in_messages_of_a_mebibyte_at_most(lap_store: LapStore, stub: Any) -> None:
    rng = np.random.default_rng(1)
    columns = samples(60_000)
    columns["tyre_temp"] = rng.random((60_000, 12), np.float32)
    written = lap_store.put(lap(), columns)
    assert len(written) > 2 << 20
    messages = await read(stub)
    assert b"".join(message.data for message in messages) == written
    assert all(message.ByteSize() <= 1 << 20 for message in messages)
    plain = await read(stub, encoding=COLUMNS)
    assert all(message.ByteSize() <= 1 << 20 for message in plain)
    assert np.array_equal(joined(plain)["tyre_temp"], columns["tyre_temp"])


async def test_chosen_channels_come_with_the_lap_time_and_blocks_as_they_are(
    lap_store: LapStore, stub: Any
) -> None:
    written = LapFile(lap_store.put(lap()))
    found = await blocks(stub, channels=["tyre_temp", "speed"])
    assert set(found.channels()) == {"lap_time", "speed", "tyre_temp"}
    assert found.channels(SCORINGS) == written.channels(SCORINGS)
    assert found.header.lap == lap()
    for name in found.channels():
        assert np.array_equal(found.column(name), written.column(name))
    crcs = {(column.section, column.name): column.crc for column in written.header.columns}
    assert {
        (column.section, column.name): column.crc for column in found.header.columns
    }.items() <= crcs.items()


async def test_a_range_has_its_first_and_not_its_last(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap())
    whole = samples()
    for along, start, until in (("lap_time", 2.0, 4.0), ("distance", 100.0, 200.0)):
        found = await blocks(stub, channels=["speed"], **{along: {"from": start, "until": until}})
        inside = (whole[along] >= start) & (whole[along] < until)
        assert inside.any()
        assert np.array_equal(found.column("speed"), whole["speed"][inside])
        assert np.array_equal(found.column("lap_time"), whole["lap_time"][inside])
        assert found.header.samples == inside.sum()
    empty = await blocks(stub, lap_time={"from": 99.0})
    assert empty.header.samples == 0
    assert sorted(empty.channels()) == sorted(CHANNELS)


async def test_a_rate_keeps_the_first_sample_of_each_interval(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap())
    found = await blocks(stub, channels=["speed"], max_rate_hz=10.0)
    assert np.array_equal(found.column("speed"), np.arange(0, SAMPLES, 5))
    every = await blocks(stub, channels=["speed"], max_rate_hz=1 / STEP_S)
    assert np.array_equal(every.column("speed"), np.arange(SAMPLES))
    part = await blocks(stub, channels=["speed"], max_rate_hz=10.0, lap_time={"from": 1.0, "until": 1.5})
    assert np.array_equal(part.column("speed"), np.arange(50, 75, 5))


async def test_a_step_keeps_one_sample_in_so_many_metres_also_when_the_car_stands(
    lap_store: LapStore, stub: Any
) -> None:
    lap_store.put(lap())
    found = await blocks(stub, channels=["distance"], step_m=20.0)
    metres = found.column("distance")
    assert np.array_equal(np.floor(metres / 20), np.arange(20))
    assert set(metres) <= set(samples()["distance"])


async def test_plain_columns_are_the_same_values(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap(), updates=scoring())
    lap_store.store.index.set_pinned(NAME, True)
    first, *rest = await read(stub, encoding=COLUMNS)
    assert first.lap.pinned  # as it is today, not as it was written
    assert first.lap.name == NAME
    got = joined([first, *rest])
    assert got.keys() == samples().keys()
    assert all(np.array_equal(got[name], values) for name, values in samples().items())
    units = {column.name: column.unit for message in rest for column in message.columns}
    assert (units["speed"], units["tyre_temp"]) == ("m/s", "°C")
    part = joined(await read(stub, encoding=COLUMNS, channels=["speed"], lap_time={"until": 0.1}))
    assert {name: list(values) for name, values in part.items()} == {
        "speed": [0, 1, 2, 3, 4],
        "lap_time": list(samples()["lap_time"][:5]),
    }


ends = st.none() | st.floats(-1, 12) | st.sampled_from([-math.inf, math.inf, 0.0, 0.02, 5.0])


@given(
    along=st.sampled_from(["lap_time", "distance"]),
    start=ends,
    until=ends,
    rate=st.sampled_from([0.0, 0.3, 7.0, 50.0, 1000.0]),
    step=st.sampled_from([0.0, 0.7, 33.0]),
    jumps=st.lists(st.integers(-40, 40), max_size=60),
)
def test_rows_are_chosen_as_by_hand(
    along: str, start: float | None, until: float | None, rate: float, step: float, jumps: list[int]
) -> None:
    """Also over clocks and distances that go backwards."""
    time_s = np.cumsum(np.array([0, *jumps])) * STEP_S
    columns: Columns = {"lap_time": time_s, "distance": (time_s * 3).astype(np.float32)}
    request = laps_pb2.ReadLapRequest(max_rate_hz=rate, step_m=0 if rate else step)
    wanted = {key: end for key, end in (("from", start), ("until", until)) if end is not None}
    getattr(request, along).CopyFrom(laps_pb2.Range(**wanted))
    if rate:
        interval = np.floor(columns["lap_time"] * rate + 1e-6)
    elif step:
        interval = np.floor(columns["distance"].astype(float) / step + 1e-6)
    else:
        interval = np.arange(len(time_s))
    low, high = -math.inf if start is None else start, math.inf if until is None else until
    kept, reached = [], -math.inf
    for row, value in enumerate(columns[along]):
        if low <= value < high and interval[row] > reached:
            kept.append(row)
            reached = interval[row]
    chosen = lapdata.rows(LapFile(pack(archive_pb2.LapHeader(), columns, {})), request)
    assert chosen is not None
    assert chosen.tolist() == kept


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"channels": ["sped"]}, "'sped'.*did you mean 'speed'"),
        ({"lap_time": {"from": math.nan}}, "lap_time has an end that is not a number"),
        ({"lap_time": {"until": math.nan}}, "not a number"),
        ({"distance": {"from": 2.0, "until": 1.0}}, "distance is from 2.0 until 1.0"),
        ({"lap_time": {}, "distance": {}}, "exclude each other"),
        ({"max_rate_hz": 1.0, "step_m": 1.0}, "exclude each other"),
        ({"max_rate_hz": math.nan}, "max_rate_hz is nan"),
        ({"max_rate_hz": -1.0}, "max_rate_hz is -1.0"),
        ({"max_rate_hz": math.inf}, "max_rate_hz is inf"),
        ({"step_m": 1e-300}, "step_m is 1e-300"),
        ({"encoding": 9}, "encoding is 9"),
    ],
)
async def test_what_cannot_be_meant_is_refused(stub: Any, fields: dict[str, Any], words: str) -> None:
    error = await refused(stub.ReadLap(asked(**fields)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert re.search(words, str(error.details()))


async def test_a_channel_that_an_older_file_lacks_is_named_with_those_it_has(
    lap_store: LapStore, stub: Any
) -> None:
    lap_store.put(lap())
    for fields in ({}, {"encoding": COLUMNS}, {"lap_time": {"from": 1.0}}):
        error = await refused(stub.ReadLap(asked(channels=["brake_temp"], **fields)))
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "'brake_temp'" in str(error.details())
        assert "lap_time, distance" in str(error.details())


@pytest.mark.parametrize(
    "name",
    [
        "",
        NAME,
        "sessions/../laps/x",
        "sessions/x/laps/../../../../etc/passwd",
        "/etc/passwd",
        NAME + "\0",
        NAME + "\n",
        "sessions/x/laps/" + "a" * 5000,
        "sessions/x/laps/car012-running/..",
    ],
)
async def test_a_name_that_no_lap_has_is_not_found(lap_store: LapStore, stub: Any, name: str) -> None:
    for call in (
        stub.ReadLap(laps_pb2.ReadLapRequest(name=name)),
        stub.ReadScoring(laps_pb2.ReadScoringRequest(name=name)),
    ):
        assert (await refused(call)).code() is grpc.StatusCode.NOT_FOUND


async def test_a_file_that_is_gone_is_not_found(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap())
    lap_store.path(lap()).unlink()
    for fields in ({}, {"encoding": COLUMNS}, {"channels": ["speed"]}):
        error = await refused(stub.ReadLap(asked(**fields)))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert "is gone" in str(error.details())


@pytest.mark.parametrize("place", ["head", "block", "end"])
async def test_a_damaged_file_is_told_and_shown_to_the_archiver(
    lap_store: LapStore, stub: Any, place: str
) -> None:
    data = bytearray(lap_store.put(lap()))
    blocks_bytes = sum(column.size for column in LapFile(bytes(data)).header.columns)
    if place == "end":
        del data[-1:]
    else:
        data[30 if place == "head" else len(data) - blocks_bytes // 2] ^= 1
    lap_store.path(lap()).write_bytes(data)
    for encoding in (BLOCKS, COLUMNS):
        error = await refused(stub.ReadLap(asked(encoding=encoding)))
        assert error.code() is grpc.StatusCode.DATA_LOSS
        assert NAME in str(error.details())
    with contextlib.closing(CommandQueue(lap_store.data)) as queue:
        assert [(order.kind, order.name) for order in queue.take()] == [("examine", NAME)]


async def test_a_file_that_was_sent_before_is_sent_as_it_is_now(lap_store: LapStore, stub: Any) -> None:
    """A sound file is not checked again, but another under its name is, and so are gone and damaged ones."""
    written = lap_store.put(lap())
    for _ in range(2):
        assert b"".join(message.data for message in await read(stub)) == written
    anew = lap_store.put(lap(), samples(100))
    assert b"".join(message.data for message in await read(stub)) == anew
    lap_store.store.index.set_damage(NAME, "broken")
    assert (await refused(stub.ReadLap(asked()))).code() is grpc.StatusCode.DATA_LOSS
    lap_store.store.index.set_damage(NAME, "")
    lap_store.path(lap()).write_bytes(anew[:-1])
    assert (await refused(stub.ReadLap(asked()))).code() is grpc.StatusCode.DATA_LOSS
    lap_store.path(lap()).unlink()
    assert (await refused(stub.ReadLap(asked()))).code() is grpc.StatusCode.NOT_FOUND


async def test_a_lap_listed_as_damaged_is_not_sent_and_not_looked_at_again(
    lap_store: LapStore, stub: Any
) -> None:
    lap_store.put(lap())
    lap_store.store.index.set_damage(NAME, "the block of speed fails its check")
    for call in (stub.ReadLap(asked()), stub.ReadScoring(laps_pb2.ReadScoringRequest(name=NAME))):
        error = await refused(call)
        assert error.code() is grpc.StatusCode.DATA_LOSS
        assert "the block of speed" in str(error.details())
    assert not list((lap_store.data / "inbox").iterdir())


async def test_an_index_that_cannot_be_read_is_no_damage_of_a_lap(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap())
    lap_store.store.index.close()
    (lap_store.data / "index.sqlite").write_bytes(b"no index at all" * 1000)
    error = await refused(stub.ReadLap(asked()))
    assert error.code() is grpc.StatusCode.DATA_LOSS
    assert "rigd reindex" in str(error.details())
    assert not list((lap_store.data / "inbox").iterdir())


@pytest.mark.parametrize("limits", [Quotas(reads=0)])
async def test_no_more_laps_are_read_at_once_than_the_limit(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap())
    error = await refused(stub.ReadLap(asked()))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_many_readers_at_once_get_the_same(lap_store: LapStore, stub: Any) -> None:
    written = lap_store.put(lap())
    answers = await asyncio.gather(*(read(stub) for _ in range(12)))
    assert all(b"".join(message.data for message in answer) == written for answer in answers)


# Scoring.


async def scorings(stub: Any, **fields: Any) -> dict[str, list[Any]]:
    request = laps_pb2.ReadScoringRequest(name=NAME, **fields)
    got = joined([message async for message in stub.ReadScoring(request)])
    return {name: values.tolist() for name, values in got.items()}


async def test_scoring_comes_whole_or_by_channel_time_and_trigger(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap())
    assert await scorings(stub) == {name: values.tolist() for name, values in scoring().items()}
    wanted = {"channels": ["place"]}
    assert (await scorings(stub, **wanted, lap_time={"from": 2.0, "until": 5.0}))["lap_time"] == [2, 3, 4]
    assert (await scorings(stub, **wanted, triggers=[8]))["lap_time"] == [3]
    assert (await scorings(stub, **wanted, triggers=[2, 4]))["lap_time"] == [1, 7]
    assert (await scorings(stub, **wanted, triggers=[2 | 4]))["lap_time"] == [1, 7]
    both = await scorings(stub, **wanted, triggers=[1], lap_time={"from": 3.0})
    assert both["lap_time"] == [at for at, bits in enumerate(TRIGGERS) if bits & 1 and at >= 3]
    assert both["place"] == [at % 3 + 1 for at in map(int, both["lap_time"])]
    assert (await scorings(stub, **wanted, triggers=[128])) == {"place": [], "lap_time": []}


@pytest.mark.parametrize(
    "fields",
    [{"channels": ["engine_rpm"]}, {"lap_time": {"from": math.nan}}, {"triggers": [0]}],
)
async def test_scoring_that_cannot_be_meant_is_refused(
    lap_store: LapStore, stub: Any, fields: dict[str, Any]
) -> None:
    lap_store.put(lap())
    error = await refused(stub.ReadScoring(laps_pb2.ReadScoringRequest(name=NAME, **fields)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_scoring_without_the_channel_names_those_there_are(lap_store: LapStore, stub: Any) -> None:
    lap_store.put(lap())
    error = await refused(stub.ReadScoring(laps_pb2.ReadScoringRequest(name=NAME, channels=["best_split1"])))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "place" in str(error.details())


@pytest.mark.parametrize("limits", [Quotas(reads=1)])
async def test_a_reader_that_leaves_makes_room_for_another(lap_store: LapStore, stub: Any) -> None:
    columns = samples(60_000)
    columns["tyre_temp"] = np.random.default_rng(1).random((60_000, 12), np.float32)
    written = lap_store.put(lap(), columns)
    leaving = stub.ReadLap(asked())
    await leaving.read()
    leaving.cancel()
    for _ in range(1000):
        with contextlib.suppress(grpc.aio.AioRpcError):
            messages = await read(stub)
            assert b"".join(message.data for message in messages) == written
            return
        await asyncio.sleep(0.01)
    pytest.fail("the reader that left still counts")


async def test_a_damaged_file_is_listed_as_damaged_once_the_archiver_has_looked(
    lap_store: LapStore, command_thread: CommandThread, stub: Any
) -> None:
    data = bytearray(lap_store.put(lap()))
    data[-1] ^= 1
    lap_store.path(lap()).write_bytes(data)
    assert (await refused(stub.ReadLap(asked()))).code() is grpc.StatusCode.DATA_LOSS
    wanted = laps_pb2.ListLapsRequest(parent="sessions/-", filter=laps_pb2.LapFilter(damaged=True))
    for _ in range(1000):
        listed = (await stub.ListLaps(wanted)).laps
        if listed:
            break
        await asyncio.sleep(0.01)
    assert [one.name for one in listed] == [NAME]
    assert "the block of" in listed[0].damage
    assert (await refused(stub.ReadLap(asked()))).code() is grpc.StatusCode.DATA_LOSS
