"""The measurements, one function each: name -> figures."""

import time
from collections.abc import Callable
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
from tests.bench.figures import Figures
from tests.bench.gateway import gateway
from tests.bench.hostile import hostile
from tests.bench.imports import imports
from tests.bench.lapservice import listlaps, readlap
from tests.bench.paint import page_growth, paint
from tests.bench.peers.append import peers_append
from tests.bench.peers.fanout import peers_fanout
from tests.bench.peers.laps import peers_laps
from tests.bench.peers.live import peers_live
from tests.bench.peers.rounds import medians, ratio, turns
from tests.bench.recorder import fast, ready, tick
from tests.bench.season import season_figures
from tests.bench.subscribers import TWELVE
from tests.bench.warehouse import warehouse
from tests.bench.warehouse_reads import warehouse_reads
from tests.stage import answer, cpu_s, free_port, stage

_LIVE_S: Final = 14.0
_RUNS: Final = 3


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
    work: dict[str, Callable[[], Figures]] = {
        "ours": lambda: _live(count, channels, cars, rate),
        "echo": lambda: _echo(count, rate, size),
    }
    seen = turns(work, _RUNS, lambda who: work[who]())
    ours, bare = medians(seen["ours"]), medians(seen["echo"])
    return {
        f"live_{name}_p50_ms": ours["p50"],
        f"live_{name}_p99_ms": ours["p99"],
        f"echo_{name}_p50_ms": bare["p50"],
        f"echo_{name}_p99_ms": bare["p99"],
        f"live_{count}_p50_vs_echo": ratio(seen["ours"], seen["echo"], "p50"),
        f"server_us_per_message_{name}": ours["us"],
        f"server_cpu_vs_echo_{name}": ratio(seen["ours"], seen["echo"], "us"),
    }


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
    "ready": ready,
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
    "peers_live": peers_live,
    "peers_laps": peers_laps,
    "costs": costs,
    "warehouse_reads": warehouse_reads,
    "warehouse": warehouse,
    "season": season_figures,
}

TARGETS: Final = {
    "tick_work_p99_ms": 0.5,
    "recorder_core_pct": 5.0,
    "recorder_vs_floor": 3.0,
    "recorder_rss_mb": 150.0,
    "recorder_ready_s": 0.4,
    "flushes_per_s": 12.0,
    "device_bytes_vs_payload": 1.3,
    "missed_400hz": 0.0,
    "undeclared_400hz": 0.0,
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
    "live_8_p50_vs_echo": 2.7,
    "live_8_vs_foxglove": 0.9,
    "live_8_vs_mosquitto": 0.9,
    "live_32_12_p99_ms": 5.0,
    "live_100_p99_ms": 10.0,
    "server_cpu_vs_echo": 1.25,
    "decode_vs_protobuf": 10.0,
    "archive_vs_mcap": 0.4,
    "archive_vs_best_parquet": 0.65,
    "archive_vs_pcodec": 1.0,
    "channel_read_pct": 5.0,
    "lap_decode_mb_s": 500.0,
    "lap_decode_vs_parquet": 1.0,
    "archive_lap_cpu_s": 0.2,
    "archive_lap_vs_zstd": 2.8,
    "archive_learned_speedup": 1.6,
    "archive_learned_bytes_pct": 0.3,
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
    "load_vs_by_hand": 0.9,
    "load_rss_over_idle_mb": 300.0,
}
"""What each figure should not exceed, or not fall below."""

AT_LEAST: Final = frozenset(
    {
        "archive_learned_speedup",
        "decode_vs_protobuf",
        "import_rows_per_min",
        "import_wide_rows_per_min",
        "lap_decode_mb_s",
        "lap_decode_vs_parquet",
        "load_vs_by_hand",
        "load_vs_write_pandas",
    }
)


def met(name: str, value: float) -> bool | None:
    """Whether a figure is as it should be; None when nothing is asked of it."""
    target = TARGETS.get(name)
    if target is None:
        return None
    return value >= target if name in AT_LEAST else value <= target


def aim(name: str) -> str:
    """What a figure should be, in words. Raises KeyError when nothing is asked of it."""
    return f"{'≥' if name in AT_LEAST else '≤'} {TARGETS[name]:,g}"
