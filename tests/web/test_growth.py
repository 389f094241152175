"""Pages that are left open for half an hour of a race at twenty times its pace do not grow."""

from typing import Final

import pytest

from tests.faults.campaign import SCALE, SOAK
from tests.web import browser
from tests.web.demo import demo

PAGES: Final = ("wall", "overlay/standings", "overlay/map", "overlay/dash")
WARM_S: Final = 60.0
OPEN_S: Final = 1800.0
MOST_GROWTH: Final = 1.1


@pytest.mark.skipif(not SOAK, reason="`make soak` leaves pages open for half an hour")
def test_pages_left_open_do_not_grow() -> None:
    path = browser.executable()
    assert path is not None
    with demo("--cars", "40", "--speed", "20") as race, browser.chromium(path) as running:
        pages = [running.new_page() for _ in PAGES]
        for name, page in zip(PAGES, pages, strict=True):
            page.goto(race.page(f"{name}?rig={race.rig}"))
        pages[0].wait_for_timeout(1000 * WARM_S)
        before = sum(map(browser.heap_bytes, pages))
        pages[0].wait_for_timeout(1000 * OPEN_S * SCALE)
        assert sum(map(browser.heap_bytes, pages)) <= MOST_GROWTH * before
