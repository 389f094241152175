"""What the gateway costs with many pages, and how late a message is in the last of them."""

import asyncio
import json
import sys
import time
from typing import Final

import aiohttp
import numpy as np

from tests.bench.subscribers import TWELVE
from tests.stage import answer, cpu_s, free_port, stage

_SECONDS: Final = 12.0
_RATE_HZ: Final = 30
_CARS: Final = 40
_TIME_AT: Final = 10
"""From the tag of a tick's number to its time."""


def gateway() -> dict[str, float]:
    """Pages with 12 channels of 40 cars at 30 Hz: what 60 cost, and how late 100 are."""
    share, _, followers, rate_hz = _measured(60)
    _, p99_ms, _, _ = _measured(100)
    return {
        "gateway_core_pct_60": 100 * share,
        "gateway_p99_ms_100": p99_ms,
        "gateway_followers": float(followers),
        "gateway_page_hz_60": rate_hz,
    }


def _measured(pages: int) -> tuple[float, float, int, float]:
    """Share of a core, 99th percentile of capture to page, followers of the rig, messages a second a page."""
    with stage() as here:
        here.record()
        time.sleep(0.5)
        here.game(_CARS, _RATE_HZ, _SECONDS + 20)
        time.sleep(2)
        here.serve()
        port = free_port()
        running = here.start("rigclient", "gateway", "--rig", here.address, "--port", str(port))
        assert running.stdout is not None
        running.stdout.readline()
        readers = here.start("tests.bench.gateway", str(port), here.address, str(pages), str(_SECONDS))
        time.sleep(4)
        before, began = cpu_s(running.pid), time.monotonic()
        time.sleep(_SECONDS - 6)
        share = (cpu_s(running.pid) - before) / (time.monotonic() - began)
        seen = answer(readers, 60)
        return share, float(seen["p99_ms"]), int(seen["followers"]), seen["messages"] / pages / _SECONDS


async def _read(session: aiohttp.ClientSession, rig: str, until: float, late: list[float]) -> None:
    """One page."""
    async with session.ws_connect(f"/live/{rig}", compress=0) as socket:
        entry = {"stream": "physics", "channels": list(TWELVE), "rate": _RATE_HZ}
        await socket.send_str(json.dumps({"follow": [entry]}))
        while time.monotonic() < until:
            came = await socket.receive()
            if came.type == aiohttp.WSMsgType.BINARY:
                now = time.time_ns()
                # index, cursor (tag, length, 44 bytes), tag and length of the tick
                at = came.data.index(b"\x09", 48)
                captured = int.from_bytes(came.data[at + _TIME_AT : at + _TIME_AT + 8], "little")
                late.append((now - captured) / 1e6)


async def _pages(port: int, rig: str, count: int, seconds: float) -> dict[str, float]:
    late: list[float] = []
    until = time.monotonic() + seconds
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:
        reading = [asyncio.create_task(_read(session, rig, until, late)) for _ in range(count)]
        await asyncio.sleep(seconds / 2)
        async with session.get(f"/api/{rig}/status") as found:
            followers = len((await found.json())["followers"])
        await asyncio.gather(*reading)
    half = late[len(late) // 4 :]  # without the opening of pages
    return {"p99_ms": float(np.percentile(half, 99)), "messages": len(late), "followers": followers}


if __name__ == "__main__":
    words = sys.argv[1:]
    print(json.dumps(asyncio.run(_pages(int(words[0]), words[1], int(words[2]), float(words[3])))))
