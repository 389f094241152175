"""`rig backup`, and `rigd backup` with `rigd restore`: what people see of them."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rig.v1 import rig_pb2
from rigd.__main__ import rigd_command
from rigd.store.store import Store
from tests.cli.conftest import Run
from tests.cli.rig_server import Server
from tests.store import import_laps


@pytest.fixture
def parts(server: Server) -> list[rig_pb2.BackupResponse]:
    server.backup = [
        rig_pb2.BackupResponse(data=b"begin", what="laps", done_bytes=10, total_bytes=30),
        rig_pb2.BackupResponse(data=b" and end", what="ring", done_bytes=30, total_bytes=30),
    ]
    return server.backup


def test_a_backup_is_written_for_its_owner_alone(
    run: Run, server: Server, parts: list[rig_pb2.BackupResponse], tmp_path: Path
) -> None:
    file = tmp_path / "rig.tar.zst"
    result = run("backup", str(file), "--without-ring")
    assert result.exit_code == 0, result.stderr
    assert file.read_bytes() == b"begin and end"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "30 bytes in 13 bytes" in result.stdout
    (asked,) = server.requests
    assert (asked.without_ring, asked.with_secrets) == (True, False)


def test_machines_get_its_figures(run: Run, parts: list[rig_pb2.BackupResponse], tmp_path: Path) -> None:
    told = json.loads(run("backup", str(tmp_path / "file"), "--json").stdout)
    assert (told["bytes"], told["copied_bytes"]) == (13, 30)


def test_what_stood_there_stays_where_it_fails(run: Run, tmp_path: Path, nowhere: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"the one of yesterday")
    assert run("backup", str(file), address=nowhere).exit_code != 0
    assert file.read_bytes() == b"the one of yesterday"
    assert os.listdir(tmp_path) == ["file"]
    result = run("backup", str(tmp_path / "missing/file"))
    assert "there is no folder" in result.stderr


def rigd(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(rigd_command, words)


def test_a_folder_is_copied_and_brought_back(tmp_path: Path) -> None:
    data, file, back = tmp_path / "data", tmp_path / "file", tmp_path / "back"
    store = Store.open(data)
    store.put_session(import_laps.session())
    (tmp_path / "lap").write_bytes(import_laps.file(import_laps.lap(1)))
    store.place(import_laps.lap(1).name, tmp_path / "lap")
    store.close()
    made = rigd("backup", str(file), "--data", str(data))
    assert made.exit_code == 0, made.output
    restored = rigd("restore", str(file), "--data", str(back))
    assert restored.exit_code == 0, restored.output
    assert f"{back}: sessions 1, laps 1, without a ring" in restored.stdout
    again = rigd("restore", str(file), "--data", str(back))
    assert again.exit_code == 2
    assert "is not empty" in again.stderr
    file.write_bytes(file.read_bytes()[:200])
    broken = rigd("restore", str(file), "--data", str(tmp_path / "other"), "--json")
    assert broken.exit_code != 0
    assert "cut off" in broken.stderr
    assert set(os.listdir(tmp_path / "other")) <= {"ring.lock", "laps.lock"}
