"""The compare page as `rig compare --html` writes it: a file in a real browser, without a network."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, Request

from rig.errors import Unavailable
from riglap import html
from riglap.circuits.circuit import Circuit
from riglap.compare import Comparison, against, compare, traces, way_of
from riglap.document import USUAL, document
from riglap.findings import findings
from riglap.lap import Lap
from riglap.times import gap, lap_time
from tests.riglap.conftest import circuit as circuit
from tests.riglap.conftest import laps as laps
from tests.riglap.conftest import race as race
from tests.riglap.conftest import real_race as real_race
from tests.riglap.conftest import surveyed
from tests.riglap.raced import Raced
from tests.web import browser

MOST_BYTES = 400_000
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
Write = Callable[..., str]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write a page, once for each comparison, and return its address."""
    folder = tmp_path_factory.mktemp("pages")
    made: dict[int, str] = {}

    def written(found: Comparison, **options: Any) -> str:
        if id(found) not in made:
            path = folder / f"{len(made)}.html"
            html.write(path, document(found, **options))
            made[id(found)] = path.as_uri()
        return made[id(found)]

    return written


@pytest.fixture(scope="module")
def driven(laps: list[Lap]) -> list[Lap]:
    """Laps from line to line, one of each car and one more."""
    whole = [lap for lap in laps if lap.info.number and lap.info.valid]
    return sorted(whole, key=lambda lap: lap.info.lap_time or 0)[:4]


@pytest.fixture(scope="module")
def found(driven: list[Lap], circuit: Circuit) -> Comparison:
    return compare(driven, circuit)


def opened(page: Page, address: str, chosen: str = "") -> Page:
    # A new address behind the # alone would load nothing.
    page.goto("about:blank")
    page.goto(f"{address}#{chosen}")
    page.wait_for_selector("body[data-ready] .strip canvas")
    return page


def number(text: str) -> float:
    return float(text.strip().replace(MINUS, "-").replace("±", "").replace("+", ""))


def value(page: Page, channel: str, role: str) -> float:
    return number(page.locator(f'[data-channel="{channel}"] [data-role="{role}"]').inner_text())


def chosen(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).fragment).items()}


def test_values_at_the_cursor_are_those_of_the_analysis(page: Page, found: Comparison, write: Write) -> None:
    places, delta = found.places, found.delta(1)
    for metres in (0.0, 777.0, 2031.4, 4400.0):
        at = int(np.argmin(np.abs(places - metres)))
        name = found.others[1].aligned.lap.info.name  # type: ignore[union-attr]
        opened(page, write(found), f"at={metres}&lap={name}")
        assert value(page, "delta", "delta") == pytest.approx(delta[at], abs=0.00051)
        for trace, role in ((found.reference, "reference"), (found.others[1], "lap")):
            assert value(page, "speed", role) == pytest.approx(3.6 * trace.read("speed")[at], abs=0.06)
            assert value(page, "gear", role) == trace.read("gear")[at]
            assert value(page, "lateral", role) == pytest.approx(trace.read("lateral")[at], abs=0.006)


def test_the_tables_say_what_rig_compare_says(page: Page, found: Comparison, write: Write) -> None:
    opened(page, write(found))
    for part in found.parts(0):
        row = page.locator(f'tr[data-part="{part.segment.title}"]')
        assert number(row.locator("td").nth(0).inner_text()) == pytest.approx(part.reference_s, abs=0.00051)
        assert number(row.locator("td").nth(1).inner_text()) == pytest.approx(part.lost_s, abs=0.00051)
    assert gap(found.lost(0)).replace("-", MINUS) in page.locator(".versus").inner_text()
    for trace in found.traces:
        assert lap_time(trace.lap_time) in page.locator("#laps").inner_text()
    told = findings(found, 0)
    shown = page.locator("[data-finding]")
    assert sorted(shown.nth(at).get_attribute("data-finding") or "" for at in range(shown.count())) == sorted(
        one.id for one in told if one.corner
    )


def test_any_lap_may_be_the_reference(
    page: Page, found: Comparison, driven: list[Lap], circuit: Circuit, write: Write
) -> None:
    opened(page, write(found))
    page.locator("#laps tbody tr").nth(2).locator("input").check()
    page.locator("#laps tbody tr").nth(3).locator(".name").click()
    other = compare([driven[2], driven[3]], circuit)
    browser.wait(page, lambda: gap(other.lost()).replace("-", MINUS) in page.locator(".versus").inner_text())
    for part in other.parts():
        shown = page.locator(f'tr[data-part="{part.segment.title}"] td').nth(1).inner_text()
        assert number(shown) == pytest.approx(part.lost_s, abs=0.00051)
    page.locator('tr[data-lap="ideal"] input').check()
    browser.wait(page, lambda: "ideal lap" in page.locator(".versus").inner_text())
    assert "never driven" in page.locator("#tips").inner_text()


def test_one_cursor_for_all_strips_and_the_map(page: Page, found: Comparison, write: Write) -> None:
    opened(page, write(found))
    box = page.locator('[data-channel="speed"] .u-over').bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    browser.wait(page, lambda: "at" in chosen(page))
    assert float(chosen(page)["at"]) == pytest.approx(found.places[-1] / 2, abs=5)
    lines = page.locator(".strip .cursor")
    places = {round(lines.nth(at).bounding_box()["x"]) for at in range(lines.count())}  # type: ignore[index]
    assert len(places) == 1
    assert abs(places.pop() - (box["x"] + box["width"] / 2)) < 2
    assert browser.painted(page.locator("#map"))["colours"] > 10


def test_keys_move_zoom_and_go_to_corners(page: Page, found: Comparison, write: Write) -> None:
    opened(page, write(found), "at=500")
    keys = page.keyboard
    keys.press("ArrowRight")
    browser.wait(page, lambda: "501 m" in page.locator("#where").inner_text())
    keys.press("Shift+ArrowLeft")
    browser.wait(page, lambda: "491 m" in page.locator("#where").inner_text())
    assert found.circuit
    first = found.circuit.corners[0]
    keys.press("0")
    keys.press("Home")
    keys.press("n")
    browser.wait(page, lambda: f"{first.apex:.0f} m {first.title}" in page.locator("#where").inner_text())
    browser.wait(page, lambda: "zoom" in chosen(page))
    begin, end = map(float, chosen(page)["zoom"].split("-"))
    assert begin < first.begin < first.end < end < found.places[-1] / 2
    keys.press("-")
    browser.wait(page, lambda: float(chosen(page).get("zoom", "0-0").split("-")[1]) > end)
    keys.press("p")
    keys.press("Escape")
    browser.wait(page, lambda: "zoom" not in chosen(page))


def test_a_click_in_the_table_or_on_the_map_zooms(page: Page, found: Comparison, write: Write) -> None:
    opened(page, write(found))
    assert found.circuit
    corner = found.circuit.corners[3]
    page.get_by_role("button", name=corner.title, exact=True).click()
    browser.wait(page, lambda: "zoom" in chosen(page))
    begin, end = map(float, chosen(page)["zoom"].split("-"))
    assert begin < corner.begin < corner.end < end
    page.get_by_role("button", name="whole lap").click()
    browser.wait(page, lambda: "zoom" not in chosen(page))
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    assert box
    places = [(x, y) for x in range(10, int(box["width"]), 12) for y in range(10, int(box["height"]), 12)]
    for x, y in places:
        page.mouse.click(box["x"] + x, box["y"] + y)
        if page.locator("#where button").is_visible():
            break
    browser.wait(page, lambda: "zoom" in chosen(page))


def test_a_link_brings_back_all_that_was_chosen(page: Page, found: Comparison, write: Write) -> None:
    strips = [["speed", 200], ["delta", 90], ["brake", 60]]
    names = [trace.aligned.lap.info.name for trace in found.traces if trace.aligned]
    told = {
        "ref": names[2],
        "lap": names[1],
        "hide": names[3],
        "at": "1200.0",
        "zoom": "1000.0-1500.0",
        "layout": json.dumps(strips, separators=(",", ":")),
        "theme": "light",
        "units": "imperial",
    }
    opened(page, write(found), "&".join(f"{name}={value}" for name, value in told.items()))
    assert [one.get_attribute("data-channel") for one in page.locator(".strip").element_handles()] == [
        "speed",
        "delta",
        "brake",
    ]
    assert "mph" in page.locator('[data-channel="speed"]').inner_text()
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.keyboard.press("ArrowRight")
    browser.wait(page, lambda: chosen(page)["at"] != "1200.0")
    assert {**chosen(page), "at": "1200.0"} == told


def test_strips_are_arranged_and_kept(page: Page, found: Comparison, write: Write) -> None:
    address = write(found)
    opened(page, address)
    page.get_by_role("button", name="move down: speed").click()
    page.wait_for_selector('.strip:nth-child(2)[data-channel="throttle"]')
    page.get_by_role("button", name="remove: gear").click()
    browser.wait(page, lambda: page.locator(".strip").count() == len(USUAL) - 1)
    page.get_by_label("add a strip").select_option("engine_rpm")
    browser.wait(page, lambda: page.locator('.strip[data-channel="engine_rpm"]').count() == 1)
    shown = [one.get_attribute("data-channel") for one in page.locator(".strip").element_handles()]
    assert shown[:3] == ["delta", "throttle", "speed"]
    assert "gear" not in shown
    assert shown[-1] == "engine_rpm"
    page.once("dialog", lambda dialog: dialog.accept("mine"))
    page.get_by_label("layout").select_option("keep")
    opened(page, address)
    page.get_by_label("layout").select_option("=mine")
    browser.wait(page, lambda: page.locator('.strip[data-channel="engine_rpm"]').count() == 1)


def test_nonsense_in_the_address_is_no_trouble(page: Page, found: Comparison, write: Write) -> None:
    for words in (
        "ref=nobody&lap=x&at=-5&zoom=9-1&layout=[[1],{}]&theme=pink",
        "layout=[[%22speed%22,1e9]]",
        "%%%",
    ):
        opened(page, write(found), words)
        assert page.locator(".strip").count() >= 1


def test_it_opens_offline_asks_for_nothing_and_is_small(page: Page, found: Comparison, write: Write) -> None:
    assert html.PAGE.stat().st_size <= MOST_BYTES
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    opened(page, write(found))
    page.keyboard.press("n")
    foreign = [url for url in asked if not url.startswith(("file:", "data:", "about:", "blob:"))]
    assert foreign == []


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_it_is_seen_and_reached(page: Page, found: Comparison, write: Write, theme: str) -> None:
    opened(page, write(found), f"theme={theme}&at=900")
    assert browser.faint(page) == []
    if theme == "dark":
        assert browser.unreachable(page) == []
        assert browser.overflowing(page) == []


def test_what_is_doubtful_is_hatched_and_not_compared(page: Page, real_race: Raced, write: Write) -> None:
    every = real_race.laps()
    whole = [lap for lap in every if lap.info.number and lap.info.valid]
    pits = next(lap for lap in every if lap.info.pit_visits)
    held = compare([whole[0], pits], surveyed(every))
    assert held.others[0].aligned
    doubt = held.others[0].aligned.doubts[0]
    opened(page, write(held), f"at={(doubt.begin + doubt.end) / 2}")
    assert page.locator('[data-role="delta"]').inner_text() == NONE
    assert "Not compared" in page.locator("#parts tfoot").inner_text()
    assert "no findings" in page.locator("#tips").inner_text()


def test_twenty_laps_and_one(page: Page, real_race: Raced, write: Write) -> None:
    many = [lap for lap in real_race.laps() if lap.info.number][:20]
    shelf = surveyed(real_race.laps())
    opened(page, write(compare(many, shelf)))
    assert page.locator("#laps tbody tr").count() == len(many) + 1
    first, *_ = traces(many[:1], way_of(many[:1]))
    opened(page, write(against(first, [], way_of(many[:1]))))
    assert page.locator('.strip[data-channel="delta"]').count() == 0
    assert "nothing to compare" in page.locator("#tips").inner_text()


def test_without_positions_there_is_no_map(page: Page, driven: list[Lap], write: Write) -> None:
    held = compare([_blind(lap) for lap in driven[:2]])
    assert held.circuit is None
    opened(page, write(held))
    assert page.locator("#mapbox").is_hidden()
    assert "scaled distance" in page.locator("#tips").inner_text()


def test_math_channels_and_wheels_are_strips(
    page: Page, driven: list[Lap], circuit: Circuit, write: Write
) -> None:
    held = compare(driven[:2], circuit)
    address = write(
        held, channels=("speed", "tyre_temp", "tyre_pressure_fl"), formulas={"push": "derivative(speed) [G]"}
    )
    opened(page, address, "at=1000")
    for name in ("push", "tyre_temp_rr", "tyre_pressure_fl"):
        assert np.isfinite(value(page, name, "lap"))


def _blind(lap: Lap) -> Lap:
    """Return a lap whose game tells no positions."""
    zero = np.zeros_like(lap["position"])
    source = dataclasses.replace(lap.picked("position", np.arange(len(lap))), read=lambda: zero)
    return lap.with_columns({"position": source})


def test_a_page_that_was_not_built_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(html, "PAGE", tmp_path / "compare.html")
    with pytest.raises(Unavailable, match="make web"):
        html.page({})
