import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rigd.demo import faults
from rigd.demo.folder import DEFAULT_FOLDER
from rigd.demo.game import GameSummary, Options, run
from rigd.sources.rf2.layout import BUFFERS, SCORING, TELEMETRY, Scoring, Telemetry

_PROGRAM = """
import sys
from pathlib import Path
from rigd.demo.game import Options, run
run(Options(Path(sys.argv[1]), cars=10, short=True, speed=float(sys.argv[2]), faults=tuple(sys.argv[3:])))
print("clean")
"""


def _play(folder: Path, **options: object) -> GameSummary:
    given = {"cars": 6, "short": True, "speed": 20.0, **options}
    return run(Options(folder, **given), threading.Event())  # type: ignore[arg-type]


def _play_until(folder: Path, frames: int, **options: object) -> GameSummary:
    """Play until so many frames were closed, however long a busy machine takes for them."""
    stop = threading.Event()

    def watch() -> None:
        _wait_for_frames(folder, frames)
        stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    given = {"cars": 6, "short": True, "speed": 20.0, **options}
    summary = run(Options(folder, **given), stop)  # type: ignore[arg-type]
    watcher.join()
    return summary


def _start(folder: Path, speed: float, *kinds: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _PROGRAM, str(folder), str(speed), *kinds]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _journal(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def rush(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames follow each other as fast as they can be computed."""
    monkeypatch.setattr("rigd.demo.game.Beat.wait", lambda beat: None)


def test_the_default_folder_is_not_the_games_own() -> None:
    assert DEFAULT_FOLDER.parent == Path("/dev/shm")
    assert Options().folder == DEFAULT_FOLDER


@pytest.mark.parametrize("wrong", [{"cars": 105}, {"rate": 401}, {"speed": 21.0}])
def test_options_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not within"):
        Options(tmp_path, **wrong)  # type: ignore[arg-type]


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="torn, stall, crash, truncate, idgap"):
        faults.fault("gremlins", 10)


def test_every_frame_is_counted(tmp_path: Path) -> None:
    summary = _play_until(tmp_path, 60)
    assert summary.frames >= 58
    assert summary.frames == summary.last_version - summary.first_version + 1
    assert summary.frames == round(summary.session_s * 50)
    assert summary.scoring_updates == summary.frames // 10 + 1


def test_a_race_of_some_laps_ends_by_itself_and_the_journal_tells_it(tmp_path: Path, rush: None) -> None:
    summary = _play(tmp_path, laps=1, journal=tmp_path / "truth.jsonl")
    events = _journal(tmp_path / "truth.jsonl")
    laps = [event for event in events if event["kind"] == "lap"]
    assert events[0]["kind"] == "session"
    assert summary.sessions == 1
    assert summary.laps == len(laps) >= 5
    assert {"session", "id", "driver", "number", "start", "end", "time", "sector1", "valid", "pit"} <= set(
        laps[0]
    )
    assert laps[0]["number"] == 0
    for buffer in BUFFERS:
        assert not any((tmp_path / buffer.file_name).read_bytes()[8:])


def test_a_restart_begins_a_new_session_of_the_same_number(
    tmp_path: Path, rush: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.demo.game.RESTART_LAPS", 1)
    journal = tmp_path / "truth.jsonl"
    summary = _play(tmp_path, restart=True, laps=1, cars=4, journal=journal)
    sessions = [event for event in _journal(journal) if event["kind"] == "session"]
    assert summary.sessions == 2
    assert [event["number"] for event in sessions] == [10, 10]
    first = [event for event in _journal(journal) if event["kind"] == "lap" and event["session"] == 0]
    assert {event["number"] for event in first} == {0}  # the leader's, and of those two seconds behind


def test_a_set_stop_ends_the_game(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert run(Options(tmp_path, cars=4, short=True), stop).frames == 0
    assert not any((tmp_path / Telemetry.file_name).read_bytes()[8:])


def test_the_time_being_up_ends_the_game(tmp_path: Path) -> None:
    assert _play(tmp_path, duration_s=0.2).sessions == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_clean_exit(tmp_path: Path, number: signal.Signals) -> None:
    game = _start(tmp_path, 1.0)
    _wait_for_frames(tmp_path, 5)
    game.send_signal(number)
    out, _ = game.communicate(timeout=10)
    assert (game.returncode, out.strip()) == (0, b"clean")
    assert not any((tmp_path / Telemetry.file_name).read_bytes()[8:])


def test_the_crash_leaves_an_open_frame_for_ever(tmp_path: Path) -> None:
    game = _start(tmp_path, 20.0, "crash@2")
    out, _ = game.communicate(timeout=20)
    assert (game.returncode, out) == (faults.CRASH_EXIT, b"")
    frame = _read(tmp_path)
    assert frame["mVersionUpdateBegin"] == frame["mVersionUpdateEnd"] + 1
    clocks = frame["mVehicles"]["mElapsedTime"][:10]
    assert frame["mNumVehicles"] == 10
    assert (clocks > 1.9).all()


def test_the_torn_game_naps_with_half_a_record_written(tmp_path: Path) -> None:
    pen = faults.Torn(0.0, cars=4)
    source, target = bytearray(b"n" * 1888 * 4), bytearray(b"o" * 1888 * 4)
    copies = [
        (memoryview(target)[k : k + 1888], memoryview(source)[k : k + 1888]) for k in range(0, 7552, 1888)
    ]
    seen: list[bytes] = []
    for _ in range(40):
        target[:] = b"o" * len(target)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rigd.demo.faults.time.sleep", lambda _: seen.append(bytes(target)))
            pen(copies)
        assert target == source
    assert seen
    assert all(one == b"n" * (2 * 1888 + 944) + b"o" * (7552 - 2 * 1888 - 944) for one in seen)


def test_the_torn_game_still_writes_every_frame(tmp_path: Path) -> None:
    summary = _play_until(tmp_path, 60, faults=("torn",))
    assert summary.frames == round(summary.session_s * 50) >= 58


def test_the_stalled_game_stands_still_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults.Stall, "SECONDS", 0.3)
    waits: list[float] = []
    monkeypatch.setattr(threading.Event, "wait", _noting(waits, threading.Event.wait))
    summary = _play_until(tmp_path, 90, faults=("stall@1",))
    assert waits.count(0.3) == 1
    assert summary.session_s > 1.5
    assert summary.frames == round(summary.session_s * 50)


def _noting(waits: list[float], wait: Callable[[threading.Event, float | None], bool]) -> object:
    def noted(event: threading.Event, timeout: float | None = None) -> bool:
        waits.append(timeout or 0.0)
        return wait(event, timeout)

    return noted


def test_the_truncating_game_starts_again_on_the_same_files(tmp_path: Path) -> None:
    game = _start(tmp_path, 20.0, "truncate@4")
    _wait_for_frames(tmp_path, 20)
    inode = os.stat(tmp_path / Telemetry.file_name).st_ino
    with (tmp_path / Telemetry.file_name).open("rb") as file:
        sizes, versions = _watch(file.fileno(), game)
    game.send_signal(signal.SIGTERM)
    game.communicate(timeout=10)
    assert sizes == {0, TELEMETRY.itemsize}
    assert max(versions) > min(versions[versions.index(max(versions)) :])
    assert os.stat(tmp_path / Telemetry.file_name).st_ino == inode


def test_the_id_gap_makes_the_counts_differ(tmp_path: Path) -> None:
    game = _start(tmp_path, 20.0, "idgap@1")
    _wait_for_frames(tmp_path, 5)
    counts, opened = _watch_counts(tmp_path, {(10, 10), (9, 10), (9, 9), (10, 9)})
    game.send_signal(signal.SIGTERM)
    game.communicate(timeout=10)
    assert {(10, 10), (9, 10), (9, 9)} <= counts
    assert opened > 20


def _watch_counts(folder: Path, wanted: set[tuple[int, int]]) -> tuple[set[tuple[int, int]], int]:
    """Pairs of telemetry's and scoring's car counts, and how many looks met an open frame, in 600 looks."""
    seen: set[tuple[int, int]] = set()
    opened = 0
    for _ in range(600):
        frame, scoring = _read(folder), np.frombuffer((folder / Scoring.file_name).read_bytes(), SCORING)[0]
        seen.add((int(frame["mNumVehicles"]), int(scoring["mScoringInfo"]["mNumVehicles"])))
        opened += int(frame["mVersionUpdateBegin"] != frame["mVersionUpdateEnd"])
        if wanted <= seen:
            break
        threading.Event().wait(0.001)
    return seen, opened


def _read(folder: Path) -> np.ndarray:
    data = (folder / Telemetry.file_name).read_bytes()
    return np.asarray(np.frombuffer(data, TELEMETRY)[0])


def _wait_for_frames(folder: Path, frames: int) -> None:
    """Poll until the game has closed so many frames; it fails by the runner's own time-out."""
    path = folder / Telemetry.file_name
    while not path.exists() or int.from_bytes(path.read_bytes()[4:8], "little") < frames:
        threading.Event().wait(0.01)


def _watch(fd: int, game: subprocess.Popen[bytes]) -> tuple[set[int], list[int]]:
    """Sizes and End words seen until the game has restarted over its files and gone on."""
    sizes: set[int] = set()
    versions: list[int] = []
    while game.poll() is None and not (0 in sizes and versions[-1] in range(30, 60)):
        sizes.add(os.fstat(fd).st_size)
        versions.append(int.from_bytes(os.pread(fd, 8, 0)[4:], "little"))
        threading.Event().wait(0.002)
    return sizes, versions
