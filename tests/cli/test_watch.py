"""`rig watch`: counts every record, waits for a rig that is away, leaves the terminal as it was."""

import contextlib
import io
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from rig.errors import BadRequest, CursorExpired
from rigclient.cli.terminal.keyboard import keys
from rigclient.cli.watch import WatchSummary, feeds, watch
from rigclient.cli.watch import live as watch_module
from tests.cli import race
from tests.cli.conftest import Run
from tests.cli.rig_server import Server

ENTER, LEAVE, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
PATIENCE_S = 60.0


class Reader(Console):
    """Reads the lines of the view: does something at a word, and presses Ctrl-C at the last one."""

    def __init__(self, last: str, does: dict[str, Callable[[], None]] | None = None) -> None:
        super().__init__(file=io.StringIO(), width=200)
        self._last, self._does = last, does or {}

    def print(self, *objects: Any, **options: Any) -> None:
        (line,) = objects
        for word in [word for word in self._does if word in line.text]:
            self._does.pop(word)()
        if self._last in line.text:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "LINE_S", 0.02)
    monkeypatch.setattr(feeds, "RETRY_S", 0.02)
    monkeypatch.setattr(feeds, "STATUS_S", 0.02)


def watched(server: Server, last_seq: int) -> WatchSummary:
    return watch(server.address, PATIENCE_S, None, False, Reader(f"seq {last_seq} "))


def test_counts_every_record(server: Server) -> None:
    server.physics.messages = race.singles(*(race.physics(seq) for seq in (10, 11, 12, 15, 16, 20)))
    server.physics.gaps[15] = race.gap(13, 14)
    server.physics.gaps[20] = race.gap(17, 18)
    assert watched(server, 20) == WatchSummary(6, 4, 1, 10, 20, 0)


def test_several_ticks_in_a_message_count_each(server: Server) -> None:
    server.physics.messages = [[(seq, race.physics(seq)) for seq in range(1, 6)]]
    assert watched(server, 5) == WatchSummary(5, 0, 0, 1, 5, 0)


def test_goes_on_where_it_was_after_the_rig_was_away(server: Server) -> None:
    server.physics.messages = race.singles(*(race.physics(seq) for seq in range(1, 30)))
    server.physics.breaks = {9: [None], 20: [None]}
    assert watched(server, 29) == WatchSummary(29, 0, 0, 1, 29, 2)


def test_what_the_ring_let_go_of_meanwhile_is_declared(server: Server) -> None:
    server.physics.messages = race.singles(*(race.physics(seq) for seq in (1, 2, 3, 50, 51)))
    server.physics.breaks = {3: [CursorExpired("gone", seq=3, first_seq=50)]}
    server.physics.earliest = 50
    assert watched(server, 51) == WatchSummary(5, 46, 0, 1, 51, 1)


def test_asks_for_the_channels_it_shows_and_for_every_tick(server: Server) -> None:
    server.physics.messages = race.singles(race.physics(1))
    watched(server, 1)
    physics = next(request for request in server.requests if "gear" in request.channels)
    assert len(physics.channels) < 35
    assert physics.max_rate_hz == 0
    assert physics.delivery == 1


def test_a_rig_that_refuses_ends_it(server: Server) -> None:
    server.physics.refusal = BadRequest("no such channel")
    with pytest.raises(BadRequest):
        watched(server, 1)


def test_nothing_answers_and_then_a_rig_comes(nowhere: str) -> None:
    came: list[Server] = []

    def appear() -> None:
        server = Server(int(nowhere.rpartition(":")[2]))
        server.status.CopyFrom(race.status())
        server.physics.messages = race.singles(race.physics(1), race.physics(2))
        came.append(server)

    console = Reader("seq 2 ", {f"NO ANSWER: no rig answers at {nowhere}": appear})
    summary = watch(nowhere, PATIENCE_S, None, False, console)
    came[0].stop()
    assert summary == WatchSummary(2, 0, 0, 1, 2, 0)


def test_nothing_came_at_all(run: Run) -> None:
    result = run("watch", "--for", "0.2")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "nothing was received"


def test_one_line_a_second_without_a_terminal(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(race.physics(1), race.physics(2))
    server.scoring.messages = race.singles(race.scoring(1, (3, 7, 11)))
    *_, line, last = run("watch", "--for", "1").output.splitlines()
    for word in (
        "P1 É. Érable lap 6 1:35.000",
        "P2 A. Alder +1.500 4 180 km/h 7250 rpm",
        "seq 2",
        "missed 0",
    ):
        assert word in line
    assert last.startswith("2 frames received (seq 1 to 2), 0 declared missing, 0 lost without a word")


def test_a_car_that_is_not_there_is_said(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(race.physics(1), race.physics(2))
    server.scoring.messages = race.singles(race.scoring(1, (3, 7, 11)))
    *_, line, _ = run("watch", "--car", "999", "--for", "1").output.splitlines()
    assert "car 999 is not there, so" in line


def test_json_is_the_summary(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(race.physics(1), race.physics(2))
    found = json.loads(run("watch", "--for", "1", "--json").stdout)
    assert found == {
        "received": 2,
        "declared_missing": 0,
        "undeclared_missing": 0,
        "first_seq": 1,
        "last_seq": 2,
        "reconnects": 0,
    }


def test_arrow_keys_are_letters() -> None:
    assert keys("\x1b[A\x1b[Bq") == ["k", "j", "q"]
    assert keys("\x1bOA") == ["k"]
    assert keys("\x1b[15~") == []


class Terminal:
    """`rig watch` on a terminal of its own."""

    def __init__(self, server: Server, *arguments: str) -> None:
        self._ours, self._its = os.openpty()
        termios.tcsetwinsize(self._its, (30, 100))
        self.mode = termios.tcgetattr(self._its)
        self.written = b""
        command = [sys.executable, "-m", "rigclient", "--rig", server.address, "watch", *arguments]
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
        self.process = subprocess.Popen(
            command, stdin=self._its, stdout=self._its, stderr=self._its, env=environment
        )

    def see(self, text: bytes) -> None:
        """Read until `text` was written."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.written and time.monotonic() < until:
            self._read()
        assert text in self.written, self.written[-2000:]

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def end(self) -> int:
        """The exit code, once it has ended and all is read."""
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < until:
            self._read()
        self._read()
        return self.process.wait(PATIENCE_S)

    def left_as_it_was(self) -> bool:
        """Screen, cursor and mode of the terminal."""
        after = self.written.rpartition(ENTER)[2]
        return LEAVE in after and SHOW_CURSOR in after and termios.tcgetattr(self._its) == self.mode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._its)

    def _read(self) -> None:
        ready, _, _ = select.select([self._ours], [], [], 0.05)
        with contextlib.suppress(OSError):
            self.written += os.read(self._ours, 1 << 16) if ready else b""


@pytest.fixture
def terminal(server: Server) -> Iterator[Terminal]:
    server.physics.messages = race.singles(*(race.physics(seq) for seq in range(1, 50)))
    server.scoring.messages = race.singles(race.scoring(1))
    opened = Terminal(server)
    yield opened
    opened.close()


def test_keys_choose_and_quit(terminal: Terminal) -> None:
    terminal.see(b"Amber Racing #7")
    terminal.press(b"j")
    terminal.see(b"Amber Racing #3")
    terminal.press(b"t")
    terminal.see(b"throttle")
    terminal.see(b"49       ")  # all have come
    terminal.press(b"q")
    assert terminal.end() == 0
    assert terminal.left_as_it_was()
    assert b"49 frames received (seq 1 to 49), 0 declared" in terminal.written


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_every_way_out_restores_the_terminal(terminal: Terminal, number: signal.Signals, code: int) -> None:
    terminal.see(b"Amber Racing #7")
    terminal.process.send_signal(number)
    assert terminal.end() == code
    assert terminal.left_as_it_was()
    assert b"Traceback" not in terminal.written


def test_a_refusal_restores_the_terminal_and_is_a_sentence(server: Server) -> None:
    server.physics.refusal = BadRequest("no such channel")
    opened = Terminal(server)
    assert opened.end() == 2
    assert b"error: no such channel" in opened.written.rpartition(LEAVE)[2]
    assert opened.left_as_it_was()
    opened.close()
