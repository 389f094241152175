"""What a stranger may try: each is answered or sent away, and the gateway goes on."""

import asyncio
import logging
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from rigclient.gateway import server
from rigclient.gateway.page import MAX_WISHES
from rigclient.gateway.server import Gateway, Settings
from tests.gateway.browser import Browser, until

NOBODY = "127.0.0.1:1"
"""A rig that is off."""


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with a page of one's own, and things beside it that are nobody's business."""
    folder = tmp_path / "own"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/config").write_text("secret")
    (folder / "mine.html").write_text("<p>mine")
    (folder / "out").symlink_to("/etc")
    (folder / "loop").symlink_to("loop")
    with (folder / "huge.bin").open("wb") as file:
        os.truncate(file.fileno(), 9 << 20)
    async with Gateway(Settings(port=0, rigs=(NOBODY,), own=folder, key="the-key")) as running:
        yield running


async def raw(gateway: Gateway, data: bytes) -> bytes:
    """What comes back for these bytes until the gateway closes, or has answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(data)
    async with asyncio.timeout(60):
        answer = await reader.read(4096)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("own/mine.html", 200),
        ("own/.git/config", 404),
        ("own/out/passwd", 404),
        ("own/loop", 404),
        ("own/%00", 404),
        ("own/" + "x" * 3000, 404),
        ("own/huge.bin", 429),
        ("own/..%2f..%2fetc/passwd", 404),
        ("assets/%00", 404),
        ("assets/" + "../" * 9 + "etc/passwd", 404),
    ],
)
async def test_only_files_of_the_folder_are_served(own: Gateway, path: str, status: int) -> None:
    line = f"GET /{path}?key=the-key HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert (await raw(own, line.encode())).startswith(f"HTTP/1.1 {status}".encode())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /api/rigs HTTP/1.0\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 400),
        (b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nCookie: rig_gateway_key=the-key\r\n\r\n", 405),
        (b"HEAD /api/rigs HTTP/1.1\r\nHost: localhost\r\n\r\n", 401),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    ],
)
async def test_odd_requests_are_answered(
    own: Gateway, request_bytes: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert f" {status} " in (await raw(own, request_bytes)).decode(errors="replace").splitlines()[0]
    assert "the-key" not in caplog.text


async def test_a_body_that_never_ends_is_sent_away(own: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT_S", 0.2)
    head = (
        f"POST /api/{NOBODY}/marks?key=the-key HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    )
    assert (await raw(own, head.encode())).startswith(b"HTTP/1.1 408")


async def test_a_header_that_never_ends_is_sent_away(own: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT_S", 0.2)
    assert await raw(own, b"GET / HTTP/1.1\r\nHost: local") == b""


async def test_a_compressed_bomb_closes_its_page_alone(gateway: Gateway, browser: Browser) -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packed.compress(bytes(64 << 20)) + packed.flush(zlib.Z_SYNC_FLUSH)
    async with browser.tab() as tab:
        assert tab.socket.compress == 0
        connection = tab.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        # A frame that says it is compressed, though nobody agreed on that.
        head = b"\xc1" + bytes([0xFF]) + len(bomb).to_bytes(8, "big") + bytes(4)
        connection.transport.write(head + bomb)
        while (await tab.socket.receive()).type == aiohttp.WSMsgType.TEXT:
            continue
    await until(lambda: not gateway.open)
    assert (await browser.get("/api/rigs"))[0] == 200


async def test_who_wishes_too_much_waits(browser: Browser, gateway: Gateway) -> None:
    async with browser.tab() as tab, browser.tab() as other:
        for number in range(4 * MAX_WISHES):
            await tab.say(seek={"time_ns": str(1 + number)}, follow=[{"stream": "physics", "rate": 1}] * 16)
        await other.say(follow=[{"stream": "events"}], id=5)
        while not other.answers:
            await other.take()
        assert other.answers == [{"following": 5}]
        # All its streams but those of the last wish are over, or end soon.
        await until(lambda: max(len(rig.upstreams) for rig in gateway.rigs.connected()) <= 100)


async def test_streams_that_wait_for_nobody_give_way(browser: Browser, gateway: Gateway) -> None:
    def different(first: int) -> list[dict[str, object]]:
        return [{"stream": "physics", "rate": first + n} for n in range(16)]

    async with browser.tab() as tab:
        for first in range(1, 161, 16):
            await tab.say(follow=different(first), id=first)
            while not tab.answers or tab.answers[-1] != {"following": first}:
                await tab.take()
        assert not any("different streams" in error["message"] for error in tab.errors)
