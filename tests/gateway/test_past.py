"""Replay of what the ring no longer holds: out of lap files, then out of the ring."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from rig.errors import Exhausted, MissingChannel
from rig.v1 import scoring_pb2, telemetry_pb2
from rigclient.aio import AsyncRig
from rigclient.gateway.kept import Allowance
from rigclient.gateway.server import Gateway
from rigclient.gateway.server import Settings as GatewaySettings
from rigd.serve.server import Server, Settings
from tests.gateway.browser import Browser, Tab
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.serve.scripted_recorder import PLAYER, START_NS, RecorderProcess, RemoteRecorder

SECOND_NS = 1_000_000_000
RING_NS = START_NS + 200 * SECOND_NS
"""What is older stands in laps alone: its ring is gone, and another one is there."""


@pytest.fixture
async def browser(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, recorder_process: RecorderProcess
) -> AsyncIterator[Browser]:
    kept = once(tmp_path_factory, "raced-real", real_drive)
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("ring", "truth.npz"))
    recorder = RemoteRecorder(recorder_process, tmp_path)
    for step in range(30):
        recorder.ticks(1, capture_time_ns=RING_NS + step * SECOND_NS // 10)
    server = Server(Settings(tmp_path, "127.0.0.1:0"))
    await server.start()
    rig = f"127.0.0.1:{server.port}"
    async with (
        Gateway(GatewaySettings(port=0, rigs=(rig,))) as gateway,
        aiohttp.ClientSession(gateway.address) as session,
    ):
        yield Browser(session, rig)
    await server.stop()
    recorder.close()


def physics(data: bytes) -> Any:
    return telemetry_pb2.StreamPhysicsResponse.FromString(data).ticks[-1]


async def seek(tab: Tab, second: float, speed: float = 32) -> None:
    await tab.say(seek={"time_ns": str(START_NS + int(second * SECOND_NS))}, speed=speed)


async def test_laps_come_first_and_then_the_ring(browser: Browser) -> None:
    entry = {"stream": "physics", "channels": ["speed", "gear", "gap_ahead"], "rate": 5}
    async with browser.tab(entry) as tab:
        await seek(tab, 185)
        times: list[int] = []
        cars: set[int] = set()
        while not times or times[-1] < RING_NS:
            tick = physics((await tab.message())[1])
            if tick.capture_time_ns < START_NS + 185 * SECOND_NS:
                continue  # of before the jump
            times.append(tick.capture_time_ns)
            if times[-1] < RING_NS:
                cars |= set(tick.id)
                assert len(tick.id) == len(tick.speed) == len(tick.gear)
                assert np.isfinite(tick.speed).all()
        assert times == sorted(times)
        assert len(times) > 20
        assert len(cars) == 4
        assert tick.id[1] == PLAYER  # the scripted ring's


async def test_scoring_of_laps_tells_session_and_entries(browser: Browser) -> None:
    async with browser.tab({"stream": "scoring", "rate": 0}) as tab:
        await seek(tab, 100, 4)
        first = telemetry_pb2.StreamScoringResponse.FromString((await tab.message())[1]).ticks[-1]
        assert first.session_state.track_name
        assert first.session_state.current_time == pytest.approx(first.session_time)
        assert {entry.id for entry in first.entry_list.entries} == set(first.id)
        assert len(first.place) == len(first.id)
        assert isinstance(first, scoring_pb2.Scoring)


async def test_what_a_lap_does_not_have_is_no_number(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = AsyncRig.lap

    async def older(rig: AsyncRig, lap: Any, channels: Any = (), **part: Any) -> Any:
        """A rig whose files are older than these channels."""
        if {"fuel", "gear"} & set(channels):
            raise MissingChannel("this lap has no channel", channels="speed, seq")
        return await whole(rig, lap, channels, **part)

    monkeypatch.setattr(AsyncRig, "lap", older)
    async with browser.tab({"stream": "physics", "channels": ["speed", "fuel", "gear"], "rate": 5}) as tab:
        await seek(tab, 100, 4)
        tick = physics((await tab.message())[1])
        assert np.isnan(tick.fuel).all()
        assert len(tick.fuel) == len(tick.speed) > 0
        assert not tick.gear


async def test_a_formula_is_refused_for_laps_and_taken_of_the_ring(browser: Browser) -> None:
    entry = {"stream": "physics", "channels": ["kmh = speed [km/h]"]}
    async with browser.tab(entry) as tab:
        await seek(tab, 100)
        assert "laps" in (await tab.error())["message"]
    async with browser.tab() as tab:
        await tab.say(follow=[entry], id=1)
        await seek(tab, 201, 1)
        assert physics((await tab.message())[1]).capture_time_ns >= RING_NS


async def test_a_time_long_before_the_first_lap_is_no_long_way(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    whole = AsyncRig.laps

    def counted(rig: AsyncRig, *given: Any, **wanted: Any) -> Any:
        nonlocal asked
        asked += 1
        return whole(rig, *given, **wanted)

    monkeypatch.setattr(AsyncRig, "laps", counted)
    async with browser.tab({"stream": "physics", "channels": ["speed"]}) as tab:
        await tab.say(seek={"time_ns": "1"}, speed=32)
        await tab.state("stale")
        assert 0 < asked < 10


def test_replays_together_hold_so_much_and_no_more() -> None:
    allowance = Allowance(10 << 20)
    allowance.take(8 << 20)
    with pytest.raises(Exhausted, match="8 MB"):
        allowance.take(4 << 20)
    allowance.give_back(8 << 20)
    allowance.take(4 << 20)
