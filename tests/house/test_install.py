"""`rigd install` in a root to throw away: what it writes, says and takes back. What systemd says of it."""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rig.errors import BadRequest, Denied
from rigd.install import units as templates
from rigd.install.place import InstallFolders, chosen
from rigd.install.units import DAEMONS, GATEWAY, SYNC, TARGET
from tests.stage import stage, until

ANALYZE = shutil.which("systemd-analyze")
analyzed = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze: apt install systemd")

LIMIT = 2.0
"""The exposure that `systemd-analyze security` may find, of 10."""


class Machine:
    """A root, a home, and programs that stand for those of systemd and note what they are asked."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home, self.asked = folder / "root", folder / "home", folder / "asked"
        self._bin = folder / "bin"
        for made in (self.root, self.home, self._bin):
            made.mkdir()

    def have(self, name: str, script: str = "") -> None:
        """Put a program there."""
        path = self._bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.asked}\n{script}\n')
        path.chmod(0o755)

    def run(self, *words: str, said: str = "") -> "subprocess.CompletedProcess[str]":
        """Run `rigd` as it is installed here."""
        told = {"HOME": str(self.home), "PATH": f"{self._bin}:{os.environ['PATH']}"}
        unwanted = ("XDG_", "SUDO_", "RIGD_")
        rest = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        command = [str(Path(sys.executable).parent / "rigd"), *words]
        return subprocess.run(
            command, env=rest | told, input=said, capture_output=True, text=True, timeout=240, check=False
        )

    def done(self, *words: str) -> str:
        """Run it; it has to succeed."""
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def calls(self) -> list[str]:
        """What the programs were asked."""
        return self.asked.read_text().splitlines() if self.asked.exists() else []

    def state(self) -> dict[str, str]:
        """Everything below root and home, with its mode and what is in it."""
        return {
            str(path): f"{path.stat().st_mode:o} {_digest(path) if path.is_file() else ''}"
            for top in (self.root, self.home)
            for path in top.rglob("*")
        }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def booted(machine: Machine) -> Machine:
    """A machine whose systemd answers."""
    for name in ("systemctl", "systemd-sysusers", "systemd-tmpfiles", "groupdel"):
        machine.have(name)
    machine.have("loginctl", "echo no")
    return machine


USER = ("--user",)


def in_root(machine: Machine) -> tuple[str, ...]:
    return ("--root", str(machine.root))


def system(machine: Machine) -> tuple[str, ...]:
    return ("--system", "--player", "anna", *in_root(machine))


class TestFiles:
    def test_the_system_gets_units_group_folder_and_example(self, machine: Machine) -> None:
        said = machine.done("install", *system(machine))
        etc = machine.root / "etc"
        for name in (*DAEMONS, TARGET, *SYNC, GATEWAY):
            assert (etc / "systemd/system" / name).is_file()
            assert f"wrote      /etc/systemd/system/{name}" in said.splitlines()
        for name in DAEMONS:
            assert "\nUser=anna\nGroup=rigd\n" in (etc / "systemd/system" / name).read_text()
        assert "g rigd -\nm anna rigd\n" in (etc / "sysusers.d/rigd.conf").read_text()
        assert "d /run/rigd 0750 anna rigd -\n" in (etc / "tmpfiles.d/rigd.conf").read_text()
        assert mode(etc / "rigd/rigd.toml") == 0o644

    def test_a_user_gets_units_and_folders_of_its_own(self, machine: Machine) -> None:
        machine.done("install", *USER, *in_root(machine))
        home = machine.root / machine.home.relative_to("/")
        assert {path.name for path in (home / ".config/systemd/user").iterdir()} == {
            *DAEMONS,
            TARGET,
            *SYNC,
            GATEWAY,
        }
        assert mode(home / ".config/rigd") == mode(home / ".local/share/rigd") == 0o700
        assert mode(home / ".config/rigd/rigd.toml") == 0o600

    def test_units_name_the_program_that_wrote_them(self, machine: Machine) -> None:
        machine.done("install", *system(machine))
        for name, word in (("rigd-record", "record"), ("rigd-archive", "archive"), ("rigd-serve", "serve")):
            unit = (machine.root / f"etc/systemd/system/{name}.service").read_text()
            (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
            program, *words = command.split()
            assert words == [word]
            done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
            assert done.stdout.startswith("rigd, version")

    @pytest.mark.parametrize("name", ["a\nExecStartPre=x", "a\rb", "a\x1b[2Jb", os.fsdecode(b"a\xff")])
    def test_a_name_makes_no_line_of_a_unit(self, name: str) -> None:
        place = InstallFolders(system=False, player="anna")
        with pytest.raises(BadRequest, match="systemd cannot be told") as caught:
            templates.files(place, Path("/srv") / name, "")
        assert str(caught.value).isprintable()

    def test_nothing_of_a_template_is_left(self, machine: Machine) -> None:
        for words in (system(machine), (*USER, *in_root(machine))):
            machine.done("install", *words)
        written = [path for path in machine.root.rglob("*") if path.is_file()]
        assert [path for path in written if re.search("@[A-Z]+@", path.read_text())] == []

    def test_a_second_time_changes_nothing(self, machine: Machine) -> None:
        machine.done("install", *system(machine))
        before = machine.state()
        said = machine.done("install", *system(machine))
        assert machine.state() == before
        assert "wrote" not in said
        assert said.count("unchanged") == 10

    def test_a_dry_run_says_what_it_would_do_and_does_nothing(self, booted: Machine) -> None:
        for words in (system(booted), USER):
            before = booted.state()
            dry = booted.done("install", "--dry-run", *words)
            assert booted.state() == before
            assert "enable" not in " ".join(booted.calls())
            assert re.match(r"(made|wrote|ran) ", dry, re.MULTILINE) is None
            done = booted.done("install", *words)
            for would, was in (("make ", "made "), ("write", "wrote"), ("run ", "ran ")):
                dry = re.sub(f"^{would}", was, dry, flags=re.MULTILINE)
            assert dry == done

    def test_who_plays_is_remembered(self, machine: Machine) -> None:
        machine.done("install", *system(machine))
        before = machine.state()
        machine.done("install", "--system", *in_root(machine))
        assert machine.state() == before
        machine.done("uninstall", "--system", *in_root(machine))
        assert machine.run("install", "--system", *in_root(machine)).returncode == 2

    def test_what_somebody_has_changed_stays(self, machine: Machine) -> None:
        machine.done("install", *system(machine))
        unit, example = (
            machine.root / "etc/systemd/system/rigd-serve.service",
            machine.root / "etc/rigd/rigd.toml",
        )
        for path in (unit, example):
            path.write_text(path.read_text() + "# mine\n")
        for command in ("install", "uninstall"):
            said = machine.done(command, *system(machine))
            assert "kept       /etc/systemd/system/rigd-serve.service: it is not as it was installed" in said
            assert "kept       /etc/rigd/rigd.toml: it is not as it was installed" in said
        left = {path for path in machine.root.rglob("*") if path.is_file()}
        assert left == {unit, example}

    def test_a_configuration_that_is_there_stays_and_units_by_hand_come_back(self, machine: Machine) -> None:
        etc = machine.root / "etc"
        unit, config = etc / "systemd/system/rigd-serve.service", etc / "rigd/rigd.toml"
        for path in (unit, config):
            path.parent.mkdir(parents=True)
            path.write_text("# by hand\n")
        before = machine.state()
        machine.done("install", *system(machine))
        assert config.read_text() == "# by hand\n"
        assert "ExecStart" in unit.read_text()
        assert "put back   /etc/systemd/system/rigd-serve.service" in machine.done(
            "uninstall", *system(machine)
        )
        assert machine.state() == before

    def test_a_unit_of_an_earlier_version_is_replaced(self, machine: Machine) -> None:
        machine.done("install", *system(machine))
        unit, record = (
            machine.root / "etc/systemd/system/rigd.target",
            machine.root / "etc/rigd/installed.json",
        )
        unit.write_text("[Unit]\n")
        told = json.loads(record.read_text())
        told["files"]["/etc/systemd/system/rigd.target"]["sha256"] = _digest(unit)
        told["files"]["/etc/systemd/system/gone.service"] = {"sha256": _digest(unit), "before": ""}
        shutil.copy(unit, unit.with_name("gone.service"))
        record.write_text(json.dumps(told))
        said = machine.done("install", *system(machine))
        assert "updated    /etc/systemd/system/rigd.target" in said
        assert "removed    /etc/systemd/system/gone.service" in said
        assert "WantedBy" in unit.read_text()

    def test_data_that_units_of_0_1_had_elsewhere_are_found(self, machine: Machine) -> None:
        earlier = machine.root / machine.home.relative_to("/") / ".local/state/rigd/ring"
        earlier.mkdir(parents=True)
        machine.done("install", *USER, *in_root(machine))
        (unit,) = machine.root.rglob("rigd-record.service")
        assert f"\nEnvironment=RIGD_DATA={machine.home}/.local/state/rigd\n" in unit.read_text()


class TestTakingBack:
    @pytest.mark.parametrize("whose", ["user", "system"])
    def test_everything_is_as_before(self, machine: Machine, whose: str) -> None:
        words = system(machine) if whose == "system" else (*USER, *in_root(machine))
        before = machine.state()
        machine.done("install", *words)
        machine.done("uninstall", *words, "--data", "--yes")
        assert machine.state() == before

    def test_what_was_recorded_stays_unless_it_is_asked_for(self, machine: Machine) -> None:
        words = (*USER, *in_root(machine))
        machine.done("install", *words)
        lap = machine.root / machine.home.relative_to("/") / ".local/share/rigd/laps/one.lap"
        lap.parent.mkdir()
        lap.write_bytes(b"a lap")
        assert "kept" in machine.done("uninstall", *words)
        assert lap.exists()
        machine.done("install", *words)
        refused = machine.run("uninstall", *words, "--data", said="n\n")
        assert refused.returncode == 1
        assert lap.exists()
        agreed = machine.run("uninstall", *words, "--data", said="y\n")
        assert agreed.returncode == 0, agreed.stderr
        assert not lap.exists()

    def test_nothing_installed_is_said(self, machine: Machine) -> None:
        done = machine.run("uninstall", *system(machine))
        assert (done.returncode, "nothing is installed" in done.stderr) == (5, True)

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"format": 9, "version": "9.9"}', '{"format": 1, "files": {"../etc": 0}}']
    )
    def test_a_damaged_record_removes_nothing(self, machine: Machine, text: str) -> None:
        machine.done("install", *system(machine))
        (machine.root / "etc/rigd/installed.json").write_text(text)
        before = machine.state()
        done = machine.run("uninstall", *system(machine), "--data", "--yes")
        assert done.returncode in (6, 8)
        assert "installed.json" in done.stderr
        assert "Traceback" not in done.stderr
        assert machine.state() == before


class TestStarting:
    def test_systemd_is_told_and_the_user_lingers(self, booted: Machine) -> None:
        booted.done("install", *USER)
        calls = booted.calls()
        assert "systemctl --user daemon-reload" in calls
        assert f"systemctl --user enable --now --no-block {TARGET} {' '.join(DAEMONS)}" in calls
        assert any(call.startswith("loginctl enable-linger ") for call in calls)
        booted.done("uninstall", *USER)
        assert any(call.startswith("systemctl --user disable --now ") for call in booted.calls())
        assert any(call.startswith("loginctl disable-linger ") for call in booted.calls())

    def test_lingering_that_was_on_stays_on(self, booted: Machine) -> None:
        booted.have("loginctl", "echo yes")
        booted.done("install", *USER)
        booted.done("uninstall", *USER)
        assert not [call for call in booted.calls() if "able-linger" in call]

    def test_lingering_that_is_refused_is_said(self, booted: Machine) -> None:
        booted.have("loginctl", '[ "$1" = show-user ] && echo no || { echo "Access denied" >&2; exit 1; }')
        said = booted.done("install", *USER)
        assert "it failed: Access denied" in said
        assert "sudo loginctl enable-linger" in said

    def test_without_systemd_nothing_is_written(self, machine: Machine) -> None:
        machine.have("systemctl", 'echo "System has not been booted with systemd" >&2; exit 1')
        done = machine.run("install", *USER)
        assert done.returncode == 3
        assert "no systemd answers here: System has not been booted with systemd" in done.stderr
        assert "rigd run" in done.stderr
        assert machine.state() == {}

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
    def test_root_is_asked_who_plays(self, booted: Machine) -> None:
        for words, hint in (((), "root does not play"), (("--system",), "--player")):
            done = booted.run("install", *words)
            assert (done.returncode, hint in done.stderr) == (2, True)
        done = booted.run("install", "--system", "--player", "nobody-of-this-name")
        assert "there is no user" in done.stderr
        assert booted.state() == {}

    def test_the_system_is_root_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(Denied, match="root's"):
            chosen(True, "anna", Path("/"))
        assert not chosen(None, "", Path("/")).system


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root with both variants, for a player that this machine has."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.done("install", "--system", "--player", "games", *in_root(machine))
    machine.done("install", *USER, *in_root(machine))
    return machine.root


def verified(folder: Path) -> str:
    """What `systemd-analyze verify` finds in the units of a folder."""
    names = sorted(str(path) for path in folder.iterdir())
    words = [str(ANALYZE), "verify", "--man=no", *names]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@analyzed
class TestUnits:
    @pytest.mark.parametrize("whose", ["system", "user"])
    def test_systemd_has_nothing_to_say_against_them(self, units: Path, whose: str) -> None:
        (folder,) = units.rglob(f"systemd/{whose}")
        assert verified(folder) == ""

    def test_a_path_with_everything_in_it_is_quoted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = InstallFolders(system=False, player="anna", units=tmp_path / "units")
        for folder in (tmp_path / "my rig, 100% of $HOME; ü", tmp_path / 'my "rig"'):
            folder.mkdir()
            for name in ("rigd", "rig"):
                shutil.copy("/bin/true", folder / name)
        monkeypatch.setattr(sys, "argv", [str(folder / "rigd")])
        with pytest.raises(BadRequest, match="quotes"):
            templates.files(place, tmp_path / "my data", "")
        monkeypatch.setattr(sys, "argv", [str(tmp_path / "my rig, 100% of $HOME; ü/rigd")])
        for file in templates.files(place, tmp_path / "my data", ""):
            if file.path.parent == place.units:
                place.units.mkdir(exist_ok=True)
                file.path.write_text(file.text)
        assert verified(place.units) == ""

    @pytest.mark.parametrize("name", [*DAEMONS, SYNC[0], GATEWAY])
    def test_the_system_s_units_are_closed(self, units: Path, name: str) -> None:
        unit = units / "etc/systemd/system" / name
        words = [str(ANALYZE), "security", "--offline=true", "--no-pager", str(unit)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
        (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        assert float(level) <= LIMIT, done.stdout


class TestUpgradeCheck:
    def check(self, machine: Machine, data: Path) -> tuple[int, dict[str, dict[str, object]]]:
        done = machine.run("upgrade-check", "--data", str(data), "--json")
        assert "Traceback" not in done.stderr
        return done.returncode, {one["name"]: one for one in json.loads(done.stdout)}

    def test_without_a_data_directory_there_is_nothing_to_say(self, machine: Machine) -> None:
        done = machine.run("upgrade-check", "--data", str(machine.home / "nothing"), "--json")
        assert done.returncode == 5
        assert "there is no folder" in done.stderr
        assert "--data names the data directory of a rig" in done.stderr

    def test_nothing_kept_nothing_changes(self, machine: Machine) -> None:
        (machine.home / "nothing").mkdir()
        code, found = self.check(machine, machine.home / "nothing")
        assert code == 0
        assert {one["state"] for one in found.values()} == {"absent"}

    def test_every_format_is_named_with_its_versions(self, machine: Machine) -> None:
        data = machine.home / "rigd"
        lap = data / "laps/one/car001-0001.lap"
        lap.parent.mkdir(parents=True)
        lap.write_bytes(b"\x89rigLAP\x01" + bytes(12))
        assert self.check(machine, data)[1]["lap files"]["state"] == "same"
        lap.with_name("car001-0002.lap").write_bytes(b"\x89rigLAP\x09" + bytes(12))
        code, found = self.check(machine, data)
        assert code == 2
        assert (found["lap files"]["state"], found["lap files"]["found"]) == ("newer", ["1", "9"])
        lap.write_bytes(b"no lap")
        code, found = self.check(machine, data)
        assert (code, found["lap files"]["state"]) == (1, "unknown")

    @pytest.mark.parametrize(
        ("text", "state"),
        [('{"version": 1}', "same"), ('{"version": 2}', "newer"), ("[]", "unknown"), ("{", "unknown")],
    )
    def test_tokens(self, machine: Machine, text: str, state: str) -> None:
        (machine.home / "tokens.json").write_text(text)
        assert self.check(machine, machine.home)[1]["tokens"]["state"] == state

    def test_an_older_index_and_what_becomes_of_it(self, machine: Machine) -> None:
        data = machine.home / "rigd"
        data.mkdir()
        for version, state, code in ((3, "older", 1), (99, "newer", 2)):
            with sqlite3.connect(data / "index.sqlite") as db:
                db.execute("CREATE TABLE IF NOT EXISTS laps (name TEXT)")
                db.execute(f"PRAGMA user_version = {version}")
            db.close()
            answer, found = self.check(machine, data)
            assert (answer, found["index"]["state"]) == (code, state)
            assert found["index"]["sentence"]

    def test_a_ring_is_read_beside_its_writer(self, machine: Machine) -> None:
        with stage() as here:
            recorder = here.record()
            until(lambda: (here.data / "ring/data.mdb").exists())
            until(lambda: self.check(machine, here.data)[1]["ring"]["state"] == "same")
            assert recorder.poll() is None
