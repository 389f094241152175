"""What earlier releases have written is opened, served, checked and synced by this one."""

import contextlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rigclient
from tests.house.manager import Manager
from tests.stage import Stage, stage, until

RELEASES = sorted(path.name.removesuffix(".tar.xz") for path in Path(__file__).parent.glob("*.tar.xz"))


@pytest.fixture(params=RELEASES)
def recorded(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage whose data are those of a release, with what that release said of them beside."""
    with stage() as here:
        with tarfile.open(Path(__file__).parent / f"{request.param}.tar.xz") as archive:
            archive.extractall(here.data, filter="data")
        beside = Stage(here.buffers, here.data / "data", here.address, here.running)
        yield beside


def said(here: Stage, name: str) -> Any:
    return json.loads((here.data.parent / name).read_text())


def rig(here: Stage, *words: str) -> str:
    command = [sys.executable, "-m", "rigclient", "--rig", here.address, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout


def test_everything_kept_is_sound(recorded: Stage) -> None:
    command = [sys.executable, "-m", "rigd", "verify", "--deep", "--json", "--data", str(recorded.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_laps_sessions_and_losses_are_those_it_listed(recorded: Stage) -> None:
    recorded.serve()
    for name, words in (
        ("sessions.json", ("sessions", "--json")),
        ("laps.json", ("laps", "--all", "--json")),
        ("gaps.json", ("gaps", "--json")),
    ):
        assert _at_least(json.loads(rig(recorded, *words)), said(recorded, name)), name


def test_streams_go_on_after_its_cursors(recorded: Stage) -> None:
    recorded.serve()
    for stream in ("physics", "events"):
        cursor = recorded.data.parent / f"{stream}.cursor"
        words = ("tail", "--stream", stream, "--json", "--count", "5", "--cursor-file", str(cursor))
        assert len(rig(recorded, *words).splitlines()) == 5


def test_a_load_brings_what_its_warehouse_has_not_got(recorded: Stage) -> None:
    recorded.serve()
    recorded.archive()
    place = f"duckdb:{recorded.data.parent / 'warehouse.duckdb'}"
    unsynced = [lap["name"] for lap in said(recorded, "laps.json") if not lap["synced"]]
    assert unsynced
    rig(recorded, "sync", "--to", place)
    assert rig(recorded, "sync", "--to", place, "--json").count('"laps": 0') == 1
    with rigclient.connect(recorded.address) as connected:
        until(lambda: not connected.laps(synced=False), pause_s=0.5)


def test_the_recorder_and_the_archiver_go_on_with_it(recorded: Stage) -> None:
    before = len(said(recorded, "laps.json"))
    recorded.archive()
    recorded.record()
    game = ("--buffers", str(recorded.buffers), "--cars", "2", "--short", "--speed", "20", "--for", "600")
    recorded.serve()
    recorded.start("rigd", "demo-game", *game)
    with rigclient.connect(recorded.address) as connected:
        until(lambda: len(connected.laps()) > before, pause_s=0.5)


def test_an_upgrade_changes_no_format_of_it(recorded: Stage) -> None:
    command = [sys.executable, "-m", "rigd", "upgrade-check", "--json", "--data", str(recorded.data)]
    place = {**os.environ, "RIG_WAREHOUSE": f"duckdb:{recorded.data.parent / 'warehouse.duckdb'}"}
    done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = {one["name"] for one in json.loads(done.stdout) if one["state"] == "same"}
    assert {"ring", "lap files", "index", "loss journals", "warehouse"} <= kept


def test_the_units_that_rigd_installs_serve_and_sync_it(recorded: Stage, tmp_path: Path) -> None:
    install = [sys.executable, "-m", "rigd", "install", "--user", "--root", str(tmp_path)]
    subprocess.run(install, capture_output=True, timeout=240, check=True)
    (units,) = tmp_path.rglob("systemd/user")
    with contextlib.ExitStack() as stack:
        for name, more in (("serve", ("--address", recorded.address)), ("archive", ())):
            words = ("--data", str(recorded.data), *more)
            program = (sys.executable, "-m", "rigd")
            manager = Manager(units / f"rigd-{name}.service", tmp_path, program, words)
            stack.enter_context(contextlib.closing(manager))
            until(lambda manager=manager: manager.ready > 0)  # type: ignore[misc]
        rig(recorded, "sync", "--to", f"duckdb:{recorded.data.parent / 'another.duckdb'}")
        until(lambda: not json.loads(rig(recorded, "laps", "--all", "--unsynced", "--json")), pause_s=0.5)


def _at_least(now: Any, then: Any) -> bool:
    """Whether everything said then is said now; there may be more."""
    if isinstance(then, dict):
        return all(key in now and _at_least(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(_at_least, now, then))
    return bool(now == then)
