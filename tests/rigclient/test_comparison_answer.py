"""The comparison document that the gateway answers pages with, from a rig that serves a real race."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from rig.errors import BadRequest, NotFound
from rigclient.aio import AsyncRig
from rigclient.gateway.comparison import Comparing
from rigclient.gateway.server import Gateway, Settings
from riglap.compare import compare
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.riglap.raced import Raced
from tests.stage import Stage, stage


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage() as made:
        shutil.copytree(once(tmp_path_factory, "raced-real", real_drive), made.data, dirs_exist_ok=True)
        made.serve()
        yield made


async def asked(here: Stage, *words: tuple[str, str]) -> dict[str, Any]:
    async with AsyncRig(here.address) as rig:
        told: dict[str, Any] = json.loads(await Comparing().answer(rig, words))
        return told


async def test_it_is_what_the_analysis_says(here: Stage) -> None:
    laps = [lap for lap in Raced(here.data).laps() if lap.info.valid and lap.info.number][:2]
    names = [("lap", lap.info.name) for lap in laps]
    told = await asked(here, *names, ("channel", "speed"), ("formula", "push=derivative(speed) [G]"))
    assert [lap["name"] for lap in told["laps"]] == [*(lap.info.name for lap in laps), "ideal"]
    assert told["circuit"]["name"] == "meander-valley-short-1201m/1"
    assert [channel["name"] for channel in told["channels"]] == ["speed", "push"]
    first, second = (lap["lap_time"] for lap in told["laps"][:2])
    assert second - first == pytest.approx(compare(laps).lost())
    assert {(one["lap"], one["reference"]) for one in told["advice"]} == {(0, 1), (1, 0)}


async def test_nonsense_is_refused(here: Stage) -> None:
    for words in ((), (("lap", "best"), ("colour", "red")), (("lap", "best"), ("formula", "x=+"))):
        with pytest.raises(BadRequest):
            await asked(here, *words)
    with pytest.raises(BadRequest, match="20 at most"):
        await asked(here, *(("lap", f"car{at:03}-0001") for at in range(21)))
    with pytest.raises(NotFound):
        await asked(here, ("lap", "nothing"))


async def test_the_gateway_answers_pages_with_it(here: Stage) -> None:
    async with Gateway(Settings(port=0, rigs=(here.address,))) as gateway:
        (name,) = await gateway.rigs.names()
        where = gateway.link(f"api/{name}/comparison")
        async with aiohttp.ClientSession() as session:
            async with session.get(where, params=[("lap", "best"), ("lap", "last")]) as answer:
                assert answer.status == 200
                assert len((await answer.json())["laps"]) == 3
            async with session.get(where, params=[("lap", "nothing")]) as answer:
                assert answer.status == 404
                assert "nothing" in (await answer.json())["error"]["message"]
