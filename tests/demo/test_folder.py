"""A folder of buffers has one writer, who leaves nothing in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rig.errors import Busy, Denied
from rigd.demo.folder import BuffersFolder
from rigd.sources.rf2.layout import BUFFERS


def demo_game(folder: Path) -> "subprocess.CompletedProcess[str]":
    words = ["demo-game", "--buffers", str(folder), "--short", "--speed", "20", "--for", "1"]
    command = [sys.executable, "-m", "rigd", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_a_second_game_names_the_first_and_writes_nothing(buffers: Path) -> None:
    with BuffersFolder(buffers):
        done = demo_game(buffers)
        assert done.returncode == 2
        assert f"process {os.getpid()} writes the buffers in {buffers}" in done.stderr
        assert list(buffers.iterdir()) == []


def test_a_game_removes_its_buffers_and_those_of_one_that_was_killed(buffers: Path) -> None:
    for buffer in BUFFERS:
        (buffers / buffer.file_name).write_bytes(b"left behind")
    (buffers / "mine").write_bytes(b"")
    done = demo_game(buffers)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in buffers.iterdir()] == ["mine"]


def test_it_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "buffers"
    folder.mkdir(mode=0o755)
    with BuffersFolder(folder), pytest.raises(Busy):
        BuffersFolder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with pytest.raises(Denied, match="belongs to another user"):
        BuffersFolder(tmp_path)
