"""The pit wall in a real browser, before a real rig: a simulated race, recorded and served, and a gateway."""

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page

import rigclient
from tests.house.demo_run import DemoRun
from tests.stage import free_port, until
from tests.web import browser

PAGES: Final = Path(rigclient.__file__).parent / "gateway" / "pages" / "wall.html"
pytestmark = pytest.mark.skipif(not PAGES.is_file(), reason="`make web` builds the pages")

PACE: Final = "0.4"
"""A slow race: 20 ticks a second are a live page too."""
BROKEN: Final = ("WebSocket connection", "Failed to load resource", "request: .*(ERR_CONNECTION|50[0-9])")
"""What a browser says of a gateway that is away."""


@dataclass
class Wall:
    """A rig, its gateway, and the page before them."""

    run: DemoRun
    port: int
    gateway: "subprocess.Popen[str] | None" = None
    rig: "subprocess.Popen[str] | None" = None

    @property
    def socket(self) -> str:
        return f"unix:{self.run.sockets}/rigd/demo.sock"

    def address(self, **query: str) -> str:
        words = "&".join(f"{name}={value}" for name, value in {"rig": "demo", **query}.items())
        return f"http://127.0.0.1:{self.port}/wall?{words}"

    def start_rig(self) -> None:
        self.rig = self.run.start("--cars", "12", "--speed", PACE)

    def stop_rig(self) -> None:
        assert self.rig is not None
        self.rig.terminate()
        self.rig.wait(60)

    def start_gateway(self) -> None:
        off = f"127.0.0.1:{free_port()}"
        words = ["gateway", "--port", str(self.port), "--rig", self.socket, "--rig", off]
        self.gateway = subprocess.Popen(
            [sys.executable, "-m", "rigclient", *words],
            stdout=subprocess.PIPE,
            text=True,
            env=self.run.environment,
        )
        assert self.gateway.stdout is not None
        self.gateway.stdout.readline()

    def stop_gateway(self) -> None:
        assert self.gateway is not None
        self.gateway.terminate()
        self.gateway.communicate(timeout=60)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def wall() -> Iterator[Wall]:
    with (
        tempfile.TemporaryDirectory(prefix="rigd-wall-") as home,
        tempfile.TemporaryDirectory(prefix="rigd-wall-", dir="/dev/shm") as buffers,
    ):
        sockets = Path(home) / "run"
        sockets.mkdir(mode=0o700)
        made = Wall(DemoRun(Path(home) / "data", Path(buffers), sockets), free_port())
        try:
            made.start_rig()
            until(lambda: bool(list(sockets.glob("rigd/*.sock"))))
            made.start_gateway()
            yield made
        finally:
            if made.gateway is not None:
                made.stop_gateway()
            if made.rig is not None and made.rig.poll() is None:
                made.stop_rig()
            made.run.close()


def live(page: Page) -> None:
    """Wait until the rig is live and its table stands."""
    browser.wait(page, lambda: page.locator(".rig.live[data-rig=demo]").count())
    browser.wait(page, lambda: page.locator(".timing tbody tr[data-car]").count() >= 2)


def said_of(page: Page) -> dict[str, Any]:
    """The table as it stands, and of which scoring update it is."""
    found: dict[str, Any] = page.evaluate("""() => {
      const wall = document.querySelector("rig-wall"), feed = wall.feed;
      const text = (row, name) => row.querySelector(name).innerText.trim().replace(/[▲●]\\s*/, "");
      const rows = [...document.querySelectorAll(".timing tbody tr[data-car]")].map((row) => ({
        id: Number(row.dataset.car), place: Number(row.dataset.place), laps: Number(text(row, ".laps")),
        last: text(row, ".last"), best: text(row, ".besttime"), stops: Number(text(row, ".stops")) }));
      return { seq: feed.seq, shown: feed.groups.flatMap((g) => g.cars).map((c) => [c.id, c.laps]), rows };
    }""")
    return found


def lap_time(seconds: float) -> str:
    if not seconds > 0:
        return "–"  # noqa: RUF001
    ms = round(seconds * 1000)
    return f"{ms // 60000}:{ms % 60000 / 1000:06.3f}" if ms >= 60000 else f"{ms / 1000:.3f}"


def test_the_table_is_the_scoring_update_that_it_names(page: Page, wall: Wall) -> None:
    page.goto(wall.address())
    live(page)
    said: dict[str, Any] = {}

    def steady() -> bool:
        """The table has been painted with the update that the feed took."""
        nonlocal said
        page.evaluate("() => document.querySelector('rig-wall').requestUpdate()")
        said = page.evaluate("() => document.querySelector('rig-wall').updateComplete.then(() => 0)") or {}
        said = said_of(page)
        return {row["id"]: row["laps"] for row in said["rows"]} == dict(said["shown"])

    browser.wait(page, steady)
    with rigclient.connect(wall.socket) as rig:
        update = next(one for one in rig.scoring(start="earliest") if one.seq >= said["seq"])
    assert update.seq == said["seq"]
    columns = update.columns()
    expected = [
        {"id": int(car), "place": int(place), "laps": int(laps), "stops": int(stops)}
        | {"last": lap_time(last), "best": lap_time(best)}
        for car, place, laps, stops, last, best in zip(
            *(
                columns[name]
                for name in ("id", "place", "laps", "pit_stops", "last_lap_time", "best_lap_time")
            ),
            strict=True,
        )
    ]
    assert sorted(said["rows"], key=lambda row: row["id"]) == sorted(expected, key=lambda row: row["id"])


def test_every_size_fits_and_all_can_be_read_and_reached(page: Page, wall: Wall) -> None:
    for theme in ("dark", "light", "contrast"):
        page.goto(wall.address(theme=theme))
        live(page)
        assert browser.faint(page) == []
    assert browser.overflowing(page) == []
    page.set_viewport_size({"width": 1280, "height": 720})
    assert browser.unreachable(page) == []


def test_a_rig_that_is_off_says_so_beside_one_that_is_live(page: Page, wall: Wall) -> None:
    page.goto(wall.address())
    live(page)
    browser.wait(page, lambda: page.locator(".rig.off").count())
    assert "no rig answers" in page.locator(".rig.off .who").inner_text()


def test_a_mark_is_in_the_list_of_the_rig(page: Page, wall: Wall) -> None:
    page.goto(wall.address())
    live(page)
    page.locator(".rig[data-rig=demo] .mark").click()
    browser.wait(page, lambda: page.locator(".said").count())
    name = re.search(r"marks/\S+", page.locator(".said").inner_text())
    (mark,) = (one for one in wall.get("/api/demo/marks")["marks"] if name and one["name"] == name[0])
    assert (mark["before_s"], mark["after_s"]) == (30, 10)


def test_an_alert_fires_once_and_its_rule_is_kept(page: Page, wall: Wall) -> None:
    page.goto(wall.address())
    live(page)
    page.locator("input[name=rule]").fill("fuel = 1")
    page.locator(".alerts button", has_text="Add").click()
    assert "a comparison" in page.locator(".alerts .trouble").inner_text()
    page.locator("input[name=rule]").fill("fuel > 0")
    page.keyboard.press("Enter")
    browser.wait(page, lambda: page.locator(".fired li").count())
    page.wait_for_timeout(1000)  # dozens of samples more, all of them above
    assert page.locator(".fired li").count() == 1
    page.reload()
    live(page)
    assert page.locator(".rules code").all_inner_texts() == ["fuel > 0"]


def test_a_rule_may_be_a_formula_and_a_refused_one_leaves_the_traces(page: Page, wall: Wall) -> None:
    page.goto(wall.address(channels="speed,tyre_pressure"))
    live(page)
    for rule in ("speed * 3.6 > -1", "no_such_channel * 2 > 1"):
        page.locator("input[name=rule]").fill(rule)
        page.keyboard.press("Enter")
        if rule.startswith("speed"):
            browser.wait(page, lambda: page.locator(".fired li", has_text="speed * 3.6").count())
    browser.wait(page, lambda: page.locator(".alerts .trouble", has_text="no_such_channel").count())
    held = page.evaluate("() => document.querySelector('rig-wall').feed.trace.last")
    browser.wait(
        page, lambda: page.evaluate("() => document.querySelector('rig-wall').feed.trace.last") > held
    )
    heads = page.locator(".traces .strip h3")
    browser.wait(page, lambda: heads.all_inner_texts() == ["Speed km/h", "Tyre pressure kPa"])


def test_the_log_begins_with_what_was(page: Page, wall: Wall) -> None:
    page.goto(wall.address())
    live(page)
    opened = page.evaluate("() => document.querySelector('rig-wall').feed.time")
    lines = "document.querySelector('rig-wall').feed.lines"
    browser.wait(page, lambda: page.evaluate(f"() => {lines}.some((one) => one.timeNs / 1e9 < {opened})"))
    found = page.evaluate(f"() => {lines}.map((one) => one.seq)")
    assert found == sorted(set(found))


def test_all_pages_have_one_head_and_remember_theme_and_units(page: Page, wall: Wall) -> None:
    page.goto(wall.address())
    page.get_by_label("Theme").select_option("light")
    page.get_by_label("Units").select_option("imperial")
    pages = (
        ("laps", "Laps"),
        ("compare", "Compare"),
        ("replay", "Replay"),
        ("", "Rigs"),
        ("wall", "Pit wall"),
    )
    for name, title in pages:
        page.locator(".head nav a", has_text=title).click()
        page.locator(".head [aria-current]", has_text=title).wait_for()
        assert page.url.split("?")[0].endswith(f"/{name}")
        assert "rig=demo" in page.url
        assert page.locator("html").get_attribute("data-theme") == "light"
        assert page.get_by_label("Units").input_value() == "imperial"
    page.goto(wall.address(theme="contrast"))
    assert page.get_by_label("Theme").input_value() == "contrast"


def test_scrolling_back_keeps_what_is_live(page: Page, wall: Wall) -> None:
    page.goto(wall.address(channels="speed"))
    live(page)
    trace = "document.querySelector('rig-wall').feed.trace"
    browser.wait(page, lambda: page.evaluate(f"() => {trace}.length") > 5)
    page.locator(".traces button", has_text="Back").click()
    assert page.locator(".traces .follow").get_attribute("aria-pressed") == "false"
    page.locator(".traces button", has_text="Back").click()
    past = "document.querySelector('wall-traces').past"
    browser.wait(page, lambda: page.evaluate(f"() => {past}.length") > 20)
    held = page.evaluate(f"() => {trace}.last")
    browser.wait(page, lambda: page.evaluate(f"() => {trace}.last") > held)
    page.locator(".traces .follow").click()
    assert page.locator(".traces .follow").get_attribute("aria-pressed") == "true"


def test_the_arrangement_is_in_the_address_and_kept(page: Page, wall: Wall) -> None:
    page.goto(wall.address())
    live(page)
    page.locator("button", has_text="Arrange").click()
    page.locator(".chooser label", has_text="Gaps").click()
    page.locator("[aria-label='Events before']").click()
    browser.wait(page, lambda: "panels=" in page.url)
    assert "panels=timing:2,traces,stints,log,alerts" in page.url
    page.goto(wall.address())
    live(page)
    assert [panel.inner_text().split("\n")[0] for panel in page.locator(".panel h2").all()][3] == "Events"


def test_silence_is_shown_as_stale_and_a_gateway_that_comes_back_is_live(
    page: Page, wall: Wall, troubles: browser.Troubles
) -> None:
    troubles.allow(*BROKEN)
    page.goto(wall.address())
    live(page)
    wall.stop_gateway()
    browser.wait(page, lambda: page.locator(".rig[data-rig=demo]:is(.stale, .connecting)").count())
    browser.wait(page, lambda: page.locator("p.trouble").count())
    wall.start_gateway()
    live(page)
    browser.wait(page, lambda: not page.locator("p.trouble").count())


def test_a_rig_that_begins_anew_is_live_again(page: Page, wall: Wall, troubles: browser.Troubles) -> None:
    troubles.allow(*BROKEN)
    page.goto(wall.address())
    live(page)
    wall.stop_rig()
    browser.wait(page, lambda: page.locator(".rig[data-rig=demo]:not(.live)").count())
    wall.start_rig()
    live(page)
