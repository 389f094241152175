"""Children end with their parent, and not with the thread that started them."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.house.test_guard import alive
from tests.stage import until

_CHILD = """
import signal, sys, time
from pathlib import Path
from rigd import lifeline

lifeline._GRACE_S = 0.1
lifeline.hold()
if sys.argv[2] == "well":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Path(sys.argv[1]).write_text("stopped")))
else:
    signal.signal(signal.SIGTERM, lambda *_: None)
print("up", flush=True)
while True:
    time.sleep(600)
"""

_PARENT = """
import subprocess, sys, threading, time
from rigd.lifeline import tied

def start():
    words = [sys.executable, "-c", sys.argv[1], *sys.argv[2:]]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True, **tied())
    child.stdout.readline()
    print(child.pid, flush=True)

thread = threading.Thread(target=start)
thread.start()
thread.join()
sys.stdin.readline()
"""


def parent(tmp_path: Path, manner: str) -> "tuple[subprocess.Popen[str], int]":
    command = [sys.executable, "-c", _PARENT, _CHILD, str(tmp_path / "said"), manner]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_a_child_is_asked_to_stop_when_its_parent_is_killed(tmp_path: Path) -> None:
    process, child = parent(tmp_path, "well")
    with process:
        assert alive(child)
        process.send_signal(signal.SIGKILL)
    until(lambda: not alive(child))
    assert (tmp_path / "said").read_text() == "stopped"


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    process, child = parent(tmp_path, "badly")
    with process:
        process.send_signal(signal.SIGKILL)
    until(lambda: not alive(child))
