"""What recorder and server cost as things grow: cars, channels, subscribers, and the ring they write to.

    python -m tests.bench.costs

One thing grows at a time; the others stay at 40 cars, 12 channels, 8 subscribers and a ring that is not full.
"""

import json
import time
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

from rig.channels import PHYSICS
from rig.columns import HEAD_BYTES, read_head
from rigd.ring import PHYSICS as STREAM
from rigd.ring import Record, RingWriter, key
from tests.bench.costs_plot import SVG, draw
from tests.bench.peers.ticks import race_ticks
from tests.stage import Stage, answer, cpu_s, rss_mb, stage

Figures = dict[str, float]

_RATE_HZ: Final = 50
_SETTLE_S: Final = 3.0
_GB: Final = 10**9
_GROUP: Final = 64
"""Ticks of one commit while a ring is filled."""


class Point(NamedTuple):
    """A load."""

    cars: int = 40
    channels: int = 12
    subscribers: int = 8
    ring_gb: float = 0.0
    """Size of a ring that is full; 0: one that never fills."""


AXES: Final[dict[str, tuple[float, ...]]] = {
    "cars": (1, 20, 40, 104),
    "channels": (12, 50, len(PHYSICS.channels)),
    "subscribers": (1, 8, 32, 100),
    "ring_gb": (0.25, 1, 4),
}
"""Field of a point -> the values it takes."""


def costs() -> Figures:
    """Recorder and server as cars, channels, subscribers and the ring grow; draws costs.svg."""
    figures = grown(AXES, 4.0)
    draw(figures, AXES, SVG)
    return figures


def grown(axes: Mapping[str, tuple[float, ...]], seconds: float) -> Figures:
    """What each point of each axis costs; a point that lies on several is measured once."""
    points = {(axis, value): Point(**{axis: value}) for axis, values in axes.items() for value in values}  # type: ignore[arg-type]
    seen = {point: _measured(point, seconds) for point in dict.fromkeys(points.values())}
    return {
        f"costs.{axis}_{value:g}.{name}": figure
        for (axis, value), point in points.items()
        for name, figure in seen[point].items()
    }


def _measured(point: Point, seconds: float) -> Figures:
    with stage() as here:
        size = _fill(here.data, point) if point.ring_gb else 512 << 20
        began = time.monotonic()
        recorder = here.record("--ring-size", str(size))
        here.status()
        figures = {"start_s": time.monotonic() - began}
        here.game(point.cars, _RATE_HZ, 60 + seconds)
        server = here.serve()
        readers = here.subscribe(point.subscribers, str(point.channels), "all", _SETTLE_S + seconds)
        time.sleep(_SETTLE_S)
        figures |= _spent(here, {"recorder": recorder.pid, "server": server.pid}, seconds)
        return figures | {"p50_ms": answer(readers, 60)["p50_ms"]}


def _spent(here: Stage, pids: dict[str, int], seconds: float) -> Figures:
    """What processes use of a core while so long passes, and their memory and the disk at its end."""
    before, began = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    shares = {f"{name}_core_pct": 100 * (cpu_s(pid) - before[name]) / passed for name, pid in pids.items()}
    memory = {f"{name}_rss_mb": rss_mb(pid) for name, pid in pids.items()}
    return shares | memory | {"commit_p50_ms": here.status().commit.p50_ms}


def _fill(data: Path, point: Point) -> int:
    """A ring as full as it gets; its bound."""
    limit = int(point.ring_gb * _GB)
    ring, ticks = RingWriter(data / "ring", limit), _numbered(race_ticks(_GROUP, point.cars))
    while ring.spans()[STREAM].first <= 1:  # until the oldest have gone
        ring.append([next(ticks) for _ in range(_GROUP)], {})
    ring.close()
    return limit


def _numbered(ticks: list[bytes]) -> Iterator[Record]:
    """Ticks without end under ever new numbers."""
    for seq, tick in enumerate(cycle(ticks), 1):
        head = read_head(tick)._replace(seq=seq, capture_time_ns=seq * 20_000_000)
        yield Record(STREAM, key(seq), head.pack() + tick[HEAD_BYTES:])


if __name__ == "__main__":
    print(json.dumps(costs(), indent=2))
