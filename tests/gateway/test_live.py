"""Streams as a page sees them."""

import asyncio
import base64
import contextlib
import time
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web

import rigclient
from rig.v1 import telemetry_pb2
from rigclient import requests
from rigclient.aio import AsyncRig
from rigclient.gateway import page
from rigclient.gateway.server import Gateway
from rigclient.gateway.server import Settings as GatewaySettings
from rigd.serve import status
from rigd.serve.server import Server, Settings
from tests.gateway.browser import Browser, Tab, until
from tests.serve.scripted_recorder import RemoteRecorder

SPEED = {"stream": "physics", "channels": ["speed"], "rate": 0}
EVENTS = {"stream": "events"}


def tick(data: bytes) -> int:
    """The number of the last tick of a message."""
    return telemetry_pb2.StreamPhysicsResponse.FromString(data).ticks[-1].seq


async def tick_after(tab: Tab, recorder: RemoteRecorder) -> bytes:
    """A message that comes, however long the stream takes to open."""
    while True:
        recorder.ticks(1, capture_time_ns=time.time_ns())
        try:
            async with asyncio.timeout(0.3):
                return (await tab.message())[1]
        except TimeoutError:
            continue


async def test_bytes_are_those_of_the_rig_s_stream(recorder: RemoteRecorder, browser: Browser) -> None:
    async with browser.tab(SPEED) as tab, rigclient.aio.connect(browser.rig) as rig:
        data = await tick_after(tab, recorder)
        # At a rate the rig collects nothing into one message, however far behind one is.
        direct = rig.responses(requests.physics(["speed"], start="earliest", max_rate_hz=1000))
        async for response in direct:
            if tick(response.data) == tick(data):
                assert response.data == data
                break


async def test_sixty_pages_are_one_follower(
    recorder: RemoteRecorder, gateway: Gateway, browser: Browser
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        # At once: the first of them finds the gateway without a connection to the rig.
        tabs = await asyncio.gather(*(stack.enter_async_context(browser.tab(SPEED)) for _ in range(60)))
        first = await tick_after(tabs[0], recorder)
        for tab in tabs[1:]:
            assert tick((await tab.message())[1]) >= 1
        assert tick(first) >= 1
        _, status = await browser.get(f"/api/{browser.rig}/status")
        assert len(status["followers"]) == 1
    await until(lambda: not gateway.open)


async def test_an_unknown_channel_is_refused_for_that_entry_alone(
    recorder: RemoteRecorder, browser: Browser
) -> None:
    async with browser.tab({"stream": "physics", "channels": ["sped"]}, SPEED, {"stream": "nothing"}) as tab:
        entry, _ = 1, await tick_after(tab, recorder)
        while len(tab.errors) < 2:
            await tab.take()
        assert {error["entry"] for error in tab.errors} == {0, 2}
        assert any("speed" in error["hint"] for error in tab.errors)
        assert entry == 1


@pytest.mark.parametrize("lap", ["sessions/none/laps/none", 7, "x" * 1000])
async def test_a_lap_that_is_not_there_is_no_reference(
    recorder: RemoteRecorder, browser: Browser, lap: object
) -> None:
    deltas = {"stream": "physics", "channels": ["delta_reference"], "delta_reference": lap}
    async with browser.tab(deltas, SPEED) as tab:
        assert (await tab.error())["entry"] == 0
        await tick_after(tab, recorder)


async def test_events_go_on_after_their_cursor(recorder: RemoteRecorder, browser: Browser) -> None:
    async with rigclient.aio.connect(browser.rig) as rig:
        for _ in range(5):
            recorder.event()
        stream = rig.events(start="earliest")
        await anext(stream)
        second, cursor = await anext(stream), stream.cursor
    entry = {"stream": "events", "cursor": base64.urlsafe_b64encode(cursor).decode().rstrip("=")}
    async with browser.tab(entry) as tab:
        seqs: list[int] = []
        while not seqs or seqs[-1] < second.seq + 3:
            _, data = await tab.message()
            seqs += [event.seq for event in telemetry_pb2.StreamEventsResponse.FromString(data).events]
        assert seqs == list(range(second.seq + 1, seqs[-1] + 1))


async def test_a_page_comes_late_by_its_delay_and_not_before(
    recorder: RemoteRecorder, browser: Browser
) -> None:
    async with browser.tab(SPEED, query="?delay=2") as tab:
        data = await tick_after(tab, recorder)
        captured = telemetry_pb2.StreamPhysicsResponse.FromString(data).ticks[-1].capture_time_ns
        # Half a trip to the server is the error of its clock; both ends are this machine.
        assert time.time_ns() - captured > 1.9e9
        assert (await tab.state("live"))["delay_s"] == 2


async def test_a_page_sees_the_past_again_and_goes_back_to_live(
    recorder: RemoteRecorder, browser: Browser
) -> None:
    began = time.time_ns()
    recorder.ticks(1, capture_time_ns=began)
    for step in range(1, 20):
        recorder.ticks(1, capture_time_ns=began + step * 50_000_000)
    async with browser.tab(SPEED) as tab:
        await tab.say(seek={"time_ns": str(began)}, speed=4)
        _, data = await tab.message()
        seqs = [tick(data)]
        while seqs[-1] < 20:
            seqs.append(tick((await tab.message())[1]))
        assert seqs == sorted(seqs)
        assert seqs[0] < 20
        assert (await tab.state("replay"))["rig"] == browser.rig
        await tab.say(seek={"live": True})
        assert tick(await tick_after(tab, recorder)) > 20


async def test_a_new_choice_is_answered_before_what_it_brings(
    recorder: RemoteRecorder, browser: Browser
) -> None:
    async with browser.tab(SPEED) as tab:
        await tick_after(tab, recorder)
        await tab.say(follow=[EVENTS, SPEED], id=7)
        entry, _ = await tab.message()
        assert entry == 1
        assert tab.answers[-1] == {"following": 7}


async def test_silence_is_said(recorder: RemoteRecorder, browser: Browser) -> None:
    async with browser.tab(SPEED) as tab:
        await tick_after(tab, recorder)
        assert (await tab.state("stale"))["message"]


async def test_a_rig_that_is_off_is_shown_and_comes_back(recorder: RemoteRecorder, tmp_path: Path) -> None:
    server = Server(Settings(tmp_path, "127.0.0.1:0"))
    await server.start()
    rig = f"127.0.0.1:{server.port}"
    await server.stop()
    async with (
        Gateway(GatewaySettings(port=0, rigs=(rig,))) as gateway,
        aiohttp.ClientSession(gateway.address) as session,
    ):
        browser = Browser(session, rig)
        async with browser.tab(SPEED) as tab:
            assert "no rig answers" in (await tab.state("off"))["message"]
            _, rigs = await browser.get("/api/rigs")
            assert rigs["rigs"][0]["state"] == "off"
            server = Server(Settings(tmp_path, rig))
            await server.start()
            before = tick(await tick_after(tab, recorder))
            await server.stop()
            await tab.state("off")
            server = Server(Settings(tmp_path, rig))
            await server.start()
            assert tick(await tick_after(tab, recorder)) > before
        await server.stop()


async def test_a_page_that_reads_nothing_delays_nobody(
    recorder: RemoteRecorder, gateway: Gateway, browser: Browser
) -> None:
    everything = {"stream": "physics", "rate": 0}
    async with browser.tab() as stalled, browser.tab(everything) as tab:
        transport = stalled.socket._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()  # type: ignore[union-attr]
        await stalled.say(follow=[everything])
        last = tick(await tick_after(tab, recorder))
        for _ in range(300):
            recorder.ticks(1)
            while (now := tick((await tab.message())[1])) <= last:
                continue
            last = now
        assert len(gateway.open) == 2
        for page in gateway.open:
            assert page.waiting_bytes < 1 << 20
        transport.resume_reading()  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"follow": 1}', "[" * 30_000, '{"seek": 3}'])
async def test_garbage_is_answered_and_ten_times_end_it(browser: Browser, text: str) -> None:
    async with browser.tab() as tab:
        for _ in range(10):
            await tab.socket.send_str(text)
        for _ in range(10):
            assert (await tab.error())["message"]
        while (came := await tab.socket.receive()).type == aiohttp.WSMsgType.TEXT:
            continue
        assert tab.socket.close_code == 1008, came


async def test_a_gateway_that_comes_back_goes_on_after_the_cursor(
    recorder: RemoteRecorder, address: str
) -> None:
    entry = dict(EVENTS)
    seen: list[int] = []
    for _ in range(2):
        async with (
            Gateway(GatewaySettings(port=0, rigs=(address,))) as gateway,
            aiohttp.ClientSession(gateway.address) as session,
            Browser(session, address).tab(entry) as tab,
        ):
            if not seen:
                while not tab.states:
                    await tab.take()
                await until(lambda: len(_of(gateway, address)) > 0)
            while True:
                recorder.event()
                try:
                    async with asyncio.timeout(0.5):
                        _, data = await tab.message()
                except TimeoutError:
                    continue
                message = telemetry_pb2.StreamEventsResponse.FromString(data)
                seen += [event.seq for event in message.events]
                entry["cursor"] = base64.urlsafe_b64encode(message.cursor).decode()
                break
        recorder.event()
    assert seen == list(range(seen[0], seen[0] + len(seen)))


def _of(gateway: Gateway, rig: str) -> list[object]:
    return [one for found in gateway.rigs.connected() for one in range(len(found.upstreams))]


async def test_the_client_brings_bytes(recorder: RemoteRecorder, address: str) -> None:
    recorder.ticks(2)
    async with rigclient.aio.connect(address) as rig:
        assert isinstance(rig, AsyncRig)
        response = await anext(rig.responses(requests.physics(start="earliest")))
        message = telemetry_pb2.StreamPhysicsResponse.FromString(response.data)
        assert (response.cursor, response.time_ns) == (message.cursor, message.ticks[-1].capture_time_ns)


@pytest.mark.parametrize("cars", [1, 104])
async def test_one_car_and_a_hundred_and_four_pass(
    recorder: RemoteRecorder, browser: Browser, cars: int
) -> None:
    recorder.field_of(cars)
    async with browser.tab({"stream": "physics", "rate": 0}) as tab:
        (*_, last) = telemetry_pb2.StreamPhysicsResponse.FromString(await tick_after(tab, recorder)).ticks
        assert list(last.id) == list(range(1, cars + 1))
        assert len(last.tyre_temp) == 12 * cars


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """While it is not set, no page takes bytes."""
    gate, whole = asyncio.Event(), web.WebSocketResponse.send_bytes

    async def slow(self: web.WebSocketResponse, data: bytes) -> None:
        await gate.wait()
        await whole(self, data)

    monkeypatch.setattr(web.WebSocketResponse, "send_bytes", slow)
    gate.set()
    return gate


async def test_events_that_a_page_is_too_slow_for_are_counted(
    recorder: RemoteRecorder, browser: Browser, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_EVENTS", 5)
    async with browser.tab(EVENTS) as tab:
        seqs: list[int] = []
        while not seqs:
            recorder.event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    seqs = event_seqs((await tab.message())[1])
        gate.clear()
        for _ in range(30):
            recorder.event()
            await asyncio.sleep(0.005)
        gate.set()
        while seqs[-1] < seqs[0] + 30 or not any(state["dropped"] for state in tab.states):
            if (came := await tab.take()) is not None:
                seqs += event_seqs(came[1])
        # Of 30, the five that the bound lets wait, and what had been on its way.
        assert tab.states[-1]["dropped"] == 30 + 1 - len(seqs)


def event_seqs(data: bytes) -> list[int]:
    return [event.seq for event in telemetry_pb2.StreamEventsResponse.FromString(data).events]


async def test_a_page_that_takes_nothing_is_dropped(
    recorder: RemoteRecorder,
    gateway: Gateway,
    browser: Browser,
    gate: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page, "STALLED_S", 0.3)
    async with browser.tab(SPEED) as tab:
        await tick_after(tab, recorder)
        gate.clear()
        recorder.ticks(1)
        await until(lambda: not gateway.open)


async def test_a_rig_whose_clock_is_an_hour_off_is_live(
    recorder: RemoteRecorder, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour_ns = 3600 * 10**9
    real = time.time_ns
    ahead = SimpleNamespace(**vars(time) | {"time_ns": lambda: real() + hour_ns})
    monkeypatch.setattr(status, "time", ahead)
    async with browser.tab(SPEED) as tab:
        while True:
            recorder.ticks(1, capture_time_ns=real() + hour_ns)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await tab.take()
            if any(state["state"] == "live" and 0 < state["lag_s"] < 1800 for state in tab.states):
                break
        assert not any(state["lag_s"] > 1800 for state in tab.states)


async def test_a_mark_is_made_and_listed(recorder: RemoteRecorder, browser: Browser) -> None:
    recorder.ticks(1, capture_time_ns=time.time_ns())
    body = {"before_s": 30, "after_s": 10, "note": "a lock-up"}
    async with browser.session.post(f"/api/{browser.rig}/marks", json=body) as answer:
        assert answer.status == 200, await answer.text()
    _, found = await browser.get(f"/api/{browser.rig}/marks")
    assert [moment["note"] for moment in found["marks"]] == ["a lock-up"]


async def test_of_two_rigs_one_may_be_off(recorder: RemoteRecorder, address: str) -> None:
    off = "127.0.0.1:1"
    async with (
        Gateway(GatewaySettings(port=0, rigs=(address, off))) as gateway,
        aiohttp.ClientSession(gateway.address) as session,
        Browser(session, address).tab(SPEED) as tab,
        Browser(session, off).tab(SPEED) as dark,
    ):
        await tick_after(tab, recorder)
        await dark.state("off")
        _, found = await Browser(session, address).get("/api/rigs")
        states = {rig["name"]: rig["state"] for rig in found["rigs"]}
        assert states[off] == "off"
        assert states[address] in ("live", "stale")  # the scripted recorder says nothing of a game


async def test_a_cursor_of_a_table_is_refused_in_words(browser: Browser) -> None:
    async with browser.tab(SPEED | {"cursor": "AAAA"}) as tab:
        error = await tab.error()
        assert "cursor is of events" in error["message"]
        assert "seek" in error["hint"]
