"""Recordings of other programs into lap files: rows a minute and memory, of long rows and of wide ones.

    python -m tests.bench.imports FILE FOLDER

imports one file into a folder in a process of its own, whose greatest memory is asked of the kernel.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np

from rig.channels import PHYSICS
from rigclient.imports import dialects, discovery, import_file, job
from rigclient.imports.keeping import SinkKeeper
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.sinks.folder import FolderSink
from rigclient.imports.text.table import Array, SampleTable

Figures = dict[str, float]

_LONG: Final = 1_000_000
_WIDE: Final = 200_000
_RATE_HZ: Final = 50.0
_LAP_ROWS: Final = 5000
_CARS: Final = 20
_CHANNELS: Final = [one for one in PHYSICS.channels if one.width == 1 and one.dtype == np.float32][:36]
_NAMES: Final = ("accx_can", "accy_can", "aps", "gear", "nmot", "speed", "pbrake_f", "Steering_Angle")


def imports() -> Figures:
    """Import a million long rows of 20 cars, and 200,000 wide ones of 38 columns."""
    with tempfile.TemporaryDirectory(prefix="rig-bench-") as name:
        folder = Path(name)
        long_s, long_mb = _imported(_long(folder / "long Race 1.csv"), folder / "long")
        wide_s, wide_mb = _imported(_wide(folder / "wide Race 1.csv"), folder / "wide")
    return {
        "import_rows_per_min": _LONG / long_s * 60,
        "import_wide_rows_per_min": _WIDE / wide_s * 60,
        "import_rss_mb": max(long_mb, wide_mb),
    }


def _imported(path: Path, folder: Path) -> tuple[float, float]:
    """Seconds that an import takes, and the greatest memory of its process in MB."""
    command = [sys.executable, "-m", "tests.bench.imports", str(path), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(done.stdout)
    return float(seconds), float(megabytes)


def _long(path: Path) -> Path:
    head = "lap,meta_event,meta_session,meta_time,telemetry_name,telemetry_value,timestamp,vehicle_id\n"
    with path.open("w") as file:
        file.write(head)
        for sample in range(_LONG // len(_NAMES)):
            at, car = divmod(sample, _CARS)
            clock = f"{18 + at // 90_000:02}:{at // 1500 % 60:02}:{at // 25 % 60:02}.{at % 25 * 40:03}"
            stamp = f"2025-09-06T{clock}Z"
            for place, name in enumerate(_NAMES):
                value = 3 if name == "gear" else round(50 + (at * 7 + place) % 100 / 10, 3)
                file.write(f"{at // 2500 + 1},E,R1,{stamp},{name},{value},{stamp},CAR-{car}\n")
    return path


def _wide(path: Path) -> Path:
    rng = np.random.default_rng(7)
    with path.open("w") as file:
        file.write(",".join(["bench_time", "bench_lap", *(one.name for one in _CHANNELS)]) + "\n")
        for first in range(0, _WIDE, _LAP_ROWS):
            values = np.cumsum(rng.normal(0, 0.1, (_LAP_ROWS, len(_CHANNELS))), axis=0)
            for at, row in enumerate(values):
                cells = ",".join(f"{value:.4f}" for value in row)
                file.write(f"{(first + at) / _RATE_HZ:.3f},{first // _LAP_ROWS},{cells}\n")
    return path


class WideTable:
    """A table of channels by their own names."""

    name: str = "bench table"
    program: str = "bench"

    def recognises(self, head: Head) -> bool:
        """By its first column."""
        return head.text.startswith("bench_time,")

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """One session."""
        session = RecordedSession("bench", start_time_ns=1_757_183_000_000_000_000)
        return [Recording(self.name, session, self._laps(path, refuse, progress), rate_hz=_RATE_HZ)]

    def _laps(self, path: Path, refuse: Refuse, progress: Progress) -> Iterator[RecordedLap]:
        with path.open("rb") as file:
            table = SampleTable(str(path), file, ("bench_time",))
            some: list[dict[str, Array]] = []
            for chunk in table.chunks(table.columns, (), refuse):
                progress(table.bytes_read)
                laps = chunk.numbers["bench_lap"]
                for rows in np.split(np.arange(len(laps)), np.flatnonzero(np.diff(laps)) + 1):
                    if some and some[-1]["bench_lap"][-1] != laps[rows[0]]:
                        yield _lap(some)
                        some = []
                    some.append({name: values[rows] for name, values in chunk.numbers.items()})
            yield _lap(some)


def _lap(parts: list[dict[str, Array]]) -> RecordedLap:
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    times, number = joined.pop("bench_time"), int(joined.pop("bench_lap")[0])
    begin, end = float(times[0]), float(times[-1]) + 1 / _RATE_HZ
    samples = {name: values.astype(np.float32) for name, values in joined.items()}
    return RecordedLap(
        0, number + 1, begin, end, lap_time_s=end - begin, samples={"lap_time": times - begin, **samples}
    )


def main(path: Path, folder: Path) -> None:
    """Import a file, and print seconds and megabytes."""
    known = (*dialects.all_dialects(), WideTable())
    began = time.monotonic()
    named = import_file.ImportOptions(track="bench")
    work = job.ImportJob(SinkKeeper(FolderSink(folder)), named, lambda _row: None, lambda _path, _bytes: None)
    with (
        patch.object(dialects, "all_dialects", lambda: known),
        patch.object(discovery, "all_dialects", lambda: known),
    ):
        (report,) = work.run(discovery.search([path]))
    assert report.outcome == "loaded", report.why
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([time.monotonic() - began, peak]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
