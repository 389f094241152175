"""The switch from the old collector, rehearsed: its files, the laps they become, and the proof."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from rig.v1 import archive_pb2, session_pb2
from rigclient.cli.main import rig
from rigclient.imports import discovery
from rigclient.imports.collector.files import session_of
from rigclient.imports.dialects.collector import DIALECT
from rigclient.imports.lap_files import lap_file
from rigclient.imports.migration.verification import LapVerification, verify_session
from rigclient.imports.recording import RecordedLap
from riglap.lap import Lap
from tests.imports import known
from tests.imports.dialects import written_collector as written
from tests.imports.dialects.reading import read

RATE_HZ = 10.0
SESSION = session_pb2.Session(name="sessions/x", track_name=known.TRACK)


def migrate(*words: str | Path) -> Result:
    return CliRunner().invoke(rig, ["migrate", "--track", known.TRACK, *map(str, words)])


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a session of each kind of file."""
    folder = tmp_path_factory.mktemp("old")
    written.write_ten(folder / "ten", known.laps(3, RATE_HZ))
    written.write_pair(folder / "pair", known.laps(2, RATE_HZ))
    written.write_compact(folder / "few.csv", known.laps(2, RATE_HZ))
    (folder / "notes.csv").write_text("when,what\n1,2\n")
    return folder


@pytest.fixture(scope="module")
def migrated(old: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    into = tmp_path_factory.mktemp("new")
    return into, migrate(old, "--into", into, "--report", into / "report.html", "--json")


def test_every_lap_comes_over_and_is_proven(old: Path, migrated: tuple[Path, Result]) -> None:
    _, result = migrated
    made = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (made["safe"], made["troubles"], made["others"]) == (True, [], [str(old / "notes.csv")])
    assert [(one["files"], one["outcome"], len(one["laps"])) for one in made["sessions"]] == [
        (1, "loaded", 2),
        (4, "loaded", 2),
        (30, "loaded", 3),
    ]
    lap = made["sessions"][2]["laps"][0]
    assert lap["old_time_s"] == lap["new_time_s"] == known.laps(3, RATE_HZ)[0].time_s
    assert lap["old_sectors_s"] == pytest.approx(lap["new_sectors_s"], abs=1e-9)
    assert lap["rows"] == lap["samples"] == len(known.laps(3, RATE_HZ)[0])
    assert len(lap["differences"]) > 100
    assert all(one["rows"] == lap["rows"] for one in lap["differences"] if "motor" not in one["channel"])


def test_the_report_is_a_page_by_itself(migrated: tuple[Path, Result]) -> None:
    page = (migrated[0] / "report.html").read_text()
    assert "safe to switch: 7 laps came over whole, in 3 sessions" in page
    assert page.count("<td>same</td>") == 7
    assert "http" not in page


def test_laps_that_came_over_are_compared_like_any_other(migrated: tuple[Path, Result]) -> None:
    ten = next(path.parent for path in migrated[0].glob("laps/*/car000-0003.lap"))
    shown = CliRunner().invoke(rig, ["compare", *(str(ten / f"car000-000{n}.lap") for n in (1, 2))])
    assert shown.exit_code == 0, shown.output
    one, two, _ = known.laps(3, RATE_HZ)
    assert f"{two.time_s - one.time_s:.3f}" in shown.output
    assert all(f"{b - a:.3f}" in shown.output for a, b in zip(one.sectors_s, two.sectors_s, strict=True))


def test_a_second_run_compares_again_and_changes_nothing(old: Path, migrated: tuple[Path, Result]) -> None:
    into, _ = migrated
    before = {path: path.read_bytes() for path in into.rglob("*.lap")}
    result = migrate(old, "--into", into, "--report", into / "report.md")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "safe to switch: 7 laps came over whole, in 3 sessions"
    assert result.output.count("there already") == 3
    assert {path: path.read_bytes() for path in into.rglob("*.lap")} == before
    assert (into / "report.md").read_text().count("| same |") == 7


def test_a_lap_that_is_gone_is_told(old: Path, migrated: tuple[Path, Result], tmp_path: Path) -> None:
    result = migrate(old / "few.csv", "--into", tmp_path)
    assert result.exit_code == 2
    migrate(old / "pair", "--into", tmp_path)
    next(tmp_path.glob("laps/*/car000-0002.lap")).unlink()
    groups = session_of(old / "pair" / "00-physics.csv")
    laps = {0: Lap.open(next(tmp_path.glob("laps/*/car000-0001.lap")))}
    found = [list(one.troubles()) for one in verify_session(groups, laps.get)]
    assert found == [[], ["there is no lap file"]]


def test_a_file_without_rows_is_no_reason_to_be_calm(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "lap.csv").write_text(written.COMPACT + "\n")
    result = migrate(tmp_path / "old", "--into", tmp_path / "new")
    assert result.exit_code == 17
    assert "not safe to switch" in result.output
    assert "lap.csv has no sound row below its header" in result.output


def test_a_folder_of_others_is_no_migration(tmp_path: Path) -> None:
    result = migrate(tmp_path, "--into", tmp_path / "new")
    assert result.exit_code == 17
    assert "has no file of the collector" in result.output


def test_a_report_of_another_kind_is_refused_before_anything_is_done(old: Path, tmp_path: Path) -> None:
    result = migrate(old, "--into", tmp_path / "new", "--report", tmp_path / "report.pdf")
    assert result.exit_code == 2
    assert not (tmp_path / "new").exists()


class Tampered:
    """One lap in two files, and its lap file with something else in it."""

    def __init__(self, folder: Path) -> None:
        paths = written.write_pair(folder, known.laps(2, RATE_HZ))
        self.groups = session_of(paths[0])
        self.lap: RecordedLap = read(DIALECT, paths[0]).laps[0][0]

    def found(self, lap: RecordedLap) -> LapVerification:
        data = lap_file(lap, SESSION, archive_pb2.Recording())
        return next(verify_session(self.groups, lambda _: Lap.from_bytes(data)))

    def troubles(self, lap: RecordedLap) -> list[str]:
        return list(self.found(lap).troubles())


@pytest.fixture(scope="module")
def tampered(tmp_path_factory: pytest.TempPathFactory) -> Tampered:
    return Tampered(tmp_path_factory.mktemp("tampered"))


def test_a_lap_as_it_came_has_no_trouble(tampered: Tampered) -> None:
    assert tampered.troubles(tampered.lap) == []


def test_one_value_of_one_wheel_is_found(tampered: Tampered) -> None:
    temps = tampered.lap.samples["brake_temp"].copy()
    temps[123, 2] += 0.5
    lap = dataclasses.replace(tampered.lap, samples={**tampered.lap.samples, "brake_temp": temps})
    found = tampered.found(lap)
    (trouble,) = found.troubles()
    assert trouble.startswith("temperature_2 and brake_temp differ by 0.")
    assert found.worst is not None
    assert found.worst.difference == pytest.approx(0.5, abs=0.001)
    assert found.worst.column == "temperature_2"


def test_a_value_that_was_lost_is_found(tampered: Tampered) -> None:
    temps = tampered.lap.samples["tyre_temp"].copy()
    temps[5, 11] = np.nan
    lap = dataclasses.replace(tampered.lap, samples={**tampered.lap.samples, "tyre_temp": temps})
    assert tampered.troubles(lap) == ["surface_temperature_ico_11 and tyre_temp differ by inf °C"]


def test_times_and_samples_that_differ_are_found(tampered: Tampered) -> None:
    samples = {name: values[:-1] for name, values in tampered.lap.samples.items()}
    others = {name: values[:-1] for name, values in tampered.lap.others.items()}
    later = (tampered.lap.lap_time_s or 0.0) + 0.001
    lap = dataclasses.replace(tampered.lap, samples=samples, others=others, lap_time_s=later)
    rows, time, *more = tampered.troubles(lap)
    there = len(known.laps(2, RATE_HZ)[0])
    assert rows == f"{there - 1} samples of {there} rows, 0 left out"
    assert time.startswith("the lap time was 53.007")
    assert more == []


def test_repeated_clocks_are_accounted_for(tmp_path: Path) -> None:
    paths = written.write_pair(tmp_path, known.laps(2, RATE_HZ))
    lines = paths[0].read_text().splitlines(keepends=True)
    paths[0].write_text("".join([*lines[:100], lines[99], *lines[100:]]))
    data = {
        lap.number: lap_file(lap, SESSION, archive_pb2.Recording()) for lap in read(DIALECT, paths[0]).laps[0]
    }
    one, two = verify_session(session_of(paths[0]), lambda number: Lap.from_bytes(data[number]))
    assert (list(one.troubles()), dict(one.left_out)) == ([], {"a repeated clock": 1})
    assert list(two.troubles()) == []


def test_discovery_takes_a_session_once(old: Path) -> None:
    found = discovery.search([old])
    assert [(one.path.name, len(one.together)) for one in found.files] == [
        ("few.csv", 0),
        ("00-physics.csv", 4),
        ("lap000_brake.csv", 30),
    ]
    one = discovery.search([old / "ten" / "lap002_wheel.csv"]).files
    assert one == [found.files[2]]
    assert one[0].bytes == sum(path.stat().st_size for path in (old / "ten").iterdir())
