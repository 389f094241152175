"""From the game's memory to the screen of a real browser, and what a page that is left open grows by."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from playwright.sync_api import Page

from tests.stage import Stage, free_port, stage
from tests.web import browser
from tests.web.demo import demo

_SECONDS: Final = 15.0
_CARS: Final = 40
_RATE_HZ: Final = 30
_PAGES: Final = Path(__file__).with_name("pages")
_GROWTH_S: Final = 180.0
_FAST: Final = "20"
_OPEN: Final = ("dash", "standings", "map", "relative")


def paint() -> dict[str, float]:
    """Memory update to painted, 40 cars at 30 Hz; the stamp is the game's and read back from the page."""
    if (path := browser.executable()) is None:
        return {}
    with stage() as here, _gateway(here) as root, browser.chromium(path) as running:
        page = running.new_page()
        page.goto(f"{root}/own/paint.html?rig={here.address}")
        browser.wait(page, lambda: page.evaluate("late.length") > _RATE_HZ)
        page.evaluate("late.length = 0")
        page.wait_for_timeout(1000 * _SECONDS)
        seen = np.array(page.evaluate("late"), np.float64)
        late = 1000 * (seen[:, 1] - (time.time() - time.monotonic()) - seen[:, 0])
        first = running.new_page()
        return {
            "paint_p50_ms": float(np.percentile(late, 50)),
            "paint_p95_ms": float(np.percentile(late, 95)),
            "paint_hz": len(seen) / _SECONDS,
            "first_paint_ms": _first_paint_ms(first, root),
        }


def page_growth() -> dict[str, float]:
    """Heap of pages left open for three minutes of a race at 20 times its pace, against that after 20 s."""
    if (path := browser.executable()) is None:
        return {}
    with demo("--cars", str(_CARS), "--speed", _FAST) as race, browser.chromium(path) as running:
        pages = [running.new_page() for _ in _OPEN]
        for name, page in zip(_OPEN, pages, strict=True):
            page.goto(race.page(f"overlay/{name}?rig={race.rig}"))
        pages[0].wait_for_timeout(20_000)
        before = sum(map(browser.heap_bytes, pages))
        pages[0].wait_for_timeout(1000 * _GROWTH_S)
        after = sum(map(browser.heap_bytes, pages))
        return {"page_heap_mb": after / 1e6, "page_growth_pct": 100 * (after / before - 1)}


@contextmanager
def _gateway(here: Stage) -> Iterator[str]:
    here.record()
    time.sleep(0.5)
    here.game(_CARS, _RATE_HZ, _SECONDS + 60)
    time.sleep(2)
    here.serve()
    port = free_port()
    words = ("--rig", here.address, "--port", str(port), "--own", str(_PAGES))
    running = here.start("rigclient", "gateway", *words)
    assert running.stdout is not None
    running.stdout.readline()
    yield f"http://127.0.0.1:{port}"


def _first_paint_ms(page: Page, root: str) -> float:
    """Return when the first page shows its words, from the navigation on."""
    page.goto(root)
    script = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    browser.wait(page, lambda: page.evaluate(script))
    return float(page.evaluate(script))
