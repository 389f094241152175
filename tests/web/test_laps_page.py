"""The pages of laps that the gateway serves, with what a rig would answer."""

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route

from riglap.circuits.circuit import Circuit
from riglap.compare import compare
from riglap.document import document
from riglap.lap import Lap
from tests.riglap.conftest import circuit as circuit
from tests.riglap.conftest import laps as laps
from tests.riglap.conftest import race as race
from tests.web import browser

PAGES: Final = Path(__file__).parents[2] / "client" / "rigclient" / "gateway" / "pages"
HOME: Final = "http://localhost:1"
SESSION: Final = "sessions/one"


def lap(name: str, driver: str, time: float, **more: Any) -> dict[str, Any]:
    """Return a lap as the gateway tells it."""
    sectors = {f"sector{at}": time / 3 for at in (1, 2, 3)}
    plain = {
        "name": f"{SESSION}/laps/{name}",
        "driver": driver,
        "lap_time": time,
        "valid": True,
        "complete": True,
    }
    return {**plain, **sectors, "vehicle": "Gazelle GT", "vehicle_class": "GT", **more}


LAPS: Final = [
    lap("car001-0001", "A. Alder", 95.5),
    lap("car001-0002", "A. Alder", 94.25),
    lap("car002-0001", "B. Birch", 93.125),
    lap("car002-0002", "B. Birch", 90.0, valid=False),
    lap("car003-0001", "C. Clover", 88.0, vehicle_class="LMP", vehicle="Heron P2"),
    lap("car003-0002", "C. Clover", 0.0, complete=False, valid=False),
]


class Gateway:
    """Answers a page out of the built folder, and questions with what a test says."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "/api/rigs": {"rigs": [{"name": "left", "state": "live"}, {"name": "right", "state": "off"}]},
            "/api/left/sessions": {
                "sessions": [{"name": SESSION, "track_name": "Meander Valley", "kind": "SESSION_KIND_RACE"}]
            },
            "/api/left/laps": {"laps": LAPS},
            "/api/left/resources": {"resources": []},
            "/api/left/assistant": {"configured": False},
        }
        page.route(f"{HOME}/**", self._answer)

    def _answer(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        self.asked.append(f"{parts.path}?{parts.query}")
        if parts.path in self.answers:
            route.fulfill(body=json.dumps(self.answers[parts.path]), content_type="application/json")
        elif parts.path.startswith("/api/"):
            words = {"code": "NOT_FOUND", "message": "the rig right is off", "hint": "start rigd there"}
            route.fulfill(status=503, body=json.dumps({"error": words}), content_type="application/json")
        elif parts.path.startswith("/assets/"):
            route.fulfill(path=PAGES / parts.path[1:])
        else:
            route.fulfill(path=PAGES / f"{parts.path[1:]}.html")


@pytest.fixture
def gateway(page: Page) -> Gateway:
    return Gateway(page)


def opened(page: Page, path: str) -> None:
    page.goto(f"{HOME}/{path}")
    page.wait_for_selector("body[data-ready]")


def rows(page: Page) -> list[str]:
    found = page.locator("#list tbody tr").element_handles()
    return [(one.get_attribute("data-lap") or "").rpartition("/")[2] for one in found]


def test_laps_are_sorted_marked_and_filtered(page: Page, gateway: Gateway) -> None:
    opened(page, "laps?rig=left")
    assert rows(page)[:4] == ["car003-0001", "car002-0001", "car001-0002", "car001-0001"]
    marked = page.locator("#list td.overall:not(.wide)")
    assert [text.split()[0] for text in marked.all_inner_texts()] == ["1:28.000", "1:33.125"]
    assert page.locator("#list td.own:not(.wide)").all_inner_texts() == ["1:34.250"]
    page.get_by_label("Class", exact=True).select_option("GT")
    page.get_by_label("valid only").check()
    assert rows(page) == ["car002-0001", "car001-0002", "car001-0001"]
    page.get_by_label("driver").fill("alder")
    assert rows(page) == ["car001-0002", "car001-0001"]
    again = page.url
    opened(page, again.removeprefix(f"{HOME}/"))
    assert rows(page) == ["car001-0002", "car001-0001"]


def test_two_that_are_picked_are_compared(
    page: Page, gateway: Gateway, laps: list[Lap], circuit: Circuit
) -> None:
    whole = [one for one in laps if one.info.number][:2]
    gateway.answers["/api/left/comparison"] = document(compare(whole, circuit))
    opened(page, "laps?rig=left")
    page.get_by_label("pick car002-0001").check()
    page.get_by_label("pick car001-0002").check()
    page.get_by_role("link", name="compare 2 laps").click()
    page.wait_for_selector("body[data-ready] .strip canvas")
    asked = next(path for path in gateway.asked if path.startswith("/api/left/comparison"))
    names = [f"{SESSION}/laps/{name}" for name in ("car002-0001", "car001-0002")]
    assert parse_qs(urlsplit(asked).query) == {"lap": names}
    assert page.locator("#laps tbody tr").count() == 3


def test_a_formula_becomes_a_strip_or_words(
    page: Page, gateway: Gateway, troubles: browser.Troubles, laps: list[Lap], circuit: Circuit
) -> None:
    troubles.allow("503")
    found = compare([one for one in laps if one.info.number][:2], circuit)
    gateway.answers["/api/left/comparison"] = document(found)
    opened(page, "compare?rig=left&a=x&b=y")
    field = page.get_by_label("Formula")
    field.fill("speed")
    field.press("Enter")
    browser.wait(page, lambda: "name = expression" in page.locator("#formulas [role=alert]").inner_text())
    del gateway.answers["/api/left/comparison"]
    field.fill("push = nonsense(speed)")
    field.press("Enter")
    browser.wait(page, lambda: "start rigd there" in page.locator("#formulas [role=alert]").inner_text())
    gateway.answers["/api/left/comparison"] = document(found, formulas={"push": "derivative(speed) [G]"})
    field.fill("push = derivative(speed) [G]")
    field.press("Enter")
    page.wait_for_selector('.strip[data-channel="push"] canvas')
    assert parse_qs(urlsplit(gateway.asked[-1]).query)["formula"] == ["push = derivative(speed) [G]"]
    assert page.locator("#formulas [role=alert]").count() == 0
    opened(page, page.url.removeprefix(f"{HOME}/"))
    page.wait_for_selector('.strip[data-channel="push"] canvas')


def test_what_a_rig_refuses_is_said(page: Page, gateway: Gateway, troubles: browser.Troubles) -> None:
    troubles.allow("503")
    page.goto(f"{HOME}/laps?rig=right")
    browser.wait(page, lambda: "the rig right is off" in page.locator("#trouble").inner_text())
    page.locator("label", has_text="Rig").locator("select").select_option("left")
    browser.wait(page, lambda: len(rows(page)) == len(LAPS))
    assert page.locator("#trouble").is_hidden()
    page.locator("label", has_text="Rig").locator("select").select_option("right")
    browser.wait(page, lambda: "the rig right is off" in page.locator("#trouble").inner_text())
    assert rows(page) == []
    page.goto(f"{HOME}/compare?rig=right&a=x&b=y")
    browser.wait(page, lambda: "start rigd there" in page.locator("#trouble").inner_text())
    page.goto(f"{HOME}/compare")
    browser.wait(page, lambda: "No laps are chosen" in page.locator("#trouble").inner_text())


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_the_list_is_seen_and_reached(page: Page, gateway: Gateway, theme: str) -> None:
    opened(page, f"laps?rig=left&theme={theme}")
    assert browser.faint(page) == []
    if theme == "dark":
        assert browser.unreachable(page) == []
        assert browser.overflowing(page) == []
