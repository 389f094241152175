"""`rigd run`: everything on one machine, started, counted and stopped; alone, and leaving nobody behind."""

import os
import pty
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.channels import PHYSICS
from rig.columns import Layout
from rigd import ring as rings
from rigd.durable import make_private
from rigd.ring import RingReader
from tests.house.demo_run import DemoRun, demo_run
from tests.stage import events, free_port, until


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def flat(text: str) -> str:
    return " ".join(text.split())


def counted(done: subprocess.CompletedProcess[str]) -> list[int]:
    """Ticks captured, committed, streamed, and missing without a word."""
    said = re.search(
        r"captured (\d+) ticks, committed (\d+), streamed (\d+), missed \d+ declared and (\d+) undeclared",
        flat(done.stdout),
    )
    assert said, done.stdout + done.stderr
    return [int(count) for count in said.groups()]


def test_a_demo_ends_by_itself_and_counts_what_it_did(demo: DemoRun) -> None:
    for seconds in ("3", "12", "48"):  # a busy machine starts the game after the first of them
        done = demo.run("--address", f"127.0.0.1:{free_port()}", "--for", seconds, "--profile", "real")
        captured, committed, streamed, undeclared = counted(done)
        if streamed:
            break
    assert captured == committed
    assert streamed > 0
    assert (undeclared, done.returncode) == (0, 0)
    ring = RingReader(demo.data / "ring")
    data = ring.get(rings.PHYSICS, ring.heads()[rings.PHYSICS])
    ring.close()
    assert data is not None
    columns = Layout(PHYSICS, data, 0, len(data)).view(data, 0)
    assert not columns["engine_water_temp"].any(), "as real recordings have it"
    assert columns["brake_temp"].all()


def test_a_demo_tells_nobody_to_start_the_game_and_cleans_up(demo: DemoRun) -> None:
    demo.buffers.joinpath("$rFactor2SMMP_Telemetry$").write_bytes(b"left by a run that was killed")
    done = demo.run("--for", "3")
    assert "Start the game" not in flat(done.stdout)
    assert not re.search("ABSENT|STALE|GONE|DOWN", done.stdout)
    assert list(demo.buffers.iterdir()) == []


def test_a_daemon_that_cannot_work_ends_it_with_its_own_words(demo: DemoRun) -> None:
    done = demo.run("--certificate-key", "key.pem", "--for", "3")
    assert done.returncode == 2
    assert "serve cannot work: rigd: --certificate-key without --certificate" in flat(done.stderr)


def test_a_file_reaches_the_daemons_and_a_file_of_the_real_rig_does_not(
    demo: DemoRun, tmp_path: Path
) -> None:
    own = tmp_path / "home/rigd/rigd.toml"
    own.parent.mkdir(parents=True)
    own.write_text("this is no configuration\n")
    demo.home = own.parent.parent
    process = demo.start()
    process.terminate()
    process.wait(60)
    file = tmp_path / "demo.toml"
    file.write_text('log_level = "warning"\n[archive]\nkeep = "1G"\n')
    demo.start("--config", str(file))
    archiver = demo.member("archive")
    words = Path("/proc", str(archiver), "cmdline").read_bytes().split(b"\0")
    assert os.fsencode(file) in words
    file.write_text('[archive]\nkeep = "2G"\n')
    os.kill(archiver, signal.SIGHUP)
    log = demo.data / "log/archive.log"
    until(lambda: "changed=log_level,archive.keep restart=nothing" in log.read_text())
    assert demo.member("archive") == archiver


def test_options_of_the_simulated_game_need_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rigd", "run", "--data", str(tmp_path), "--speed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 2
    assert "--speed is the simulated game's" in done.stderr


def test_folders_above_the_data_are_made_closed_too_and_left_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path / "rigd" / "demo")
    assert [mode(tmp_path / name) for name in ("", "rigd", "rigd/demo")] == [0o755, 0o700, 0o700]


class TestRunning:
    """One demo that nobody disturbs."""

    @pytest.fixture(scope="class")
    def running(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoRun, str]]:
        """It, and its second address."""
        address = f"127.0.0.1:{free_port()}"
        with demo_run(tmp_path_factory.mktemp("run") / "data") as demo:
            demo.data.mkdir(mode=0o755)
            race = ("--cars", "3", "--rate", "100", "--seed", "7", "--laps", "9", "--speed", "2")
            recording = ("--record-cars", "player", "--commit-every", "0.5")
            demo.start("--address", address, *race, *recording, "--keep", "1G", "--min-free", "16M")
            yield demo, address

    def test_options_of_the_daemons_reach_them(self, running: tuple[DemoRun, str]) -> None:
        demo, _ = running
        commands = {
            words[3]: b" ".join(words[4:]).decode()
            for words in (
                Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0") for pid in demo.members()
            )
        }
        game, recorder, archiver = (commands[name] for name in (b"demo-game", b"record", b"archive"))
        assert "--cars 3 --laps 9 --rate 100 --speed 2.0 --seed 7 --short" in game
        assert "--cars player --commit-every 0.5" in recorder
        assert f"--keep {1 << 30} --min-free {16 << 20}" in archiver

    def test_other_users_see_nothing(self, running: tuple[DemoRun, str]) -> None:
        demo, _ = running
        assert mode(demo.data) == 0o700
        assert {mode(path) for path in demo.data.glob("*.lock")} == {0o600}
        assert mode(demo.buffers) == 0o700
        sockets = demo.sockets / "rigd"
        assert mode(sockets) == 0o700
        assert mode(sockets / "demo.sock") == 0o600

    def test_a_second_one_names_who_has_data_buffers_socket_and_port(
        self, running: tuple[DemoRun, str], tmp_path: Path
    ) -> None:
        demo, address = running
        with demo_run(tmp_path / "second") as second:
            before = sorted(demo.members())
            said = self.refused(DemoRun(demo.data, second.buffers, second.sockets))
            assert re.search(r"the ring is recorded by process \d+", said)
            said = self.refused(DemoRun(second.data, demo.buffers, second.sockets))
            assert re.search(rf"process \d+ writes the buffers in {demo.buffers}", said)
            said = self.refused(DemoRun(second.data, second.buffers, demo.sockets))
            assert re.search(r"process \d+ listens on unix:\S+demo.sock", said)
            said = self.refused(second, "--address", address)
            assert re.search(rf"process \d+ listens on {address}", said)
            assert sorted(demo.members()) == before
            assert not list(second.data.glob("log/*"))

    def refused(self, second: DemoRun, *words: str) -> str:
        """What it says, having started nothing."""
        done = second.run("--for", "3", *words)
        assert done.returncode == 2
        assert "captured" not in done.stdout
        return flat(done.stderr)


def test_what_killed_processes_left_is_taken_over(demo: DemoRun) -> None:
    killed = demo.start()
    for pid in (killed.pid, *demo.members()):
        os.kill(pid, signal.SIGKILL)
    killed.wait()
    assert demo.played()
    assert (demo.sockets / "rigd/demo.sock").is_socket()
    done = demo.run("--for", "3")
    assert done.returncode == 0, done.stderr


class TestEnd:
    def gone(self, demo: DemoRun) -> bool:
        return not demo.members()

    def stopped_well(self, demo: DemoRun) -> bool:
        """Whether the recorder has committed what it had, and said that it stops."""
        return events(demo.data)[-1].HasField("recorder_stopped")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_a_signal_stops_everything(self, demo: DemoRun, number: int) -> None:
        process = demo.start()
        assert len(demo.members()) == 5
        process.send_signal(number)
        process.wait(60)
        until(lambda: self.gone(demo))
        assert self.stopped_well(demo)
        assert list(demo.buffers.iterdir()) == []

    def test_nobody_outlives_a_killed_supervisor(self, demo: DemoRun) -> None:
        """Nor does a daemon that it has started again, which it does from another thread."""
        process = demo.start()
        before = set(demo.members())
        os.kill(demo.member("serve"), signal.SIGKILL)
        until(lambda: len(set(demo.members()) - before) == 1)
        process.kill()
        process.wait(60)
        until(lambda: self.gone(demo))
        assert self.stopped_well(demo)
        assert list(demo.buffers.iterdir()) == []

    @pytest.mark.parametrize("words", [(), ("--watch",)])
    def test_a_closed_terminal_ends_everything(self, demo: DemoRun, words: tuple[str, ...]) -> None:
        pid, terminal = pty.fork()
        if not pid:
            command = demo.command(*words)
            os.execve(command[0], command, demo.environment)
        try:
            until(lambda: self.drained(terminal) and demo.played())
        finally:
            os.close(terminal)
        os.waitpid(pid, 0)
        until(lambda: self.gone(demo))
        assert self.stopped_well(demo)

    def drained(self, terminal: int) -> bool:
        """A terminal that nobody reads would stop who writes to it."""
        os.set_blocking(terminal, False)
        try:
            while os.read(terminal, 1 << 16):
                pass
        except BlockingIOError:
            pass
        return True

    def test_ctrl_c_works_where_it_was_ignored(self, demo: DemoRun) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process = demo.start("--watch")
        finally:
            signal.signal(signal.SIGINT, before)
        process.send_signal(signal.SIGINT)
        process.wait(60)
        until(lambda: self.gone(demo))

    def test_nohup_goes_on(self, demo: DemoRun) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = demo.start()
        finally:
            signal.signal(signal.SIGHUP, before)
        process.send_signal(signal.SIGHUP)
        ring = RingReader(demo.data / "ring")
        last = ring.spans()[rings.PHYSICS].last
        until(lambda: ring.spans()[rings.PHYSICS].last > last + 20)
        ring.close()
        assert process.poll() is None
