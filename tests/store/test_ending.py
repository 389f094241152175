"""A lap that is being read ends when the token of who reads it does."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

import rigclient
from rig.v1 import access_pb2, laps_pb2, laps_pb2_grpc
from rigclient.wire import translated
from rigd.auth.caller import Scope
from rigd.serve.server import Server
from tests.serve.secured import Secured, certificate, settings
from tests.store.lap_store import LapStore, lap, samples

ROWS = 250_000
"""More than a connection holds of what nobody reads."""


@pytest.fixture
async def secured(lap_store: LapStore) -> AsyncIterator[Secured]:
    lap_store.put(lap(), samples(ROWS), plain=True)
    server = Server(settings(lap_store.data))
    await server.start()
    found = Secured(server, lap_store.data)
    found.shown = await asyncio.to_thread(certificate, found.address)
    yield found
    await server.stop()


async def test_a_lap_that_is_being_read_ends_with_its_token(secured: Secured) -> None:
    token = await secured.paired(Scope.LAPS_ALL)
    async with secured.channel(token) as channel:
        stub = laps_pb2_grpc.LapServiceStub(channel)
        call: Any = stub.ReadLap(laps_pb2.ReadLapRequest(name=lap().name, encoding=laps_pb2.ENCODING_COLUMNS))
        await call.read()
        await secured.admin("RevokeToken", access_pb2.RevokeTokenRequest(id=token.partition(".")[0]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await to_its_end(call)
    assert isinstance(translated(caught.value, "here"), rigclient.TokenRevoked | rigclient.Unavailable)


async def to_its_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_who_may_not_read_laps_learns_nothing_of_them(secured: Secured) -> None:
    secret = await secured.paired(Scope.LIVE_ALL)
    async with secured.channel(secret) as channel:
        stub: Any = laps_pb2_grpc.LapServiceStub(channel)
        told = set()
        for name in (lap().name, "sessions/none/laps/car001-0001"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetLap(laps_pb2.GetLapRequest(name=name))
            told.add(caught.value.details())
    assert len(told) == 1
