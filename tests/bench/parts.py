"""The measurements, one function each: name -> figures."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from rig.channels import PHYSICS
from rig.columns import Head, Layouts, Template, read_head
from rig.v1 import physics_pb2
from tests.bench.analysis import analysis
from tests.bench.archiver import archive_lap, corners_archive
from tests.bench.archives import archives
from tests.bench.busy import busy
from tests.bench.catalog import catalog
from tests.bench.costs import costs
from tests.bench.derived import derived
from tests.bench.gateway import gateway
from tests.bench.hostile import hostile
from tests.bench.imports import imports
from tests.bench.lapservice import listlaps, readlap
from tests.bench.paint import page_growth, paint
from tests.bench.peers.append import peers_append
from tests.bench.peers.fanout import peers_fanout
from tests.bench.peers.laps import peers_laps
from tests.bench.season import season_figures
from tests.bench.subscribers import TWELVE
from tests.bench.warehouse import warehouse
from tests.bench.warehouse_reads import warehouse_reads
from tests.stage import answer, cpu_s, free_port, rss_mb, stage

Figures = dict[str, float]

_LIVE_S: Final = 14.0
_RUNS: Final = 3
_RECORD_S: Final = 25.0
_FAST_S: Final = 60.0


def tick() -> Figures:
    """The recorder at 50 Hz with 40 cars."""
    with stage() as here:
        recorder = here.record()
        here.game(40, 50, _RECORD_S + 10)
        time.sleep(4)
        before, began = cpu_s(recorder.pid), time.monotonic()
        time.sleep(_RECORD_S)
        share = (cpu_s(recorder.pid) - before) / (time.monotonic() - began)
        status = here.status()
        return {
            "tick_work_p50_ms": status.tick_work.p50_ms,
            "tick_work_p99_ms": status.tick_work.p99_ms,
            "tick_lateness_p99_ms": status.tick_lateness.p99_ms,
            "commit_p50_ms": status.commit.p50_ms,
            "recorder_core_pct": 100 * share,
            "recorder_rss_mb": rss_mb(recorder.pid),
            "floor_core_pct": 100 * _floor_share(),
        }


def _floor_share() -> float:
    """What reading the memory and committing 36 kB 50 times a second takes of a core, and nothing else."""
    with stage() as here:
        floor = here.start("tests.bench.floor", str(here.buffers), str(here.data))
        time.sleep(2)
        before, began = cpu_s(floor.pid), time.monotonic()
        time.sleep(8)
        return (cpu_s(floor.pid) - before) / (time.monotonic() - began)


def fast() -> Figures:
    """400 Hz with 40 cars for a minute: frames the game closed and the recorder did not take."""
    with stage() as here:
        recorder = here.record()
        time.sleep(1)
        game = here.game(40, 400, _FAST_S)
        frames = answer(game, _FAST_S + 30)
        time.sleep(1.5)
        status = here.status()
        return {
            "missed_400hz": frames - status.captured,
            "frames_400hz": frames,
            "core_pct_400hz": 100 * cpu_s(recorder.pid) / _FAST_S,
        }


def _live(count: int, channels: str, cars: str, rate: int) -> Figures:
    """Latencies, and the server's CPU per message in microseconds."""
    with stage() as here:
        here.record()
        time.sleep(0.5)
        here.game(40, rate, _LIVE_S + 10)
        time.sleep(2)
        server = here.serve()
        readers = here.subscribe(count, channels, cars, _LIVE_S)
        time.sleep(4)
        before, began = cpu_s(server.pid), time.monotonic()
        time.sleep(_LIVE_S - 6)
        used, passed = cpu_s(server.pid) - before, time.monotonic() - began
        seen = answer(readers, 60)
    return {"p50": seen["p50_ms"], "p99": seen["p99_ms"], "us": used / (count * rate * passed) * 1e6}


def _echo(count: int, rate: int, size: int) -> Figures:
    """The same of the bare server, which reads nothing, commits nothing and cuts nothing."""
    with stage() as here:
        port = str(free_port())
        server = here.start("tests.bench.echo", port, str(size), str(rate))
        assert server.stdout is not None
        server.stdout.readline()
        readers = here.start("tests.bench.echo", port, str(count), "10", "read")
        time.sleep(2)
        before, began = cpu_s(server.pid), time.monotonic()
        time.sleep(6)
        used, passed = cpu_s(server.pid) - before, time.monotonic() - began
        seen = answer(readers, 60)
    return {"p50": seen["p50_ms"], "p99": seen["p99_ms"], "us": used / (count * rate * passed) * 1e6}


def _against_echo(name: str, count: int, channels: str, cars: str, rate: int, size: int) -> Figures:
    """Medians of three runs, ours and the bare server's in turn, so that both meet the same machine."""
    pairs = [(_live(count, channels, cars, rate), _echo(count, rate, size)) for _ in range(_RUNS)]
    ours, bare = (
        {figure: float(np.median([pair[side][figure] for pair in pairs])) for figure in ("p50", "p99", "us")}
        for side in (0, 1)
    )
    return {
        f"live_{name}_p50_ms": ours["p50"],
        f"live_{name}_p99_ms": ours["p99"],
        f"echo_{name}_p50_ms": bare["p50"],
        f"echo_{name}_p99_ms": bare["p99"],
        f"live_{count}_p50_vs_echo": _median_ratio(pairs, "p50"),
        f"server_us_per_message_{name}": ours["us"],
        f"server_cpu_vs_echo_{name}": _median_ratio(pairs, "us"),
    }


def _median_ratio(pairs: list[tuple[Figures, Figures]], figure: str) -> float:
    """Of each run to the bare server's run after it: what the machine does meanwhile meets both."""
    return float(np.median([ours[figure] / bare[figure] for ours, bare in pairs]))


def _message_bytes(channels: tuple[str, ...], cars: int) -> int:
    picked = PHYSICS.pick(channels)
    return 90 + sum(4 + cars * channel.row_bytes for channel in picked)


def live_8() -> Figures:
    """Memory to subscriber: 8 subscribers, 40 cars, all channels, 50 Hz; beside a bare server."""
    return _against_echo("8_all", 8, "all", "all", 50, _message_bytes((), 40))


def live_32() -> Figures:
    """32 subscribers, 40 cars, 12 channels, 50 Hz; beside a bare server."""
    return _against_echo("32_12", 32, "12", "all", 50, _message_bytes(TWELVE, 40))


def live_100() -> Figures:
    """100 subscribers, one car, 12 channels, 90 Hz; beside a bare server."""
    return _against_echo("100", 100, "12", "player", 90, _message_bytes(TWELVE, 1))


def decode() -> Figures:
    """A tick of 40 cars into numpy columns: ours against generated protobuf attributes."""
    template = Template(PHYSICS, 40)
    data = template.pack(Head(1, 2, 3, 4.0, 5, PHYSICS.schema, 40, -1, False, True))
    layouts = Layouts(PHYSICS)

    def ours() -> None:
        head = read_head(data)
        view = layouts.of(head, data, 0, len(data)).view(data, 0)
        for channel in PHYSICS.channels:
            view[channel.name]

    def theirs() -> None:
        message = physics_pb2.Physics.FromString(data)
        for channel in PHYSICS.channels:
            np.array(getattr(message, channel.name), channel.dtype)

    mine, other = _median_us(ours), _median_us(theirs)
    return {"decode_us": mine, "decode_protobuf_us": other, "decode_vs_protobuf": other / mine}


def _median_us(work: Callable[[], None]) -> float:
    times = []
    for _ in range(300):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e6


PARTS: Final[dict[str, Callable[[], Figures]]] = {
    "decode": decode,
    "tick": tick,
    "live_8": live_8,
    "live_32": live_32,
    "live_100": live_100,
    "fast": fast,
    "analysis": analysis,
    "derived": derived,
    "archives": archives,
    "archive_lap": archive_lap,
    "corners_archive": corners_archive,
    "listlaps": listlaps,
    "catalog": catalog,
    "readlap": readlap,
    "busy": busy,
    "hostile": hostile,
    "gateway": gateway,
    "imports": imports,
    "paint": paint,
    "page_growth": page_growth,
    "peers_append": peers_append,
    "peers_fanout": peers_fanout,
    "peers_laps": peers_laps,
    "costs": costs,
    "warehouse_reads": warehouse_reads,
    "warehouse": warehouse,
    "season": season_figures,
}

TARGETS: Final = {
    "tick_work_p99_ms": 0.5,
    "recorder_core_pct": 5.0,
    "recorder_rss_mb": 150.0,
    "missed_400hz": 0.0,
    "gateway_core_pct_60": 15.0,
    "import_rows_per_min": 1e6,
    "import_wide_rows_per_min": 3e5,
    "import_rss_mb": 300.0,
    "paint_p50_ms": 25.0,
    "paint_p95_ms": 50.0,
    "first_paint_ms": 1000.0,
    "page_growth_pct": 10.0,
    "gateway_vs_mosquitto_p99": 1.0,
    "stalled_page_bytes": 1e6,
    "live_8_all_p50_ms": 2.0,
    "live_8_all_p99_ms": 4.0,
    "live_32_12_p99_ms": 5.0,
    "live_100_p99_ms": 10.0,
    "live_8_p50_vs_echo": 2.7,
    "server_cpu_vs_echo": 1.25,
    "decode_vs_protobuf": 10.0,
    "archive_vs_mcap": 0.4,
    "archive_vs_best_parquet": 0.65,
    "archive_vs_pcodec": 1.0,
    "channel_read_pct": 5.0,
    "lap_decode_mb_s": 500.0,
    "archive_lap_cpu_s": 0.2,
    "corners_archive_s_per_lap": 0.05,
    "readlap_vs_copy": 3.0,
    "listlaps_100k_ms": 20.0,
    "catalog_list_10k_ms": 20.0,
    "busy_tick_lateness_p99_ms": 1.0,
    "busy_missed": 0.0,
    "healthy_p99_rise_ms": 1.0,
    "stopped_noticed_s": 2.0,
    "stopped_holds_kb": 256.0,
    "filtered_pair_s": 2.0,
    "filtered_pair_rss_mb": 50.0,
    "warehouse_compare_s": 2.0,
    "warehouse_compare_rss_mb": 50.0,
    "keyset_rss_mb": 260.0,
    "season_laps_7214_ms": 1000.0,
    "season_warehouse_7214_ms": 1000.0,
    "load_vs_write_pandas": 1.0,
    "load_vs_by_hand": 0.8,
    "load_rss_over_idle_mb": 300.0,
}
"""What each figure should not exceed, or not fall below."""

AT_LEAST: Final = frozenset(
    {
        "decode_vs_protobuf",
        "import_rows_per_min",
        "import_wide_rows_per_min",
        "lap_decode_mb_s",
        "load_vs_by_hand",
        "load_vs_write_pandas",
    }
)

BUILD: Final = Path("build")
