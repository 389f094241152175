"""Overlays with one car and with as many as the game can have."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.stage import Stage, free_port, stage, until
from tests.web import browser
from tests.web.demo import Demo
from tests.web.test_overlays import open_overlay, says

OF_ALL = ("relative", "standings", "map", "fuel", "radar")
GAME_S = 300.0
"""Longer than any of these tests; it is stopped."""


@pytest.fixture(scope="module", params=[1, 104])
def crowd(request: pytest.FixtureRequest) -> Iterator[tuple[int, Demo]]:
    with stage() as here:
        here.record()
        here.game(request.param, 20, GAME_S)
        here.serve()
        yield request.param, _gateway(here)


def _gateway(here: Stage) -> Demo:
    port = free_port()
    running = Demo(here, here.address, f"http://127.0.0.1:{port}")
    here.start("rigclient", "--rig", here.address, "gateway", "--port", str(port))
    until(lambda: any(rig["state"] == "live" for rig in running.rigs()))
    return running


def test_all_overlays_show_so_many_cars(page: Page, crowd: tuple[int, Demo]) -> None:
    cars, race = crowd
    for name in OF_ALL:
        open_overlay(page, race, name)
        assert browser.overflowing(page, ((320, 568),)) == [], name
        assert browser.faint(page, behind=("white",)) == [], name
    assert ("no other car" in says(page, "radar")) == (cars == 1)


def test_standings_have_as_many_lines_as_fit(page: Page, crowd: tuple[int, Demo]) -> None:
    cars, race = crowd
    open_overlay(page, race, "standings", "&rows=12")
    browser.wait(page, lambda: page.locator("rig-standings [data-car]").count() == min(cars, 12))
    assert page.locator("rig-standings tr.own").count() == 1
