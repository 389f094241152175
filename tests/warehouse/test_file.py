"""The DuckDB file: whose it is, what it is, and that a check leaves it as it was."""

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from rigclient.warehouse import connect, schema


def run(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(
        rig, ["--rig", "127.0.0.1:1", "warehouse", *map(str, words)]
    )


@contextlib.contextmanager
def held(path: Path) -> Iterator[int]:
    """A process of somebody else that has the file open."""
    program = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print(1, flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"1\n"
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A warehouse without rows."""
    with connect(f"duckdb:{tmp_path / 'laps.duckdb'}") as destination:
        schema.prepare(destination)
    return tmp_path / "laps.duckdb"


@pytest.mark.parametrize("command", ["laps", "check", "init"])
def test_a_file_that_somebody_else_holds_is_said_at_once_with_who_it_is(
    path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a stranger waits for good here."""
    monkeypatch.setattr("rigclient.warehouse.duck._WAIT_S", float("inf"))
    with held(path) as pid:
        result = run(command, "--in", f"duckdb:{path}")
    assert result.exit_code == 7
    assert f"in use by process {pid} ({sys.executable}" in result.stderr


@pytest.mark.parametrize("command", ["laps", "check", "init"])
@pytest.mark.parametrize("what", ["text", "short", "sqlite", "folder"])
def test_what_is_no_file_of_duckdb_is_refused_and_left_as_it_was(
    tmp_path: Path, what: str, command: str
) -> None:
    path = tmp_path / "other"
    if what == "folder":
        path.mkdir()
    elif what == "sqlite":
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE LAPS (N INTEGER)")
    else:
        path.write_bytes(b"x" * (3 if what == "short" else 5000))
    before = path.read_bytes() if path.is_file() else b""
    result = run(command, "--in", f"duckdb:{path}")
    assert result.exit_code == 8
    assert f"{path} is no file" in result.stderr
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_no_extension_is_loaded_by_itself(path: Path) -> None:
    with connect(f"duckdb:{path}") as destination:
        names = ("autoload_known_extensions", "autoinstall_known_extensions")
        sql = "SELECT " + ", ".join(f"CURRENT_SETTING('{name}')" for name in names)
        assert destination.rows(sql) == [(False, False)]


def test_a_check_writes_nothing(path: Path) -> None:
    def state() -> tuple[str, int, list[str]]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return digest, path.stat().st_mtime_ns, sorted(os.listdir(path.parent))

    before = state()
    assert run("check", "--in", f"duckdb:{path}").exit_code == 0
    assert state() == before


def test_a_check_makes_no_file(tmp_path: Path) -> None:
    result = run("check", "--in", f"duckdb:{tmp_path / 'new/laps.duckdb'}")
    assert (result.exit_code, "there is no warehouse" in result.stderr) == (5, True)
    assert list(tmp_path.iterdir()) == []


def test_a_check_of_a_file_without_tables_says_so_and_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "empty.duckdb"
    duckdb.connect(str(path)).close()
    result = run("check", "--in", f"duckdb:{path}")
    assert (result.exit_code, "there is no RIG_WATERMARK" in result.stdout) == (6, True)
    with contextlib.closing(duckdb.connect(str(path), read_only=True)) as file:
        assert file.execute("SHOW TABLES").fetchall() == []
