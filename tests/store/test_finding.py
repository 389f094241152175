"""Sessions and laps are found over a real server, and what is not there is said to be not there."""

import math
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rig.v1 import laps_pb2
from rigd.serve import laps
from rigd.serve.server import Server, Settings
from tests.store.lap_store import SESSION, LapStore, lap


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_without_any_laps_lists_are_empty(stub: Any) -> None:
    assert not (await stub.ListSessions(laps_pb2.ListSessionsRequest())).sessions
    assert not (await stub.ListLaps(laps_pb2.ListLapsRequest(parent="sessions/-"))).laps
    assert not (await stub.ListMarks(laps_pb2.ListMarksRequest())).marks


async def test_sessions_and_laps_are_found(lap_store: LapStore, stub: Any) -> None:
    for number in (1, 2, 3):
        lap_store.put(lap(index=number))
    (session,) = (await stub.ListSessions(laps_pb2.ListSessionsRequest(track="meander"))).sessions
    assert (session.name, session.laps, session.best_lap) == (SESSION, 3, lap(index=1).name)
    assert (await stub.GetSession(laps_pb2.GetSessionRequest(name=SESSION))).session == session
    request = laps_pb2.ListLapsRequest(parent=SESSION, order_by="number desc", page_size=2)
    answer = await stub.ListLaps(request)
    assert [one.number for one in answer.laps] == [3, 2]
    request.page_token = answer.next_page_token
    answer = await stub.ListLaps(request)
    assert ([one.number for one in answer.laps], answer.next_page_token) == ([1], "")
    assert (await stub.GetLap(laps_pb2.GetLapRequest(name=lap(index=1).name))).lap == answer.laps[0]


async def test_laps_that_come_while_the_server_runs_are_found(stub: Any, lap_store: LapStore) -> None:
    lap_store.put(lap())
    assert (await stub.GetLap(laps_pb2.GetLapRequest(name=lap().name))).lap.name == lap().name
    lap_store.store.index.remove_lap(lap().name)
    assert (await refused(stub.GetLap(laps_pb2.GetLapRequest(name=lap().name)))).code() is (
        grpc.StatusCode.NOT_FOUND
    )


@pytest.mark.parametrize(
    "name", ["", "sessions/x", "sessions/../x", "/etc/passwd", SESSION + "/laps/x", "\0"]
)
async def test_what_is_not_there_is_not_found(lap_store: LapStore, stub: Any, name: str) -> None:
    for call in (
        stub.GetSession(laps_pb2.GetSessionRequest(name=name)),
        stub.GetLap(laps_pb2.GetLapRequest(name=name)),
        stub.PinLap(laps_pb2.PinLapRequest(name=name)),
        stub.UnpinLap(laps_pb2.UnpinLapRequest(name=name)),
        stub.DeleteLap(laps_pb2.DeleteLapRequest(name=name)),
    ):
        error = await refused(call)
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert "there is no" in str(error.details())


async def test_bad_questions_are_invalid(lap_store: LapStore, stub: Any) -> None:
    for request in (
        laps_pb2.ListLapsRequest(parent="sessions/-", order_by="speed"),
        laps_pb2.ListLapsRequest(parent="sessions/-", page_size=-1),
        laps_pb2.ListLapsRequest(parent="sessions/-", page_token="x"),
        laps_pb2.ListLapsRequest(parent="sessions/-", filter=laps_pb2.LapFilter(min_lap_time=math.nan)),
        laps_pb2.ListLapsRequest(parent="x"),
    ):
        assert (await refused(stub.ListLaps(request))).code() is grpc.StatusCode.INVALID_ARGUMENT
    for wanted in (laps_pb2.ListSessionsRequest(page_token="x"), laps_pb2.ListSessionsRequest(page_size=-1)):
        assert (await refused(stub.ListSessions(wanted))).code() is grpc.StatusCode.INVALID_ARGUMENT
    for marks in (laps_pb2.ListMarksRequest(page_token="x"), laps_pb2.ListMarksRequest(page_size=-1)):
        assert (await refused(stub.ListMarks(marks))).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_index_that_cannot_be_read_is_data_loss_with_the_way_out(
    lap_store: LapStore, stub: Any
) -> None:
    lap_store.store.index.close()
    (lap_store.data / "index.sqlite").write_bytes(b"no index at all" * 1000)
    error = await refused(stub.ListLaps(laps_pb2.ListLapsRequest(parent="sessions/-")))
    assert error.code() is grpc.StatusCode.DATA_LOSS
    assert "rigd reindex" in str(error.details())


async def test_the_service_has_a_health_name(lap_store: LapStore) -> None:
    server = Server(Settings(lap_store.data, "127.0.0.1:0"))
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=laps.SERVICE))
    await server.stop()
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
