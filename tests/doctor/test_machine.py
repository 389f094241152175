"""The doctor on the machine: disk, clock, priorities, ports, permissions, programs; and all together."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import rigd
from rig.errors import Unavailable
from rig.v1 import rig_pb2
from rigd import ring as rings
from rigd.auth.certificate import LIFETIME_DAYS, Certificates
from rigd.check import Check, Level
from rigd.doctor import priorities
from rigd.doctor.catalog import check_catalog
from rigd.doctor.certificates import check_certificates
from rigd.doctor.clock import Clock, kernel_says
from rigd.doctor.examination import _guarded, worst
from rigd.doctor.livetail import check_live_tail
from rigd.doctor.permissions import check_permissions
from rigd.doctor.ports import check_ports
from rigd.doctor.processes import Process, of_data, running
from rigd.doctor.programs import check_programs, check_versions
from rigd.doctor.storage import check_storage, judged
from rigd.ring import Record, open_ring
from rigd.ring.tail import CAPACITY, TailWriter, tail_path
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.file import catalog_path
from tests.doctor.steamtree import DLL, Library
from tests.stage import free_port

DAY_S = 86_400.0


def only(checks: Iterator[Check], subject: str) -> Check:
    (found,) = (check for check in checks if check.subject == subject)
    return found


@contextlib.contextmanager
def sleeper() -> Iterator[int]:
    """A process that does nothing."""
    process = subprocess.Popen(["sleep", "60"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


class TestStorage:
    def test_a_disk_is_measured_and_nothing_is_left_on_it(self, tmp_path: Path) -> None:
        checks = {check.subject: check for check in check_storage(tmp_path / "not/yet")}
        assert set(checks) == {"disk", "room", "durable write"}
        assert isinstance(checks["durable write"].facts["median_ms"], float)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("median_s", "level"), [(0.001, Level.OK), (0.05, Level.WARNING), (1.5, Level.WRONG)]
    )
    def test_a_slow_disk_is_told(self, median_s: float, level: Level) -> None:
        assert judged(median_s, "", {}).level is level

    @pytest.mark.parametrize(
        ("kind", "level"),
        [("ext4", Level.OK), ("tmpfs", Level.WARNING), ("nfs4", Level.WRONG), ("cifs", Level.WRONG)],
    )
    def test_the_kind_of_a_disk_is_told(self, tmp_path: Path, kind: str, level: Level) -> None:
        mounts = tmp_path / "mounts"
        data = tmp_path / "my data"
        data.mkdir()
        place = str(data).replace(" ", "\\040")
        mounts.write_text(f"rootfs / ext3 rw 0 0\nbroken\nx {place} {kind} rw 0 0\ny {place}2 vfat rw 0 0\n")
        assert only(check_storage(data / "rigd", mounts), "disk").level is level

    @pytest.mark.parametrize(
        ("free", "level"), [(0, Level.WRONG), (2 << 30, Level.WARNING), (90 << 30, Level.OK)]
    )
    def test_room_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level
    ) -> None:
        usage = SimpleNamespace(total=100 << 30, free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
        assert only(check_storage(tmp_path), "room").level is level

    def test_a_disk_that_takes_nothing_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr("os.pwrite", refuse)
        check = only(check_storage(tmp_path), "durable write")
        assert (check.level, "Read-only" in check.what) == (Level.WRONG, True)


class TestLiveTail:
    @staticmethod
    def levels(memory: Path, mounts: Path | None = None) -> dict[str, Level]:
        found = check_live_tail(memory, memory / "data", mounts or Path("/proc/mounts"))
        return {check.subject: check.level for check in found}

    def test_memory_of_ours_with_room_is_well(self, buffers: Path) -> None:
        assert set(self.levels(buffers).values()) == {Level.OK}
        assert list(buffers.iterdir()) == []

    def test_no_folder_is_told(self, tmp_path: Path) -> None:
        assert self.levels(tmp_path / "none") == {"live tail": Level.WRONG}

    def test_a_disk_is_told(self, tmp_path: Path) -> None:
        mounts = tmp_path / "mounts"
        mounts.write_text("x / ext4 rw 0 0\n")
        assert self.levels(tmp_path, mounts)["tail memory"] is Level.WARNING

    @pytest.mark.parametrize("mode", [0o755, 0o770])
    def test_a_folder_that_others_can_enter_is_told(self, buffers: Path, mode: int) -> None:
        own = tail_path(buffers, buffers / "data").parent
        own.mkdir()
        own.chmod(mode)
        assert self.levels(buffers)["live tail"] is Level.WRONG

    def test_a_full_memory_is_told_unless_the_tail_is_what_fills_it(
        self, buffers: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = SimpleNamespace(f_blocks=1, f_bavail=10, f_frsize=1 << 20)
        with contextlib.closing(TailWriter.begin(tail_path(buffers, buffers), b"8 bytes.", buffers)) as tail:
            tail.path.write_bytes(bytes(CAPACITY - (10 << 20)))
            monkeypatch.setattr("os.statvfs", lambda _: full)
            assert only(check_live_tail(buffers, buffers), "tail room").level is Level.OK
            tail.path.write_bytes(b"")
            assert only(check_live_tail(buffers, buffers), "tail room").level is Level.WRONG


class TestClock:
    def test_a_clock_that_is_kept_right_is_well(self, tmp_path: Path) -> None:
        (check,) = Clock(synchronised=lambda: True).checks(tmp_path)
        assert check.level is Level.OK

    def test_one_that_nobody_keeps_is_told(self, tmp_path: Path) -> None:
        (check,) = Clock(synchronised=lambda: False).checks(tmp_path)
        assert (check.level, check.way_out) == (Level.WARNING, "timedatectl set-ntp true")

    def test_the_kernel_can_be_asked(self) -> None:
        assert kernel_says() in (True, False, None)

    def test_an_empty_battery_is_told(self, tmp_path: Path) -> None:
        check = next(Clock(wall=lambda: 0.0, synchronised=lambda: True).checks(tmp_path))
        assert (check.level, "1970" in check.what) == (Level.WRONG, True)

    def test_a_jump_is_told(self, tmp_path: Path) -> None:
        now = time.time()
        walls = iter((now, now + 3600, now + 3600))
        clock = Clock(lambda: next(walls), lambda: 0.0, lambda: True)
        assert [check.level for check in clock.checks(tmp_path)] == [Level.OK, Level.WARNING]

    def test_records_of_the_future_are_told(self, tmp_path: Path) -> None:
        ring, _ = open_ring(tmp_path / "ring", 64 << 20)
        seq, stamp = (1).to_bytes(8, "little"), time.time_ns().to_bytes(8, "little")
        ring.append([Record(rings.EVENTS, rings.key(1), b"\x09" + seq + b"\x11" + stamp)], {})
        ring.close()
        steady = time.monotonic
        (check,) = Clock(synchronised=lambda: True).checks(tmp_path)
        assert check.level is Level.OK
        late = Clock(lambda: time.time() - DAY_S, steady, lambda: True)
        assert [check.level for check in late.checks(tmp_path)] == [Level.OK, Level.WRONG]

    def test_a_damaged_ring_is_no_clock(self, tmp_path: Path) -> None:
        (tmp_path / "ring").mkdir()
        (tmp_path / "ring/data.mdb").write_bytes(b"x" * 5000)
        assert len(list(Clock(synchronised=lambda: True).checks(tmp_path))) == 1


class TestPriorities:
    @pytest.mark.parametrize(
        ("root", "limit", "level"),
        [
            (True, 0, Level.OK),
            (False, 0, Level.WARNING),
            (False, 20, Level.WARNING),
            (False, 25, Level.OK),
            (False, -1, Level.OK),
        ],
    )
    def test_what_a_user_may_ask_for_is_told(self, root: bool, limit: int, level: Level) -> None:
        assert priorities.judged(root, limit, 0).level is level

    @pytest.mark.parametrize(("daemon", "level"), [("record", Level.WARNING), ("archive", Level.OK)])
    def test_a_recorder_behind_others_is_told(self, daemon: str, level: Level) -> None:
        with sleeper() as pid:
            os.setpriority(os.PRIO_PROCESS, pid, 19)
            _, check = priorities.check_priorities([Process(pid, daemon, "rigd", "")])
        assert (check.level, check.facts["nice"]) == (level, 19)

    def test_one_that_runs_when_nobody_else_does_is_told(self) -> None:
        with sleeper() as pid:
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
            _, check = priorities.check_priorities([Process(pid, "serve", "rigd", "")])
        assert check.level is Level.WRONG

    def test_one_that_has_ended_is_none(self) -> None:
        with sleeper() as pid:
            pass
        assert len(list(priorities.check_priorities([Process(pid, "serve", "rigd", "")]))) == 1


class TestProcesses:
    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (
                ["/usr/bin/python3", "-m", "rigd", "record", "--data", "/d"],
                ("record", "/usr/bin/python3", "/d"),
            ),
            (
                ["/venv/bin/python", "/home/x/bin/rigd", "serve", "--data=/e"],
                ("serve", "/home/x/bin/rigd", "/e"),
            ),
            (["rigd", "archive"], ("archive", "rigd", "")),
            (["rigd", "archive", "--data"], ("archive", "rigd", "")),
            (["rigd", "status"], None),
            (["rigd"], None),
            (["vi", "rigd"], None),
            (["grep", "rigd", "notes"], None),
            ([""], None),
        ],
    )
    def test_a_daemon_is_known_by_its_words(
        self, tmp_path: Path, words: list[str], found: tuple[str, str, str] | None
    ) -> None:
        for name in ("12", "13", "self"):
            (tmp_path / name).mkdir()
        (tmp_path / "12/cmdline").write_text("\0".join(words) + "\0")
        assert running(tmp_path) == ([Process(12, *found)] if found else [])

    def test_others_are_left_out(self, tmp_path: Path) -> None:
        daemons = [Process(1, "serve", "rigd", ""), Process(2, "serve", "rigd", "/x")]
        assert of_data([*daemons, Process(3, "serve", "rigd", str(tmp_path))], tmp_path) == [
            daemons[0],
            Process(3, "serve", "rigd", str(tmp_path)),
        ]


class TestPorts:
    @pytest.fixture(autouse=True)
    def _own_sockets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        (tmp_path / "rigd").mkdir()

    def test_what_is_free_is_well(self) -> None:
        checks = check_ports("rig", (f"127.0.0.1:{free_port()}", f"[::1]:{free_port()}"), [])
        assert {check.level for check in checks} == {Level.OK}

    def test_who_has_a_port_is_named_and_our_server_is_well(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            address = f"127.0.0.1:{held.getsockname()[1]}"
            foreign = only(check_ports("rig", [address], []), "port")
            own = only(check_ports("rig", [address], [Process(os.getpid(), "serve", "rigd", "")]), "port")
        assert (foreign.level, foreign.facts["pid"]) == (Level.WRONG, os.getpid())
        assert f"kill {os.getpid()}" in foreign.way_out
        assert own.level is Level.OK

    def test_who_has_a_socket_is_named_and_what_a_killed_one_left_is_nobody(self, tmp_path: Path) -> None:
        path = tmp_path / "rigd/rig.sock"
        with socket.socket(socket.AF_UNIX) as held:
            held.bind(str(path))
            held.listen()
            assert only(check_ports("rig", [], []), "socket").facts["pid"] == os.getpid()
        assert only(check_ports("rig", [], []), "socket").level is Level.OK
        assert path.is_socket()  # nothing is changed

    @pytest.mark.parametrize("address", ["nonsense", "host:port", "127.0.0.1:99999", "unix:"])
    def test_an_address_that_is_none_is_told(self, address: str) -> None:
        assert only(check_ports("rig", [address], []), "address").level is Level.WRONG

    def test_a_name_that_is_none_is_told(self) -> None:
        (check,) = check_ports("../x", [], [])
        assert check.level is Level.WRONG


class TestPermissions:
    def test_a_folder_of_ones_own_is_well(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        assert only(check_permissions(tmp_path), "data").level is Level.OK

    def test_one_that_is_not_there_will_be_made(self, tmp_path: Path) -> None:
        assert only(check_permissions(tmp_path / "a/b"), "data").level is Level.OK
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("mode", "level"), [(0o755, Level.WARNING), (0o500, Level.WRONG), (0o070, Level.WRONG)]
    )
    def test_a_mode_is_told_and_mended(self, tmp_path: Path, mode: int, level: Level) -> None:
        tmp_path.chmod(mode)
        check = only(check_permissions(tmp_path), "data")
        assert check.level is level
        assert check.fix is not None
        check.fix.make()
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700

    def test_a_file_in_its_place_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "data").touch()
        assert only(check_permissions(tmp_path / "data"), "data").level is Level.WRONG

    def test_another_users_is_told(self) -> None:
        if os.geteuid() == 0:
            os.seteuid(65_534)
        try:
            check = only(check_permissions(Path("/usr")), "data")
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
        assert (check.level, "belongs to root" in check.what) == (Level.WRONG, True)


class TestPrograms:
    def program(self, folder: Path, script: str) -> str:
        folder.mkdir(exist_ok=True)
        (folder / "rigd").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "rigd").chmod(0o755)
        return str(folder)

    def test_one_of_this_version_is_well(self, tmp_path: Path) -> None:
        folder = self.program(tmp_path / "a", f"echo rigd, version {rigd.__version__}")
        (tmp_path / "link").symlink_to(folder)
        (check,) = check_programs(f"{folder}:/nowhere:{tmp_path}/link:{folder}")
        assert check.level is Level.OK

    @pytest.mark.parametrize(
        ("script", "told"),
        [
            ("echo rigd, version 0.0.9", "0.0.9"),
            ("exit 3", "does not say"),
            ("echo $'\\033[31m'", "this is"),
            ("exec /nowhere/python", "does not say"),
        ],
    )
    def test_others_are_named(self, tmp_path: Path, script: str, told: str) -> None:
        own = self.program(tmp_path / "a", f"echo rigd, version {rigd.__version__}")
        (check,) = check_programs(f"{own}:{self.program(tmp_path / 'b', script)}")
        assert (check.level, told in check.what) == (Level.WARNING, True)
        assert "which -a rigd" in check.way_out

    def test_none_is_told(self) -> None:
        (check,) = check_programs("/nowhere")
        assert check.level is Level.WARNING
        assert "ln -s" in check.way_out

    def test_daemons_of_another_version_are_told(self) -> None:
        def ask(address: str) -> rig_pb2.GetStatusResponse:
            if address == "unix:/gone":
                raise Unavailable("nobody")
            recorder = rig_pb2.RecorderStatus(version="0.0.9" if address == "unix:/old" else rigd.__version__)
            return rig_pb2.GetStatusResponse(version=rigd.__version__, recorder=recorder)

        old, new = check_versions(["unix:/gone", "unix:/old", "unix:/new"], ask)
        assert (old.level, "record is 0.0.9" in old.what) == (Level.WARNING, True)
        assert new.level is Level.OK


class TestCertificates:
    def at(self, data: Path, days: float = 0.0) -> Check:
        return only(check_certificates(data, lambda: time.time_ns() + int(days * DAY_S * 1e9)), "certificate")

    def test_none_is_well_and_none_is_made(self, tmp_path: Path) -> None:
        assert self.at(tmp_path).level is Level.OK
        assert list(tmp_path.iterdir()) == []

    def test_one_is_known_by_its_fingerprint_and_its_days(self, tmp_path: Path) -> None:
        made = Certificates(tmp_path)
        found = self.at(tmp_path)
        assert (found.level, found.facts["fingerprint"]) == (Level.OK, made.current.fingerprint)
        made.prepare()
        assert len(list(check_certificates(tmp_path))) == 2

    @pytest.mark.parametrize(
        ("days", "level", "told"),
        [
            (LIFETIME_DAYS - 60, Level.WARNING, "rigd certificate prepare"),
            (LIFETIME_DAYS + 1, Level.WRONG, "set the clock"),
            (-3, Level.WRONG, "set the clock"),
        ],
    )
    def test_the_wrong_time_is_told(self, tmp_path: Path, days: float, level: Level, told: str) -> None:
        Certificates(tmp_path)
        check = self.at(tmp_path, days)
        assert (check.level, told in check.way_out) == (level, True)

    def test_one_that_others_can_read_is_told_and_closed(self, tmp_path: Path) -> None:
        Certificates(tmp_path)
        (tmp_path / "tls/certificate.pem").chmod(0o644)
        check = self.at(tmp_path)
        assert check.level is Level.WRONG
        assert check.fix is not None
        check.fix.make()
        assert self.at(tmp_path).level is Level.OK

    @pytest.mark.parametrize("data", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff" * 100])
    def test_a_damaged_one_is_told(self, tmp_path: Path, data: bytes) -> None:
        Certificates(tmp_path)
        (tmp_path / "tls/certificate.pem").write_bytes(data)
        assert self.at(tmp_path).level is Level.WRONG

    def test_a_key_that_does_not_fit_is_told(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            Certificates(tmp_path / name)
        pem = [(tmp_path / name / "tls/certificate.pem").read_text() for name in ("a", "b")]
        key, other = pem[0].split("-----BEGIN CERT")[0], pem[1].split("-----BEGIN CERT")[1]
        (tmp_path / "a/tls/certificate.pem").write_text(f"{key}-----BEGIN CERT{other}")
        check = self.at(tmp_path / "a")
        assert (check.level, "does not fit" in check.what) == (Level.WRONG, True)


class TestTogether:
    def test_what_fails_keeps_nothing_else_from_being_looked_at(self) -> None:
        def look() -> Iterator[Check]:
            raise PermissionError(13, "Permission denied", "/x")
            yield

        (check,) = _guarded("disk", look)
        assert (check.level, check.subject) == (Level.WARNING, "disk")

    def test_the_worst_decides(self) -> None:
        def checks(*levels: Level) -> list[Check]:
            return [Check("", level, "") for level in levels]

        assert worst([]) is Level.OK
        assert worst(checks(Level.OK, Level.WARNING)).exit_code == 1
        assert worst(checks(Level.WRONG, Level.WARNING, Level.OK)).exit_code == 2


class TestCommand:
    @pytest.fixture
    def library(self, tmp_path: Path) -> Library:
        return Library(tmp_path / "home/.local/share/Steam").list().whole()

    def run(self, tmp_path: Path, *words: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path)}
        folders = ("--data", str(tmp_path / "data"), "--buffers", str(tmp_path))
        command = [sys.executable, "-m", "rigd", "doctor", *folders, *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=240, check=False, env=environment, input=answer
        )

    def test_it_says_a_line_for_each_thing_and_a_way_out(self, tmp_path: Path, library: Library) -> None:
        library.settings({" Enabled": 0})
        done = self.run(tmp_path)
        assert done.returncode == 2, done.stderr
        lines = done.stdout.splitlines()
        at = next(number for number, line in enumerate(lines) if "plugin settings" in line)
        assert lines[at].startswith("wrong ")
        assert lines[at + 1].lstrip().startswith(f'-> close the game; in the block "{DLL}" set " Enabled": 1')
        assert sum(line.startswith(("ok ", "warning ", "wrong ")) for line in lines) > 12

    def test_its_json_has_the_same(self, tmp_path: Path, library: Library) -> None:
        library.settings({" Enabled": 0})
        done = self.run(tmp_path, "--json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["level"], document["version"]) == (2, "wrong", rigd.__version__)
        settings = next(check for check in document["checks"] if check["subject"] == "plugin settings")
        assert set(settings) == {"subject", "level", "what", "way_out", "fix", "facts"}
        assert settings["fix"].startswith("set ")
        assert all(check["way_out"] for check in document["checks"] if check["level"] != "ok")

    @pytest.mark.parametrize(
        ("words", "answer", "mended"),
        [((), "y\n", True), ((), "n\n", False), (("--yes",), "", True), ((), "", False)],
    )
    def test_it_mends_what_one_wants(
        self, tmp_path: Path, library: Library, words: tuple[str, ...], answer: str, mended: bool
    ) -> None:
        path = library.settings({" Enabled": 0})
        done = self.run(tmp_path, "--fix", *words, answer=answer)
        assert (json.loads(path.read_text())[DLL][" Enabled"] == 1) is mended, done.stdout + done.stderr
        assert ("done " in done.stdout) is mended

    @pytest.mark.parametrize("words", [("--yes",), ("--fix", "--json")])
    def test_options_that_do_not_go_together_are_refused(
        self, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        (tmp_path / "home").mkdir()
        done = self.run(tmp_path, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--fix" in done.stderr

    def test_names_that_steer_a_terminal_do_not(self, tmp_path: Path, library: Library) -> None:
        path = library.folder / "steamapps/libraryfolders.vdf"
        path.write_text('"libraryfolders" { "0" { "path" "/\x1b[31mred" } }')
        assert "\x1b" not in self.run(tmp_path).stdout


class TestCatalog:
    """Its file is looked at, and never made."""

    def test_none_is_made(self, tmp_path: Path) -> None:
        assert only(check_catalog(tmp_path), "catalog").level is Level.OK
        assert list(tmp_path.iterdir()) == []

    def test_a_sound_one_a_newer_and_a_damaged_one(self, tmp_path: Path) -> None:
        path = catalog_path(tmp_path)
        catalog = Catalog(path)
        assert only(check_catalog(tmp_path), "catalog").facts == {"version": 1}
        catalog.db.execute("PRAGMA user_version = 99")
        catalog.close()
        found = only(check_catalog(tmp_path), "catalog")
        assert (found.level, found.way_out) == (Level.WRONG, "update rigd")
        path.write_bytes(b"no database" * 1000)
        found = only(check_catalog(tmp_path), "catalog")
        assert (found.level, "database" in found.what) == (Level.WRONG, True)
