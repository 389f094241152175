"""Reading one lap from the disk: a lap file beside Parquet and MCAP, the same columns in each.

    python -m tests.bench.peers.laps

Parquet is measured twice: with zstd alone, and with the settings that make it smallest. MCAP holds a message
per tick, as a recorder writes it.
"""

import io
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from rig.lapfile import LapFile, pack
from rig.v1 import archive_pb2
from tests.bench.archives import demo_laps
from tests.stage import scratch

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Array]
Figures = dict[str, float]

_ONE: Final = "speed"
_RUNS: Final = 25


class Format(Protocol):
    """A way to keep a lap."""

    def write(self, lap: Columns, path: Path) -> None:
        """Put all columns into a file."""

    def read(self, path: Path, channel: str) -> Columns:
        """One column of it, or all for no name. Wide ones may come as one array per component."""

    def touched(self, path: Path, channel: str) -> int:
        """Bytes that such a reading takes from the file."""


class Counted(io.BufferedReader):
    """A file that counts what is asked of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


class Ours:
    """A lap file."""

    def write(self, lap: Columns, path: Path) -> None:
        path.write_bytes(pack(archive_pb2.LapHeader(), lap, {}))

    def read(self, path: Path, channel: str) -> Columns:
        with LapFile.open(path) as file:
            return file.columns([channel] if channel else ())

    def touched(self, path: Path, channel: str) -> int:
        with LapFile.open(path) as file:
            return file.block_bytes([channel] if channel else file.channels())


class Parquet:
    """A row per tick, a column per component."""

    def __init__(self, *, smallest: bool) -> None:
        self._smallest = smallest

    def write(self, lap: Columns, path: Path) -> None:
        parts = {
            f"{name}_{at}": np.ascontiguousarray(part)
            for name, column in lap.items()
            for at, part in enumerate(column.reshape(len(column), -1).T)
        }
        how: dict[str, Any] = {"compression": "zstd"}
        if self._smallest:
            split = [name for name, part in parts.items() if part.dtype != np.bool_]
            how |= {"compression_level": 9, "use_dictionary": False, "use_byte_stream_split": split}
        pq.write_table(pa.table(parts), path, **how)

    def read(self, path: Path, channel: str) -> Columns:
        return self._read(str(path), channel)

    def _read(self, source: Any, channel: str) -> Columns:
        table = pq.read_table(source, columns=[f"{channel}_0"] if channel else None)
        return {
            name: column.to_numpy() for name, column in zip(table.column_names, table.columns, strict=True)
        }

    def touched(self, path: Path, channel: str) -> int:
        with Counted(path) as file:
            self._read(pa.PythonFile(file, mode="r"), channel)
            return file.taken


class Mcap:
    """A message per tick, its values one after another; the whole file for one channel too."""

    def __init__(self) -> None:
        self._row = np.dtype([])

    def write(self, lap: Columns, path: Path) -> None:
        self._row = np.dtype([(name, column.dtype, column.shape[1:]) for name, column in lap.items()])
        rows = np.empty(len(lap[_ONE]), self._row)
        for name, column in lap.items():
            rows[name] = column
        with path.open("wb") as file:
            writer = Writer(file, compression=CompressionType.ZSTD)
            writer.start()
            topic = writer.register_channel("/car", "row", writer.register_schema("row", "row", b""))
            for number, row in enumerate(rows):
                when = number * 20_000_000
                writer.add_message(topic, log_time=when, publish_time=when, data=row.tobytes())
            writer.finish()  # type: ignore[no-untyped-call]

    def read(self, path: Path, channel: str) -> Columns:
        with path.open("rb") as file:
            return self._read(file, channel)

    def _read(self, file: IO[bytes], channel: str) -> Columns:
        messages = [message.data for _, _, message in make_reader(file).iter_messages()]
        rows = np.frombuffer(b"".join(messages), self._row)
        return {name: rows[name] for name in ([channel] if channel else self._row.names or ())}

    def touched(self, path: Path, channel: str) -> int:
        with Counted(path) as file:
            self._read(file, channel)
            return file.taken


FORMATS: Final[dict[str, Callable[[], Format]]] = {
    "ours": Ours,
    "parquet_quick": lambda: Parquet(smallest=False),
    "parquet_small": lambda: Parquet(smallest=True),
    "mcap": Mcap,
}


def peers_laps() -> Figures:
    """Reading a lap, all channels and one: lap file, Parquet, MCAP; the best Parquet's time over ours."""
    figures = read(demo_laps()[0])
    best = min(figures["lap.parquet_quick.all_ms"], figures["lap.parquet_small.all_ms"])
    return {**figures, "lap_decode_vs_parquet": best / figures["lap.ours.all_ms"]}


def read(lap: Columns, runs: int = _RUNS) -> Figures:
    """Bytes of the file and of a reading, and the median time of it; every file is in the page cache."""
    with TemporaryDirectory(prefix="rigd-", dir=scratch()) as folder:
        made = {name: make() for name, make in FORMATS.items()}
        paths = {name: Path(folder) / name for name in made}
        for name, way in made.items():
            way.write(lap, paths[name])
        figures = {f"lap.{name}.file_kb": path.stat().st_size / 1e3 for name, path in paths.items()}
        for what, channel in (("all", ""), ("one", _ONE)):
            times = _times(made, paths, channel, runs)
            for name, way in made.items():
                figures[f"lap.{name}.{what}_ms"] = float(np.median(times[name])) * 1e3
                figures[f"lap.{name}.{what}_kb"] = way.touched(paths[name], channel) / 1e3
    return figures


def _times(
    made: Mapping[str, Format], paths: Mapping[str, Path], channel: str, runs: int
) -> dict[str, list[float]]:
    """Seconds of each reading, the formats in turn, so that all meet the same machine."""
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(runs):
        for name, way in made.items():
            began = time.perf_counter()
            way.read(paths[name], channel)
            times[name].append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    print(json.dumps(peers_laps(), indent=2))
