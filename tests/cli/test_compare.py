"""`rig compare`, `rig coach` and `rig circuit` on a race that the real archiver kept, in a shell."""

import base64
import dataclasses
import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from rig.errors import MissingChannel, Unavailable
from rigclient.blocking import connect
from rigclient.cli.main import rig as commands
from rigclient.cli.watch.debrief import Debrief
from rigd.archive.archiver import Archiver, Settings
from rigd.store.commands import CommandQueue
from riglap.lap import Lap
from riglap.names import session_id
from riglap.plot.panels import titled
from tests.archive.tape import ROOMY, drained
from tests.archive.test_imports import again, bring
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.riglap.raced import Raced
from tests.stage import Stage, stage, until

MISMATCH = 6
"""What a command ends with."""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage() as made:
        shutil.copytree(once(tmp_path_factory, "raced-real", real_drive), made.data, dirs_exist_ok=True)
        made.serve()
        yield made


@pytest.fixture(scope="module")
def rig(here: Stage) -> Run:
    """Runs `rig --rig <that rig> ...` without a process of its own, which takes half a second to import."""

    def run(*words: Any) -> subprocess.CompletedProcess[str]:
        command = ["--rig", here.address, *map(str, words)]
        wide = CliRunner(env={"COLUMNS": "200"}, catch_exceptions=False)
        done = wide.invoke(commands, command, prog_name="rig")
        return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="module")
def laps(here: Stage) -> list[Lap]:
    found = [lap for lap in Raced(here.data).laps() if lap.info.valid and lap.info.number]
    return sorted(found, key=lambda lap: lap.info.lap_time or 0)


def name(lap: Lap) -> str:
    return lap.info.name.rpartition("/")[2]


def test_two_laps_corner_by_corner(rig: Run, laps: list[Lap]) -> None:
    done = rig("compare", name(laps[0]), name(laps[5]))
    assert done.returncode == 0, done.stderr
    lost = (laps[5].info.lap_time or 0) - (laps[0].info.lap_time or 0)
    assert f"{lost:+.3f}" in done.stdout
    assert "meander-valley-short-1201m/1" in done.stdout
    for corner in range(1, 7):
        assert f"\nT{corner} " in done.stdout
    told = json.loads(rig("compare", name(laps[0]), name(laps[5]), "--json").stdout)
    (other,) = told["laps"]
    assert other["lost"] == pytest.approx(lost)
    assert sum(part["lost"] or 0 for part in other["parts"]) + other["uncompared"] == pytest.approx(lost)
    assert len(other["delta"]) == len(told["places"])


def test_one_lap_is_held_against_what_the_rule_chooses(rig: Run, laps: list[Lap]) -> None:
    own = [lap for lap in laps if lap.info.driver == laps[0].info.driver]
    best, slower = own[0], name(own[-1])
    assert best is not own[-1]
    done = rig("compare", slower)
    assert done.returncode == 0, done.stderr
    assert "a is the driver's best lap of the class on this circuit" in done.stdout
    told = json.loads(rig("compare", slower, "--json").stdout)
    assert told["reference"]["name"] == best.info.name
    assert json.loads(rig("compare", "driver", slower, "--json").stdout) == told
    assert json.loads(rig("compare", slower, "--against", "driver", "--json").stdout) == told
    fastest = json.loads(rig("coach", name(laps[0]), "--json").stdout)
    assert fastest["against"] == "ideal lap"
    assert fastest["about"].startswith("the driver's ideal lap")
    assert rig("compare", "last").returncode == 0
    for word in ("session", "class", "track", "ideal", "ideal-of-all"):
        assert rig("compare", word, slower).returncode == 0, word


def test_a_lap_in_other_coordinates_is_passed_over_and_named(here: Stage, rig: Run, laps: list[Lap]) -> None:
    """The rig's `rig coach` reads laps itself."""
    best, slow = laps[0], laps[-1]
    facts: dict[str, Any] = {"driver": slow.info.driver, "vehicle_class": slow.info.vehicle_class}
    queue, archiver = CommandQueue(here.data), Archiver(Settings(here.data, ROOMY))
    fast = (best.info.lap_time or 0) - 5
    foreign = bring(queue, again(here.data, moved_m=5000.0, lap_time=fast, **facts))
    drained(archiver)
    try:
        done = rig("coach", name(slow))
        assert done.returncode == 0, done.stderr
        assert "of those that can be compared: not import-1/car007-0001" in done.stdout
        assert rig("coach", name(slow), "--against", foreign).returncode == MISMATCH
    finally:
        archiver.store.remove(foreign, {"why": "tried"})
        archiver.close()
        queue.close()


def test_laps_of_the_rig_the_warehouse_and_files_together(
    here: Stage, rig: Run, laps: list[Lap], tmp_path: Path
) -> None:
    pytest.importorskip("duckdb")
    place = f"duckdb:{tmp_path / 'w.duckdb'}"
    assert rig("sync", "--to", place).returncode == 0
    file = next(here.data.glob(f"laps/*/{name(laps[2])}.lap"))
    kept = f"warehouse:{session_id(laps[0].info.name)}/{name(laps[0])}"
    done = rig("compare", kept, name(laps[1]), file, "--in", place, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [told["reference"]["name"], *(lap["name"] for lap in told["laps"])] == [
        lap.info.name for lap in laps[:3]
    ]
    here_alone = json.loads(rig("compare", name(laps[0]), name(laps[1]), file, "--json").stdout)
    assert told["laps"] == here_alone["laps"]
    assert told["circuit"] == here_alone["circuit"]
    against = rig("compare", kept, "--against", "class", "--in", place)
    assert against.returncode == 0, against.stderr


def test_delete_without_anybody_to_ask_says_how(here: Stage, laps: list[Lap]) -> None:
    command = [sys.executable, "-m", "rigclient", "--rig", here.address, "delete", name(laps[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_tips_after_a_lap_are_given_once(here: Stage, laps: list[Lap]) -> None:
    for car in {lap.info.car for lap in laps}:
        with connect(here.address) as rig:
            debrief = Debrief(rig, car)
            debrief.step()
            assert debrief.take() == []  # what was driven before is no news
            debrief._seen = "another"
            debrief.step()
            (told,) = debrief.take()
            assert len(told.tips) <= 5
            assert told.tips or told.notes, told
            debrief._seen = "another"
            debrief.step()
            (again,) = debrief.take()
            assert not set(again.ids) & set(told.ids)


def test_why_a_lap_has_no_tips(here: Stage, laps: list[Lap]) -> None:
    every = Raced(here.data).laps()
    spoilt = next((lap.info for lap in every if not lap.info.valid), None)
    spoilt = spoilt or dataclasses.replace(laps[0].info, valid=False)
    with connect(here.address) as rig:
        debrief = Debrief(rig, None)
        assert debrief._tell(spoilt).notes == ("no tips: the lap does not count",)
        broken_off = debrief._tell(dataclasses.replace(laps[0].info, complete=False))
        assert broken_off.notes == ("no tips: it is no whole lap",)
        itself = debrief._tell(min(every, key=lambda lap: lap.info.number or 0).info)
        assert itself.notes
        assert "nothing to mend" not in itself.notes


def test_a_lap_without_a_circuit_says_so(here: Stage, laps: list[Lap]) -> None:
    kept, away = here.data / "circuits", here.data / "circuits.away"
    kept.rename(away)
    try:
        with connect(here.address) as rig:
            told = Debrief(rig, laps[3].info.car)._tell(laps[3].info)
        assert any("has not been surveyed yet" in note for note in told.notes), told
    finally:
        shutil.rmtree(kept, ignore_errors=True)
        away.rename(kept)


def test_a_tip_is_given_again_when_it_got_worse_also_over_a_restart(here: Stage, laps: list[Lap]) -> None:
    with connect(here.address) as rig:
        answers = ((lap.info, rig.coach(lap.info)) for lap in reversed(laps))
        lap, answer = next((lap, answer) for lap, answer in answers if answer.tips)
        lost = {one.id: one.lost for one in answer.findings}
        debrief = Debrief(rig, lap.car)
        debrief.step()
        first = debrief._tell(lap)
        assert first.ids == tuple(tip.id for tip in answer.tips)
        assert not set(debrief._tell(lap).ids) & set(first.ids)
        debrief._given[first.ids[0]] = min(lost[first.ids[0]] / 1.3, lost[first.ids[0]] - 0.06)
        assert first.ids[0] in debrief._tell(lap).ids
        given, debrief._seen = dict(debrief._given), "another"
        server = next(one for one in here.running if "serve" in one.args)  # type: ignore[operator]
        here.stop(server)
        try:
            with pytest.raises(Unavailable):
                debrief.step()
            assert debrief.take() == []  # the lap waits
        finally:
            here.serve()
        until(lambda: _steps(debrief))
        assert len(debrief.take()) == 1
        assert given.keys() <= debrief._given.keys()


def _steps(debrief: Debrief) -> bool:
    try:
        debrief.step()
    except Unavailable:
        return False
    return True


def test_the_ideal_lap_and_mini_sectors(rig: Run, laps: list[Lap]) -> None:
    done = rig("compare", *map(name, laps[:3]), "--ideal", "--minis")
    assert done.returncode == 0, done.stderr
    assert "ideal lap" in done.stdout
    assert "\nM12 " in done.stdout


def test_numbers_have_units_and_stand_below_each_other(rig: Run, laps: list[Lap]) -> None:
    shown = rig("compare", name(laps[0]), name(laps[5])).stdout
    head, *rows = shown[shown.index("\n", shown.index("\nS3 ") + 1) :].strip("\n").splitlines()
    assert head.split()[:6] == ["a,", "s", "lost,", "s", "total,", "s"]
    assert {len(row.rstrip()) for row in rows if re.match(r"T[1346] ", row)} == {len(head.rstrip())}
    assert not re.search(r"[+-]0(\.000)?\b(?!\.)", shown), shown
    again = rig("compare", name(laps[0]), name(laps[0])).stdout
    assert not re.search(r"[+-]0(\.000)?\b(?!\.)", again.partition("up is lost")[2])


def test_a_coach_names_the_lap_it_compares_with(rig: Run, laps: list[Lap]) -> None:
    done = rig("coach", name(laps[8]))
    assert done.returncode == 0, done.stderr
    told = json.loads(rig("coach", name(laps[8]), "--json").stdout)
    assert len(told["tips"]) <= 5
    assert told["against"] in {f"{name(lap)} {lap.info.driver}" for lap in laps}
    given = ",".join(tip["id"] for tip in told["tips"])
    again = json.loads(rig("coach", name(laps[8]), "--given", given, "--json").stdout)
    assert not {tip["id"] for tip in again["tips"]} & set(given.split(","))
    wrong = rig("coach", name(laps[8]), "--given", "nonsense:4")
    assert wrong.returncode == 2
    assert "no tip is called 'nonsense:4'" in wrong.stderr


def test_a_circuit_can_be_written_changed_and_used(
    here: Stage, rig: Run, laps: list[Lap], tmp_path: Path
) -> None:
    assert "meander-valley-short-1201m/1" in rig("circuit").stdout
    file = tmp_path / "short.json"
    assert rig("circuit", "meander", "--out", file).returncode == 0
    plain = json.loads(file.read_text())
    plain["corners"][3]["name"] = "Hairpin"
    file.write_text(json.dumps(plain))
    assert "\nT4 Hairpin " in rig("compare", name(laps[0]), name(laps[1]), "--circuit", file).stdout
    keep = [sys.executable, "-m", "rigd", "circuit", str(file), "--data", str(here.data)]
    done = subprocess.run(keep, capture_output=True, text=True, timeout=120)
    assert done.stdout == "meander-valley-short-1201m/2: 6 corners\n", done.stderr
    assert "\nT4 Hairpin " in rig("compare", name(laps[0]), name(laps[1])).stdout
    plain["corners"][3]["end"] = plain["corners"][4]["apex"]
    file.write_text(json.dumps(plain))
    refused = subprocess.run(keep, capture_output=True, text=True, timeout=120)
    assert refused.returncode
    assert "ends behind the beginning of T5" in refused.stderr


def test_files_need_no_rig(here: Stage, laps: list[Lap]) -> None:
    files = [str(next(here.data.glob(f"laps/*/{name(lap)}.lap"))) for lap in laps[:2]]
    command = [sys.executable, "-m", "rigclient", "--rig", "unix:/nowhere", "compare", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "corners as this line shows them" in done.stdout


def test_what_cannot_be_compared_is_one_sentence(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    spoiled = tmp_path / "c.json"
    spoiled.write_text("{}")
    for words in (
        ("compare", "driver"),
        ("compare", name(laps[0]), "ideal"),
        ("compare", name(laps[0]), "--ideal", "--against", name(laps[1])),
        ("compare", "nowhere.lap", name(laps[0])),
        ("compare", f"warehouse:{name(laps[0])}", "last", "--in", f"duckdb:{tmp_path}/none.duckdb"),
        ("compare", name(laps[0]), "nothing"),
        ("compare", name(laps[0]), name(laps[1]), "--circuit", spoiled),
        ("coach", "nothing"),
        ("circuit", "nowhere"),
    ):
        done = rig(*words)
        assert done.returncode, words
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 4, done.stderr


def test_formulas_are_channels_of_exports_and_plots(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    import pandas

    file = tmp_path / "lap.csv"
    done = rig("export", name(laps[0]), "--channels", "speed", "--formula", "kmh=speed [km/h]", "--out", file)
    assert done.returncode == 0, done.stderr
    table = pandas.read_csv(file, comment="#")
    assert (table["kmh"] - 3.6 * table["speed"]).abs().max() < 0.01
    drawn = rig(
        "plot",
        name(laps[0]),
        name(laps[1]),
        "--formula",
        "push=derivative(speed) [G]",
        "--out",
        tmp_path / "p.svg",
    )
    assert drawn.returncode == 0, drawn.stderr
    wrong = rig("export", name(laps[0]), "--formula", "kmh=speed [kPa]", "--out", file)
    assert wrong.returncode
    assert "column" in wrong.stderr
    assert rig("export", name(laps[0]), "--formula", "nonsense", "--out", file).returncode


def test_a_formula_stands_where_a_channel_may(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    """Export, plot and comparison, among the channels, of an option and out of a file."""
    pandas = pytest.importorskip("pandas")
    file = tmp_path / "mine.txt"
    file.write_text(
        "# of mine\nkmh = speed [km/h]\nfast = if(kmh > 100 [km/h], 1, 0)  # uses kmh\nother = 1 / 0\n"
    )
    push = "push = if(speed > 0, derivative('Ground Speed') [G], 0)"
    out = tmp_path / "lap.csv"
    done = rig("export", name(laps[0]), "--channels", f"fast,gear,{push}", "--formulas", file, "--out", out)
    assert done.returncode == 0, done.stderr
    table = pandas.read_csv(out, comment="#")
    assert list(table) == ["lap_time", "distance", "fast", "gear", "push"]
    assert np.array_equal(table["fast"], laps[0].speed * 3.6 > 100)
    assert np.allclose(table["push"], np.gradient(laps[0].speed, laps[0].lap_time) / 9.80665, atol=0.2)
    assert rig("plot", name(laps[0]), "--channels", push, "--out", tmp_path / "p.svg").returncode == 0

    asked = ("compare", name(laps[0]), name(laps[1]), "--channels", f"throttle,{push}")
    found = json.loads(rig(*asked, "--json").stdout)
    places = len(found["places"])
    for lap in (found["reference"], *found["laps"]):
        assert [len(values) for values in lap["channels"].values()] == [places, places]
        assert {"throttle", "push"} == lap["channels"].keys()
    shown = rig(*asked).stdout
    title = titled("push", "G")
    assert title in shown
    assert "T1-T2" in shown.partition(title)[2]


def test_a_lap_brings_what_its_formulas_take(here: Stage, laps: list[Lap]) -> None:
    with connect(here.address) as made:
        lap = made.lap(laps[0].info.name, ["gear", "kmh = speed [km/h]", "fast = if(kmh > 100, 1, 0)"])
        assert {"gear", "speed", "kmh", "fast"} <= set(lap.channels)
        assert "throttle" not in lap
        assert np.allclose(lap["kmh"], 3.6 * laps[0].speed, rtol=1e-6)
        assert (lap.unit("kmh"), lap.unit("fast")) == ("km/h", "")
        with pytest.raises(MissingChannel, match="column 5: there is no channel 'sped'"):
            made.lap(laps[0].info.name, ["x = 1 + sped"])
    found = laps[0].compare(laps[1], formulas=["kmh = speed [km/h]"])
    assert np.allclose(
        found.traces[1].read("kmh"), 3.6 * found.traces[1].read("speed"), equal_nan=True, rtol=1e-6
    )


def test_a_wrong_formula_is_one_sentence(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    circle, line = tmp_path / "circle.txt", tmp_path / "line.txt"
    circle.write_text("a = b + 1\nb = a\n")
    line.write_text("a = 1\nb = 1 +\n")
    for words, said in (
        (("--channels", "kmh = speed [kPa]"), "column 8: [m/s] cannot be told in [kPa]"),
        (("--channels", "x = sped + 1"), "there is no channel 'sped'"),
        (("--channels", "x = range_change(1)"), "a formula has one lap"),
        (("--channels", "speed = 1"), "no formula can be called 'speed'"),
        (("--channels", "a", "--formulas", circle), "a uses b uses a"),
        (("--channels", "a", "--formulas", line), "line 2: in b: column 4"),
        (("--formula", "nonsense"), "is no formula"),
    ):
        for command in (("export", name(laps[0])), ("compare", name(laps[0]), name(laps[1]))):
            done = rig(*command, *words, *(["--out", tmp_path / "x.csv"] if command[0] == "export" else []))
            assert done.returncode, words
            assert said in done.stderr.replace("\n  ", " "), (words, done.stderr)
            assert "Traceback" not in done.stderr


def test_nothing_is_computed_of_what_is_not_there(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    """Loads are 0 on real recordings: no number comes out of them."""
    out = tmp_path / "lap.csv"
    formula = "work = integrate(tyre_load[fl] * speed) + tyre_load[fr] ^ 0"
    done = rig("export", name(laps[0]), "--channels", f"speed,{formula.partition(' + ')[0]}", "--out", out)
    assert done.returncode == 0
    assert "no values of work: not available" in done.stderr
    shown = rig("compare", name(laps[0]), name(laps[1]), "--channels", "load = tyre_load[fl]")
    assert "not available in these laps" in shown.stdout


def test_formulas_in_the_warehouse_are_those_of_the_laps(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    file = f"duckdb:{tmp_path / 'w.duckdb'}"
    assert rig("sync", "--to", file).returncode == 0
    formula = "push = derivative(smooth(speed, 0.3)) [G]"
    done = rig(
        *("warehouse", "telemetry", "--to", file, "--json", "--channels", f"gear,tyre_temp_0,{formula}")
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({(row["car"], row["lap_index"]) for row in rows}) > 10
    for lap in (laps[0], laps[3]):
        own = [row for row in rows if row["lap"] == name(lap) and row["push"] is not None]
        push = lap.with_formulas(formula)
        expected = np.interp([row["lap_time"] for row in own], lap.lap_time, push["push"])
        assert len(own) > len(lap) - 10
        assert np.allclose([row["push"] for row in own], expected, atol=1e-3)
    names = [f"{session_id(lap.info.name)}/{name(lap)}" for lap in (laps[0], laps[5])]
    grid = rig("warehouse", "grid", *names, "--to", file, "--channels", f"speed,{formula}", "--json")
    assert grid.returncode == 0, grid.stderr
    cells = json.loads(grid.stdout)["cells"]
    assert sum(cell["a"]["push"] is not None for cell in cells) > 100
    assert max(abs(cell["a"]["push"] or 0) for cell in cells) < 5
    shown = rig("warehouse", "grid", *names, "--to", file, "--formula", formula)
    assert titled("push", "G") + " a" in shown.stdout, shown.stderr
    wrong = rig("warehouse", "grid", *names, "--to", file, "--channels", "x = nothing_such")
    assert "there is no channel 'nothing_such'" in wrong.stderr


def test_the_warehouse_has_the_same_delta(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    file = f"duckdb:{tmp_path / 'w.duckdb'}"
    loaded = rig("sync", "--to", file)
    assert loaded.returncode == 0, loaded.stderr
    names = [f"{session_id(lap.info.name)}/{name(lap)}" for lap in (laps[0], laps[5])]
    done = rig("warehouse", "grid", *names, "--to", file, "--json")
    assert done.returncode == 0, done.stderr
    found = laps[0].compare(laps[5])
    cells = json.loads(done.stdout)["cells"]
    assert len(cells) > 100
    metres = found.places * (1201 / found.places[-1])
    for cell in cells:
        if cell["delta"] is not None:
            expected = np.interp(cell["distance"], metres, found.delta())
            assert cell["delta"] == pytest.approx(expected, abs=0.002)
    assert sum(cell["delta"] is not None for cell in cells) > 100


def test_a_page_of_laps_is_one_file(rig: Run, laps: list[Lap], tmp_path: Path) -> None:
    path = tmp_path / "laps.html"
    push = ("--formula", "push = derivative(speed) [G]")
    done = rig("compare", name(laps[0]), name(laps[5]), "--html", path, *push)
    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    text = path.read_text()
    held = re.findall(r'id="document" type="application/gzip;base64">([^<]+)<', text)
    told = json.loads(gzip.decompress(base64.b64decode(held[0])))
    assert [lap["name"] for lap in told["laps"][:2]] == [laps[0].info.name, laps[5].info.name]
    assert {"speed", "lateral", "push"} <= {channel["name"] for channel in told["channels"]}
    assert not re.search(r'(src|href)="(?!data:)', text)
    refused = rig("compare", name(laps[0]), name(laps[5]), "--html", path, "--channels", "nonsense")
    assert refused.returncode
    assert "there is no channel 'nonsense'" in refused.stderr
    ideal = rig("compare", name(laps[0]), name(laps[5]), "--ideal", "--html", tmp_path / "ideal.html")
    assert ideal.returncode == 0, ideal.stderr
