"""`rigd run`: everything on one machine, started, counted and stopped; alone, and leaving nobody behind."""

import os
import pty
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rig.channels import PHYSICS
from rig.columns import Layout
from rigd import ring as rings
from rigd.ring import RingReader
from tests.house.household import House
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


def test_a_demo_ends_by_itself_and_counts_what_it_did(house: House) -> None:
    for seconds in ("3", "12", "48"):  # a busy machine starts the game after the first of them
        done = house.run("--address", f"127.0.0.1:{free_port()}", "--for", seconds, "--profile", "real")
        captured, committed, streamed, undeclared = counted(done)
        if streamed:
            break
    assert captured == committed
    assert streamed > 0
    assert (undeclared, done.returncode) == (0, 0)
    ring = RingReader(house.data / "ring")
    data = ring.get(rings.PHYSICS, ring.heads()[rings.PHYSICS])
    ring.close()
    assert data is not None
    columns = Layout(PHYSICS, data, 0, len(data)).view(data, 0)
    assert not columns["engine_water_temp"].any(), "as real recordings have it"
    assert columns["brake_temp"].all()


def test_a_demo_tells_nobody_to_start_the_game_and_cleans_up(house: House) -> None:
    house.buffers.joinpath("$rFactor2SMMP_Telemetry$").write_bytes(b"left by a run that was killed")
    done = house.run("--for", "3")
    assert "Start the game" not in flat(done.stdout)
    assert not re.search("ABSENT|STALE|GONE|DOWN", done.stdout)
    assert list(house.buffers.iterdir()) == []


def test_a_daemon_that_cannot_work_ends_it_with_its_own_words(house: House) -> None:
    done = house.run("--certificate-key", "key.pem", "--for", "3")
    assert done.returncode == 2
    assert "serve cannot work: rigd: --certificate-key without --certificate" in flat(done.stderr)


def test_a_file_reaches_the_daemons_and_a_file_of_the_real_rig_does_not(house: House, tmp_path: Path) -> None:
    own = tmp_path / "home/rigd/rigd.toml"
    own.parent.mkdir(parents=True)
    own.write_text("this is no configuration\n")
    house.home = own.parent.parent
    process = house.start()
    process.terminate()
    process.wait(60)
    file = tmp_path / "demo.toml"
    file.write_text('log_level = "warning"\n[archive]\nkeep = "1G"\n')
    house.start("--config", str(file))
    archiver = house.member("archive")
    words = Path("/proc", str(archiver), "cmdline").read_bytes().split(b"\0")
    assert os.fsencode(file) in words
    file.write_text('[archive]\nkeep = "2G"\n')
    os.kill(archiver, signal.SIGHUP)
    log = house.data / "log/archive.log"
    until(lambda: "changed=log_level,archive.keep restart=nothing" in log.read_text())
    assert house.member("archive") == archiver


def test_options_of_the_daemons_reach_them(house: House) -> None:
    words = ("--cars", "3", "--rate", "100", "--seed", "7", "--laps", "9", "--speed", "2")
    house.start(
        *words, "--record-cars", "player", "--commit-every", "0.5", "--keep", "1G", "--min-free", "16M"
    )
    commands = {
        words[3]: b" ".join(words[4:]).decode()
        for words in (Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0") for pid in house.members())
    }
    game, recorder, archiver = (commands[name] for name in (b"demo-game", b"record", b"archive"))
    assert "--cars 3 --laps 9 --rate 100 --speed 2.0 --seed 7 --short" in game
    assert "--cars player --commit-every 0.5" in recorder
    assert f"--keep {1 << 30} --min-free {16 << 20}" in archiver


def test_options_of_the_simulated_game_need_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rigd", "run", "--data", str(tmp_path), "--speed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--speed is the simulated game's" in done.stderr


def test_other_users_see_nothing(house: House) -> None:
    house.data.mkdir(mode=0o755)
    house.start()
    assert mode(house.data) == 0o700
    assert {mode(path) for path in house.data.glob("*.lock")} == {0o600}
    assert mode(house.buffers) == 0o700
    sockets = house.sockets / "rigd"
    assert mode(sockets) == 0o700
    assert mode(sockets / "demo.sock") == 0o600


class TestSecond:
    @pytest.fixture
    def second(self, house: House, tmp_path: Path) -> House:
        """A run that shares nothing with `house`."""
        own = tmp_path / "second"
        (own / "sockets").mkdir(parents=True, mode=0o700)
        (own / "buffers").mkdir()
        return House(own / "data", own / "buffers", own / "sockets")

    def refused(self, second: House, *words: str) -> str:
        """What it says, having started nothing."""
        done = second.run("--for", "3", *words)
        assert done.returncode == 2
        assert "captured" not in done.stdout
        return flat(done.stderr)

    def test_it_names_who_has_data_buffers_socket_and_port(self, house: House, second: House) -> None:
        address = f"127.0.0.1:{free_port()}"
        house.start("--address", address)
        before = sorted(house.members())
        said = self.refused(House(house.data, second.buffers, second.sockets))
        assert re.search(r"the ring is recorded by process \d+", said)
        said = self.refused(House(second.data, house.buffers, second.sockets))
        assert re.search(rf"process \d+ writes the buffers in {house.buffers}", said)
        said = self.refused(House(second.data, second.buffers, house.sockets))
        assert re.search(r"process \d+ listens on unix:\S+demo.sock", said)
        said = self.refused(second, "--address", address)
        assert re.search(rf"process \d+ listens on {address}", said)
        assert sorted(house.members()) == before
        assert not list(second.data.glob("log/*"))

    def test_what_killed_processes_left_is_taken_over(self, house: House) -> None:
        killed = house.start()
        for pid in (killed.pid, *house.members()):
            os.kill(pid, signal.SIGKILL)
        killed.wait()
        assert house.played()
        assert (house.sockets / "rigd/demo.sock").is_socket()
        done = house.run("--for", "3")
        assert done.returncode == 0, done.stderr


class TestEnd:
    def gone(self, house: House) -> bool:
        return not house.members()

    def stopped_well(self, house: House) -> bool:
        """Whether the recorder has committed what it had, and said that it stops."""
        return events(house.data)[-1].HasField("recorder_stopped")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_a_signal_stops_everything(self, house: House, number: int) -> None:
        process = house.start()
        assert len(house.members()) == 5
        process.send_signal(number)
        process.wait(60)
        until(lambda: self.gone(house))
        assert self.stopped_well(house)
        assert list(house.buffers.iterdir()) == []

    def test_nobody_outlives_a_killed_supervisor(self, house: House) -> None:
        """Nor does a daemon that it has started again, which it does from another thread."""
        process = house.start()
        before = set(house.members())
        os.kill(house.member("serve"), signal.SIGKILL)
        until(lambda: len(set(house.members()) - before) == 1)
        process.kill()
        process.wait(60)
        until(lambda: self.gone(house))
        assert self.stopped_well(house)
        assert list(house.buffers.iterdir()) == []

    @pytest.mark.parametrize("words", [(), ("--watch",)])
    def test_a_closed_terminal_ends_everything(self, house: House, words: tuple[str, ...]) -> None:
        pid, terminal = pty.fork()
        if not pid:
            command = house.command(*words)
            os.execve(command[0], command, house.environment)
        try:
            until(lambda: self.drained(terminal) and house.played())
        finally:
            os.close(terminal)
        os.waitpid(pid, 0)
        until(lambda: self.gone(house))
        assert self.stopped_well(house)

    def drained(self, terminal: int) -> bool:
        """A terminal that nobody reads would stop who writes to it."""
        os.set_blocking(terminal, False)
        try:
            while os.read(terminal, 1 << 16):
                pass
        except BlockingIOError:
            pass
        return True

    def test_ctrl_c_works_where_it_was_ignored(self, house: House) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process = house.start("--watch")
        finally:
            signal.signal(signal.SIGINT, before)
        process.send_signal(signal.SIGINT)
        process.wait(60)
        until(lambda: self.gone(house))

    def test_nohup_goes_on(self, house: House) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = house.start()
        finally:
            signal.signal(signal.SIGHUP, before)
        process.send_signal(signal.SIGHUP)
        ring = RingReader(house.data / "ring")
        last = ring.spans()[rings.PHYSICS].last
        until(lambda: ring.spans()[rings.PHYSICS].last > last + 20)
        ring.close()
        assert process.poll() is None
