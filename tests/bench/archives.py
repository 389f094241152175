"""Lap files against other formats: bytes, and the time to write and read them.

    python -m tests.bench.archives

The laps are the simulated race's, whose springs are exactly linear: the real game's channels foretell each
other less well. Real telemetry is measured beside them where the recordings are at hand.
"""

import csv
import functools
import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mcap.writer import CompressionType, Writer
from pcodec import ChunkConfig, standalone  # type: ignore[import-untyped]

from rig.channels import PHYSICS
from rig.columns import Head, Layout
from rig.lapfile import LapFile, pack
from rig.v1 import archive_pb2
from rigd.demo.race import Race
from rigd.record.encoder import Encoder

Array = np.ndarray[Any, np.dtype[Any]]
Columns = dict[str, Array]
Figures = dict[str, float]

_CARS: Final = 40
_SLOTS: Final = (0, 3, 17, 30)
"""Rows of the cars that are measured: of each class, in front and in traffic."""
_LATEST_S: Final = 260.0
_RUNS: Final = 15
_SAMPLE: Final = "R1_barber_telemetry_data_sample.csv"
REAL: Final = Path(__file__).resolve().parents[3] / "shared/data/gr-cup/Data/barber/Samples" / _SAMPLE
_REAL_CHANNELS: Final = {
    "Steering_Angle": "steering",
    "VBOX_Lat_Min": "drag",
    "VBOX_Long_Minutes": "front_downforce",
    "accx_can": "engine_torque",
    "accy_can": "turbo_boost",
    "aps": "throttle",
    "gear": "fuel",
    "pbrake_f": "brake",
    "pbrake_r": "clutch",
}
"""What was recorded at the full rate -> a channel that carries it here, whatever else that one means."""


def archives() -> Figures:
    """Sizes and speeds of lap files, other formats on the same float32 samples beside them."""
    laps = demo_laps()
    return {**sizes([_floats(lap) for lap in laps]), **speeds(laps[0]), **reads(laps[0]), **real()}


@functools.cache
def demo_laps() -> list[Columns]:
    """One green lap of each of several cars, all channels of a lap file."""
    race, encoder = Race(_CARS), Encoder(PHYSICS)
    kept: dict[str, list[Array]] = defaultdict(list)
    layout = None
    while race.clock < _LATEST_S and race.timing.laps[list(_SLOTS)].min() < 2:
        race.step()
        if race.leader_laps == 0:
            continue
        head = Head(race.frame, 0, 1, race.clock, race.frame, PHYSICS.schema, _CARS, -1, False, True)
        with np.errstate(all="ignore"):  # doubles beyond float32, which become NaN
            data = encoder.encode(race.records, head)
        layout = layout or Layout(PHYSICS, data, 0, len(data))
        view = layout.view(data, 0)
        for channel in PHYSICS.channels:
            kept[channel.name].append(view[channel.name][list(_SLOTS)])
        kept["session_time"].append(np.full(len(_SLOTS), race.clock))
        kept["seq"].append(np.full(len(_SLOTS), race.frame, "<u8"))
    frames = {name: np.array(values) for name, values in kept.items()}
    return [_second_lap(frames, slot) for slot in range(len(_SLOTS))]


def _second_lap(frames: Mapping[str, Array], slot: int) -> Columns:
    (rows,) = np.nonzero(frames["lap_number"][:, slot] == 1)
    lap = {name: np.ascontiguousarray(values[rows, slot]) for name, values in frames.items()}
    return lap | _added(lap)


def _added(lap: Columns) -> Columns:
    """What the archive adds: the wall clock as late as the recorder wakes, distances as it tells them."""
    late = np.random.default_rng(1).exponential(2e5, len(lap["seq"]))
    distance = np.cumsum(lap["speed"].astype(np.float64) * 0.02).astype("<f4")
    return {
        "capture_time_ns": (1.8e18 + lap["session_time"] * 1e9 + late).astype("<u8"),
        "lap_time": lap["elapsed_time"] - lap["lap_start_time"],
        "distance": distance,
        "game_distance": np.repeat(distance[::10], 10)[: len(distance)],
    }


def _floats(lap: Columns) -> Columns:
    """The recorded float32 channels, which every format takes as they are."""
    return {name: lap[name] for name in PHYSICS.by_name if lap[name].dtype == "<f4"}


def _components(lap: Columns) -> Columns:
    """One float32 column per component."""
    return {
        f"{name}_{at}": np.ascontiguousarray(values)
        for name, column in lap.items()
        for at, values in enumerate(column.reshape(len(column), -1).T)
    }


def sizes(laps: list[Columns], prefix: str = "") -> Figures:
    """Bytes per float32 value in each format, and ours against theirs."""
    values = sum(column.size for lap in laps for column in lap.values())
    ways: dict[str, Callable[[Columns], int]] = {
        "archive": lambda lap: len(pack(archive_pb2.LapHeader(), lap, {})),
        "mcap": _mcap,
        "parquet": lambda lap: _parquet(lap, compression="zstd"),
        "parquet_split": lambda lap: _parquet(
            lap, compression="zstd", compression_level=9, use_dictionary=False, use_byte_stream_split=True
        ),
        "pcodec": _pcodec,
    }
    each = {name: sum(map(way, laps)) / values for name, way in ways.items()}
    figures = {f"{prefix}{name}_bytes_per_sample": value for name, value in each.items()}
    best = min(each["parquet"], each["parquet_split"])
    figures[f"{prefix}archive_vs_mcap"] = each["archive"] / each["mcap"]
    figures[f"{prefix}archive_vs_best_parquet"] = each["archive"] / best
    figures[f"{prefix}archive_vs_pcodec"] = each["archive"] / each["pcodec"]
    return figures


def _mcap(lap: Columns) -> int:
    """A message per tick, its values one after another."""
    out = io.BytesIO()
    writer = Writer(out, compression=CompressionType.ZSTD)
    writer.start()
    schema = writer.register_schema("tick", "jsonschema", b"{}")
    topic = writer.register_channel("/car", "floats", schema)
    ticks = np.column_stack(list(_components(lap).values()))
    for number, tick in enumerate(ticks):
        when = number * 20_000_000
        writer.add_message(topic, log_time=when, publish_time=when, data=tick.tobytes())
    writer.finish()  # type: ignore[no-untyped-call]
    return len(out.getvalue())


def _parquet(lap: Columns, **how: Any) -> int:
    out = io.BytesIO()
    pq.write_table(pa.table(_components(lap)), out, **how)
    return len(out.getvalue())


def _pcodec(lap: Columns) -> int:
    config = ChunkConfig(compression_level=8)
    return sum(len(standalone.simple_compress(values, config)) for values in _components(lap).values())


def speeds(lap: Columns) -> Figures:
    """Milliseconds and megabytes of raw columns a second, medians, on one core."""
    raw = sum(column.nbytes for column in lap.values())
    data = pack(archive_pb2.LapHeader(), lap, {})
    encode = _median_s(lambda: pack(archive_pb2.LapHeader(), lap, {}), time.process_time)
    decode = _median_s(lambda: LapFile(data).columns(), time.perf_counter)
    plain = _median_s(lambda: pack(archive_pb2.LapHeader(), lap, {}, plain=True), time.process_time)
    return {
        "archive_rows": float(len(lap["speed"])),
        "archive_raw_bytes": float(raw),
        "archive_bytes": float(len(data)),
        "archive_encode_cpu_s": encode,
        "archive_plain_cpu_s": plain,
        "lap_decode_mb_s": raw / decode / 1e6,
    }


def _median_s(work: Callable[[], object], clock: Callable[[], float]) -> float:
    times = []
    for _ in range(_RUNS):
        began = clock()
        work()
        times.append(clock() - began)
    return float(np.median(times))


def reads(lap: Columns) -> Figures:
    """Share of the file that reading `speed`, and the channel that needs most, touches."""
    data = pack(archive_pb2.LapHeader(), lap, {})
    file = LapFile(data)
    shares = {name: 100 * file.block_bytes([name]) / len(data) for name in lap}
    return {
        "channel_read_pct": shares["speed"],
        "channel_read_median_pct": float(np.median(list(shares.values()))),
        "channel_read_worst_pct": max(shares.values()),
        "archive_head_bytes": float(file.block_bytes([])),
    }


def real() -> Figures:
    """The same sizes on a real car's recording, where it is at hand: nine columns of 1,041 rows, decimals."""
    if not REAL.exists():
        return {"real_telemetry": 0.0}
    series: dict[str, list[float]] = defaultdict(list)
    with REAL.open(newline="") as lines:
        for row in csv.DictReader(lines):
            series[row["telemetry_name"]].append(float(row["telemetry_value"]))
    rows = min(len(series[name]) for name in _REAL_CHANNELS)
    lap = {channel: np.array(series[name][:rows], "<f4") for name, channel in _REAL_CHANNELS.items()}
    return {"real_telemetry": float(rows), **sizes([lap], "real_")}


if __name__ == "__main__":
    began = time.monotonic()
    print(json.dumps({name: round(value, 4) for name, value in archives().items()}, indent=2))
    print(f"{time.monotonic() - began:.0f} s")
