"""Loading a million samples of a hundred columns: `rig sync` beside the same rows loaded by hand.

    python -m tests.bench.warehouse hand|pandas FOLDER

loads by hand, from columns that are decoded already: encode, PUT and COPY in a row, or the connector's own
`write_pandas` with the settings that suit it best. `rig sync` has to get its laps from the rig and to decode
them as well, and proves that they arrived.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rig.lapfile import LapFile, pack
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigclient.warehouse import connect, schema
from rigclient.warehouse.url import parse_url
from rigd.store.folder import LapFolder
from rigd.store.index import Index
from tests.bench.archives import demo_laps
from tests.stage import Stage, scratch, stage
from tests.warehouse.empty import PASSWORD, USER, settings
from tests.warehouse.peer.process import PeerProcess

Figures = dict[str, float]
Array = np.ndarray[Any, np.dtype[Any]]

_ROWS: Final = 1_000_000
_COLUMNS: Final = 100
_PER_FILE: Final = 250_000
"""Of those who load by hand, as of `rig sync`."""
_CHUNK: Final = 100_000
"""Of `write_pandas`: with snappy instead of gzip this is 18 times as fast as what it does by itself."""
_RUNS: Final = 3
_LOOK_S: Final = 0.02
_KINDS: Final = ("snowflake", "duckdb")
_SESSION: Final = "sessions/20261120-134500-meander-valley-race-5f3a-1"


class Ran(NamedTuple):
    """A process that loaded."""

    rows: int
    rows_per_s: float
    peak_mb: float


def warehouse() -> Figures:
    """A million samples of 100 columns from archives into a warehouse, against the same by hand."""
    with stage() as here, tempfile.TemporaryDirectory(prefix="rigd-bench-", dir=scratch()) as folder:
        _fill(here.data)
        here.serve()
        here.archive()
        peer = PeerProcess(Path(folder))
        peer.add_user(USER, password=PASSWORD)
        with peer:
            os.environ.update(settings(peer, NETWORK_TIMEOUT="600"))
            os.environ.update({"SNOWFLAKE_HOME": folder, "XDG_CACHE_HOME": folder})
            return _against(here, Path(folder), "snowflake") | _against(here, Path(folder), "duckdb")


def _against(here: Stage, folder: Path, kind: str) -> Figures:
    """Medians of some runs, in turn, so that all meet the same machine."""
    runs = [_run(here, folder, kind) for _ in range(_RUNS)]
    prefix = "" if kind == "snowflake" else f"{kind}_"

    def median(one: str, other: str) -> float:
        return float(np.median([run[one].rows_per_s / run[other].rows_per_s for run in runs]))

    figures = {
        f"{prefix}load_rows_per_s": float(np.median([run["sync"].rows_per_s for run in runs])),
        f"{prefix}load_vs_by_hand": median("sync", "hand"),
        f"{prefix}load_rss_over_idle_mb": max(run["sync"].peak_mb - run["idle"].peak_mb for run in runs),
    }
    return figures | ({"load_vs_write_pandas": median("sync", "pandas")} if kind == "snowflake" else {})


def _run(here: Stage, folder: Path, kind: str) -> dict[str, Ran]:
    sync = ("rigclient", "--rig", here.address, "sync", "--json")
    found = {}
    for name in ("sync", "hand", "pandas")[: 3 if kind == "snowflake" else 2]:
        where = _empty(folder, kind)
        os.environ["RIG_WAREHOUSE"] = where
        words = sync if name == "sync" else ("tests.bench.warehouse", name, str(here.data))
        found[name] = _measured(*words)
        if name == "sync":
            found["idle"] = _measured(*sync)
            assert found["sync"].rows >= _ROWS, "the rig's laps did not arrive"
    return found


def _empty(folder: Path, kind: str) -> str:
    """An empty warehouse, with tables."""
    where = "snowflake" if kind == "snowflake" else f"duckdb:{folder / secrets.token_hex(4)}.duckdb"
    if kind == "snowflake":
        os.environ["SNOWFLAKE_SCHEMA"] = "PUBLIC"
        own = f"B{secrets.token_hex(4)}".upper()
        with connect(where) as there:
            there.execute(f"CREATE SCHEMA {own}")
        os.environ["SNOWFLAKE_SCHEMA"] = own
    with connect(where) as there:
        schema.prepare(there)
    return where


def _measured(*words: str) -> Ran:
    """What a process says, and the most memory it had."""
    with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True) as process:
        peak_kb = 0
        # Not what wait4 tells: that of a child begins with what its parent had when it forked.
        while process.poll() is None:
            peak_kb = max(peak_kb, _peak_kb(process.pid))
            time.sleep(_LOOK_S)
        assert process.stdout is not None
        shown = json.loads(process.stdout.read())
    assert process.returncode == 0
    return Ran(shown["rows"], shown["rows"] / shown["seconds"], peak_kb / 1024)


def _peak_kb(pid: int) -> int:
    """The most memory that a process has had so far; 0 for one that has just ended."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) if "VmHWM:" in status else 0


# The rig.


def _fill(data: Path) -> None:
    """Laps of the simulated race, of a hundred columns each, until there are enough rows."""
    store, index = LapFolder(data / "laps"), Index(data / "index.sqlite")
    session = session_pb2.Session(name=_SESSION, track_name="Meander Valley", start_time_ns=10**18)
    store.put_session(session)
    index.put_session(session)
    rows = 0
    for lap, file in _files():
        store.write(lap.name, file)
        index.put_lap(store.described(lap, len(file), LapFile(file).digest))
        rows += lap.samples
        if rows >= _ROWS:
            break
    index.close()


def _files() -> Iterator[tuple[lap_pb2.Lap, bytes]]:
    bases = [_hundred(lap) for lap in demo_laps()]
    for number in count():
        base = LapFile(pack(archive_pb2.LapHeader(), _another(bases[number % len(bases)], number), {}))
        car, index = number % 40, number // 40 + 1
        lap = lap_pb2.Lap(
            name=f"{_SESSION}/laps/car{car:03d}-{index:04d}",
            kind=lap_pb2.LAP_KIND_LAP,
            car=car,
            index=index,
            samples=base.header.samples,
            start_time_ns=10**18 + number,
        )
        base.header.lap.CopyFrom(lap)
        yield lap, base.cut(base.channels())


def _another(lap: Mapping[str, Array], number: int) -> dict[str, Array]:
    """The lap again, with other values: no two laps are the same, and files of several would be half as large
    if they were.
    """
    scale = np.float32(1 + number / 4096)
    return {name: v * scale if v.dtype == np.float32 else v for name, v in lap.items()}


def _hundred(lap: Mapping[str, Array]) -> dict[str, Array]:
    """A hundred columns of float32, and what every lap has."""
    chosen = {name: lap[name] for name in ("seq", "capture_time_ns", "session_time", "lap_time", "distance")}
    left = _COLUMNS - 1
    for name, values in lap.items():
        width = 1 if values.ndim == 1 else values.shape[1]
        if values.dtype == np.float32 and width <= left and name not in chosen:
            chosen[name] = values
            left -= width
    assert not left
    return chosen


# By hand.


def _columns(data: Path) -> Any:
    """All rows of the rig, decoded, as one table with the names of PHYSICS."""
    names = {"RIG_ID": "hand", "SESSION": "s", "LOAD_ID": "hand"}
    tables = []
    for number, path in enumerate(sorted(data.glob("laps/*/[!.]*.lap"))):
        with LapFile.open(path) as file:
            columns = file.columns()
        arrays = dict(_flat(columns))
        rows = len(arrays["SEQ"])
        constants = {**names, "LAP": f"lap{number:04d}"}
        arrays |= {name: pa.array([text] * rows) for name, text in constants.items()}
        arrays |= {name: np.full(rows, number) for name in ("CAR", "LAP_INDEX")}
        tables.append(pa.table(arrays))
    return pa.concat_tables(tables).combine_chunks()


def _flat(columns: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    from rigclient.warehouse.tables import components

    for name, values in columns.items():
        if values.dtype == np.uint64:
            values = values.view(np.int64)
        parts = values.reshape(len(values), -1).T
        yield from zip(components(name, len(parts)), map(np.ascontiguousarray, parts), strict=True)


def _by_hand(table: Any, folder: Path) -> None:
    """Four files, one after the other: encode, PUT, COPY; all in one transaction."""
    with connect() as there:
        there.begin()
        for at in range(0, table.num_rows, _PER_FILE):
            path = folder / f"hand{at}.parquet"
            part = table.slice(at, _PER_FILE)
            pq.write_table(
                part,
                path,
                compression="zstd",
                compression_level=1,
                use_dictionary=["RIG_ID", "SESSION", "LAP"],
            )
            there.copy("PHYSICS", there.stage(path, f"hand/{at}/PHYSICS.parquet"))
        there.commit()


def _by_pandas(frame: Any) -> None:
    """The connector's own way. In four calls: the peer has no answer for a connector that asks how far a
    statement of more than a minute is, and gets it again.
    """
    from snowflake.connector.pandas_tools import write_pandas

    from rigclient.warehouse.snowflake.account import Snowflake

    there = parse_url().open()
    assert isinstance(there, Snowflake)
    with there:
        for at in range(0, len(frame), _PER_FILE):
            part = frame.iloc[at : at + _PER_FILE].reset_index(drop=True)
            done, _, rows, _ = write_pandas(
                there._session(), part, "PHYSICS", chunk_size=_CHUNK, compression="snappy", parallel=4
            )
            assert done
            assert rows == len(part)


def main() -> None:
    """Load, and print rows and seconds."""
    way, data = sys.argv[1], Path(sys.argv[2])
    table = _columns(data)
    if way == "pandas":
        frame = table.to_pandas()
        began = time.perf_counter()
        _by_pandas(frame)
    else:
        with tempfile.TemporaryDirectory(prefix="rigd-bench-", dir=scratch()) as folder:
            began = time.perf_counter()
            _by_hand(table, Path(folder))
    print(json.dumps({"rows": table.num_rows, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
