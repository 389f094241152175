"""Overlays and the first page on a simulated race, in a real browser."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from playwright.sync_api import Page

import rigclient
from rigclient.cli.commands.gateway import WIDGETS as OVERLAYS
from tests.web import browser
from tests.web.demo import Demo, demo

THEMES: Final = ("dark", "light", "contrast")
PAINTED: Final = ("dash", "inputs", "map", "radar")
PACE: Final = "0.4"
"""A slow race: 20 ticks a second show all there is. Rig, gateway and browser spend 0.8 of a core on 50."""

_SAYS: Final = """(tag) => {
  const e = document.querySelector(tag), root = e?.shadowRoot;
  return root ? root.textContent.replace(/\\s+/g, " ").trim() : document.body.innerText;
}"""
_SHOWN: Final = """(tag) => {
  const e = document.querySelector(tag);
  const said = {};
  for (const one of e.shadowRoot.querySelectorAll("[data-channel], [data-value]")) {
    const car = one.closest("[data-car]")?.dataset.car;
    const name = one.dataset.channel ?? one.dataset.value, part = one.dataset.part ?? car;
    said[part === undefined ? name : `${name} ${part}`] = one.textContent.trim();
  }
  return { seq: Number(e.dataset.seq), said };
}"""


@pytest.fixture(scope="module")
def race() -> Iterator[Demo]:
    with demo("--cars", "24", "--speed", PACE) as running:
        yield running


def open_overlay(page: Page, race: Demo, name: str, query: str = "") -> None:
    """Open an overlay and wait until it shows something."""
    page.goto(race.page(f"overlay/{name}?rig={race.rig}{query}"))
    browser.wait(page, lambda: page.locator(f"rig-{name} .live").count())


def says(page: Page, name: str) -> str:
    """Return the words of an overlay."""
    found: str = page.evaluate(_SAYS, f"rig-{name}")
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_shows_the_race_in_every_theme_and_size(page: Page, race: Demo, name: str) -> None:
    open_overlay(page, race, name)
    if name in PAINTED:
        canvas = page.locator(f"rig-{name} canvas")
        browser.wait(page, lambda: browser.painted(canvas)["colours"] > 2)
    page.wait_for_timeout(300)
    for theme in THEMES:
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        assert browser.faint(page, behind=("black", "white")) == [], theme
    assert browser.overflowing(page) == []
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == "rgba(0, 0, 0, 0)"


@contextmanager
def followed(race: Demo, stream: str, channels: list[str]) -> Iterator[dict[int, Any]]:
    """Follow the rig with the Python client meanwhile: frames by their number."""
    frames: dict[int, Any] = {}
    ended = threading.Event()
    began = threading.Event()

    def follow() -> None:
        with rigclient.connect(race.rig) as rig:
            read: Callable[..., Any] = getattr(rig, stream)
            for frame in read(channels):
                frames[frame.seq] = frame
                began.set()
                if ended.is_set():
                    return

    thread = threading.Thread(target=follow)
    thread.start()
    assert began.wait(60)
    try:
        yield frames
    finally:
        ended.set()
        thread.join()


def seen_in(page: Page, name: str, frames: dict[int, Any], times: int = 5) -> Iterator[tuple[Any, Any]]:
    """Yield what an overlay shows and the frame that it shows, a few times."""
    for _ in range(times):
        page.wait_for_timeout(100)
        shown: dict[str, Any] = page.evaluate(_SHOWN, f"rig-{name}")
        _reached(page, frames, shown["seq"])
        if shown["seq"] in frames:
            yield shown["said"], frames[shown["seq"]]


def _reached(page: Page, frames: dict[int, Any], seq: int) -> None:
    browser.wait(page, lambda: max(frames) >= seq)


def test_the_dash_shows_what_the_stream_says_at_the_same_record(page: Page, race: Demo) -> None:
    with followed(race, "physics", ["speed", "gear", "engine_rpm"]) as frames:
        open_overlay(page, race, "dash")
        compared = 0
        for said, frame in seen_in(page, "dash", frames):
            car = frame.player
            assert said["speed"] == f"{car.speed * 3.6:.0f}"
            assert said["engine_rpm"] == f"{car.engine_rpm:.0f}"
            assert said["gear"] == {-1: "R", 0: "N"}.get(car.gear, str(car.gear))
            compared += 1
        assert compared


def test_tyres_show_what_the_stream_says_at_the_same_record(page: Page, race: Demo) -> None:
    channels = ["tyre_temp", "tyre_pressure", "tyre_tread", "brake_temp"]
    with followed(race, "physics", channels) as frames:
        open_overlay(page, race, "tyres", "&units=imperial")
        compared = 0
        for said, frame in seen_in(page, "tyres", frames):
            for wheel in range(4):
                surface = float(frame.player.tyre_temp.reshape(4, 3)[wheel].mean()) * 1.8 + 32
                assert abs(float(said[f"tyre_temp {wheel}"].rstrip("°")) - surface) <= 0.51
                pressure = float(frame.player.tyre_pressure[wheel]) / 6.894757
                assert abs(float(said[f"tyre_pressure {wheel}"].removesuffix(" psi")) - pressure) <= 0.051
            compared += 1
        assert compared


def test_standings_show_what_the_stream_says_at_the_same_record(page: Page, race: Demo) -> None:
    with followed(race, "scoring", ["last_lap_time", "best_lap_time", "place"]) as frames:
        open_overlay(page, race, "standings", "&rows=40")
        browser.wait(page, lambda: page.locator("rig-standings [data-car]").count() == 24)
        compared = 0
        for said, frame in seen_in(page, "standings", frames, 8):
            for car in frame:
                last = float(car.last_lap_time)  # NaN where there is none
                shown = _seconds(said[f"last_lap_time {car.id}"])
                assert shown == pytest.approx(last if last > 0 else 0.0, abs=0.0006)
            compared += 1
        assert compared


def _seconds(text: str) -> float:
    if text == "\u2013":
        return 0.0
    minutes, _, seconds = text.rpartition(":")
    return 60 * float(minutes or 0) + float(seconds)


def test_classes_have_their_own_places(page: Page, race: Demo) -> None:
    open_overlay(page, race, "standings", "&rows=40")
    browser.wait(page, lambda: page.locator("rig-standings tbody").count() == 2)
    for body in page.locator("rig-standings tbody").all():
        places = [int(one) for one in body.locator("td.place").all_inner_texts()]
        assert places == list(range(1, len(places) + 1))


def test_the_own_car_stands_between_those_ahead_and_behind(page: Page, race: Demo) -> None:
    open_overlay(page, race, "relative")
    browser.wait(page, lambda: page.locator("rig-relative .own").count() == 1)
    texts = page.locator("rig-relative [data-car] .gap").all_inner_texts()
    gaps = [float(one.replace("\u2212", "-")) for one in texts]
    assert 0.0 in gaps
    assert gaps == sorted(gaps, reverse=True)


def test_any_car_can_be_shown(page: Page, race: Demo) -> None:
    with rigclient.connect(race.rig) as rig:
        frame = next(iter(rig.scoring(["place"])))
    assert frame.player is not None
    own = frame.player.id
    other = next(car.id for car in frame if car.id != own)
    open_overlay(page, race, "inputs", f"&car={other}")
    page.goto(race.page(f"overlay/inputs?rig={race.rig}&car=9999"))
    browser.wait(page, lambda: "there is no car 9999" in says(page, "inputs"))


def test_without_a_rig_the_first_one_is_shown(page: Page, race: Demo) -> None:
    page.goto(race.page("overlay/dash"))
    browser.wait(page, lambda: page.locator("rig-dash .live").count())


def test_what_does_not_exist_is_said_in_words(page: Page, race: Demo, troubles: browser.Troubles) -> None:
    troubles.allow("/live/nobody", "/live/nobody", "WebSocket")
    page.goto(race.page("overlay/toaster"))
    assert "There is no overlay “toaster”. There are: dash," in page.inner_text("body")
    page.goto(race.page("overlay/dash?rig=nobody"))
    browser.wait(page, lambda: "there is no rig “nobody”" in says(page, "dash"))
    page.goto(race.page(f"overlay/delta?rig={race.rig}&reference=sessions/none/laps/none"))
    browser.wait(page, lambda: "none" in says(page, "delta"))
    assert page.locator("rig-delta .words").count() == 1


def test_scale_theme_units_and_ground_come_from_the_address(page: Page, race: Demo) -> None:
    open_overlay(page, race, "dash", "&scale=2&theme=contrast&units=imperial&bg=%23102030")
    box = page.locator("rig-dash").bounding_box()
    assert box is not None
    assert box["width"] == 768
    assert "mph" in says(page, "dash")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "contrast"
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(16, 32, 48)"
    open_overlay(page, race, "standings", "&theme=light&bg=%2300ff00")  # a colour to be keyed out
    colours = (
        "(rows) => rows.map((row) => getComputedStyle(row).backgroundColor + getComputedStyle(row).color)"
    )
    assert "rgb(0, 255, 0)" not in "".join(
        page.locator("rig-standings td, rig-standings b").evaluate_all(colours)
    )


def test_the_first_page_leads_everywhere(page: Page, race: Demo) -> None:
    page.goto(race.page(""))
    browser.wait(page, lambda: page.locator(".overlay-card").count() == len(OVERLAYS))
    browser.wait(page, lambda: page.locator(".stage .live").count() == len(OVERLAYS))
    assert page.locator(".rig.live").count() == 1
    links = [link.get_attribute("href") or "" for link in page.locator(".rig nav a").all()]
    assert [re.sub(r"\?.*", "", link) for link in links] == ["/wall", "/laps", "/compare"]
    page.get_by_label("Scale").select_option("2")
    address = page.get_by_label("address of dash").input_value()
    assert address == race.page(f"overlay/dash?rig={race.rig}&scale=2")
    assert "width 768" in page.locator(".overlay-card").first.inner_text()
    for theme in THEMES:
        page.get_by_label("Theme").select_option(theme)
    assert browser.unreachable(page) == []
    assert browser.overflowing(page) == []


def test_a_page_of_ones_own_shows_what_it_asks_for(page: Page, race: Demo) -> None:
    page.goto(race.page("own/speed.html"))
    browser.wait(page, lambda: re.fullmatch(r"\d+ km/h", page.inner_text("p")))


def test_a_session_is_gone_through_again(page: Page, race: Demo) -> None:
    page.goto(race.page(f"replay?rig={race.rig}"))
    bar, dash = page.locator("rig-replay"), page.locator("rig-dash")
    browser.wait(page, lambda: bar.locator("option").count() > 7)
    browser.wait(page, lambda: int(dash.get_attribute("data-seq") or 0) > 200)
    assert browser.unreachable(page) == []
    live = int(dash.get_attribute("data-seq") or 0)
    bar.locator(".track").fill("2")
    bar.locator(".track").dispatch_event("change")
    browser.wait(page, lambda: int(dash.get_attribute("data-seq") or 0) < min(live, 150))
    bar.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(1000)
    paused = dash.get_attribute("data-seq")
    page.wait_for_timeout(1000)
    assert dash.get_attribute("data-seq") == paused
    bar.get_by_role("button", name="Live").click()
    browser.wait(page, lambda: int(dash.get_attribute("data-seq") or 0) > live)
    assert browser.overflowing(page) == []


def test_a_rig_that_ends_is_said_and_its_last_values_stay(
    page: Page, race: Demo, troubles: browser.Troubles
) -> None:
    shown = {name: page.context.new_page() for name in OVERLAYS}
    for name, one in shown.items():
        open_overlay(one, race, name)
    race.end()
    for name, one in shown.items():
        one.bring_to_front()
        browser.wait(one, lambda one=one, name=name: one.locator(f"rig-{name} .badge").count())  # type: ignore[misc]
        assert one.locator(f"rig-{name}[stale]").count() == 1
        badge, live = (one.locator(f"rig-{name} {part}").bounding_box() for part in (".badge", ".live"))
        assert badge
        assert live
        assert badge["y"] + badge["height"] <= live["y"], f"{name}: the sign lies over what it is about"
        for theme in THEMES:
            one.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            faint = browser.faint(one, behind=("black", "white"))  # old values are faint, their sign is not
            assert not [told for told in faint if told.startswith("span off")], (name, theme)
        one.close()
    # A car that no page has shown: a stream that one left three seconds ago still has its last values.
    page.goto(race.page(f"overlay/inputs?rig={race.rig}&car=17"))
    browser.wait(page, lambda: page.locator("rig-inputs .words").count())
    assert says(page, "inputs")
