"""Pairing, tokens and the certificate, over TLS with a real server."""

import asyncio
import contextlib
import os
import socket
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

import rigclient
from rig.join import Join, read_join
from rig.v1 import access_pb2, rig_pb2, rig_pb2_grpc, telemetry_pb2, telemetry_pb2_grpc
from rigclient.wire import translated
from rigd.auth import codes, throttle
from rigd.auth.caller import Scope
from rigd.serve import connections, gate
from rigd.serve.cursor import Cursor
from rigd.serve.server import Server, Settings
from tests.faults.hostile import UNREADABLE
from tests.rig.cursors import old
from tests.serve.scripted_recorder import RemoteRecorder
from tests.serve.secured import Secured, certificate, made, settings

PHYSICS = "/rig.v1.TelemetryService/StreamPhysics"
EVENTS = "/rig.v1.TelemetryService/StreamEvents"
ACKNOWLEDGEMENTS = "/rig.v1.TelemetryService/StreamAcknowledgements"
EARLIEST = telemetry_pb2.Start(earliest=True)
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture
async def secured(recorder: RemoteRecorder, tmp_path: Path) -> AsyncIterator[Secured]:
    async with serving(tmp_path) as found:
        yield found


@contextlib.asynccontextmanager
async def serving(data: Path, **more: Any) -> AsyncIterator[Secured]:
    server = Server(settings(data, **more))
    await server.start()
    found = Secured(server, data)
    found.shown = await asyncio.to_thread(certificate, found.address)
    yield found
    await server.stop()


@contextlib.contextmanager
def refused(kind: type[rigclient.RigError], words: str = "") -> Any:
    """See that a call is refused with this error of the tree."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    found = translated(caught.value, "here")
    assert type(found) is kind, found
    assert words in str(found)


async def error_of(call: Any) -> rigclient.RigError:
    """The error that a stream ends with, whatever comes before it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await to_its_end(call)
    return translated(caught.value, "here")


def stream(channel: grpc.aio.Channel, method: str, request: bytes) -> Any:
    make: Any = channel.unary_stream(method)
    return make(request)


async def to_its_end(call: Any) -> None:
    if not hasattr(call, "read"):
        await call
        return
    while await call.read() is not grpc.aio.EOF:
        pass


async def exchange(secured: Secured, code: str) -> Any:
    async with secured.channel() as stranger:
        return await secured.access(stranger).ExchangeCode(access_pb2.ExchangeCodeRequest(code=code))


async def pairing(secured: Secured, **wishes: Any) -> Join:
    wish = access_pb2.CreatePairingRequest(**{"name": "pit wall", "scopes": ["live", "laps"]} | wishes)
    return read_join((await secured.admin("CreatePairing", wish)).join)


# Odd calls.

AUTHORIZATION = "authorization"


@pytest.mark.parametrize(
    "headers",
    [
        lambda token: ((AUTHORIZATION, f"Bearer {token}"),) * 2,
        lambda token: ((AUTHORIZATION, f"Bearer {token}, Bearer {token}"),),
        lambda token: ((AUTHORIZATION, f"bearer {token}"),),
        lambda token: ((AUTHORIZATION, token),),
        lambda token: ((AUTHORIZATION, f"Bearer {token} "),),
        lambda token: ((AUTHORIZATION, f"Bearer {token.upper()}"),),
        lambda token: ((AUTHORIZATION, f"Bearer {token[:-1]}"),),
        lambda token: ((f"{AUTHORIZATION}-bin", f"Bearer {token}".encode()),),
        lambda token: (("proxy-authorization", f"Bearer {token}"), ("cookie", token)),
    ],
)
async def test_a_token_comes_in_one_way(secured: Secured, headers: Any) -> None:
    token = await secured.paired(Scope.ADMIN)
    async with secured.channel() as channel:
        access = secured.access(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await access.ListTokens(access_pb2.ListTokensRequest(), metadata=headers(token))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        good = ((AUTHORIZATION, f"Bearer {token}"),)
        assert (await access.ListTokens(access_pb2.ListTokensRequest(), metadata=good)).tokens


@pytest.mark.parametrize(
    "method",
    [
        "//rig.v1.AccessService/ListTokens",
        "/rig.v1.AccessService/ListTokens/",
        "/rig.v1.accessservice/listtokens",
        "/rig.v1.AccessService/ListTokens?x",
        "/grpc.health.v1.Health/../rig.v1.AccessService/ListTokens",
    ],
)
async def test_a_call_has_one_name(secured: Secured, method: str) -> None:
    token = await secured.paired(Scope.CATALOG)
    async with secured.channel() as stranger, secured.channel(token) as narrow:
        for channel, code in ((stranger, "UNAUTHENTICATED"), (narrow, "UNIMPLEMENTED")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await to_its_end(stream(channel, method, b""))
            assert caught.value.code().name == code


# Streams of others.


async def test_nobody_acknowledges_the_stream_of_another(recorder: RemoteRecorder, secured: Secured) -> None:
    recorder.ticks(3)
    one, other = [await secured.paired(Scope.LIVE_ALL, name=name) for name in ("one", "other")]
    asked = telemetry_pb2.StreamPhysicsRequest(channels=["speed"], subscription=b"a name", start=EARLIEST)
    async with secured.channel(one) as mine, secured.channel(other) as theirs:
        first = stream(mine, PHYSICS, asked.SerializeToString())
        cursor = telemetry_pb2.StreamPhysicsResponse.FromString(await first.read()).cursor
        said = telemetry_pb2.AcknowledgeRequest(subscription=b"a name", cursor=cursor)
        stubs: list[Any] = [telemetry_pb2_grpc.TelemetryServiceStub(one) for one in (mine, theirs)]
        with refused(rigclient.NotFound):
            await stubs[1].Acknowledge(said)
        second = stream(theirs, PHYSICS, asked.SerializeToString())  # the name is free to them
        assert await second.read() is not grpc.aio.EOF
        await stubs[0].Acknowledge(said)
        first.cancel()
        second.cancel()


# Pairing.


async def test_a_device_is_paired_with_a_join_string(secured: Secured) -> None:
    join = await pairing(secured, user="engineer", lifetime_s=3600)
    assert join.addresses == (secured.address,)
    answer = await exchange(secured, join.code)
    assert answer.rig == socket.gethostname()
    assert answer.token.user == "engineer"
    assert list(answer.token.scopes) == ["laps", "live"]
    async with secured.channel(answer.secret) as channel:
        caller = await secured.access(channel).GetCaller(access_pb2.GetCallerRequest())
    assert (caller.user, list(caller.scopes), caller.local) == ("engineer", ["laps", "live"], False)
    assert caller.expire_time_ns == answer.token.expire_time_ns
    assert list(caller.pins) == [join.fingerprint]


async def test_the_local_administrator_is_told_as_such(secured: Secured) -> None:
    caller = await secured.admin("GetCaller", access_pb2.GetCallerRequest())
    assert (caller.local, caller.user) == (True, "")
    assert "admin" in caller.scopes


async def test_a_code_is_good_once(secured: Secured) -> None:
    join = await pairing(secured)
    await exchange(secured, join.code)
    with refused(rigclient.CodeUsed, "was used already"):
        await exchange(secured, join.code)


async def test_a_code_that_nobody_used_is_listed_and_cancelled(secured: Secured) -> None:
    join = await pairing(secured, user="engineer", lifetime_s=60)
    (waiting,) = (await secured.admin("ListPairings", access_pb2.ListPairingsRequest())).pairings
    assert (waiting.name, waiting.user, list(waiting.scopes)) == ("pit wall", "engineer", ["laps", "live"])
    assert waiting.lifetime_s == 60
    assert join.code not in str(waiting)
    await secured.admin("CancelPairing", access_pb2.CancelPairingRequest(id=waiting.id))
    assert not (await secured.admin("ListPairings", access_pb2.ListPairingsRequest())).pairings
    with refused(rigclient.CodeExpired, "was cancelled"):
        await exchange(secured, join.code)
    with refused(rigclient.NotFound):
        await secured.admin("CancelPairing", access_pb2.CancelPairingRequest(id=waiting.id))


async def test_a_code_is_good_for_ten_minutes(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "LIFETIME_S", -1.0)
    join = await pairing(secured)
    with refused(rigclient.CodeExpired):
        await exchange(secured, join.code)


async def test_a_code_does_not_outlive_its_server(tmp_path: Path) -> None:
    async with serving(tmp_path) as secured:
        join = await pairing(secured)
    async with serving(tmp_path) as secured:
        with refused(rigclient.WrongCode):
            await exchange(secured, join.code)


async def test_a_token_outlives_its_server_and_so_does_the_certificate(tmp_path: Path) -> None:
    async with serving(tmp_path) as secured:
        token, shown = await secured.paired(Scope.LIVE_ALL), secured.shown
    async with serving(tmp_path) as secured, secured.channel(token) as channel:
        assert secured.shown == shown
        await secured.access(channel).GetCaller(access_pb2.GetCallerRequest())


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"scopes": []}, "without a scope"),
        ({"scopes": ["lap"]}, "did you mean 'laps'"),
        ({"name": ""}, "is no name of a device"),
        ({"name": "a\x1b[31m"}, "is no name of a device"),
        ({"user": "x" * 65}, "is no name of a user"),
        ({"lifetime_s": 2**63}, "100 years"),
    ],
)
async def test_a_pairing_that_means_nothing_is_refused(
    secured: Secured, wishes: dict[str, Any], words: str
) -> None:
    with refused(rigclient.BadRequest, words):
        await pairing(secured, **wishes)


async def test_where_nobody_could_come_from_elsewhere_nobody_is_paired(tmp_path: Path) -> None:
    server = Server(Settings(tmp_path, f"unix:{tmp_path}/socket"))
    await server.start()
    with refused(rigclient.Busy, "no address beyond its own machine"):
        await pairing(Secured(server, tmp_path))
    await server.stop()
    assert not (tmp_path / "tls").exists()


async def test_five_wrong_codes_and_the_right_one_has_to_wait(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    join = await pairing(secured)
    for _ in range(throttle.FREE):
        with refused(rigclient.WrongCode):
            await exchange(secured, "a" * 26)
    with refused(rigclient.Exhausted, "none is looked at for"):
        await exchange(secured, join.code)
    async with secured.channel(f"{'0' * 12}.{'A' * 43}") as channel:
        with refused(rigclient.Exhausted):
            await secured.access(channel).GetCaller(access_pb2.GetCallerRequest())
    monkeypatch.setattr(secured.server.gate.throttle, "_clock", lambda: time.monotonic() + 2)
    await exchange(secured, join.code)


# Tokens.


async def test_tokens_are_listed_newest_first_in_pages_without_secrets(secured: Secured) -> None:
    secrets = [await secured.paired(Scope.LIVE_ALL, name=f"device {number}") for number in range(5)]
    found: list[Any] = []
    request = access_pb2.ListTokensRequest(page_size=2)
    while True:
        page = await secured.admin("ListTokens", request)
        found += page.tokens
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert [token.name for token in found] == [f"device {number}" for number in reversed(range(5))]
    assert not any(secret.partition(".")[2] in str(found) for secret in secrets)


async def test_a_page_token_that_somebody_made_up_is_refused(secured: Secured) -> None:
    for number in range(2):
        await secured.paired(Scope.ADMIN, name=f"device {number}")
    admin = await secured.paired(Scope.ADMIN)
    page = await secured.admin("ListTokens", access_pb2.ListTokensRequest(page_size=1))
    bare = page.next_page_token.partition(".")[0]
    of_release_0_1 = access_pb2.ListTokensRequest(page_size=1, page_token=bare)
    assert (await secured.admin("ListTokens", of_release_0_1)).tokens
    async with secured.channel(admin) as channel:
        for made_up in (bare, f"{bare}.{'A' * 22}", f"{bare}.", "."):
            with refused(rigclient.MalformedToken):
                await secured.access(channel).ListTokens(
                    access_pb2.ListTokensRequest(page_size=1, page_token=made_up)
                )
        await secured.access(channel).ListTokens(
            access_pb2.ListTokensRequest(page_size=1, page_token=page.next_page_token)
        )


async def test_a_use_is_noted_to_the_minute(secured: Secured) -> None:
    token = await secured.paired(Scope.LIVE_ALL)
    async with secured.channel(token) as channel:
        await secured.access(channel).GetCaller(access_pb2.GetCallerRequest())
    (listed,) = (await secured.admin("ListTokens", access_pb2.ListTokensRequest())).tokens
    assert listed.last_use_time_ns % 60_000_000_000 == 0
    assert time.time_ns() - 120_000_000_000 < listed.last_use_time_ns <= time.time_ns()


async def test_a_token_is_extended_and_a_revoked_one_stays_revoked(secured: Secured) -> None:
    token = await secured.paired(Scope.LIVE_ALL, lifetime_s=60)
    number = token.partition(".")[0]
    extended = await secured.admin("ExtendToken", access_pb2.ExtendTokenRequest(id=number))
    assert extended.token.expire_time_ns == 0
    await secured.admin("RevokeToken", access_pb2.RevokeTokenRequest(id=number))
    again = await secured.admin("ExtendToken", access_pb2.ExtendTokenRequest(id=number, lifetime_s=60))
    assert again.token.revoked_time_ns > 0
    async with secured.channel(token) as channel:
        with refused(rigclient.TokenRevoked):
            await secured.access(channel).GetCaller(access_pb2.GetCallerRequest())


async def test_a_token_that_is_not_there_is_not_found(secured: Secured) -> None:
    for method, request in (
        ("RevokeToken", access_pb2.RevokeTokenRequest(id="nobody")),
        ("ExtendToken", access_pb2.ExtendTokenRequest(id="nobody")),
    ):
        with refused(rigclient.NotFound):
            await secured.admin(method, request)


@pytest.mark.parametrize("method", access_pb2.DESCRIPTOR.services_by_name["AccessService"].methods_by_name)
async def test_a_malformed_request_is_the_callers_fault(secured: Secured, method: str) -> None:
    async with grpc.aio.insecure_channel(secured.local) as local:
        with refused(rigclient.BadRequest, "bytes are not what this call takes"):
            call: Any = local.unary_unary(f"/rig.v1.AccessService/{method}")
            await call(UNREADABLE)


async def test_users_see_no_followers_but_their_own(secured: Secured, recorder: RemoteRecorder) -> None:
    recorder.event()
    tokens = {name: await secured.paired(Scope.LIVE_ALL, name=name) for name in ("engineer", "driver")}
    start = telemetry_pb2.StreamEventsRequest(start=EARLIEST).SerializeToString()
    seen = {}
    async with contextlib.AsyncExitStack() as stack:
        channels = {
            name: await stack.enter_async_context(secured.channel(token)) for name, token in tokens.items()
        }
        channels["local"] = await stack.enter_async_context(grpc.aio.insecure_channel(secured.local))
        calls: list[Any] = [stream(channel, EVENTS, start) for channel in channels.values()]
        for call in calls:
            await call.read()
        for name, channel in channels.items():
            stub: Any = rig_pb2_grpc.RigServiceStub(channel)
            seen[name] = len((await stub.GetStatus(rig_pb2.GetStatusRequest())).followers)
        for call in calls:
            call.cancel()
    assert seen == {"engineer": 1, "driver": 1, "local": 3}


# The end of a token.


@pytest.mark.parametrize("method", [PHYSICS, EVENTS])
async def test_revoking_a_token_ends_its_streams_and_no_other(
    secured: Secured, recorder: RemoteRecorder, method: str
) -> None:
    recorder.ticks(3)
    recorder.event()
    token, other = await secured.paired(Scope.LIVE_ALL), await secured.paired(Scope.LIVE_ALL)
    start = telemetry_pb2.StreamPhysicsRequest(start=EARLIEST).SerializeToString()
    async with secured.channel(token) as channel, secured.channel(other) as another:
        ending = stream(channel, method, start)
        going = stream(another, method, start)
        await ending.read()
        await going.read()
        await secured.admin("RevokeToken", access_pb2.RevokeTokenRequest(id=token.partition(".")[0]))
        assert isinstance(await asyncio.wait_for(error_of(ending), 60), rigclient.TokenRevoked)
        assert await asyncio.wait_for(going.read(), 60)
        going.cancel()


@pytest.mark.parametrize("method", [ACKNOWLEDGEMENTS, REFLECTION])
async def test_revoking_a_token_ends_calls_that_wait_for_their_client(secured: Secured, method: str) -> None:
    token = await secured.paired(Scope.LIVE_ALL)
    async with secured.channel(token) as channel:
        make: Any = channel.stream_unary if method == ACKNOWLEDGEMENTS else channel.stream_stream
        call = make(method)()
        await call.write(b"")
        await secured.admin("RevokeToken", access_pb2.RevokeTokenRequest(id=token.partition(".")[0]))
        assert isinstance(await asyncio.wait_for(error_of(call), 60), rigclient.TokenRevoked)


async def test_a_token_that_expires_ends_its_streams(secured: Secured, recorder: RemoteRecorder) -> None:
    recorder.ticks(1)
    token = await secured.paired(Scope.LIVE_ALL, lifetime_s=2)
    async with secured.channel(token) as channel:
        call = stream(channel, EVENTS, b"")
        assert isinstance(await asyncio.wait_for(error_of(call), 60), rigclient.TokenExpired)


async def test_a_client_that_has_stopped_reading_loses_its_connection(
    secured: Secured, recorder: RemoteRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "KILL_AFTER_S", 0.0)
    token = await secured.paired(Scope.LIVE_ALL)
    async with secured.channel(token) as channel:
        start = telemetry_pb2.StreamPhysicsRequest(start=EARLIEST).SerializeToString()
        call = stream(channel, PHYSICS, start)
        recorder.ticks(1)
        await call.read()
        for _ in range(200):
            recorder.ticks(100)
        streams = secured.server.streams
        await until(lambda: any(follower.stalled for follower in streams.followers))
        await secured.admin("RevokeToken", access_pb2.RevokeTokenRequest(id=token.partition(".")[0]))
        await until(lambda: not streams.followers)
        error = await asyncio.wait_for(error_of(call), 60)
        assert isinstance(error, rigclient.Unavailable | rigclient.TokenRevoked)


def test_looking_for_a_connection_leaves_no_descriptor_open() -> None:
    held = len(os.listdir("/proc/self/fd"))
    connections.close("ipv4:192.0.2.7:1")
    assert len(os.listdir("/proc/self/fd")) == held


async def until(ready: Any) -> None:
    for _ in range(1200):
        if ready():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to that")


# Cursors.


async def test_a_cursor_of_release_0_1_goes_on_at_home_and_not_from_elsewhere(
    secured: Secured, recorder: RemoteRecorder
) -> None:
    recorder.ticks(3)
    cursor = old(Cursor(bytes.fromhex(recorder.identity()), 1, 1))
    asked = telemetry_pb2.StreamPhysicsRequest(start=telemetry_pb2.Start(cursor=cursor)).SerializeToString()
    token = await secured.paired(Scope.LIVE_ALL)
    async with grpc.aio.insecure_channel(secured.local) as local, secured.channel(token) as remote:
        call = stream(local, PHYSICS, asked)
        assert await call.read()
        call.cancel()
        with refused(rigclient.MalformedCursor, "of release 0.1"):
            await stream(remote, PHYSICS, asked).read()


# The certificate.


async def test_the_certificate_changes_and_no_stream_is_cut(
    secured: Secured, recorder: RemoteRecorder
) -> None:
    recorder.ticks(1)
    token = await secured.paired(Scope.LIVE_ALL)
    async with secured.channel(token) as channel:
        call = stream(channel, EVENTS, b"")
        await call.read()
        pins = (await secured.admin("RotateCertificate", access_pb2.RotateCertificateRequest())).pins
        caller = await secured.access(channel).GetCaller(access_pb2.GetCallerRequest())
        assert list(caller.pins) == list(pins)
        assert len(set(pins)) == 2
        await secured.admin("RotateCertificate", access_pb2.RotateCertificateRequest(use=True))
        assert (await pairing(secured)).fingerprint == pins[1]
        before, secured.shown = secured.shown, await asyncio.to_thread(certificate, secured.address)
        assert secured.shown != before
        recorder.event()
        assert await asyncio.wait_for(call.read(), 60)
        call.cancel()
        async with secured.channel(token) as again:
            await secured.access(again).GetCaller(access_pb2.GetCallerRequest())


async def test_a_certificate_is_not_used_before_it_was_announced(secured: Secured) -> None:
    with refused(rigclient.Busy, "no next certificate was prepared"):
        await secured.admin("RotateCertificate", access_pb2.RotateCertificateRequest(use=True))


# Addresses.


async def test_plain_text_is_not_answered_over_tls(secured: Secured) -> None:
    async with grpc.aio.insecure_channel(secured.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await secured.access(channel).GetCaller(access_pb2.GetCallerRequest(), timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("also", [(), ("127.0.0.1:0",)])
def test_nobody_listens_where_no_token_is_and_none_could_be_made(
    tmp_path: Path, also: tuple[str, ...]
) -> None:
    with pytest.raises(rigclient.Busy, match="nowhere else to make one"):
        Server(Settings(tmp_path, "0.0.0.0:0", also))
    made(tmp_path, Scope.LIVE_ALL)


def test_two_servers_do_not_keep_the_same_tokens(tmp_path: Path) -> None:
    from rigd.auth.tokens import TokenStore

    store = TokenStore(tmp_path)
    store.own()
    with pytest.raises(rigclient.Busy, match="the tokens are kept by process"):
        Server(settings(tmp_path))
    store.close()


async def test_what_is_secret_is_the_owners_alone(secured: Secured) -> None:
    await secured.paired(Scope.LIVE_ALL)
    names = ("tokens.json", "tokens.lock", "seal.key", "tls/certificate.pem")
    files = [secured.data / name for name in names]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 4
    assert stat.S_IMODE((secured.data / "tls").stat().st_mode) == 0o700
