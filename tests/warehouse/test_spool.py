"""The spool: files of one load, whole or not there, and a disk that is full."""

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rig.errors import Mismatch, Unavailable
from rigclient.warehouse import tables
from rigclient.warehouse.spool import Spool, sweep

CONSTANTS: dict[str, str | int] = {"RIG_ID": "r", "SESSION": "s", "LAP": "l", "CAR": 3, "LAP_INDEX": 1}


def test_rows_and_arrays_come_out_as_they_went_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    speed = np.array([1.5, np.nan, -0.0], "<f4")
    seq = np.array([1, 2, 2**63 - 1], "<u8")
    spool.add(tables.SAMPLES, CONSTANTS, {"SEQ": seq, "SPEED": speed, "HEADLIGHTS": seq > 1})
    spool.add(
        tables.SAMPLES,
        {**CONSTANTS, "LAP": "m"},
        {"SEQ": seq[:0], "SPEED": speed[:0], "HEADLIGHTS": seq[:0] > 1},
    )
    spool.put(
        tables.LAPS, [{"RIG_ID": "r", "SESSION": "s", "LAP": "ü", "LAP_TIME": float("nan"), "VALID": True}]
    )
    spool.put(tables.GAPS, [])
    samples, laps = spool.parts()
    assert (samples.table, samples.rows, laps.table, laps.rows) == (tables.SAMPLES, 3, tables.LAPS, 1)
    table = pq.read_table(samples.path)
    assert table["SPEED"].to_pylist() == [1.5, None, 0.0]
    assert str(table["SPEED"].type) == "float"
    assert table["SEQ"].to_pylist() == seq.tolist()
    assert set(table["LOAD_ID"].to_pylist()) == {spool.id}
    assert table["LAP"].to_pylist() == ["l"] * 3
    (lap,) = pq.read_table(laps.path).to_pylist()
    assert (lap["LAP"], lap["LAP_TIME"], lap["VALID"], lap["DRIVER"]) == ("ü", None, True, None)
    assert len({samples.sha256, laps.sha256}) == 2
    spool.remove()
    assert not list(tmp_path.iterdir())


def test_files_have_the_same_columns_throughout(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(tables.SAMPLES, CONSTANTS, {"SEQ": np.arange(3, dtype="<u8")})
    with pytest.raises(Mismatch, match="different columns"):
        spool.add(tables.SAMPLES, CONSTANTS, {"SEQ": np.arange(3, dtype="<u8"), "SPEED": np.zeros(3, "<f4")})


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(tables.SAMPLES, CONSTANTS, {"SEQ": np.arange(3, dtype="<u8")})
    (tmp_path / "lock").touch()
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.fixture
def full() -> Iterator[None]:
    """A disk that takes no more than some kilobytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_with_its_place(tmp_path: Path, full: None) -> None:
    spool = Spool(tmp_path)
    noise = np.random.default_rng(1).random(200_000)
    with pytest.raises(Unavailable, match=rf"the spool in {tmp_path} cannot be written: file too large"):
        spool.add(tables.SAMPLES, CONSTANTS, {"SEQ": np.arange(200_000, dtype="<u8"), "ELAPSED_TIME": noise})
    spool.remove()
    assert not list(tmp_path.iterdir())
