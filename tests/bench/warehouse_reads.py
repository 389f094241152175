"""Reading 15.7 million samples in an account: a pair of laps, two compared, and all of them page by page.

    python -m tests.bench.warehouse_reads pair|compare|all

asks as a process of its own, so that its memory is that of one who asks, and prints what it took.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from rigclient.cli.commands.sources import CHANNELS
from rigclient.warehouse import connect, ddl, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.duck import DIALECT
from rigclient.warehouse.questions.choice import Choice
from rigclient.warehouse.questions.laps import LapKey
from rigclient.warehouse.questions.samples import samples
from rigclient.warehouse.questions.whole import lap_of
from tests.stage import scratch
from tests.warehouse.empty import PASSWORD, USER, settings
from tests.warehouse.peer.process import DATABASE, PeerProcess

Figures = dict[str, float]

_SESSIONS, _CARS, _ROWS = 393, 40, 1000
"""15,720 laps, one a car and session."""
_CHANNELS: Final = ("speed", "throttle", "brake", "steering", "gear", "engine_rpm", "fuel")
_PAIR: Final = Choice(session="s0200", cars=("3", "7"))
_RUNS: Final = 5

_LAP: Final = (
    f"'rig' AS RIG_ID, format('s{{:04d}}', N // {_CARS}) AS SESSION, "
    f"format('car{{:03d}}-0001', N % {_CARS}) AS LAP, N % {_CARS} AS CAR, 1::BIGINT AS LAP_INDEX, "
    "'load' AS LOAD_ID"
)
_LAPS_SQL: Final = f"""
INSERT INTO PUBLIC.LAPS BY NAME
SELECT {_LAP}, 'lap' AS KIND, format('Driver {{}}', N % {_CARS}) AS DRIVER, 'Meander Valley' AS TRACK,
  5000.0 AS TRACK_LENGTH,
  TRUE AS COMPLETE, TRUE AS VALID, 100.0 + N % 17 AS LAP_TIME, {_ROWS} AS SAMPLES, 'none' AS DIGEST
FROM range({_SESSIONS * _CARS}) T(N)
"""
_SAMPLES_SQL: Final = f"""
CREATE TABLE PUBLIC.PHYSICS AS
SELECT {_LAP}, N * {_ROWS} + I AS SEQ, I * 0.1 AS LAP_TIME, I * 5.0 AS DISTANCE,
  60 + 20 * sin(I / 30 + N) AS SPEED, abs(sin(I / 50)) AS THROTTLE, abs(cos(I / 50)) AS BRAKE,
  sin(I / 20 + N) AS STEERING, 1 + I // 100 % 6 AS GEAR, 4000 + 3000 * sin(I / 10) AS ENGINE_RPM,
  60 - I / 100 AS FUEL
FROM range({_SESSIONS * _CARS}) T(N), range({_ROWS}) R(I)
"""
"""Columns that are asked for: to fill the others with NULL takes minutes, and nobody reads them."""


def warehouse_reads() -> Figures:
    """Samples of an account that has 15.7 million: two laps, and all; by the connector, over HTTP."""
    with tempfile.TemporaryDirectory(prefix="rigd-bench-", dir=scratch()) as folder:
        peer = PeerProcess(Path(folder))
        peer.add_user(USER, password=PASSWORD)
        _fill(peer)
        with peer:
            pair, compared, everything = (_asked(peer, what) for what in ("pair", "compare", "all"))
    assert pair["rows"] == 2 * _ROWS
    assert compared["rows"] == 2 * _ROWS
    assert everything["rows"] == _SESSIONS * _CARS * _ROWS
    return {
        "filtered_pair_s": pair["seconds"],
        "filtered_pair_rss_mb": pair["peak_mb"] - pair["idle_mb"],
        "warehouse_compare_s": compared["seconds"],
        "warehouse_compare_rss_mb": compared["peak_mb"] - compared["idle_mb"],
        "keyset_rss_mb": everything["peak_mb"],
        "keyset_rows_per_s": everything["rows"] / everything["seconds"],
    }


def _fill(peer: PeerProcess) -> None:
    """The rows are made by the database itself: they would be hours on their way."""
    with peer:
        pass  # it has made its database
    with duckdb.connect(str(peer.folder / f"{DATABASE}.db")) as file:
        for table in (tables.LAPS, tables.SESSIONS):
            file.execute(ddl.create(table, DIALECT).replace(table.name, f"PUBLIC.{table.name}", 1))
        for sql in (_LAPS_SQL, _SAMPLES_SQL):
            file.execute(sql)


def _asked(peer: PeerProcess, what: str) -> Figures:
    command = [sys.executable, "-m", "tests.bench.warehouse_reads", what]
    around = os.environ | settings(peer) | {"SNOWFLAKE_SCHEMA": "PUBLIC"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=around)
    figures: Figures = json.loads(done.stdout)
    return figures


def main() -> None:
    """Ask, and print seconds, rows, and memory before and at the most."""
    what = sys.argv[1]
    runs = 1 if what == "all" else _RUNS
    with connect("snowflake", read_only=True) as there:
        for batch in there.batches("SELECT COUNT(*) AS N FROM LAPS"):  # all that is imported is
            assert batch.num_rows
        idle = _memory_mb("VmRSS")
        times, rows = zip(*_timed(there, what, runs), strict=True)
    peak = _memory_mb("VmHWM")
    print(
        json.dumps({"seconds": sorted(times)[runs // 2], "rows": rows[0], "idle_mb": idle, "peak_mb": peak})
    )


def _timed(there: Destination, what: str, runs: int) -> Iterator[tuple[float, int]]:
    for _ in range(runs):
        began = time.perf_counter()
        rows = _compared(there) if what == "compare" else _read(there, _PAIR if what == "pair" else Choice())
        yield time.perf_counter() - began, rows


def _read(there: Destination, choice: Choice) -> int:
    return sum(batch.num_rows for batch in samples(there, choice, _CHANNELS))


def _compared(there: Destination) -> int:
    """Compare two laps as `rig compare warehouse:... warehouse:...` does."""
    laps = [lap_of(there, LapKey("rig", "s0200", f"car{car:03d}-0001"), CHANNELS) for car in (3, 7)]
    assert np.isfinite(laps[0].compare(laps[1]).delta()).any()
    return sum(map(len, laps))


def _memory_mb(name: str) -> float:
    """Of this process: VmRSS is what it has, VmHWM the most it ever had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise KeyError(name)


if __name__ == "__main__":
    main()
