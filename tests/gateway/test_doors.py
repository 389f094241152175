"""Who gets in, and what a door does under a crowd."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from rig.errors import Busy, Denied
from rigclient.gateway import running
from rigclient.gateway.server import MAX_CONNECTIONS, Gateway, Settings
from tests.gateway.browser import Browser


async def test_questions_are_answered_in_the_contract_s_words(browser: Browser) -> None:
    status, found = await browser.get(f"/api/{browser.rig}/channels?stream=STREAM_PHYSICS")
    assert status == 200
    assert any(one["name"] == "speed" for one in found["channels"])
    status, found = await browser.get(f"/api/{browser.rig}/laps?filter.valid=true&page_size=2")
    assert (status, found["laps"]) == (200, [])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("laps?speed=1", 400, "BAD_REQUEST"),
        ("laps?filter.cars=x", 400, "BAD_REQUEST"),
        ("laps?filter=x", 400, "BAD_REQUEST"),
        ("nothing", 404, "NOT_FOUND"),
        ("lap?name=sessions/a/laps/b", 404, "NOT_FOUND"),
    ],
)
async def test_what_is_wrong_is_said(browser: Browser, path: str, status: int, code: str) -> None:
    found, words = await browser.get(f"/api/{browser.rig}/{path}")
    assert (found, words["error"]["code"]) == (status, code)


async def test_an_unknown_rig_is_said(browser: Browser) -> None:
    assert (await browser.get("/api/nobody/status"))[0] == 404


async def test_a_foreign_name_and_a_foreign_page_are_refused(browser: Browser) -> None:
    foreign = {"Origin": "http://evil.example"}
    assert (await browser.get("/api/rigs", headers={"Host": "evil.example"}))[0] == 421
    async with browser.session.post(f"/api/{browser.rig}/marks", json={}, headers=foreign) as answer:
        assert answer.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await browser.session.ws_connect(f"/live/{browser.rig}", headers=foreign)


async def test_pages_run_nothing_but_their_own(browser: Browser) -> None:
    async with browser.session.get("/") as answer:
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_nothing_outside_the_folder_is_served(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    (pages / "assets").mkdir(parents=True)
    (pages / "index.html").write_text("<p>home")
    (pages / "assets/app.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    async with (
        Gateway(Settings(port=0, rigs=("127.0.0.1:1",), pages=pages)) as gateway,
        aiohttp.ClientSession(gateway.address) as session,
    ):
        for path in (
            "assets/..%2f..%2fsecret",
            "assets/%2e%2e/%2e%2e/secret",
            "assets//etc/passwd",
            "assets/",
        ):
            async with session.get(f"/{path}") as answer:
                assert answer.status == 404
        async with session.get("/assets/app.js") as answer:
            tag = answer.headers["ETag"]
        async with session.get("/assets/app.js", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
        async with session.get("/") as answer:
            assert await answer.text() == "<p>home"


async def test_pages_of_one_s_own_are_served_where_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/speed.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    settings = Settings(port=0, rigs=("127.0.0.1:1",), own=tmp_path / "own")
    async with Gateway(settings) as gateway, aiohttp.ClientSession(gateway.address) as session:
        async with session.get("/own/speed.js") as answer:
            assert (answer.status, await answer.text()) == (200, "1")
        async with session.get("/own/..%2fsecret") as answer:
            assert answer.status == 404
    settings = Settings(port=0, rigs=("127.0.0.1:1",))
    async with (
        Gateway(settings) as gateway,
        aiohttp.ClientSession(gateway.address) as session,
        session.get("/own/speed.js") as answer,
    ):
        assert (answer.status, "--own" in await answer.text()) == (404, True)


async def test_without_pages_it_says_what_to_run(tmp_path: Path) -> None:
    async with (
        Gateway(Settings(port=0, rigs=("127.0.0.1:1",), pages=tmp_path)) as gateway,
        aiohttp.ClientSession(gateway.address) as session,
        session.get("/wall") as answer,
    ):
        assert (answer.status, "make web" in await answer.text()) == (503, True)


async def test_a_key_is_asked_for_everywhere_and_kept(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>home")
    async with (
        Gateway(Settings(port=0, rigs=("127.0.0.1:1",), key="right", pages=tmp_path)) as gateway,
        aiohttp.ClientSession(
            f"http://127.0.0.1:{gateway.port}", cookie_jar=aiohttp.CookieJar(unsafe=True)
        ) as session,
    ):
        for path in ("/", "/api/rigs", "/live/127.0.0.1:1", "/assets/x", "/?key=wrong", "/?key=%C3%A4"):
            async with session.get(path) as answer:
                assert answer.status == 401
        async with session.get("/?key=right") as answer:
            cookie = answer.headers["Set-Cookie"]
            assert (answer.status, "HttpOnly" in cookie, "SameSite=Strict" in cookie) == (200, True, True)
        async with session.get("/api/rigs") as answer:
            assert answer.status == 200


async def test_elsewhere_it_takes_a_key_and_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Denied, match="key"):
        await Gateway(Settings("0.0.0.0", 0)).start()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = running.settings("0.0.0.0", 0, ())
    assert made.key
    assert made.tls
    assert running.settings("0.0.0.0", 0, ()).key == made.key
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "rig/gateway").iterdir()] == [0, 0]
    # The same over TLS, but where only this machine gets in.
    async with (
        Gateway(Settings(port=0, rigs=("127.0.0.1:1",), key=made.key, tls=made.tls)) as gateway,
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.link('api/rigs')}", ssl=False) as answer,
    ):
        assert answer.status == 200
        assert gateway.address.startswith("https://")


async def test_a_port_that_is_taken_is_said(gateway: Gateway) -> None:
    with pytest.raises(Busy, match="--port"):
        await Gateway(Settings(port=gateway.port)).start()


async def test_a_thousand_connects_leave_it_alive(gateway: Gateway, browser: Browser) -> None:
    async def connect() -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        return writer

    opened = await asyncio.gather(*(connect() for _ in range(400)), return_exceptions=True)
    again = await asyncio.gather(*(browser.get("/api/rigs") for _ in range(600)), return_exceptions=True)
    answered = {found[0] for found in again if isinstance(found, tuple)}
    assert answered <= {200, 503}
    for one in opened:
        if isinstance(one, asyncio.StreamWriter):
            one.close()
    async with asyncio.timeout(60):
        while (await browser.get("/api/rigs"))[0] != 200:
            await asyncio.sleep(0.05)
    assert MAX_CONNECTIONS < 1000
