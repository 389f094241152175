"""The error tree: raised on the server, the same error on the client, across a real connection."""

import asyncio
import errno
import logging
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any

import grpc
import grpc.aio
import lmdb
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from rig import errors
from rig.errors import BadRequest, CursorExpired, RigError, Unavailable, UnknownChannel, by_reason
from rigclient.wire import translated
from rigd.auth.caller import LOCAL
from rigd.auth.lease import Lease
from rigd.auth.seal import Seal
from rigd.serve.interceptor import CallInterceptor
from rigd.serve.pages import PageTokens

EVERY_ERROR = sorted(
    (cls for cls in by_reason().values() if cls.__module__ == errors.__name__), key=lambda cls: cls.__name__
)
"""Not those that a daemon has for itself: whether they are there depends on what was imported."""

SERVICE = "rig.test.Errors"

Call = Callable[[bytes], Awaitable[bytes]]


class Handlers:
    """Two methods that raise what they are told to, from a handler and from the middle of a stream."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def unary(self, request: bytes, context: Any) -> bytes:
        raise self.error

    async def stream(self, request: bytes, context: Any) -> None:
        await context.write(b"first")
        raise self.error

    def service(self, name: str) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            name,
            {
                "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
                "Stream": grpc.unary_stream_rpc_method_handler(self.stream),
            },
        )


class Everybody:
    """A gate that stands open."""

    def admit(self, method: str, context: Any) -> AbstractContextManager[Lease]:
        return nullcontext(Lease(LOCAL))


@asynccontextmanager
async def serving(error: BaseException, service: str = SERVICE) -> AsyncIterator[str]:
    """The address of a server whose methods raise `error`."""
    interceptor = CallInterceptor(Everybody(), PageTokens(Seal(bytes(32))))
    server = grpc.aio.server(interceptors=(interceptor,))
    server.add_generic_rpc_handlers((Handlers(error).service(service),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def connection(error: BaseException, service: str = SERVICE) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to such a server."""
    async with serving(error, service) as address, grpc.aio.insecure_channel(address) as channel:
        yield channel


async def unary(channel: grpc.aio.Channel, service: str = SERVICE) -> Any:
    call: Any = channel.unary_unary(f"/{service}/Unary")
    return await call(b"")


async def stream(channel: grpc.aio.Channel, service: str = SERVICE) -> list[bytes]:
    call: Any = channel.unary_stream(f"/{service}/Stream")
    return [data async for data in call(b"")]


async def received(error: BaseException, ask: Any = unary) -> tuple[grpc.StatusCode, RigError]:
    """The status and the error that a client gets."""
    async with connection(error) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(channel)
    return caught.value.code(), translated(caught.value, "127.0.0.1")


class TestTheTree:
    @pytest.mark.parametrize("kind", EVERY_ERROR)
    def test_every_error_has_a_status_of_grpc(self, kind: type[RigError]) -> None:
        assert grpc.StatusCode[kind.status] not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)

    def test_reasons_are_words_of_their_own(self) -> None:
        assert len({kind.reason() for kind in EVERY_ERROR}) == len(EVERY_ERROR)
        assert UnknownChannel.reason() == "UNKNOWN_CHANNEL"
        assert CursorExpired.reason() == "CURSOR_EXPIRED"
        assert RigError.reason() == "RIG_ERROR"

    @pytest.mark.parametrize("kind", EVERY_ERROR)
    def test_reasons_fit_what_google_asks_of_them(self, kind: type[RigError]) -> None:
        assert kind.reason().replace("_", "").isalpha()
        assert kind.reason().isupper()
        assert len(kind.reason()) <= 63

    def test_the_tree_is_drawn_at_the_top_of_its_file(self) -> None:
        drawing = errors.__doc__ or ""
        drawn = [line.strip("│├└─ ").split()[0] for line in drawing.splitlines() if "──" in line]
        assert sorted(["RigError", *drawn]) == [kind.__name__ for kind in EVERY_ERROR]

    def test_a_hint_stands_behind_the_message(self) -> None:
        error = RigError("it broke", hint="mend it", at=5)
        assert str(error) == "it broke (mend it)"
        assert (error.message, error.hint, error.facts) == ("it broke", "mend it", {"at": "5"})
        assert str(RigError("it broke")) == "it broke"


class TestAcrossTheWire:
    @pytest.mark.parametrize("kind", EVERY_ERROR)
    @pytest.mark.parametrize("ask", [unary, stream])
    async def test_the_same_error_arrives(self, kind: type[RigError], ask: Any) -> None:
        raised = kind("the disk is full", hint="make room", path="/var/lib/rigd", limit=5)
        code, error = await received(raised, ask)
        assert code.name == kind.status
        assert type(error) is kind
        assert str(error) == "the disk is full (make room)"
        assert error.facts == {"path": "/var/lib/rigd", "limit": "5"}

    @pytest.mark.parametrize(
        "refused",
        [
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/player/laps"),
            lmdb.DiskError("/home/player/ring: No space left on device"),
            sqlite3.OperationalError("unable to open: /home/player/index: No space left on device"),
        ],
    )
    async def test_what_a_disk_refuses_arrives_without_paths(self, refused: Exception) -> None:
        _, error = await received(refused)
        assert type(error) is Unavailable
        assert str(error) == "disk or store refuse: No space left on device (try again later)"

    @pytest.mark.parametrize("text", ["Straße nach Spa\nkurve", "", "100 % 彩虹", "tab\tand \x01"])
    async def test_any_text_arrives(self, text: str) -> None:
        _, error = await received(BadRequest(text, name=text))
        assert str(error) == text
        assert error.facts == {"name": text}

    @pytest.mark.parametrize("size", [1_000, 2_500, 60_000])
    @pytest.mark.parametrize("letter", ["x", "彩"])
    async def test_long_words_do_not_hide_the_error(self, size: int, letter: str) -> None:
        """What a caller sent comes back in the message, and headers are bounded."""
        raised = UnknownChannel(f"no channel {letter * size!r}", channel=letter * size)
        code, error = await received(raised)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert type(error) is UnknownChannel
        assert str(error).startswith(f"no channel '{letter * 3}")
        assert str(error).endswith("…")
        assert error.facts["channel"].startswith(letter * 3)

    @pytest.mark.parametrize("ask", [unary, stream])
    async def test_a_defect_is_logged_there_and_not_told_here(
        self, ask: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR, "rigd"):
            code, error = await received(KeyError("/home/me/secret"), ask)
        assert code is grpc.StatusCode.INTERNAL
        assert type(error) is RigError
        assert "secret" not in str(error)
        assert "secret" in caplog.text
        assert "call_failed" in caplog.text

    def test_a_defect_is_no_error_of_a_program_that_imports_the_client(self) -> None:
        """It was a refused daemon's, where the supervisor had been imported before."""
        code = "import rigd.supervisor, rigclient.wire as wire; print(wire._BY_STATUS['INTERNAL'].__name__)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "RigError\n"

    async def test_what_came_before_the_error_arrives(self) -> None:
        async with connection(BadRequest("no")) as channel:
            call: Any = channel.unary_stream(f"/{SERVICE}/Stream")
            running = call(b"")
            assert await running.read() == b"first"
            with pytest.raises(grpc.aio.AioRpcError):
                await running.read()

    async def test_services_of_others_go_the_same_way(self) -> None:
        async with connection(BadRequest("no"), "grpc.health.v1.Health") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await unary(channel, "grpc.health.v1.Health")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    async def test_an_unknown_method_is_not_found_to_exist(self) -> None:
        async with connection(BadRequest("no")) as channel:
            call: Any = channel.unary_unary(f"/{SERVICE}/Nothing")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert type(translated(caught.value, "here")) is RigError

    async def test_nobody_there_is_unavailable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with grpc.aio.insecure_channel(address) as gone:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await unary(gone)
        error = translated(caught.value, address)
        assert type(error) is Unavailable
        assert address in str(error)

    async def test_a_blocking_client_gets_the_same(self) -> None:
        """Its errors are other objects of gRPC."""
        async with serving(CursorExpired("gone", earliest="abc", first_seq=9, seq=3)) as address:
            code, error = await asyncio.to_thread(_ask_blocking, address)
        assert code is grpc.StatusCode.OUT_OF_RANGE
        assert type(error) is CursorExpired
        assert error.facts == {"earliest": "abc", "first_seq": "9", "seq": "3"}


def _ask_blocking(address: str) -> tuple[grpc.StatusCode, RigError]:
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(f"/{SERVICE}/Unary")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"")
        error: Any = caught.value
        return error.code(), translated(error, address)


class Answer:
    """A gRPC error with a status alone, as another server or a proxy gives it."""

    def __init__(self, code: grpc.StatusCode | None, metadata: Any = ()) -> None:
        self._code, self._metadata = code, metadata

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def details(self) -> str:
        return "said so"

    def trailing_metadata(self) -> Any:
        return self._metadata


class TestAnswersOfOthers:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
            (grpc.StatusCode.CANCELLED, errors.Unavailable),
            (grpc.StatusCode.DEADLINE_EXCEEDED, errors.Unavailable),
            (grpc.StatusCode.INVALID_ARGUMENT, errors.BadRequest),
            (grpc.StatusCode.NOT_FOUND, errors.NotFound),
            (grpc.StatusCode.OUT_OF_RANGE, errors.CursorExpired),
            (grpc.StatusCode.FAILED_PRECONDITION, errors.Busy),
            (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.Exhausted),
            (grpc.StatusCode.DATA_LOSS, errors.Corrupt),
            (grpc.StatusCode.UNKNOWN, RigError),
            (grpc.StatusCode.PERMISSION_DENIED, errors.Denied),
            (grpc.StatusCode.UNAUTHENTICATED, errors.Unauthenticated),
            (None, RigError),
        ],
    )
    def test_a_status_alone_becomes_the_nearest_error(
        self, code: grpc.StatusCode | None, kind: type[RigError]
    ) -> None:
        assert type(translated(Answer(code), "here")) is kind

    @pytest.mark.parametrize("details", [b"", b"\xff\xff\xff", b"\x0a\x05ab"])
    def test_details_that_cannot_be_read_are_no_details(self, details: bytes) -> None:
        answer = Answer(grpc.StatusCode.NOT_FOUND, (("grpc-status-details-bin", details),))
        assert type(translated(answer, "here")) is errors.NotFound

    def test_facts_named_like_an_argument_are_facts(self) -> None:
        info = _details("NOT_FOUND", {"message": "m", "hint": "h", "self": "s"})
        error = translated(Answer(grpc.StatusCode.NOT_FOUND, info), "here")
        assert type(error) is errors.NotFound
        assert error.facts == {"message": "m", "hint": "h", "self": "s"}

    def test_a_reason_from_the_future_is_its_status(self) -> None:
        answer = Answer(grpc.StatusCode.NOT_FOUND, _details("NEVER_HEARD_OF", {}))
        assert type(translated(answer, "here")) is errors.NotFound


def _details(reason: str, facts: dict[str, str]) -> Any:
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="rigd", metadata=facts))
    return rpc_status.to_status(
        status_pb2.Status(code=5, message="said so", details=[packed])
    ).trailing_metadata
