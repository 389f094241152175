"""The wake-up: every listener hears the bell, and none can hold it up."""

import os
import select
import signal
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from rigd.wake import Bell, Listener
from tests.ring.child import child, line

LISTENING = """
import sys
from pathlib import Path
from rigd.wake import Listener

listener = Listener(Path(sys.argv[1]))
print("listening", flush=True)
sys.stdin.readline()
print(listener.take(), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "wake"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The bell's clock: a list with the time in it."""
    now = [1000.0]
    monkeypatch.setattr("rigd.wake.time.monotonic", lambda: now[0])
    return now


def test_every_listener_hears_every_message(folder: Path) -> None:
    with ExitStack() as stack:
        listeners = [stack.enter_context(closing(Listener(folder))) for _ in range(8)]
        bell = stack.enter_context(closing(Bell(folder)))
        bell.ring()
        bell.ring(b"status")
        for listener in listeners:
            assert listener.take() == [b"", b"status"]
            assert listener.take() == []


def test_a_listener_wakes_an_event_loop(folder: Path) -> None:
    with closing(Listener(folder)) as listener, closing(Bell(folder)) as bell:
        assert select.select([listener], [], [], 0.0)[0] == []
        bell.ring()
        assert select.select([listener], [], [], 5.0)[0] == [listener]


def test_nobody_listens(folder: Path) -> None:
    with closing(Bell(folder)) as bell:
        bell.ring()
        bell.ring(b"status")


def test_who_comes_later_is_heard_of(folder: Path, clock: list[float]) -> None:
    with closing(Bell(folder)) as bell:
        bell.ring()
        with closing(Listener(folder)) as listener:
            bell.ring(b"too early")
            clock[0] += 0.6
            bell.ring(b"heard")
            assert listener.take() == [b"heard"]


def test_who_leaves_is_forgotten(folder: Path, clock: list[float]) -> None:
    with closing(Bell(folder)) as bell, closing(Listener(folder)) as stays:
        leaves = Listener(folder)
        bell.ring()
        leaves.close()
        assert len(list(folder.iterdir())) == 1
        for _ in range(3):
            bell.ring(b"x")
            clock[0] += 0.6
        assert stays.take() == [b"", b"x", b"x", b"x"]


def test_a_killed_listener_harms_nobody_and_is_swept_by_the_next(folder: Path) -> None:
    with closing(Listener(folder)) as stays, closing(Bell(folder)) as bell:
        with child(LISTENING, folder) as killed:
            assert line(killed) == "listening"
            assert len(list(folder.iterdir())) == 2
            bell.ring()
            os.kill(killed.pid, signal.SIGKILL)
            killed.wait()
        bell.ring(b"after")
        bell.ring(b"again")
        assert stays.take() == [b"", b"after", b"again"]
        assert len(list(folder.iterdir())) == 2
        with closing(Listener(folder)):
            assert len(list(folder.iterdir())) == 2, "the dead one's socket is gone, the living one's is not"


def test_another_process_hears_it(folder: Path) -> None:
    with child(LISTENING, folder) as process:
        assert line(process) == "listening"
        with closing(Bell(folder)) as bell:
            bell.ring(b"status")
        assert process.stdin is not None
        process.stdin.write("take\n")
        process.stdin.flush()
        assert line(process) == "[b'status']"


def test_a_full_listener_holds_up_nobody(folder: Path) -> None:
    with ExitStack() as stack:
        full, empty = (stack.enter_context(closing(Listener(folder))) for _ in range(2))
        bell = stack.enter_context(closing(Bell(folder)))
        heard = 0
        for _ in range(3000):
            bell.ring()
            heard += len(empty.take())
        assert heard == 3000
        waiting = len(full.take())
        assert 0 < waiting < 3000
        bell.ring(b"room again")
        assert full.take() == [b"room again"]


@pytest.mark.parametrize("size", [0, 1, 300, 60_000])
def test_messages_come_whole(folder: Path, size: int) -> None:
    with closing(Listener(folder)) as listener, closing(Bell(folder)) as bell:
        bell.ring(b"m" * size)
        assert listener.take() == [b"m" * size]


def test_a_folder_deeper_than_a_socket_address(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a folder with a rather long name"] * 12)
    with closing(Listener(deep)) as listener, closing(Bell(deep)) as bell:
        bell.ring(b"down here")
        assert listener.take() == [b"down here"]


def test_other_files_in_the_folder_are_no_matter(folder: Path, clock: list[float]) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("hello")
    (folder / "subfolder").mkdir()
    with closing(Listener(folder)) as listener, closing(Bell(folder)) as bell:
        for _ in range(2):
            bell.ring(b"x")
            clock[0] += 0.6
        assert listener.take() == [b"x", b"x"]
    assert (folder / "notes.txt").read_text() == "hello"
