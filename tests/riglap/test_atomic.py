"""Exports and plots: whole under their name, or nothing, whatever ends them."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from riglap.atomic import atomic_write
from tests.cli.laps_shell import printed, run
from tests.rigclient.lap_rig import LapRig
from tests.stage import until

SLOW = """
import sys, time
from pathlib import Path
from riglap.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_is_written_appears_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "lap.csv"
    file.write_text("old")
    with atomic_write(file) as partial:
        partial.write_text("new")
        assert (partial.suffix, file.read_text()) == (".csv", "old")
    assert (file.read_text(), os.listdir(tmp_path)) == ("new", ["lap.csv"])


def test_a_full_disk_leaves_what_was_there_and_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lap.csv"

    def refused() -> None:
        with atomic_write(file) as partial:
            partial.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as caught:
        refused()
    assert (caught.value.filename, os.listdir(tmp_path)) == (str(file), [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", SLOW, str(tmp_path / "lap.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(number)
        assert process.wait(60) != 0
    assert os.listdir(tmp_path) == []


def test_a_killed_one_leaves_no_name_and_the_next_takes_its_place(tmp_path: Path) -> None:
    file = tmp_path / "lap.csv"
    with subprocess.Popen([sys.executable, "-c", SLOW, str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    assert not file.exists()
    with atomic_write(file) as partial:
        partial.write_text("whole")
    assert os.listdir(tmp_path) == ["lap.csv"]


def test_a_link_goes_on_leading_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "lap.csv"
    link.symlink_to(tmp_path / "there/real.csv")
    with atomic_write(link) as partial:
        partial.write_text("whole")
    assert link.is_symlink()
    assert (tmp_path / "there/real.csv").read_text() == "whole"


ENDINGS = ("csv", "parquet", "ld", "html", "png", "svg", "pdf")


def written(lap_rig: LapRig, out: Path) -> int:
    command = "export" if out.suffix[1:] in ENDINGS[:3] else "plot"
    return run(lap_rig, command, "best", "--out", str(out)).exit_code


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_is_refused_by_a_disk_that_takes_no_more(
    lap_rig: LapRig, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a file's size refuses in the middle, as a full disk does."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python keeps a module that it compiled half
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        code = written(lap_rig, tmp_path / f"lap.{ending}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handled)
    assert (code, os.listdir(tmp_path)) == (1, [])


def test_a_pipe_is_written_as_it_is(lap_rig: LapRig, tmp_path: Path) -> None:
    pipe, read = tmp_path / "lap.csv", bytearray()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.extend(pipe.read_bytes()))
    reader.start()
    printed(run(lap_rig, "export", "best", "--out", str(pipe)))
    reader.join(60)
    until(lambda: read.startswith(b"lap_time") or b"," in read)
    assert pipe.is_fifo()
