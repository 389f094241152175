"""What the gateway costs with many pages, how late messages come, and what a page that stalls holds."""

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import numpy as np

from tests.bench.peers import daemons
from tests.bench.subscribers import TWELVE
from tests.stage import Stage, answer, cpu_s, free_port, rss_mb, stage

if TYPE_CHECKING:
    import subprocess

_SECONDS: Final = 12.0
_RATE_HZ: Final = 30
_CARS: Final = 40
_ROUNDS: Final = 3
_READERS: Final = 4
_STALLED: Final = 50
_TIME_AT: Final = 10
"""From the tag of a tick's number to its time."""


def gateway() -> dict[str, float]:
    """Pages with 12 channels of 40 cars at 30 Hz: what 60 cost, how late 100 are beside MQTT, and what one
    that reads nothing holds.
    """
    with stage() as here:
        here.record()
        time.sleep(0.5)
        here.game(_CARS, _RATE_HZ, 300)
        time.sleep(2)
        here.serve()
        figures = _sixty(here)
        # In turn, so that both meet the same machine.
        rounds = [(_gateway_p99_ms(here), _mosquitto_p99_ms(here)) for _ in range(_ROUNDS)]
        ours, theirs = zip(*rounds, strict=True)
        figures["gateway_p99_ms_100"] = float(np.median(ours))
        known = [one for one in theirs if one is not None]
        if known:
            figures["mosquitto_p99_ms_100"] = float(np.median(known))
            figures["gateway_vs_mosquitto_p99"] = float(np.median(ours) / np.median(known))
        else:
            figures["mosquitto.absent"] = 1.0
        figures["stalled_page_bytes"] = _stalled_bytes(here)
        return figures


def _sixty(here: Stage) -> dict[str, float]:
    """What 60 pages cost, followers of the rig, messages a second a page."""
    running, port = _running(here)
    readers = here.start("tests.bench.gateway", str(port), here.address, "60", str(_SECONDS))
    time.sleep(4)
    before, began = cpu_s(running.pid), time.monotonic()
    time.sleep(_SECONDS - 6)
    share = (cpu_s(running.pid) - before) / (time.monotonic() - began)
    seen = answer(readers, 60)
    here.stop(running)
    return {
        "gateway_core_pct_60": 100 * share,
        "gateway_followers": float(seen["followers"]),
        "gateway_page_hz_60": seen["messages"] / 60 / _SECONDS,
    }


def _running(here: Stage) -> tuple["subprocess.Popen[str]", int]:
    """A gateway, once it listens, and its port."""
    port = free_port()
    running = here.start("rigclient", "gateway", "--rig", here.address, "--port", str(port))
    assert running.stdout is not None
    running.stdout.readline()
    return running, port


def _gateway_p99_ms(here: Stage) -> float:
    running, port = _running(here)
    found = _p99_ms(here, "gateway", f"{port}/{here.address}")
    here.stop(running)
    return found


def _mosquitto_p99_ms(here: Stage) -> float | None:
    """The same bytes through a broker; None where there is none."""
    try:
        daemon, port = daemons.mosquitto(here)
    except daemons.Absent:
        return None
    feeding = here.start("tests.bench.peers.servers", "mosquitto", str(here.data), str(port))
    assert feeding.stdout is not None
    feeding.stdout.readline()
    found = _p99_ms(here, "mosquitto", str(port))
    here.stop(feeding, daemon)
    return found


def _p99_ms(here: Stage, kind: str, where: str) -> float:
    """Game to page for 100 of them. They are read by processes with 25 each, of which the latest counts:
    one Python that reads 3,000 messages a second would be what is measured.
    """
    each = str(100 // _READERS)
    words = ("tests.bench.peers.clients", kind, where, each, "4")
    readers = [here.start(*words) for _ in range(_READERS)]
    return max(float(answer(one, 60)[each]["p99_ms"]) for one in readers)


def _stalled_bytes(here: Stage) -> float:
    """Memory of the gateway for each page that follows everything and reads nothing."""
    running, port = _running(here)
    one = here.start("tests.bench.gateway", str(port), here.address, "1", "3")
    answer(one, 60)
    before = rss_mb(running.pid)
    pages = here.start("tests.bench.gateway", str(port), here.address, str(_STALLED), "stalled")
    assert pages.stdout is not None
    pages.stdout.readline()
    time.sleep(8)
    grown = (rss_mb(running.pid) - before) * 1e6
    here.stop(pages, running)
    return max(grown, 0.0) / _STALLED


async def _stall(port: int, rig: str, count: int) -> None:
    """Open pages that read nothing."""
    everything = [{"stream": "physics", "rate": 0}, {"stream": "scoring", "rate": 0}, {"stream": "events"}]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:
        sockets = [await session.ws_connect(f"/live/{rig}", compress=0) for _ in range(count)]
        for socket in sockets:
            await socket.send_str(json.dumps({"follow": everything}))
            connection: Any = socket._response.connection
            connection.transport.pause_reading()
        print("up", flush=True)
        await asyncio.sleep(60)


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
    if words[3] == "stalled":
        asyncio.run(_stall(int(words[0]), words[1], int(words[2])))
        sys.exit()
    print(json.dumps(asyncio.run(_pages(int(words[0]), words[1], int(words[2]), float(words[3])))))
