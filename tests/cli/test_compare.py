"""`rig compare`, `rig coach` and `rig circuit` on a race that the real archiver kept, in a shell."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigclient.blocking import connect
from rigclient.cli.watch.debrief import Debrief
from riglap.lap import Lap
from riglap.names import session_id
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.riglap.raced import Raced
from tests.stage import Stage, stage

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage() as made:
        shutil.copytree(once(tmp_path_factory, "raced-real", real_drive), made.data, dirs_exist_ok=True)
        made.serve()
        yield made


@pytest.fixture(scope="module")
def rig(here: Stage) -> Run:
    def run(*words: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rigclient", "--rig", here.address, *map(str, words)]
        wide = {**os.environ, "COLUMNS": "200"}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=wide)

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


def test_the_ideal_lap_and_mini_sectors(rig: Run, laps: list[Lap]) -> None:
    done = rig("compare", *map(name, laps[:3]), "--ideal", "--minis")
    assert done.returncode == 0, done.stderr
    assert "ideal lap" in done.stdout
    assert "\nM12 " in done.stdout


def test_a_coach_names_the_lap_it_compares_with(rig: Run, laps: list[Lap]) -> None:
    done = rig("coach", name(laps[8]))
    assert done.returncode == 0, done.stderr
    told = json.loads(rig("coach", name(laps[8]), "--json").stdout)
    assert len(told["tips"]) <= 5
    assert told["against"] in {f"{name(lap)} {lap.info.driver}" for lap in laps}
    given = ",".join(tip["id"] for tip in told["tips"])
    again = json.loads(rig("coach", name(laps[8]), "--given", given, "--json").stdout)
    assert not {tip["id"] for tip in again["tips"]} & set(given.split(","))


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
