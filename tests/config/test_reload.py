"""SIGHUP to the real daemons: what changes, what stays, and what is said of it."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.stage import until


@dataclass
class Daemon:
    """A daemon with a file of its own and its log."""

    folder: Path
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "rigd.toml"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start it without a terminal, as systemd does, and wait until it works."""
        command = [sys.executable, "-m", "rigd", *words, "--config", str(self.file)]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--data", str(self.folder / "data")],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "XDG_RUNTIME_DIR": str(self.folder)},
            )
        self.running.append(process)
        until(lambda: "started daemon=" in self.log)
        return process

    def reread(self, text: str) -> str:
        """Change the file and say so; returns what the daemon says to that."""
        before = self.log
        self.file.write_text(text)
        self.running[-1].send_signal(signal.SIGHUP)
        until(lambda: "configuration_re" in self.log[len(before) :] and self.log.endswith("\n"))
        return self.log[len(before) :]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    made.file.write_text("")
    yield made
    for process in made.running:
        process.terminate()
        process.wait(60)


WORDS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "record": lambda folder: ("record", "--buffers", str(folder), "--ring-size", "16M"),
    "archive": lambda _: ("archive",),
    "serve": lambda _: ("serve",),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_daemon_says_what_holds_now_and_what_after_a_restart(daemon: Daemon, name: str) -> None:
    process = daemon.start(*WORDS[name](daemon.folder))
    text = (
        'log_level = "debug"\ndata = "/elsewhere"\n[record]\ncars = "player"\n[users.elm]\ndrivers = ["A"]\n'
    )
    said = daemon.reread(text)
    words = "changed=log_level restart=nothing"  # --data stands on the command line
    if name == "record":
        words = "changed=log_level,users restart=record.cars"
    if name == "serve":
        words = "changed=log_level,users restart=nothing"
    assert f"configuration_read daemon={name} {words}" in said
    said = daemon.reread('log_level = "loud"\nkeep = 1\n')
    assert f'configuration_refused daemon={name} what="the configuration has 2 mistakes:' in said
    assert "rigd.toml:1: log_level" in said
    said = daemon.reread('log_level = "warning"\n')
    assert "changed=log_level" in said, "whatever the level is"
    assert "changed=nothing" in daemon.reread('log_level = "warning"\n# the same\n')
    assert process.poll() is None


def test_the_archiver_keeps_what_the_new_limits_say(daemon: Daemon) -> None:
    daemon.start("archive", "--keep-days", "3")
    said = daemon.reread('[archive]\nkeep = "1G"\nkeep_days = 5\n')
    assert "changed=archive.keep restart=nothing" in said


def test_a_file_that_comes_later_is_found(daemon: Daemon) -> None:
    """Where nobody named one."""
    command = [sys.executable, "-m", "rigd", "archive", "--data", str(daemon.folder / "data")]
    with (daemon.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "XDG_CONFIG_HOME": str(daemon.folder)},
        )
    daemon.running.append(process)
    until(lambda: "started daemon=" in daemon.log)
    (daemon.folder / "rigd").mkdir()
    (daemon.folder / "rigd/rigd.toml").write_text("archive.keep_days = 9\n")
    process.send_signal(signal.SIGHUP)
    until(lambda: "changed=archive.keep_days" in daemon.log)


def test_with_a_terminal_a_daemon_ends_when_that_is_closed(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if not pid:
        command = [sys.executable, "-m", "rigd", "archive", "--data", str(tmp_path), "--config", ""]
        os.execv(command[0], command)
    said = b""
    while b"started daemon=" not in said:
        said += os.read(terminal, 1 << 16)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 1)  # it may not be able to say how many laps
