"""A browser for each file of tests, an empty profile for each test, a picture of what failed."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.web import browser

PICTURES: Final = Path(__file__).parents[2] / "build" / "web"
"""Where a failed test leaves what its page showed."""

_FAILED: Final = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell fixtures how their test ended."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser. Of a file, not of a worker: the next file may run event loops of its own, which a thread
    that drives a browser cannot. It starts within a second.
    """
    path = browser.executable()
    if path is None:
        pytest.skip("no chromium (Debian: apt-get install chromium)")
    with browser.chromium(path) as running:
        yield running


@pytest.fixture
def troubles() -> browser.Troubles:
    """What goes wrong in `page`: at the end there must be none that was not allowed."""
    return browser.Troubles()


@pytest.fixture(scope="module")
def profile(chromium: Browser) -> Iterator[BrowserContext]:
    """Where the pages of a file are opened, 1280 by 720."""
    with chromium.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce") as context:
        yield context


@pytest.fixture
def page(
    profile: BrowserContext, troubles: browser.Troubles, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """A page that nothing is known to."""
    with browser.opened(profile) as page:
        troubles.watch(page)
        yield page
        if request.node.stash.get(_FAILED, False):
            kept = browser.keep_picture(page, PICTURES, request.node.nodeid.removeprefix("tests/web/"))
            print(f"what it showed: {kept}", *troubles.left(), sep="\n")
        else:
            assert not troubles.left()
