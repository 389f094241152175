"""The season's page in a real browser: all can be read and reached, a driver can be marked."""

import pytest
from playwright.sync_api import Page

from riglap.season.page import write
from tests.riglap.season.driven import NAMED, even, race, season
from tests.web import browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    races = [
        race(even([100.0, 101.0, 102.0, 103.0, 104.0, 105.0]), nth, ("Meander Valley", "Harbour")[nth % 2])
        for nth in range(1, 7)
    ]
    path = tmp_path_factory.mktemp("season") / "season.html"
    write(path, season(races))
    return path.as_uri()


def test_it_can_be_read_on_every_screen_by_day_and_night(page: Page, address: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(address)
        page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert not browser.overflowing(page)
        page.set_viewport_size({"width": 1280, "height": 720})
        assert not browser.faint(page)


def test_everything_is_reached_by_keys(page: Page, address: str) -> None:
    page.goto(address)
    assert not browser.unreachable(page)


def test_a_driver_is_marked_in_every_table(page: Page, address: str) -> None:
    page.goto(address)
    page.select_option("#driver", NAMED[1])
    marked = page.locator("tr.picked")
    assert marked.count() >= 5
    assert set(page.locator("tr.picked").evaluate_all("(all) => all.map((one) => one.dataset.driver)")) == {
        NAMED[1]
    }
    assert page.locator("path.line.picked").count() == 1
    page.select_option("#driver", "")
    assert marked.count() == 0
