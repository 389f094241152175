"""The log of the daemons: lines for people or for the journal, by names that stand in one place, and a reader
who hangs stops nobody.
"""

import ast
import contextlib
import fcntl
import logging
import os
import queue
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from rigd import log
from rigd.log import Log, LogEvent, line
from tests.stage import Stage, stage, until

ROOT = Path(__file__).resolve().parents[2]
EVENTS = {event.name: event for event in log.EVENTS}

SAYS = """
from pathlib import Path
from rigd.daemon import daemon

with daemon("serve", Path("/nowhere")) as watchdog:
    watchdog.ready()
    {}
"""


@pytest.fixture
def here() -> Iterator[Stage]:
    with stage() as made:
        yield made


def said() -> Iterator[tuple[str, str, list[str]]]:
    """Every place in the daemons that logs: where it is, the event's constant, the keys given."""
    for path in sorted(ROOT.glob("rigd/**/*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            match call:
                case ast.Call(func=ast.Attribute(ast.Name("log"), "say"), args=[ast.Attribute(attr=name)]):
                    keys = [word.arg for word in call.keywords if word.arg and word.arg != "trace"]
                    yield f"{path.relative_to(ROOT)}:{call.lineno}", name, keys


def say_to_journal(socket_path: Path, code: str, stream: str = "") -> str:
    """What a daemon whose standard error is the journal's, by systemd's word, still writes there."""
    reading, writing = os.pipe()
    found = os.fstat(writing)
    environment = {**os.environ, "JOURNAL_STREAM": stream or f"{found.st_dev}:{found.st_ino}"}
    where = f"from rigd import log; log._JOURNAL = {str(socket_path)!r}"
    command = [sys.executable, "-c", where + SAYS.format(code)]
    with os.fdopen(reading) as lines:
        subprocess.run(command, stderr=writing, env=environment, timeout=240, check=False)
        os.close(writing)
        return lines.read()


def journalled(folder: Path, code: str) -> list[dict[str, bytes]]:
    """What systemd's journal would keep of a daemon."""
    path = folder / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.setblocking(False)
        assert say_to_journal(path, code) == ""
        entries = []
        with contextlib.suppress(BlockingIOError):
            while True:
                entries.append(_entry(journal.recv(1 << 20)))
        return entries


def _entry(data: bytes) -> dict[str, bytes]:
    """Read the journal's protocol, by its description."""
    fields, at = {}, 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, equals, value = data[at:end].partition(b"=")
        at = end + 1
        if not equals:
            size = int.from_bytes(data[at : at + 8], "little")
            value, at = data[at + 8 : at + 8 + size], at + 8 + size + 1
        fields[name.decode()] = value
    return fields


class TestNames:
    def test_every_line_tells_the_keys_of_its_event(self) -> None:
        wrong = [where for where, name, keys in said() if tuple(keys) != getattr(log, name).keys]
        assert wrong == []
        assert len(list(said())) > 10

    def test_nobody_logs_past_the_names(self) -> None:
        loggers = [path for path in ROOT.glob("rigd/**/*.py") if "getLogger" in path.read_text()]
        assert [path.name for path in loggers] == ["log.py"]

    def test_the_page_lists_them_all(self) -> None:
        page = (ROOT / "docs/operations.md").read_text()
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
        listed = {name: (tuple(re.findall(r"`(\w+)`", keys)), meaning) for name, keys, meaning in rows}
        assert {name: listed.get(name) for name in EVENTS} == {
            event.name: (event.keys, event.meaning) for event in EVENTS.values()
        }


class TestLines:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("record", "a=record"),
            ("", 'a=""'),
            ("disk is full", 'a="disk is full"'),
            ('say "no"', 'a="say \\"no\\""'),
            ("x=1", 'a="x=1"'),
            ("one\ntwo", 'a="one\\ntwo"'),
            (12.345, "a=12.3"),
            ("Spa-Ö", "a=Spa-Ö"),
        ],
    )
    def test_a_value_stands_in_quotes_where_it_must(self, value: object, text: str) -> None:
        assert line(LogEvent("said", ("a",), ""), a=value) == f"said {text}"

    def test_on_a_pipe_every_line_has_its_priority_and_no_time(self) -> None:
        command = [sys.executable, "-c", SAYS.format("1 / 0")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        first, *others = done.stderr.splitlines()
        assert first.startswith("<6>started daemon=serve version=")
        assert "<2>died daemon=serve thread=main" in others
        assert "<2>ZeroDivisionError: division by zero" in others
        assert {other[:3] for other in others} == {"<2>"}

    def test_the_journal_gets_every_key_as_a_field(self, tmp_path: Path) -> None:
        fields = journalled(tmp_path, "log.say(log.TROUBLE, daemon='serve', what='disk\\nfull')\n    1 / 0")
        started, trouble, died = fields
        assert started["RIGD_EVENT"] == b"started"
        assert started["PRIORITY"] == b"6"
        assert (trouble["RIGD_DAEMON"], trouble["PRIORITY"]) == (b"serve", b"4")
        assert trouble["RIGD_WHAT"].decode() == "disk␊full"
        assert trouble["MESSAGE"] == b'trouble daemon=serve what="disk\\nfull"'
        assert died["MESSAGE"].startswith(b"died daemon=serve thread=main\nTraceback")
        assert died["MESSAGE"].endswith(b"\nZeroDivisionError: division by zero")
        assert {entry["SYSLOG_IDENTIFIER"] for entry in fields} == {b"rigd"}

    def test_lines_stay_where_no_journal_is(self, tmp_path: Path) -> None:
        done = say_to_journal(tmp_path / "nobody", "pass")
        assert done.startswith("<6>started daemon=serve")
        assert say_to_journal(tmp_path / "nobody", "pass", stream="1:2").startswith("<6>started")

    def test_in_a_file_every_line_has_its_time(self, tmp_path: Path) -> None:
        with (tmp_path / "log").open("wb") as file:
            subprocess.run([sys.executable, "-c", SAYS.format("pass")], stderr=file, timeout=240, check=True)
        time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
        first, last = (tmp_path / "log").read_text().splitlines()
        assert re.fullmatch(rf"{time} INFO rigd started daemon=serve version=\S+ data=/nowhere", first)
        assert re.fullmatch(rf"{time} INFO rigd stopped daemon=serve", last)

    def test_what_found_no_room_is_counted(self) -> None:
        taken = Log()
        lines = cast(queue.Queue[logging.LogRecord], taken.queue)
        record = logging.LogRecord("rigd", logging.INFO, "", 0, "said", None, None)
        for _ in range(lines.maxsize + 3):
            taken.enqueue(record)
        while not lines.empty():
            lines.get()
        taken.enqueue(record)
        assert [lines.get().getMessage() for _ in range(2)] == ["lines_lost count=3", "said"]


def _full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more: who writes to it waits."""
    reading, writing = os.pipe()
    size = fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)
    os.set_blocking(writing, False)
    os.write(writing, b"\n" * size)
    os.set_blocking(writing, True)
    return reading, writing


class TestDaemons:
    def test_they_tell_of_a_race(self, here: Stage, tmp_path: Path) -> None:
        lines = tmp_path / "log"
        with lines.open("wb") as file:
            here.record("--origin", "demo", stderr=file.fileno())
            here.start("rigd", "archive", "--data", str(here.data), stderr=file.fileno())
        race = ("--cars", "2", "--short", "--speed", "10")
        game = here.start("rigd", "demo-game", "--buffers", str(here.buffers), *race)
        until(lambda: "lap_archived lap=sessions/" in lines.read_text())
        here.stop(game)
        until(lambda: "session_ended session=1 track=" in lines.read_text())
        here.stop(*reversed(here.running))
        awaited = ["started daemon=record", "started daemon=archive", "session_started session=1 track="]
        awaited += ["source state=live why=", "stopped daemon=record", "stopped daemon=archive"]
        assert [words for words in awaited if words not in lines.read_text()] == []

    def test_a_recorder_whose_log_nobody_reads_records_and_ends_well(self, here: Stage) -> None:
        reading, writing = _full_pipe()
        try:
            recorder = here.record(stderr=writing)
            here.game(4, 50, 60)
            until(lambda: here.status().committed > 100)
            recorder.terminate()
            assert recorder.wait(60) == 0
        finally:
            os.close(reading)
            os.close(writing)
