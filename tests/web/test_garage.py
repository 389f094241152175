"""What people enter, on the pages: events, vehicles, notes, layouts, questions, a season; on a real rig."""

import json
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page

from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from tests.assistant.scripted import ScriptedEndpoint, call, say, scripted
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.stage import free_port, stage, until
from tests.web import browser

THEMES: Final = ("dark", "light", "contrast")
SVM: Final = """VehicleClassSetting="GT3 Copper"
[FRONTWING]
FWSetting=3//4
[FRONTLEFT]
SpringSetting=13//{spring} N/mm
PressureSetting=40//{pressure} kPa
CompoundSetting=0//{compound}
"""


@dataclass
class House:
    """A rig with laps, and a gateway before it."""

    rig: Rig
    address: str
    root: str
    model: ScriptedEndpoint

    def page(self, path: str, **query: str) -> str:
        words = "&".join(f"{name}={value}" for name, value in {"rig": self.address, **query}.items())
        return f"{self.root}/{path}?{words}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with scripted() as model, stage() as here:
        kept = once(tmp_path_factory, "raced-real", real_drive)
        shutil.copytree(kept, here.data, dirs_exist_ok=True)
        words = {"RIGD_ASSISTANT_URL": model.url, "RIGD_ASSISTANT_MODEL": "model-1"}
        here.environment = {**os.environ, **words}
        here.serve()
        port = free_port()
        here.start("rigclient", "--rig", here.address, "gateway", "--port", str(port))
        root = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{root}/api/rigs"))
        with connect(here.address) as rig:
            yield House(rig, here.address, root, model)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return bool(json.load(answer))
    except OSError:
        return False


@pytest.fixture
def clean(house: House) -> Iterator[House]:
    """A catalog that holds nothing."""
    yield house
    catalog = house.rig.catalog
    for collection in ("events", "vehicles", "notes", "tags", "layouts", "plans", "conversations"):
        for one in catalog.list(collection):
            catalog.delete(one.name, force=True)


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("body[data-ready]")


def entered(page: Page, **fields: str) -> None:
    """Fill the dialog's fields, by their labels, and save."""
    dialog = page.locator("dialog[open]")
    for label, value in fields.items():
        dialog.get_by_label(label.replace("_", " "), exact=False).first.fill(value)
    dialog.locator("button.main").click()
    dialog.wait_for(state="detached")


def test_an_event_holds_sessions(page: Page, clean: House) -> None:
    opened(page, clean.page("garage"))
    page.get_by_role("button", name="New event").click()
    entered(page, Name="Six hours", Where="Meander", First_day="2026-11-28", Last_day="2026-11-29")
    panel = page.get_by_label("Event", exact=True)
    browser.wait(page, lambda: "Meander · 2026-11-28 to 2026-11-29" in panel.inner_text())
    page.get_by_role("button", name="Add a session").click()
    page.locator("dialog[open]").get_by_label("Tags").fill("wet, first")
    entered(page)
    row = panel.locator("tbody tr")
    browser.wait(page, lambda: row.count() == 1)
    assert row.locator(".tag").all_inner_texts() == ["wet", "first"]
    assert "All of this rig belong to it" in panel.inner_text()
    (kept,) = clean.rig.catalog.list("events/-/sessions")
    assert kept.event_session.session == next(iter(clean.rig.sessions())).name
    page.reload()
    browser.wait(page, lambda: page.get_by_label("Event", exact=True).locator("tbody tr").count() == 1)
    looked_at(page)
    page.get_by_role("button", name="Delete").click()
    entered(page)
    browser.wait(page, lambda: "none is entered yet" in page.locator("nav[aria-label*=garage]").inner_text())
    assert not list(clean.rig.catalog.list("events"))


def test_on_a_phone_what_was_opened_is_seen(page: Page, clean: House) -> None:
    for nth in range(20):
        clean.rig.catalog.create("events", catalog_pb2.RacingEvent(title=f"Club evening {nth}"))
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, clean.page("garage"))
    page.get_by_role("button", name="Club evening 3").click()
    panel = page.get_by_label("Event", exact=True)
    browser.wait(page, lambda: panel.count() == 1 and panel.evaluate(BOTTOM) <= 844)


BOTTOM: Final = "(panel) => panel.getBoundingClientRect().bottom"


def test_what_is_gone_leaves_the_rest(page: Page, clean: House, troubles: browser.Troubles) -> None:
    troubles.allow("404", "503")
    clean.rig.catalog.create("events", catalog_pb2.RacingEvent(title="Six hours"))
    opened(page, clean.page("garage", show="events/gone"))
    assert "events/gone is not in this rig's catalog" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("button", name="Six hours").count() == 1
    for name in ("garage", "season"):
        opened(page, f"{clean.root}/{name}?rig=127.0.0.1:1")
        assert page.get_by_role("alert").count() == 1
        page.locator(".head select").first.select_option(clean.address)
        browser.wait(page, lambda: page.get_by_role("alert").count() == 0)


def test_two_setups_of_a_vehicle_are_compared(page: Page, clean: House, tmp_path: Path) -> None:
    opened(page, clean.page("garage"))
    page.get_by_role("button", name="New vehicle").click()
    entered(page, Name="Copper GT3", Start_number="12", Class="GT3")
    page.get_by_role("button", name="New configuration").click()
    page.get_by_role("button", name="Add a part").click()
    page.get_by_label("Part 1", exact=True).fill("rear wing")
    page.get_by_label("What part 1 is").fill("low drag")
    entered(page, Name="endurance")
    for name, spring, compound in (("soft", "62.0", "0 Soft"), ("hard", "70.5", "1 Medium")):
        text = SVM.format(spring=spring, pressure="165", compound=compound)
        (tmp_path / f"{name}.svm").write_text(text + "nonsense\n")
    page.locator("input[type=file]").set_input_files([tmp_path / "soft.svm", tmp_path / "hard.svm"])
    setups = page.get_by_label("Setups", exact=True)
    browser.wait(page, lambda: setups.locator("tbody tr").count() == 2)
    assert "1 line left out" in setups.get_by_role("status").inner_text()
    page.get_by_label("Pick soft").check()
    assert "62.0 N/mm" in page.get_by_label("Setup", exact=True).inner_text()
    page.get_by_label("Pick hard").check()
    table = page.get_by_label("Differences").locator("tbody tr:not(.section)")
    browser.wait(page, lambda: table.count() == 2)
    assert [row.split("\t") for row in table.all_inner_texts()] == [
        ["Spring", "62.0 N/mm", "70.5 N/mm", "+8.5"],
        ["Compound", "0 Soft", "1 Medium", ""],
    ]
    page.reload()
    browser.wait(page, lambda: table.count() == 2)
    looked_at(page)


def test_what_somebody_else_has_changed_is_not_overwritten(
    page: Page, clean: House, troubles: browser.Troubles
) -> None:
    troubles.allow("409")
    vehicle = clean.rig.catalog.create("vehicles", catalog_pb2.Vehicle(title="Copper", number="1"))
    opened(page, clean.page("garage", show=vehicle.name))
    page.get_by_label("Vehicle", exact=True).get_by_role("button", name="Edit").click()
    clean.rig.catalog.update(vehicle.name, catalog_pb2.Vehicle(number="2"), ["number"])
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Start number").fill("3")
    dialog.locator("button.main").click()
    browser.wait(page, lambda: dialog.get_by_role("alert").count() == 1)
    assert clean.rig.catalog.get(vehicle.name).vehicle.number == "2"


def a_lap(house: House) -> str:
    """A clean lap that has tips."""
    laps = house.rig.laps(valid=True, complete=True, order_by="lap_time desc")
    found = (one for one in laps if not (one.in_lap or one.out_lap or one.pit_visits) and one.number)
    return next(one.name for one in found if house.rig.coach(one).tips)


def short(lap: str) -> str:
    return lap.rpartition("/")[2]


def test_notes_tags_and_the_setup_are_beside_a_lap(page: Page, clean: House) -> None:
    catalog = clean.rig.catalog
    vehicle = catalog.create("vehicles", catalog_pb2.Vehicle(title="Copper"))
    setup = catalog.create(f"{vehicle.name}/setups", catalog_pb2.Setup(title="soft"))
    lap = a_lap(clean)
    opened(page, clean.page("laps"))
    page.get_by_label(f"Notes of {short(lap)}", exact=True).click()
    dialog = page.locator("#said")
    dialog.get_by_label("New tag").fill("traffic")
    dialog.get_by_role("button", name="Add").click()
    browser.wait(page, lambda: dialog.locator(".tag").count() == 1)
    dialog.get_by_label("New note").fill("lost the rear\nbehind the hill")
    dialog.get_by_label("Where on the lap").fill("420")
    dialog.get_by_role("button", name="Keep").click()
    browser.wait(page, lambda: "at 420 m" in dialog.inner_text())
    dialog.get_by_label("Setup").select_option(label="soft")
    browser.wait(page, lambda: [one.assignment.setup for one in catalog.list("assignments")] == [setup.name])
    looked_at(page)
    dialog.get_by_role("button", name="Close").click()
    row = page.locator(f"tr[data-lap='{lap}']")
    assert "traffic" in row.inner_text()
    assert "1 note" in row.inner_text()
    page.get_by_label("Tag", exact=True).select_option("traffic")
    assert page.locator("#list tbody tr").count() == 1
    (note,) = catalog.list("notes", target=lap)
    assert (note.note.text, note.note.place) == ("lost the rear\nbehind the hill", 420)
    opened(page, clean.page("compare", a="best", b=lap))
    browser.wait(page, lambda: "behind the hill" in page.locator("#notebox").inner_text())
    page.get_by_label("Delete this note").click()
    browser.wait(page, lambda: not list(catalog.list("notes")))


def titles(house: House) -> list[str]:
    return sorted(one.layout.title for one in house.rig.catalog.list("layouts"))


def test_layouts_are_in_the_catalog_for_every_browser(page: Page, clean: House) -> None:
    page.add_init_script("localStorage.setItem('rigd.layouts', JSON.stringify({old: '[[\"speed\",200]]'}))")
    page.on("dialog", lambda dialog: dialog.accept("mine"))
    opened(page, clean.page("compare", a="best", b=a_lap(clean)))
    browser.wait(page, lambda: titles(clean) == ["old"])
    layout = page.get_by_label("Layout", exact=True)
    layout.select_option("=old")
    browser.wait(page, lambda: page.locator(".strip").count() == 1)
    layout.select_option("keep")
    browser.wait(page, lambda: titles(clean) == ["mine", "old"])
    browser.wait(page, lambda: layout.locator("option[value='!mine']").count() == 1)
    layout.select_option("!mine")
    browser.wait(page, lambda: any(one.layout.is_default for one in clean.rig.catalog.list("layouts")))
    with page.context.browser.new_context() as other:  # type: ignore[union-attr]
        fresh = other.new_page()
        opened(fresh, clean.page("compare", a="best", b=a_lap(clean)))
        browser.wait(fresh, lambda: fresh.locator(".strip").count() == 1)


def test_the_wall_keeps_its_layouts_there_too(page: Page, clean: House) -> None:
    page.goto(clean.page("wall"))
    page.get_by_role("button", name="Arrange").click()
    page.get_by_role("checkbox", name="Gaps").uncheck()
    page.get_by_label("Name", exact=True).fill("small")
    page.get_by_role("button", name="Keep, and begin with it").click()
    browser.wait(page, lambda: len(list(clean.rig.catalog.list("layouts"))) == 1)
    with page.context.browser.new_context() as other:  # type: ignore[union-attr]
        fresh = other.new_page()
        fresh.goto(clean.page("wall"))
        browser.wait(fresh, lambda: fresh.locator("main .panel").count() == 5)
        assert fresh.locator(".panel.gaps").count() == 0


def test_a_question_is_answered_and_what_is_ticked_is_done(page: Page, clean: House) -> None:
    lap = a_lap(clean)
    tip = clean.rig.coach(lap).tips[0]
    items = [{"kind": "tag", "text": "slow in"}, {"kind": "note", "text": "turn in earlier"}]
    plan = call("propose", title="Next run", items=items)
    clean.model.play(plan, say(f"You lose it here: [finding:{tip.id}]."))
    opened(page, clean.page("compare", a="best", b=lap))
    chat = page.locator("#chatbox")
    chat.get_by_label("Question about this lap").fill("Where is the time?")
    chat.get_by_label("Propose what to do").check()
    chat.get_by_role("button", name="Ask").click()
    browser.wait(page, lambda: chat.locator(".plan input").count() == 2)
    assert chat.locator(".cited li").get_attribute("data-finding") == f"finding:{tip.id}"
    assert "model-1" in chat.inner_text()
    assert "a plan of" not in chat.inner_text()
    assert not list(clean.rig.catalog.list("tags"))
    chat.locator(".plan").get_by_text("slow in").click()
    looked_at(page)
    chat.get_by_role("button", name="Do what is ticked").click()
    browser.wait(page, lambda: "rejected" in chat.locator(".plan").inner_text())
    assert "tags/" not in chat.locator(".plan").inner_text()
    assert [(one.tag.target, one.tag.text) for one in clean.rig.catalog.list("tags")] == [(lap, "slow in")]
    assert not list(clean.rig.catalog.list("notes"))
    browser.wait(page, lambda: "slow in" in page.locator("#notebox").inner_text())


def test_an_answer_of_invented_findings_gives_the_rig_s_own_tips(page: Page, clean: House) -> None:
    clean.model.play(say("See [finding:made-up-9]."))
    opened(page, clean.page("laps"))
    page.get_by_label(f"Notes of {short(a_lap(clean))}", exact=True).click()
    chat = page.locator("#said-chat")
    chat.get_by_label("Question about this lap").fill("Where is the time?")
    chat.get_by_role("button", name="Ask").click()
    browser.wait(page, lambda: "the rig's own tips" in chat.inner_text())
    assert "made-up" not in chat.locator(".cited").inner_text()


def test_a_season_is_reported(page: Page, clean: House, troubles: browser.Troubles) -> None:
    troubles.allow("404")
    opened(page, clean.page("season"))
    report = page.frame_locator("iframe")
    browser.wait(page, lambda: "Championship" in report.locator("body").inner_text())
    looked_at(page)
    page.get_by_label("Class").fill("nothing of that name")
    page.get_by_label("Class").press("Enter")
    browser.wait(page, lambda: page.get_by_role("alert").count() == 1)


def looked_at(page: Page) -> None:
    """Hold the page to what every page is held to, in every theme and size; a picture of it is kept."""
    for theme in THEMES:
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        assert browser.faint(page, behind=("black", "white")) == [], theme
    assert browser.overflowing(page) == []
    page.set_viewport_size({"width": 1280, "height": 720})
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    if "RIGD_PICTURES" in os.environ:
        name = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1]
        browser.keep_picture(page, Path(os.environ["RIGD_PICTURES"]), re.sub(r"\W.*", "", name))
