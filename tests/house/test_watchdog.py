"""Whoever makes no progress is told as such, and ended; whatever thread dies, the daemon ends with it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from rig.v1 import rig_pb2
from rigd.notices import Notices
from rigd.supervisor import Daemon, Supervisor, stopped
from rigd.wake import Listener
from rigd.watchdog import Watchdog
from tests.stage import until

DYING = """
import sys, threading, time
from pathlib import Path
from rigd.daemon import daemon

with daemon("serve", Path(sys.argv[1])) as watchdog:
    watchdog.ready()
    {}
    time.sleep(60)
"""

RECORDER = """
import sys, threading
from pathlib import Path
from rigd.sources.rf2.source import SharedMemory
from rigd.daemon import daemon
from rigd.record import committer, recorder

calls = iter(range(20))

def breaks(*_):
    if next(calls, None) is None:
        raise ZeroDivisionError("nobody expected this")

{}
data = Path(sys.argv[1])
with daemon("record", data) as watchdog:
    recorder.record(SharedMemory(data), recorder.Settings(data, data), lambda: False, watchdog)
"""


def ended(code: str, data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, str(data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize(
    "fault",
    [
        "threading.Thread(target=lambda: 1 / 0, name='committer').start()",
        "1 / 0",
        "open('/dev/null/nothing')",  # no refusal: it has started long ago
    ],
)
def test_a_death_ends_the_process_with_its_trace(tmp_path: Path, fault: str) -> None:
    done = ended(DYING.format(fault), tmp_path)
    assert done.returncode == 1
    assert "died daemon=serve" in done.stderr
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "fault", ["recorder.Recorder._turn = breaks", "committer.Committer._write = lambda *_: 1 / 0"]
)
def test_a_recorder_ends_with_either_of_its_threads(tmp_path: Path, fault: str) -> None:
    done = ended(RECORDER.format(fault), tmp_path)
    assert done.returncode == 1
    assert "died daemon=record" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def last_status(listener: Listener) -> rig_pb2.DaemonStatus:
    return rig_pb2.DaemonStatus.FromString(listener.take()[-1])


def test_trouble_and_its_end_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Watchdog("archive", tmp_path)) as watchdog:
        watchdog.start()
        until(lambda: (tmp_path / "status").exists())
        with closing(Listener(tmp_path / "status")) as listener:
            watchdog.trouble("the disk is full")
            until(lambda: "duration" not in caplog.text and "the disk is full" in caplog.text)
            until(lambda: listener in select.select([listener], [], [], 0)[0])
            last = last_status(listener)
            assert (last.daemon, last.trouble.what) == ("archive", "the disk is full")
            assert last.trouble.since_ns
            watchdog.trouble("")
            until(lambda: "trouble_ended daemon=archive" in caplog.text)
            until(lambda: bool(listener.take()))


def test_work_that_makes_no_progress_is_told_and_not_fed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = Notices()
    for name, value in notices.environment(30.0).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "status").mkdir()
    with closing(Watchdog("serve", tmp_path)) as watchdog, closing(Listener(tmp_path / "status")) as listener:
        pulse = watchdog.pulse("event loop")
        pulse.beat()
        watchdog.look()
        assert not last_status(listener).HasField("trouble")
        assert notices.fed(os.getpid())
        pulse.progress_s -= 10
        watchdog.look()
        assert last_status(listener).trouble.what == "the event loop makes no progress"
        assert notices.fed(os.getpid()), "slow is not dead"
        assert not notices.fed(os.getpid()), "it was said once"
        pulse.alive_s -= 60
        watchdog.look()
        assert not notices.fed(os.getpid())
        assert notices.dead, "it says so itself, and nobody has to wait for its silence"
        pulse.rest()
        watchdog.look()
        assert not last_status(listener).HasField("trouble")
        assert notices.fed(os.getpid())
        assert not notices.fed(1), "said by another process"


class Scripted(Daemon):
    """A daemon whose program is a few lines."""

    code = ""

    def _spawn(self, log: IO[bytes] | int) -> subprocess.Popen[bytes]:
        assert self._notices is not None
        env = {**os.environ, **self._notices.environment(self.watchdog_s)}
        return subprocess.Popen([sys.executable, "-c", self.code], env=env, stdout=log, stderr=log)


class Silent(Scripted):
    code = "import time\nwhile True: time.sleep(1)"


class Speaking(Scripted):
    code = """
import time
from pathlib import Path
from rigd.watchdog import Watchdog
Watchdog("serve", Path("/nowhere")).start()
while True: time.sleep(1)
"""


@pytest.fixture
def supervised(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    daemon: Daemon = request.param("serve", (), tmp_path / "log", watchdog_s=4.0)
    supervisor = Supervisor([daemon])
    supervisor.start()
    yield daemon
    supervisor.close()


@pytest.mark.parametrize("supervised", [Silent], indirect=True)
def test_one_that_does_not_say_that_it_lives_is_started_again(supervised: Daemon) -> None:
    until(lambda: supervised.starts > 1)


@pytest.mark.parametrize("supervised", [Speaking], indirect=True)
def test_one_that_was_stopped_is_continued(supervised: Daemon) -> None:
    assert supervised.process is not None
    time.sleep(6.0)  # longer than its watchdog waits
    pid, starts = supervised.process.pid, supervised.starts
    os.kill(pid, signal.SIGSTOP)
    until(lambda: stopped(pid))
    until(lambda: not stopped(pid))
    assert supervised.process.pid == pid
    assert supervised.starts == starts
