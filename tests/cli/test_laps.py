"""`rig sessions`, `rig laps`, `rig lap` and what keeps laps: found by short names, told in 80 columns."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from rig.v1 import event_pb2, lap_pb2, laps_pb2, session_pb2
from rigclient.cli.commands import records
from rigclient.cli.main import rig
from tests.cli.laps_shell import NARROW, WIDE, printed, run
from tests.rigclient import field
from tests.rigclient.lap_rig import LapRig
from tests.riglap import driven

RACE = driven.SESSION.removeprefix("sessions/")


@pytest.fixture
def lap_rig() -> Iterator[LapRig]:
    serving = field.race()
    yield serving
    serving.stop()


def widest(text: str) -> int:
    return max(cell_len(line.rstrip()) for line in text.splitlines())


def rows(text: str) -> dict[str, list[str]]:
    """The lines of a table, split, by their first word."""
    return {words[0]: words[1:] for words in map(str.split, text.splitlines()) if words}


def test_a_channel_that_is_not_available_is_no_0(lap_rig: LapRig) -> None:
    columns = driven.samples(20.0, rate=20)
    columns["engine_water_temp"] = np.zeros(len(columns["lap_time"]), "<f4")
    lap_rig.keep(driven.data(driven.info(9, lap_time=20.0), columns))
    table = rows(printed(run(lap_rig, "lap", "car012-0009")))
    assert table["engine_water_temp"] == ["°C", "not", "available"]
    facts = json.loads(printed(run(lap_rig, "lap", "car012-0009", "--json")))
    assert facts["channels"]["engine_water_temp"] == {"min": None, "mean": None, "max": None}
    assert facts["channels"]["brake"]["min"] == 0


class TestSessions:
    def test_the_newest_comes_first_and_fits(self, lap_rig: LapRig) -> None:
        text = printed(run(lap_rig, "sessions"))
        table = rows(text)
        assert list(table) == ["session", RACE, field.OLD.removeprefix("sessions/")]
        assert table[RACE] == ["10", "3", "0:18.226", "3.4", "MB"]
        assert widest(text) <= NARROW

    def test_a_wide_terminal_shows_what_each_was(self, lap_rig: LapRig) -> None:
        text = printed(run(lap_rig, "sessions", columns=WIDE))
        assert "Meander Valley Grand" in text
        assert "recording" in text
        assert "practice  live" in text
        assert "20 min 30 s" in text

    def test_json_holds_every_fact(self, lap_rig: LapRig) -> None:
        race, practice = json.loads(printed(run(lap_rig, "sessions", "--json")))
        assert (race["name"], race["kind"], race["laps"]) == (driven.SESSION, "SESSION_KIND_RACE", 10)
        assert practice["end_time_ns"] == 1_795_091_230_000_000_000

    def test_filters_are_the_servers(self, lap_rig: LapRig) -> None:
        words = ("--track", "mean", "--kind", "race", "--since", "2026-11-20T00:00+00:00", "--limit", "1")
        printed(run(lap_rig, "sessions", *words))
        (request,) = lap_rig.asked(laps_pb2.ListSessionsRequest)
        assert (request.track, request.kind) == ("mean", 5)
        assert request.from_time_ns == 1_795_132_800 * 10**9

    def test_a_limit_says_that_there_is_more(self, lap_rig: LapRig) -> None:
        text = printed(run(lap_rig, "sessions", "--limit", "1"))
        assert text.splitlines()[-1] == "1 sessions shown, there are more; --limit 0 shows all"
        assert "more" not in printed(run(lap_rig, "sessions", "--limit", "2"))

    @pytest.mark.parametrize(
        ("command", "option"), [("laps", "--since"), ("sessions", "--since"), ("mark", "--at")]
    )
    @pytest.mark.parametrize(
        ("when", "word"),
        [
            *((when, "early") for when in ("1900-01-01", "0001-01-01", "99999999999s", "9" * 5000 + "d")),
            *((when, "late") for when in ("2600-01-01", "9999-12-31T23:59:59-12:00")),
        ],
    )
    def test_a_moment_out_of_range_is_too_early_or_too_late(
        self, lap_rig: LapRig, command: str, option: str, when: str, word: str
    ) -> None:
        result = run(lap_rig, command, option, when)
        assert (result.exit_code, lap_rig.requests) == (2, [])
        assert f"too {word}: clocks here go from 1970 to 2554" in " ".join(result.stderr.split())

    @pytest.mark.parametrize("command", ["laps", "mark"])
    def test_a_slot_id_out_of_range_is_one_sentence(self, lap_rig: LapRig, command: str) -> None:
        result = run(lap_rig, command, "--car", "99999999999")
        assert result.exit_code == 2
        assert result.stderr.splitlines() == [
            "error: 99999999999 is no slot id",
            "hint: they are numbers from 0 to 2147483647",
        ]

    def test_a_pipe_gets_whole_lines(self, lap_rig: LapRig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("COLUMNS", raising=False)
        long = "A. Alder of the Long Names, who drives for the Amber Racing Team of Meander Valley"
        for lap in lap_rig.laps.values():
            lap.driver = long
        result = CliRunner(env={"COLUMNS": None}).invoke(rig, ["--rig", lap_rig.address, "laps", "-"])
        assert long in result.stdout
        assert "…" not in result.stdout

    def test_the_player_is_marked(self, lap_rig: LapRig) -> None:
        lap_rig.laps[f"{driven.SESSION}/laps/car012-0002"].player = True
        shown = printed(run(lap_rig, "laps"))
        assert [line.split()[0] for line in shown.splitlines() if "player" in line] == ["car012-0002"]

    def test_a_moment_that_is_none_is_refused(self, lap_rig: LapRig) -> None:
        result = run(lap_rig, "sessions", "--since", "yesteryear")
        assert result.exit_code == 2
        assert "'yesteryear' is no moment" in result.stderr


class TestLaps:
    def test_complete_laps_of_the_newest_session_come_newest_first(self, lap_rig: LapRig) -> None:
        text = printed(run(lap_rig, "laps"))
        lines = text.splitlines()
        assert lines[0].strip() == RACE
        assert [line.split()[0] for line in lines[2:]] == [
            f"car{car:03}-{index:04}" for index in (3, 2, 1) for car in (7, 12, 31)
        ]
        assert widest(text) <= NARROW

    def test_the_delta_is_to_the_best_valid_lap_of_the_class(self, lap_rig: LapRig) -> None:
        table = rows(printed(run(lap_rig, "laps", columns=WIDE)))
        assert table["car012-0003"][-4:] == ["0:20.387", "6.796", "6.796", "6.796"]
        assert table["car012-0002"][-1] == "+0.377"
        assert table["car007-0003"][-1] == "6.075"
        assert table["car031-0003"][-2:] == ["+0.613", "invalid"]
        assert table["car012-0001"][-2:] == ["+0.754", "out"]
        assert table["car007-0001"][-1] == "pinned"

    def test_all_shows_pieces_as_well(self, lap_rig: LapRig) -> None:
        assert "car031-0004" not in printed(run(lap_rig, "laps"))
        table = rows(printed(run(lap_rig, "laps", "--all")))
        assert table["car031-0004"][-1] == "piece"
        assert "-" in table["car031-0004"]

    def test_filters_are_the_servers(self, lap_rig: LapRig) -> None:
        words = ("--driver", "alder", "--car", "12,31", "--class", "GT3", "--valid", "--best-of", "driver")
        table = rows(printed(run(lap_rig, "laps", *words)))
        assert set(table) == {RACE, "lap", "car012-0003"}
        request, *_ = lap_rig.asked(laps_pb2.ListLapsRequest)
        assert (request.best_of, request.order_by) == (laps_pb2.BEST_OF_DRIVER, "lap_time")
        assert (request.filter.driver, list(request.filter.cars)) == ("alder", [12, 31])
        assert (request.filter.valid, request.filter.complete) == (True, True)

    def test_a_limit_says_that_there_is_more(self, lap_rig: LapRig) -> None:
        text = printed(run(lap_rig, "laps", "--limit", "4"))
        assert text.count("car0") == 4
        assert "4 laps shown, there are more; --limit 0 shows all" in text
        assert "more" not in printed(run(lap_rig, "laps", "--limit", "9"))

    def test_a_part_of_its_name_finds_a_session_and_a_dash_means_all(self, lap_rig: LapRig) -> None:
        assert "car001-0001" in printed(run(lap_rig, "laps", "practice"))
        short = printed(run(lap_rig, "laps", "-"))
        assert {"5f3a-1/car001-0001", "5f3a-2/car012-0003"} < set(short.split())
        assert widest(short) <= NARROW
        assert "Meander Valley Grand" in printed(run(lap_rig, "laps", "-", columns=WIDE))

    def test_long_names_give_way_and_times_never_do(self, lap_rig: LapRig) -> None:
        for lap in lap_rig.laps.values():
            lap.driver, lap.vehicle_class, lap.pinned = "A. Alder and C. Cherry", "Grand Tourer", True
        text = printed(run(lap_rig, "laps", "-"))
        assert widest(text) <= NARROW
        assert re.search(r"A\. .*… G.*… +0:21\.000 +7\.000 +7\.000 +7\.000 +\+2\.774 invalid", text)

    def test_an_excerpt_goes_by_the_end_of_its_name(self, lap_rig: LapRig) -> None:
        excerpt = f"{driven.SESSION}/laps/mark-20261120-143251-353135389-car031"
        lap = lap_rig.laps[excerpt] = lap_rig.laps.pop(f"{driven.SESSION}/laps/car031-0004")
        lap.name, lap.kind = excerpt, lap_pb2.LAP_KIND_EXCERPT
        table = rows(printed(run(lap_rig, "laps", "--all")))
        assert table["353135389-car031"][-1] == "excerpt"
        printed(run(lap_rig, "pin", "353135389-car031"))
        assert lap.pinned

    def test_json_is_a_list_of_laps(self, lap_rig: LapRig) -> None:
        first, *others = json.loads(printed(run(lap_rig, "laps", "--order-by", "lap_time", "--json")))
        assert (first["name"], len(others)) == (f"{driven.SESSION}/laps/car007-0003", 8)
        assert first["lap_time"] == pytest.approx(18.2258, abs=1e-4)

    def test_a_part_of_several_names_is_no_name(self, lap_rig: LapRig) -> None:
        result = run(lap_rig, "laps", "meander")
        assert result.exit_code == 2
        assert "'meander' may be 20261120-134500-meander" in result.stderr
        assert "hint: give more of the name" in result.stderr

    def test_the_end_of_its_name_finds_a_session_also_when_it_is_within_another(
        self, lap_rig: LapRig
    ) -> None:
        lap_rig.sessions.insert(0, session_pb2.Session(name=f"{driven.SESSION}1"))
        assert printed(run(lap_rig, "laps", "5f3a-2")).startswith(f"{RACE}\n")

    @pytest.mark.parametrize(
        ("words", "hint"),
        [
            ((), "no complete lap; --all looks at pieces of laps as well"),
            (("--all",), "no lap; a lap is kept some seconds after it ends"),
            (("--driver", "x"), "no lap is like that; --all looks at pieces of laps as well"),
            (("--driver", "x", "--all"), "no lap is like that"),
        ],
    )
    def test_an_empty_list_says_what_else_there_may_be(self, words: tuple[str, ...], hint: str) -> None:
        fresh = LapRig(field.sessions())
        text = printed(run(fresh, "laps", *words))
        fresh.stop()
        assert text.splitlines() == [RACE, hint]

    def test_a_rig_that_recorded_nothing_says_so(self) -> None:
        empty = LapRig()
        result = run(empty, "laps")
        empty.stop()
        assert result.exit_code == 5
        assert "error: no session has been kept yet" in result.stderr


class TestLap:
    def test_one_page_tells_everything_in_80_columns(self, lap_rig: LapRig) -> None:
        text = printed(run(lap_rig, "lap", "car012-0003"))
        assert widest(text) <= NARROW
        for part in (
            "car012-0003  A. Alder  GT3",
            "Copper Racing #12, Copper Racing",
            "Meander Valley Grand, 175.250 s into the session",
            "0:20.387  S1 6.796  S2 6.796  S3 6.796  P4  valid",
            "2 records missing (5100 to 5101): the game was faster than the recorder",
            "km/h over 4600 m",
            "position changed",
            "tyre_temp_rr",
        ):
            assert part in text, part
        assert any(0x2800 < ord(sign) < 0x2900 for sign in text)

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            ("best", f"{driven.SESSION}/laps/car007-0003"),
            ("031-0002", f"{driven.SESSION}/laps/car031-0002"),
            ("5f3a-2/best", f"{driven.SESSION}/laps/car007-0003"),
            ("practice/car001-0001", f"{field.OLD}/laps/car001-0001"),
            (f"{field.OLD}/laps/car001-0001", f"{field.OLD}/laps/car001-0001"),
        ],
    )
    def test_short_names_find_it(self, lap_rig: LapRig, words: str, name: str) -> None:
        assert json.loads(printed(run(lap_rig, "lap", words, "--json")))["lap"]["name"] == name

    def test_a_name_of_several_laps_names_them(self, lap_rig: LapRig) -> None:
        result = run(lap_rig, "lap", "0002")
        assert result.exit_code == 2
        assert "error: '0002' may be car007-0002, car012-0002, car031-0002" in result.stderr

    def test_a_name_of_none_says_where_to_look(self, lap_rig: LapRig) -> None:
        result = run(lap_rig, "lap", "car099-0001")
        assert result.stderr.splitlines() == [
            "error: nothing is named 'car099-0001'",
            f"hint: did you mean 'car031-0001'? `rig laps {RACE} --all` lists what there is",
        ]

    def test_no_valid_lap_is_no_best(self, lap_rig: LapRig) -> None:
        old = field.OLD.removeprefix("sessions/")
        assert run(lap_rig, "lap", "practice/best").stderr.splitlines() == [
            f"error: no valid lap in {field.OLD}",
            f"hint: `rig laps {old} --all` shows the others",
        ]
        lap_rig.laps.clear()
        hint = run(lap_rig, "lap", "practice/best").stderr.splitlines()[1]
        assert hint == "hint: a lap is kept some seconds after it ends"

    def test_events_are_told_in_words_and_nothing_is_cut(self, lap_rig: LapRig) -> None:
        text = printed(run(lap_rig, "lap", "car012-0003"))
        assert rows(text)["140.000"] == ["position", "changed", "place", "4,", "former", "place", "5"]

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (
                {"sector_completed": {"car": 12, "sector": 1, "split_time": 9.5584}},
                "sector 1, split time 9.558",
            ),
            ({"flag_changed": {"game_phase": 5, "sector_flags": [0, 1, 0]}}, "green, local yellow"),
            (
                {"flag_changed": {"game_phase": 6, "yellow_flag_state": 2}},
                "full-course yellow, pits closed",
            ),
            ({"finish_status_changed": {"car": 12, "finish_status": 2}}, "finish status retired"),
            ({"garage_changed": {"car": 12, "inside": True}}, "inside yes"),
            ({"pit_exited": {"car": 12, "visit": {"enter_time": 1.5}}}, "enter time 1.500"),
            ({"lap_closed": {"lap": driven.info()}}, "car 12, lap 3, A. Alder, 1:32.375"),
            ({"gap": {"count": 1, "reason": 1}}, "1 record missing: the game was faster than the recorder"),
            ({}, "of a newer kind"),
        ],
    )
    def test_what_happened_is_told_in_words(self, event: dict[str, Any], words: str) -> None:
        assert records.details(event_pb2.Event(**event), ("car", "lap_index")) == words

    def test_an_excerpt_shows_its_own_stretch_of_the_track(self, lap_rig: LapRig) -> None:
        name = f"{driven.SESSION}/laps/mark-20261120-143251-353135389-car012"
        of = driven.info(name=name, kind=lap_pb2.LAP_KIND_EXCERPT, lap_time=20.0)
        columns = driven.samples(20.0, rate=20)
        columns["distance"] = columns["distance"] / 10 + np.float32(4300)
        lap_rig.keep(driven.data(of, columns))
        text = printed(run(lap_rig, "lap", "353135389-car012"))
        begin, end = columns["distance"].min(), columns["distance"].max()
        assert f"km/h over {begin:.0f} to {end:.0f} m" in text
        assert "of the car" not in text
        trace = [line for line in text.splitlines() if any(0x2800 < ord(sign) < 0x2900 for sign in line)]
        assert max(len(line.rstrip()) for line in trace) > NARROW - 3

    @pytest.mark.parametrize("command", ["lap", "laps"])
    def test_help_names_the_lap_that_is_being_driven(self, lap_rig: LapRig, command: str) -> None:
        assert "car012-running" in printed(run(lap_rig, command, "--help"))

    def test_json_has_the_range_of_every_channel(self, lap_rig: LapRig) -> None:
        facts = json.loads(printed(run(lap_rig, "lap", "best", "--json")))
        speed = driven.samples(facts["lap"]["lap_time"], rate=20)["speed"]
        assert facts["channels"]["speed"]["max"] == float(speed.max())
        assert facts["channels"]["speed_limiter"]["min"] == 0
        assert facts["gaps"][0]["count"] == 2


class TestKeeping:
    def test_mark_says_what_it_keeps(self, lap_rig: LapRig) -> None:
        words = ("--before", "20", "--after", "10", "--car", "7,12", "--note", "contact")
        text = printed(run(lap_rig, "mark", *words, "--at", "2026-11-20T13:00:00"))
        assert text == "marks/1: 20 s before and 10 s after 13:00:00\n"
        (mark,) = json.loads(printed(run(lap_rig, "marks", "--json")))
        assert (mark["note"], mark["cars"], mark["status"]) == ("contact", [7, 12], "MOMENT_STATUS_PENDING")
        assert rows(printed(run(lap_rig, "marks")))["1"][-2:] == ["0", "contact"]

    def test_pin_and_unpin_take_short_names(self, lap_rig: LapRig) -> None:
        assert "pinned" in printed(run(lap_rig, "pin", "best", "car012-0002"))
        assert lap_rig.laps[f"{driven.SESSION}/laps/car012-0002"].pinned
        assert "pinned" not in printed(run(lap_rig, "unpin", "car012-0002"))
        assert not lap_rig.laps[f"{driven.SESSION}/laps/car012-0002"].pinned

    def test_a_mark_that_nobody_takes_says_so(self, lap_rig: LapRig) -> None:
        lap_rig.status.ClearField("archiver")
        result = run(lap_rig, "mark")
        assert (result.exit_code, result.stdout.startswith("marks/1: ")) == (0, True)
        assert result.stderr == "warning: no archiver runs; the mark waits for one: start `rigd archive`\n"

    def test_a_limit_of_marks_says_that_there_is_more(self, lap_rig: LapRig) -> None:
        for _ in range(2):
            printed(run(lap_rig, "mark"))
        assert "1 marks shown, there are more" in printed(run(lap_rig, "marks", "--limit", "1"))

    @pytest.mark.parametrize("command", [("pin",), ("delete", "--yes")])
    def test_nothing_is_changed_when_one_name_is_wrong(
        self, lap_rig: LapRig, command: tuple[str, ...]
    ) -> None:
        result = run(lap_rig, *command, "car012-0002", "nosuch")
        assert (result.exit_code, result.stdout) == (5, "")
        assert "nothing is named 'nosuch'" in result.stderr
        assert not lap_rig.laps[f"{driven.SESSION}/laps/car012-0002"].pinned

    def test_what_was_deleted_is_told_although_the_next_is_not(self, lap_rig: LapRig) -> None:
        deleted = f"{driven.SESSION}/laps/car012-0002"
        result = run(lap_rig, "delete", "--yes", "car012-0002", "car007-0001")
        assert (result.exit_code, result.stdout) == (1, f"{deleted} is deleted\n")
        pinned = f"{driven.SESSION}/laps/car007-0001"
        assert result.stderr.splitlines() == [f"error: {pinned} is pinned", "hint: unpin it first"]
        result = run(lap_rig, "delete", "--yes", "car012-0001", "car007-0001", "--json")
        assert json.loads(result.stdout) == [f"{driven.SESSION}/laps/car012-0001"]

    def test_delete_asks_first(self, lap_rig: LapRig) -> None:
        name = f"{driven.SESSION}/laps/car012-0002"
        asked = run(lap_rig, "delete", "car012-0002", answer="n\n")
        assert f"delete {name} for good?" in asked.stderr
        assert (asked.exit_code, asked.stdout, name in lap_rig.laps) == (0, "", True)
        assert printed(run(lap_rig, "delete", "car012-0002", "--yes")) == f"{name} is deleted\n"
        assert name not in lap_rig.laps
        answer = json.loads(printed(run(lap_rig, "delete", "car012-0001", "--yes", "--json")))
        assert answer == [f"{driven.SESSION}/laps/car012-0001"]

    def test_a_pinned_lap_stays(self, lap_rig: LapRig) -> None:
        result = run(lap_rig, "delete", "car007-0001", "--yes")
        assert (result.exit_code, "is pinned" in result.stderr) == (1, True)
