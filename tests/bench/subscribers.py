"""Subscribers in a process of their own: how old is a frame when it arrives?

    python -m tests.bench.subscribers ADDRESS COUNT CHANNELS CARS SECONDS

CHANNELS is `all` or a number, CARS `all` or `player`. Prints JSON: latencies in milliseconds and messages.
"""

import asyncio
import json
import sys
import time

import numpy as np
import uvloop

from rig.channels import PHYSICS
from rigclient.aio import AsyncRig

_WARM_UP_S = 3.0

TWELVE = (
    "last_impact_time", "speed", "gear", "engine_rpm", "throttle", "brake", "steering", "fuel",
    "tyre_temp", "tyre_pressure", "brake_temp", "position",
)  # fmt: skip
"""What an overlay asks for; the first is the stamp."""


def channels(word: str) -> tuple[str, ...]:
    """All channels, or so many: the twelve, then the others."""
    others = (name for name in PHYSICS.by_name if name not in TWELVE)
    return () if word == "all" else (*TWELVE, *others)[: int(word)]


async def follow(rig: AsyncRig, words: list[str], until: float, ages: list[float]) -> int:
    """One subscriber: decode every frame and note its age."""
    count, warm = 0, time.monotonic() + _WARM_UP_S
    async for frame in rig.physics(channels(words[0]), words[1]):  # type: ignore[arg-type]
        now = time.monotonic()
        if now > until:
            break
        if now > warm:
            ages.append(now - float(frame.last_impact_time[0]))
            count += 1
    return count


async def main(address: str, count: int, words: list[str], seconds: float) -> None:
    """Run all subscribers and print what they saw. Four share a connection, as overlays of one PC may."""
    ages: list[float] = []
    until = time.monotonic() + seconds
    rigs = [AsyncRig(address) for _ in range(max(count // 4, 1))]
    counts = await asyncio.gather(*(follow(rigs[i % len(rigs)], words, until, ages) for i in range(count)))
    for rig in rigs:
        await rig.close()
    p50, p99 = np.percentile(np.array(ages) * 1e3, [50, 99])
    print(json.dumps({"p50_ms": p50, "p99_ms": p99, "messages": sum(counts), "least": min(counts)}))


if __name__ == "__main__":
    assert "last_impact_time" in PHYSICS.by_name
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:5], float(sys.argv[5])))
