"""Every call with every kind of token, over TLS: the table decides, and nobody learns more than it says."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import rigclient
from rig.v1 import access_pb2, analysis_pb2, catalog_pb2, laps_pb2, rig_pb2, telemetry_pb2
from rigclient.wire import translated
from rigd.auth import throttle
from rigd.auth.caller import Scope
from rigd.auth.tokens import TokenStore
from rigd.serve.laps import commands
from rigd.serve.permissions import ADMIN, ANY_TOKEN, OPEN, PERMISSIONS, Need
from rigd.serve.server import Server
from tests.serve.secured import HOUR_NS, Secured, certificate, made, settings

_FILES: Final = (
    access_pb2,
    analysis_pb2,
    catalog_pb2,
    laps_pb2,
    rig_pb2,
    telemetry_pb2,
    health_pb2,
    reflection_pb2,
)
METHODS: Final = {
    f"/{service.full_name}/{method.name}": method
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Of every service that a rig has."""

WRONG: Final = {
    "none": rigclient.Unauthenticated,
    "malformed": rigclient.WrongToken,
    "unknown": rigclient.WrongToken,
    "wrong secret": rigclient.WrongToken,
    "expired": rigclient.TokenExpired,
    "revoked": rigclient.TokenRevoked,
}
KINDS: Final = (*WRONG, *Scope, "local", "loopback")
SECRET: Final = "A" * 43


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tokens are what is tried here."""
    monkeypatch.setattr(throttle, "FREE", 10**6)
    monkeypatch.setattr(commands, "_ANSWER_WITHIN_S", 0.1)  # no archiver runs


@pytest.fixture
async def tokens(tmp_path: Path) -> dict[str, str]:
    """By kind."""
    found = {str(scope): made(tmp_path, scope) for scope in Scope}
    past = TokenStore(tmp_path, clock=lambda: time.time_ns() - 2 * HOUR_NS)
    found["expired"] = past.create("old", "old", Scope, 3600)[0]
    found["revoked"] = made(tmp_path, *Scope)
    TokenStore(tmp_path).revoke(found["revoked"].partition(".")[0])
    found["wrong secret"] = f"{found['admin'].partition('.')[0]}.{SECRET}"
    return found | {"malformed": "no token", "unknown": f"{'0' * 12}.{SECRET}"}


@pytest.fixture
async def secured(tmp_path: Path, tokens: dict[str, str]) -> AsyncIterator[Secured]:
    server = Server(settings(tmp_path, also=("localhost:0",)))
    await server.start()
    found = Secured(server, tmp_path)
    found.shown = await asyncio.to_thread(certificate, found.address)
    yield found
    await server.stop()


def channel_of(secured: Secured, tokens: dict[str, str], kind: str) -> grpc.aio.Channel:
    if kind == "local":
        return grpc.aio.insecure_channel(secured.local)
    if kind == "loopback":
        return grpc.aio.insecure_channel(f"localhost:{secured.server.ports['localhost:0']}")
    return secured.channel(tokens.get(kind))


async def told(channel: grpc.aio.Channel, name: str, body: bytes = b"") -> grpc.aio.AioRpcError | None:
    """The error a call ends with; None for an answer, and for a stream that goes on. Where the answer comes
    while gRPC still writes the request, it may put words of its own in its place: then it is asked again.
    """
    while (error := await _told(channel, name, body)) is not None:
        if error.details() != "Internal error from Core":  # grpc/grpc#36066
            break
    return error


async def _told(channel: grpc.aio.Channel, name: str, body: bytes) -> grpc.aio.AioRpcError | None:
    method = METHODS.get(name)
    streams = (method.client_streaming, method.server_streaming) if method else (False, False)
    kind = "{}_{}".format(*("stream" if one else "unary" for one in streams))
    make: Any = getattr(channel, kind)(name)
    call = make(iter([body]) if streams[0] else body, timeout=60)
    try:
        await (call.read() if streams[1] else call)
    except grpc.aio.AioRpcError as error:
        return error
    finally:
        call.cancel()
    return None


def expected(need: Need, kind: str) -> str:
    """What the table says: in, unknown (who it is) or denied."""
    if need == OPEN and kind not in WRONG:
        return "in"
    if kind in WRONG:
        return "in" if need == OPEN and kind == "none" else "unknown"
    if kind in ("local", Scope.ADMIN) or not need.scopes:
        return "in"
    if kind == "loopback":
        return "denied" if need == ADMIN else "in"
    return "in" if {kind, kind.removesuffix(":all")} & set(need.scopes) else "denied"


def outcome(error: grpc.aio.AioRpcError | None) -> str:
    found = translated(error, "here") if error else None
    assert "no rig answers" not in str(found)
    if error is None or isinstance(found, rigclient.WrongCode):
        return "in"
    if isinstance(found, rigclient.Unauthenticated):
        return "unknown"
    # Past the table a call may be denied by what it asks for; then no scope is named.
    return "denied" if isinstance(found, rigclient.Denied) and "scopes" in found.facts else "in"


def test_the_table_has_every_call_and_no_other() -> None:
    assert set(PERMISSIONS) == set(METHODS)


def test_every_service_of_the_contract_is_walked() -> None:
    """A new .proto file with a service has to be named above."""
    contract = Path(rig_pb2.__file__).parent.glob("*_pb2.py")
    files = (f"rig/v1/{path.name.removesuffix('_pb2.py')}.proto" for path in contract)
    found = (descriptor_pool.Default().FindFileByName(name) for name in files)
    services = {f"/rig.v1.{service}" for file in found for service in file.services_by_name}
    assert services == {name.rpartition("/")[0] for name in METHODS if name.startswith("/rig.")}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_call_is_answered_by_the_table(
    secured: Secured, tokens: dict[str, str], kind: str
) -> None:
    async with channel_of(secured, tokens, kind) as channel:
        for name in METHODS:
            error = await told(channel, name)
            assert outcome(error) == expected(PERMISSIONS[name], kind), (name, error)


@pytest.mark.parametrize("kind", WRONG)
async def test_who_has_no_good_token_is_told_the_same_of_everything(
    secured: Secured, tokens: dict[str, str], kind: str
) -> None:
    """Of what is there, what is not, and whatever is asked of it."""
    hidden = [name for name in METHODS if PERMISSIONS[name] != OPEN]
    session = laps_pb2.GetSessionRequest(name="sessions/one").SerializeToString()
    asked = [(name, b"") for name in hidden] + [(hidden[0], b"\xff" * 11), ("/rig.v1.RigService/Secret", b"")]
    async with channel_of(secured, tokens, kind) as channel:
        errors = [await told(channel, *one) for one in (*asked, ("/rig.v1.LapService/GetSession", session))]
    said = [(error.code(), error.details()) for error in errors if error]
    assert {type(translated(error, "here")) for error in errors} == {WRONG[kind]}, said
    assert len({error.details() for error in errors if error}) == 1


async def test_a_call_of_a_newer_version_is_unimplemented_to_who_may_ask(
    secured: Secured, tokens: dict[str, str]
) -> None:
    async with secured.channel(tokens["live"]) as channel:
        error = await told(channel, "/rig.v1.RigService/Newer")
    assert error is not None
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_call_that_is_not_in_the_table_is_answered_to_nobody(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(PERMISSIONS, "/rig.v1.RigService/GetStatus")
    async with grpc.aio.insecure_channel(secured.local) as channel:
        error = await told(channel, "/rig.v1.RigService/GetStatus")
    assert isinstance(translated(error, "here"), rigclient.Denied)


async def test_loopback_may_be_closed_to_who_has_no_token(tmp_path: Path) -> None:
    token = made(tmp_path, Scope.LIVE)
    server = Server(settings(tmp_path, also=("localhost:0",), open_loopback=False))
    await server.start()
    address = f"localhost:{server.ports['localhost:0']}"
    async with grpc.aio.insecure_channel(address) as channel:
        assert outcome(await told(channel, "/rig.v1.RigService/GetStatus")) == "unknown"
        call: Any = channel.unary_unary("/rig.v1.RigService/GetStatus")
        await call(b"", metadata=(("authorization", f"Bearer {token}"),), timeout=60)
    await server.stop()


def test_a_need_is_met_by_more_than_it() -> None:
    assert expected(Need((Scope.LAPS,)), "laps:all") == "in"
    assert expected(Need((Scope.LAPS_ALL,)), "laps") == "denied"
    assert expected(ANY_TOKEN, "catalog") == "in"
