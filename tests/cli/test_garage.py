"""The garage: what people enter by commands, on a rig that the real daemon serves."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.garage_rig import NARROW, OWN, WIDE, GarageRig, garage_rig
from tests.riglap import driven

RACE = driven.SESSION.removeprefix("sessions/")
LAP = "car012-0003"

SPRINT = """VehicleClassSetting="GT3 Copper_GT3 2026"
[GENERAL]
Notes="for 20 minutes"
FuelSetting=40//41.0L (11 laps)
CGRearSetting=0//Non-adjustable
[REARWING]
RWSetting=5//P6
[FRONTLEFT]
SpringSetting=13//62.0 N/mm
PressureSetting=0//140 kPa
[FRONTRIGHT]
SpringSetting=13//62.0 N/mm
PressureSetting=0//140 kPa
"""
ENDURANCE = SPRINT.replace("40//41.0L (11 laps)", "109//110.0L (30 laps)").replace("13//62.0", "15//65.5")


@pytest.fixture(scope="module")
def garage() -> Iterator[GarageRig]:
    with garage_rig() as serving:
        yield serving


@pytest.fixture(scope="module")
def copper(garage: GarageRig) -> str:
    """A vehicle."""
    told = garage.printed("vehicle", "add", "Copper #12", "--class", "GT3", "--number", "12")
    assert told == "copper-12: Copper #12 is added\n"
    return "copper"


@pytest.fixture(scope="module")
def setups(garage: GarageRig, copper: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two setups of it, and the folder of their files."""
    folder = tmp_path_factory.mktemp("setups")
    (folder / "sprint.svm").write_bytes(SPRINT.replace("\n", "\r\n").encode())
    (folder / "endurance.svm").write_text(ENDURANCE)
    files = [str(folder / name) for name in ("sprint.svm", "endurance.svm")]
    told = garage.printed("setup", "import", *files, "--vehicle", copper).splitlines()
    assert told == [
        "copper-12/sprint: sprint is imported, 7 parameters",
        "copper-12/endurance: endurance is imported, 7 parameters",
    ]
    return folder


def fits(text: str, columns: int) -> bool:
    return max(cell_len(line.rstrip()) for line in text.splitlines()) <= columns


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


class TestEvents:
    def test_an_event_holds_sessions(self, garage: GarageRig) -> None:
        garage.printed("event", "add", "Meander 6 h", "--location", "Meander", "--from", "2026-11-28")
        garage.printed("event", "add-session", "meander", RACE, "--title", "race 1", "--tag", "wet")
        garage.printed("note", "add", "--session", RACE, "damp until lap 6")
        told = garage.printed("event", "show", "meander-6-h")
        assert "Meander 6 h  meander-6-h  Meander, 2026-11-28" in told
        assert "damp until lap 6" in told
        assert any({"race", "1", "10", "wet"} <= set(line) for line in rows(told))
        plain = garage.plain("event", "show", "meander")
        assert [one["event_session"]["session"] for one in plain["sessions"]] == [driven.SESSION]
        (listed,) = [line for line in rows(garage.printed("event", "list")) if line[0] == "meander-6-h"]
        assert listed[-1] == "1"
        garage.printed("event", "remove-session", "meander", RACE)
        assert garage.plain("event", "show", "meander")["sessions"] == []
        assert RACE in garage.printed("sessions")

    def test_what_is_not_said_stays_as_it_is(self, garage: GarageRig) -> None:
        garage.printed("event", "add", "Test day", "--description", "-", answer="tyres\nand brakes\n")
        assert garage.printed("event", "edit", "test", "--to", "2026-12-02", "--from", "2026-12-01")
        event = garage.plain("event", "show", "test")["event"]
        assert event["description"] == "tyres\nand brakes"
        assert (event["start_date"], event["end_date"]) == ("2026-12-01", "2026-12-02")
        assert "there is nothing to change" in garage.refused("event", "edit", "test")
        assert "2026-13-01" in garage.refused("event", "edit", "test", "--from", "2026-13-01")

    def test_a_description_is_written_in_an_editor(self, garage: GarageRig, tmp_path: Path) -> None:
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\nprintf "more" >> "$1"\n')
        editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
        garage.printed("event", "add", "Edited", "--description", "some and ")
        garage.printed("event", "edit", "edited", "--editor", editor=str(editor))
        assert garage.plain("event", "show", "edited")["event"]["description"].split() == [
            "some",
            "and",
            "more",
        ]

    def test_deleting_asks(self, garage: GarageRig) -> None:
        garage.printed("event", "add", "Short lived")
        assert "--yes goes on" in garage.refused("event", "delete", "short")
        assert garage.run("event", "delete", "short", answer="n\n").exit_code == 0
        assert "short-lived" in garage.printed("event", "list")
        assert garage.printed("event", "delete", "short", "--yes") == "short-lived: Short lived is deleted\n"
        assert "short-lived" not in garage.printed("event", "list")


class TestVehicles:
    def test_a_vehicle_has_configurations(self, garage: GarageRig, copper: str) -> None:
        garage.printed("car", "add", "Copper Racing #12", "--title", "Copper GT3", "--class", "GT3")
        garage.printed("vehicle", "edit", copper, "--car", "copper", "--description", "the red one")
        parts = ("--part", "rear wing=LM", "--part", "brakes=endurance")
        garage.printed("vehicle", "config", "add", copper, "low drag", *parts)
        garage.printed("vehicle", "config", "edit", copper, "low", "--part", "brakes=sprint")
        told = garage.printed("vehicle", "show", copper)
        assert "the red one" in told
        assert "rear wing LM, brakes sprint" in told
        garage.printed("vehicle", "config", "edit", copper, "low", "--without", "rear wing")
        assert rows(garage.printed("vehicle", "config", "show", copper, "low"))[-1] == ["brakes", "sprint"]
        wrong = garage.refused("vehicle", "config", "edit", copper, "low", "--without", "nothing")
        assert "there are brakes" in wrong
        assert "copper-gt3" in garage.printed("vehicle", "list")

    def test_a_vehicle_with_setups_goes_by_force_alone(self, garage: GarageRig) -> None:
        garage.printed("vehicle", "add", "Old one")
        garage.printed("setup", "add", "baseline", "--vehicle", "old", "--set", "spring=60 N/mm")
        refused = garage.run("vehicle", "delete", "old", "--yes")
        assert refused.exit_code != 0
        assert "force" in refused.stderr
        assert "1 that belonged to it" in garage.printed("vehicle", "delete", "old", "--yes", "--force")


class TestSetups:
    def test_wheels_stand_beside_each_other(self, garage: GarageRig, setups: Path) -> None:
        told = garage.printed("setup", "show", "sprint")
        assert ["spring", "62.0", "N/mm", "62.0", "N/mm", "-", "-"] in rows(told)
        assert ["rear", "wing", "RW", "P6"] in rows(told)
        assert "not shown: 1 that cannot be adjusted" in told
        assert "Non-adjustable" in garage.printed("setup", "show", "sprint", "--all")
        assert "for 20 minutes" in told

    def test_wheels_that_differ_alike_are_one_row(self, garage: GarageRig, setups: Path) -> None:
        told = rows(garage.printed("setup", "diff", "sprint", "endurance"))
        assert told[0] == ["parameter", "sprint", "endurance", "change"]
        assert told[1:] == [
            ["general", "fuel", "41.0", "L", "110.0", "L", "+69"],
            ["FL", "FR", "spring", "62.0", "N/mm", "65.5", "N/mm", "+3.5"],
        ]
        plain = garage.plain("setup", "diff", "sprint", str(setups / "endurance.svm"))
        assert [(one["section"], one["change"]) for one in plain] == [
            ("GENERAL", 69.0),
            ("FRONTLEFT", 3.5),
            ("FRONTRIGHT", 3.5),
        ]
        same = garage.printed("setup", "diff", "sprint", str(setups / "sprint.svm"))
        assert same == "no parameter is different\n"

    def test_twice_imported_changes_nothing(self, garage: GarageRig, setups: Path) -> None:
        before = garage.plain("setup", "list", "copper")
        told = garage.printed("setup", "import", str(setups / "sprint.svm"), "--vehicle", "copper")
        assert "is there already" in told
        assert garage.plain("setup", "list", "copper") == before

    def test_nothing_is_imported_of_files_of_which_one_is_wrong(
        self, garage: GarageRig, setups: Path, tmp_path: Path
    ) -> None:
        before = garage.plain("setup", "list")
        (tmp_path / "bad.svm").write_text("no setup")
        (tmp_path / "fresh.svm").write_text(SPRINT + "[X]\nYSetting=1//2\n")
        (tmp_path / "sprint.svm").write_text(ENDURANCE)
        fresh, bad, other = (str(tmp_path / f"{name}.svm") for name in ("fresh", "bad", "sprint"))
        wrong = garage.refused("setup", "import", fresh, bad, "--vehicle", "copper")
        assert "bad.svm is no setup" in wrong
        taken = garage.run("setup", "import", fresh, other, "--vehicle", "copper", "--title", "sprint")
        assert taken.exit_code == 2
        (tmp_path / "sprint.svm").write_text(ENDURANCE.replace("P6", "P7"))
        assert "--replace" in garage.run("setup", "import", fresh, other, "--vehicle", "copper").stderr
        (tmp_path / "b").mkdir()
        (tmp_path / "b/fresh.svm").write_text(ENDURANCE.replace("P6", "P8"))
        two = ("setup", "import", fresh, str(tmp_path / "b/fresh.svm"), "--vehicle", "copper")
        assert "two files are called fresh" in garage.refused(*two)
        assert garage.plain("setup", "list") == before

    def test_a_setup_that_was_changed_has_no_file(
        self, garage: GarageRig, setups: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "wet.svm").write_bytes(SPRINT.replace("P6", "P9").encode())
        garage.printed("setup", "import", "wet.svm", "--vehicle", "copper")
        assert garage.printed("setup", "export", "wet") == "wet.svm\n"
        assert (tmp_path / "wet.svm").read_text() == SPRINT.replace("P6", "P9")
        told = garage.printed(
            "setup", "edit", "wet", "--set", "front left/spring=58", "--unset", "rear wing/rw"
        )
        assert ["FL", "spring", "62.0", "N/mm", "58", "N/mm", "-4"] in rows(told)
        assert ["rear", "wing", "RW", "P9", "-"] in rows(told)
        assert "was changed since" in garage.refused("setup", "export", "wet", "--out", "wet.svm")
        assert (
            garage.printed("setup", "export", "wet")
            == garage.printed("setup", "export", "wet")
            == "wet.csv\n"
        )
        Path("wet.csv").write_text("mine")
        assert "something else" in garage.refused("setup", "export", "wet")
        assert garage.printed("setup", "export", "wet", "--out", "wet.csv") == "wet.csv\n"
        assert "FRONTLEFT,SpringSetting,58,N/mm" in (tmp_path / "wet.csv").read_text().splitlines()

    def test_a_lap_says_what_it_was_driven_with(self, garage: GarageRig, setups: Path) -> None:
        assert garage.printed("setup", "use", "endurance", LAP).endswith("was driven with endurance\n")
        garage.printed("setup", "use", "sprint", LAP)
        assert "sprint (copper-12/sprint)" in garage.printed("lap", LAP)
        assert garage.plain("lap", LAP)["setup"]["name"] == "vehicles/copper-12/setups/sprint"
        assert garage.plain("setup", "show", "sprint")["laps"] == [f"{driven.SESSION}/laps/{LAP}"]
        assert "driven in" in garage.printed("setup", "show", "sprint")
        garage.printed("setup", "clear", LAP)
        assert garage.plain("lap", LAP)["setup"] is None

    def test_a_parameter_is_named_as_the_tables_name_it(self, garage: GarageRig, setups: Path) -> None:
        told = garage.printed(
            "setup", "edit", "endurance", "--set", "front/spring=66", "--set", "FL/pressure=141"
        )
        assert ["FL", "FR", "spring", "65.5", "N/mm", "66", "N/mm", "+0.5"] in rows(told)
        assert ["FL", "pressure", "140", "kPa", "141", "kPa", "+1"] in rows(told)
        wrong = garage.refused("setup", "edit", "endurance", "--set", "FL/sprng=66")
        assert "did you mean 'front left/spring'? --new adds one" in wrong
        garage.printed("setup", "edit", "endurance", "--new", "rear/spring=80 N/mm")
        assert ["spring", "66", "N/mm", "66", "N/mm", "80", "N/mm", "80", "N/mm"] in rows(
            garage.printed("setup", "show", "endurance")
        )

    def test_a_setup_that_laps_were_driven_with_goes_by_force_alone(
        self, garage: GarageRig, copper: str
    ) -> None:
        garage.printed("setup", "add", "once", "--vehicle", copper)
        garage.printed("setup", "use", "once", LAP)
        assert "--force" in garage.refused("setup", "delete", "once", "--yes")
        garage.printed("setup", "delete", "once", "--yes", "--force")
        assert garage.plain("lap", LAP)["setup"] is None

    def test_a_session_stands_for_the_laps_of_the_own_car(self, garage: GarageRig, copper: str) -> None:
        garage.printed("setup", "add", "all day", "--vehicle", copper)
        garage.printed("setup", "use", "all day", "--session", RACE)
        laps = garage.plain("setup", "show", "all day")["laps"]
        assert [lap.rpartition("/")[2] for lap in laps] == [f"car{OWN:03}-000{at}" for at in (1, 2, 3)]
        garage.printed("setup", "clear", "--session", RACE)
        assert garage.plain("setup", "show", "all day")["laps"] == []


class TestNotesAndTags:
    def test_notes_stand_beside_their_lap(self, garage: GarageRig) -> None:
        garage.printed("note", "add", LAP, "lift before the crest", "--at", "1840")
        beyond = garage.refused("note", "add", LAP, "over there", "--at", "5000")
        assert (
            "5000 m is beyond the lap: the track has 4600 m\nhint: --at takes metres from the line" in beyond
        )
        garage.printed("note", "add", LAP, "-", answer="two\nlines\n")
        told = garage.printed("lap", LAP)
        assert "lift before the crest (at 1840 m)" in told
        assert "two lines" in told
        assert {note["note"]["text"] for note in garage.plain("lap", LAP)["notes"]} == {
            "lift before the crest",
            "two\nlines",
        }
        garage.printed("note", "edit", "crest", "lift at the crest")
        (note,) = garage.plain("note", "list", LAP, "--text", "crest")
        assert (note["note"]["text"], note["note"]["place"]) == ("lift at the crest", 1840.0)
        wrong = ("note", "add", "--session", RACE, "dusty", "--at", "5000")
        assert "the track has 4600 m" in garage.refused(*wrong)
        assert "beyond the lap" in garage.refused("note", "edit", "crest", "--at", "5000")
        assert garage.plain("note", "list", LAP, "--text", "crest") == [note]
        garage.printed("note", "delete", "crest", "--yes")
        assert len(garage.plain("note", "list", LAP)) == 1

    def test_a_note_without_a_text_is_none(self, garage: GarageRig) -> None:
        assert "a note needs a text" in garage.refused("note", "add", LAP)

    def test_laps_are_found_by_a_tag(self, garage: GarageRig) -> None:
        garage.printed("tag", "add", "slippery", "car012-0002", LAP)
        assert "give it or --tag" in garage.refused("laps", "--tag", "slippery", "--best-of", "car")
        assert garage.printed("tag", "add", "slippery", LAP).endswith("has the tag slippery\n")
        found = garage.plain("laps", RACE, "--tag", "slippery")
        assert {lap["name"].rpartition("/")[2] for lap in found} == {"car012-0002", LAP}
        assert garage.plain("lap", LAP)["tags"] == ["slippery"]
        assert ["slippery", "2", "0"] in rows(garage.printed("tag", "list"))
        assert "there are" in garage.refused("laps", "--tag", "sliperry")
        garage.printed("tag", "remove", "slippery", LAP)
        assert garage.plain("tag", "list", LAP) == []

    def test_a_tag_of_a_session_is_one_of_its_laps(self, garage: GarageRig) -> None:
        garage.printed("tag", "add", "--session", "shakedown", RACE)
        assert len(garage.plain("laps", "-", "--tag", "shakedown")) == 9


class TestFormulasAndLayouts:
    def test_saved_formulas_are_taken_by_their_names(self, garage: GarageRig, tmp_path: Path) -> None:
        garage.printed("formula", "save", "kmh = speed [km/h]")
        garage.printed("formula", "save", "fast = kmh / stat_max(kmh)", "--description", "share of the best")
        assert "share of the best" in garage.printed("formula", "list")
        out = tmp_path / "lap.csv"
        garage.printed("export", LAP, "--channels", "fast", "--out", str(out))
        assert "fast" in out.read_text()
        assert "is replaced" in garage.printed("formula", "save", "fast = kmh / 300")
        assert "column 8" in garage.refused("formula", "save", "wrong = speed +")
        garage.printed("formula", "delete", "fast", "--yes")
        assert "fast" in garage.refused("export", LAP, "--channels", "fast", "--out", str(out))

    @pytest.mark.parametrize(
        ("formula", "why"),
        [
            (
                "push = derivative(sped) [G]",
                "column 12: there is no channel 'sped'\nhint: did you mean speed?",
            ),
            ("push = tyre_pressure_lf + 1", "did you mean tyre_pressure"),
            ("push = lap_distance * 2", "there is no channel 'lap_distance'"),
            ("push = 'Grund Speed'", "did you mean 'ground speed'"),
            ("push = kmhh * 2", "did you mean kmh"),
            ("push = push + 1", "push: push uses push"),
            ("kmh = 2 * again", "kmh: kmh uses again uses kmh"),
        ],
    )
    def test_a_formula_of_something_unknown_is_not_kept(
        self, garage: GarageRig, formula: str, why: str
    ) -> None:
        garage.printed("formula", "save", "kmh = speed [km/h]")
        garage.printed("formula", "save", "again = kmh + 'Ground Speed' + local_acceleration_x [km/h]")
        before = garage.plain("formula", "list")
        assert why in garage.refused("formula", "save", formula)
        assert garage.plain("formula", "list") == before

    def test_a_page_begins_with_one_layout(self, garage: GarageRig, tmp_path: Path) -> None:
        for name in ("night", "day"):
            (tmp_path / f"{name}.json").write_text(json.dumps({"name": name}))
            garage.printed("layout", "save", str(tmp_path / f"{name}.json"), "--kind", "pitwall", "--default")
        assert json.loads(garage.printed("layout", "show", "night")) == {"name": "night"}
        garage.printed("layout", "default", "night")
        defaults = {
            one["layout"]["title"]: one["layout"]["is_default"] for one in garage.plain("layout", "list")
        }
        assert defaults == {"night": True, "day": False}
        (tmp_path / "night.json").write_text('{"panels": 3}')
        garage.printed("layout", "save", str(tmp_path / "night.json"), "--kind", "pitwall")
        assert json.loads(garage.printed("layout", "show", "night")) == {"panels": 3}
        (tmp_path / "night.json").write_text("{")
        assert "is no JSON" in garage.refused("layout", "save", str(tmp_path / "night.json"), "--kind", "x")
        garage.printed("layout", "delete", "day", "--yes")
        assert len(garage.plain("layout", "list", "--kind", "pitwall")) == 1


class TestUsers:
    def test_a_user_has_names_in_the_game(self, garage: GarageRig) -> None:
        garage.printed("user", "add", "birch", "--driver", "M. Birch")
        garage.printed("user", "edit", "birch", "--driver", "M. Birch", "--driver", "Mo Birch")
        assert ["birch", "M.", "Birch,", "Mo", "Birch"] in rows(garage.printed("user", "list"))
        garage.printed("user", "edit", "birch", "--no-driver", "--title", "Mo")
        (user,) = [one for one in garage.plain("user", "list") if one["name"] == "users/birch"]
        assert user["user"] == {"title": "Mo", "drivers": []}


class TestNames:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("setup", "show", "sprimt"), "did you mean 'sprint'?"),
            (("setup", "show", "r"), "may be copper-12/"),
            (("event", "show", "nowhere"), "`rig event list` lists what there is"),
            (("vehicle", "show", "coper"), "did you mean"),
            (("setup", "use", "sprint", "car099-0001"), "nothing is named"),
            (("setup", "use", "sprint", RACE), "--session takes sessions"),
            (("tag", "add", "wet", RACE), "--session takes sessions"),
            (("note", "add", RACE, "damp"), "--session takes sessions"),
            (("setup", "add", "wet", "--vehicle", "copper", "--set", "FW"), "no setting such as"),
        ],
    )
    def test_a_wrong_name_has_a_way_out(
        self, garage: GarageRig, setups: Path, words: tuple[str, ...], told: str
    ) -> None:
        assert told in garage.refused(*words)

    def test_an_identifier_comes_before_a_part(self, garage: GarageRig, copper: str) -> None:
        for title in ("quali", "quali wet"):
            garage.printed("setup", "add", title, "--vehicle", copper)
        assert garage.plain("setup", "show", "quali")["setup"]["title"] == "quali"
        assert garage.plain("setup", "show", "QUALI WET")["setup"]["title"] == "quali wet"


def test_every_list_fits_in_80_columns(garage: GarageRig, setups: Path) -> None:
    """Also with long titles, which give way; and in 120."""
    far = ("--location", "-far-away" * 20, "--from", "2026-01-01")
    garage.printed("event", "add", "Long-" * 20, *far)
    garage.printed("note", "add", LAP, "many words " * 60)
    for noun in ("event", "vehicle", "setup", "note", "tag", "layout", "formula", "car", "user"):
        for columns in (NARROW, WIDE):
            assert fits(garage.printed(noun, "list", columns=columns), columns), noun
    assert "Long-" in garage.printed("event", "list")  # something is left of a title beside a long identifier


class TestWhole:
    def test_the_catalog_goes_out_and_comes_back(
        self, garage: GarageRig, setups: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "garage.json"
        before = garage.plain("setup", "list")
        assert garage.printed("catalog", "export", str(file)).endswith(f"resources are in {file}\n")
        assert json.loads(garage.printed("catalog", "export", "-")) == json.loads(file.read_text())
        told = garage.printed("catalog", "reset", "--yes")
        assert Path(told.split(" is in ")[1].split(" on the rig")[0]).is_file()
        assert garage.plain("setup", "list") == []
        assert " added, 0 replaced" in garage.printed("catalog", "import", str(file))
        assert garage.plain("setup", "list") == before
        assert "nothing wrong" in garage.printed("catalog", "check")

    def test_it_is_opened_on_its_own_machine(self, garage: GarageRig) -> None:
        path = garage.printed("catalog", "open").strip()
        assert Path(path).read_bytes().startswith(b"SQLite format 3")
        assert garage.plain("catalog", "open") == {"path": path}

    def test_what_is_no_catalog_is_not_imported(self, garage: GarageRig, tmp_path: Path) -> None:
        for text in ("", "[]", '{"format": "x"}', "\x00"):
            (tmp_path / "x.json").write_text(text)
            assert "rig catalog export" in garage.refused("catalog", "import", str(tmp_path / "x.json"))


def test_a_damaged_catalog_hides_no_lap() -> None:
    with garage_rig(b"neither this nor that " * 400) as damaged:
        shown = damaged.run("lap", LAP)
        assert (shown.exit_code, "A. Alder" in shown.stdout) == (0, True)
        assert "warning: what was entered is not shown: the catalog is damaged" in shown.stderr
        assert damaged.run("note", "list").exit_code == 8
