"""What pages enter: changes of the catalog, setup files, reports; and what another site may not."""

import base64
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from rigclient.gateway.server import MAX_BODY, Gateway, Settings
from rigd.serve.server import Server
from rigd.serve.server import Settings as ServerSettings
from tests.once import once
from tests.riglap.conftest import real_drive

SVM: Final = b"[FRONTLEFT]\nSpringSetting=13//62.0 N/mm\nno setting\n"
DATA: Final = base64.b64encode(SVM).decode()


@asynccontextmanager
async def asking(data: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks a gateway before a rig; addresses begin at its `/api/{rig}/`."""
    server = Server(ServerSettings(data, "127.0.0.1:0"))
    await server.start()
    rig = f"127.0.0.1:{server.port}"
    async with (
        Gateway(Settings(port=0, rigs=(rig,))) as gateway,
        aiohttp.ClientSession(f"{gateway.address}api/{rig}/") as opened,
    ):
        yield opened
    await server.stop()


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks for a rig that has no laps."""
    async with asking(tmp_path) as opened:
        yield opened


async def post(session: aiohttp.ClientSession, path: str, body: Any, **more: Any) -> tuple[int, Any]:
    async with session.post(path, json=body, **more) as answer:
        return answer.status, await answer.json()


async def test_a_setup_file_becomes_a_setup(session: aiohttp.ClientSession) -> None:
    vehicle = {"parent": "vehicles", "resource": {"vehicle": {"title": "Copper"}}}
    assert (await post(session, "create", vehicle))[0] == 200
    words = {"vehicle": "vehicles/copper", "file_name": "soft.svm", "data": DATA}
    status, told = await post(session, "setup-file", words)
    assert status == 200
    assert told["left_out"] == ["line 3: neither [SECTION] nor KEY=VALUE"]
    assert told["resource"]["setup"]["parameters"] == [
        {"section": "FRONTLEFT", "key": "SpringSetting", "value": "62.0", "unit": "N/mm"}
    ]
    async with session.get("resource", params={"name": told["resource"]["name"]}) as answer:
        assert (await answer.json())["resource"]["setup"]["source"] == SVM.decode()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("setup-file", {"vehicle": "vehicles/copper", "file_name": "a.svm", "data": "no base64"}, 400),
        ("setup-file", {"vehicle": "vehicles/copper", "file_name": "a.svm", "data": "bm90aGluZw=="}, 400),
        ("setup-file", {"vehicle": "vehicles/none", "file_name": "a.svm", "data": DATA}, 404),
        ("setup-file", {"vehicle": "vehicles/copper", "file_name": "a.svm", "data": "é"}, 400),
        ("setup-file", {"vehicle": "vehicles/\ud800", "file_name": "a.svm", "data": DATA}, 400),
        ("setup-file", {"vehicle": 7}, 400),
        ("setup-file", [], 400),
        ("create", {"parent": "secrets", "resource": {}}, 400),
        ("create", {"nothing": 1}, 400),
        ("delete", {"name": "vehicles/none"}, 404),
        ("chat", {"question": 7}, 400),
        ("chat", {"question": "\ud800"}, 400),
        ("chat", {"question": "why?", "temperature": 2}, 400),
        ("reset", {}, 404),
        ("create", {"parent": "x" * MAX_BODY}, 413),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said(
    session: aiohttp.ClientSession, path: str, body: Any, status: int
) -> None:
    answered, told = await post(session, path, body)
    assert (answered, bool(told["error"]["message"])) == (status, True)


async def test_another_site_changes_nothing(session: aiohttp.ClientSession) -> None:
    body = {"parent": "vehicles", "resource": {"vehicle": {"title": "Copper"}}}
    foreign = {"Origin": "http://elsewhere.example"}
    assert (await post(session, "create", body, headers=foreign))[0] == 403
    form = {"Content-Type": "text/plain"}  # what a form of another site can send
    async with session.post("create", data=json.dumps(body), headers=form) as answer:
        assert answer.status == 400
    async with session.get("resources", params={"parent": "vehicles"}) as answer:
        assert (await answer.json())["resources"] == []


async def test_questions_where_there_is_no_assistant_end_in_an_error(session: aiohttp.ClientSession) -> None:
    async with session.post("chat", json={"question": "why?", "lap": ""}) as answer:
        lines = (await answer.text()).splitlines()
    assert json.loads(lines[-1])["error"]["code"] == "UNAVAILABLE"


async def test_a_report_stands_alone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = once(tmp_path_factory, "raced-real", real_drive)
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("ring", "truth.npz"))
    async with asking(tmp_path) as session:
        address = str(session._base_url).replace("/api/", "/report/").rstrip("/")
        async with session.get(address, params={"theme": "light"}) as answer:
            assert "sandbox allow-scripts" in answer.headers["Content-Security-Policy"]
            assert "Championship" in await answer.text()
        async with session.get(address, params={"event": "events/none"}) as answer:
            assert answer.status in (400, 404)
        async with session.get(address, params={"points": "none"}) as answer:
            assert answer.status == 400
