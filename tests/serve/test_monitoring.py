"""The port of Prometheus: figures and health over HTTP, and no harm from whoever comes."""

import asyncio
import contextlib
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rig.errors import BadRequest, Busy
from rig.v1 import rig_pb2
from rigd.serve import monitoring
from rigd.serve.monitoring import MAX_CONNECTIONS, MAX_REQUEST_BYTES, Monitor, ailments, check_address
from tests.stage import Stage, free_port, stage, until


class Rig:
    """A status that a test makes, and how often it was taken."""

    def __init__(self) -> None:
        self.status = rig_pb2.GetStatusResponse(version="0.2.0")
        self.status.recorder.captured = 7
        self.status.archiver.laps = 3
        self.taken = 0

    def take(self) -> rig_pb2.GetStatusResponse:
        self.taken += 1
        return self.status


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
async def monitor(rig: Rig) -> AsyncIterator[Monitor]:
    made = Monitor("127.0.0.1:0", rig.take)
    await made.start()
    yield made
    await made.stop()


async def ask(monitor: Monitor, request: bytes) -> bytes:
    """Send some bytes and return all that comes until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", monitor.port)
    with contextlib.suppress(ConnectionError):
        writer.write(request)
        await writer.drain()
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def get(monitor: Monitor, path: str) -> tuple[int, str]:
    answer = await ask(monitor, f"GET {path} HTTP/1.1\r\nHost: localhost:9464\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return int(head.split()[1]), body.decode()


async def test_figures_and_health_are_served(monitor: Monitor) -> None:
    status, text = await get(monitor, "/metrics")
    assert status == 200
    assert "rigd_ticks_captured_total 7.0\n" in text
    assert await get(monitor, "/healthz") == (200, "serving\n")
    assert (await get(monitor, "/metrics?name[]=rigd_up"))[0] == 200
    assert (await get(monitor, "/"))[0] == 404


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET  /metrics HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\xff\x00\r\n\r\n", b"400"),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * MAX_REQUEST_BYTES), b"431"),
        (b"GET /metrics HTTP/1.1\r\nHost: page.example\r\n\r\n", b"421"),
        (b"GET /metrics HTTP/1.1\r\nHost: [::1]:1\r\nhost:page.example:1\r\n\r\n", b"421"),
        (b"GET /metrics HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.0\r\nhost:127.0.0.1\r\n\r\n", b"200"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    ],
)
async def test_a_request_gets_its_status(monitor: Monitor, request_bytes: bytes, status: bytes) -> None:
    assert (await ask(monitor, request_bytes)).split()[1] == status


async def test_head_has_no_body(monitor: Monitor) -> None:
    answer = await ask(monitor, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


async def test_health_says_who_is_ill(monitor: Monitor, rig: Rig) -> None:
    rig.status.ClearField("recorder")
    rig.status.troubles.add(daemon="archive", what="the archiver makes no progress")
    status, text = await get(monitor, "/healthz")
    assert status == 503
    assert text.splitlines() == [
        "archive: the archiver makes no progress",
        "record: not heard for three seconds",
    ]
    rig.status.ClearField("archiver")
    assert "archive: not heard for three seconds" in ailments(rig.status)


async def test_who_asks_often_costs_one_look(
    monitor: Monitor, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "FRESH_S", 1e9)
    await asyncio.gather(*(get(monitor, path) for path in ("/metrics", "/healthz") for _ in range(7)))
    assert rig.taken == 1


async def test_a_slow_client_is_let_go_and_keeps_nobody_out_for_long(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "CONNECTION_S", 0.5)
    slow = [await asyncio.open_connection("127.0.0.1", monitor.port) for _ in range(3 * MAX_CONNECTIONS)]
    for _, writer in slow:
        writer.write(b"GET /met")
    for reader, writer in slow:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""  # the end, not an answer
        writer.close()
    assert (await get(monitor, "/healthz"))[0] == 200


async def test_no_more_are_open_than_the_limit(monitor: Monitor) -> None:
    held = [await asyncio.open_connection("127.0.0.1", monitor.port) for _ in range(MAX_CONNECTIONS)]
    while len(monitor._open) < MAX_CONNECTIONS:
        await asyncio.sleep(0)
    assert await ask(monitor, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
    for _, writer in held:
        writer.close()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:9464",
        "[::]:9464",
        "192.0.2.7:9464",
        "rig.example:9464",
        "unix:/tmp/x",
        ":9464",
        "127.0.0.1",
        "9464",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(BadRequest):
        check_address(address)


@pytest.mark.parametrize("address", ["127.0.0.1:9464", "[::1]:9464", "localhost:9464", "127.1.2.3:0"])
def test_loopback_is_taken(address: str) -> None:
    check_address(address)


async def test_a_port_that_is_taken_is_said_with_its_holder(monitor: Monitor, rig: Rig) -> None:
    with pytest.raises(Busy, match=r"process \d+ listens on"):
        await Monitor(f"127.0.0.1:{monitor.port}", rig.take).start()


def test_the_library_is_loaded_only_when_asked_for() -> None:
    code = "import sys, rigd.serve.server; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def here() -> Iterator[Stage]:
    with stage() as made:
        yield made


class TestProcess:
    def test_the_server_tells_what_the_daemons_do(self, here: Stage) -> None:
        port = free_port()
        words = ("--data", str(here.data), "--address", here.address, "--metrics", f"127.0.0.1:{port}")
        server = here.start("rigd", "serve", *words)
        assert server.stdout is not None
        server.stdout.readline()
        assert "record: not heard" in _page(port, "healthz")
        recorder, archiver = here.record(), here.archive()
        here.game(4, 50, 60)
        until(lambda: _page(port, "healthz") == "serving\n")
        until(lambda: 'rigd_ring_last_sequence{stream="physics"} 0.0' not in _page(port, "metrics"))
        assert "rigd_commit_seconds_bucket" in _page(port, "metrics")
        until(lambda: "rigd_laps_unsynced 0.0" in _page(port, "metrics"))
        here.stop(archiver)
        until(lambda: "archive: not heard" in _page(port, "healthz"))
        here.stop(recorder)
        until(lambda: "record: not heard" in _page(port, "healthz"))

    @pytest.mark.parametrize(
        ("metrics", "sentence"),
        [("0.0.0.0:9464", "is no loopback address"), ("127.0.0.1:x", "is no address")],
    )
    def test_a_wrong_address_ends_it_with_a_sentence(
        self, tmp_path: Path, metrics: str, sentence: str
    ) -> None:
        words = ("serve", "--data", str(tmp_path), "--address", "127.0.0.1:0", "--metrics", metrics)
        command = [sys.executable, "-m", "rigd", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert (done.returncode, sentence in done.stderr) == (2, True)

    def test_a_port_that_is_taken_ends_it(self, tmp_path: Path) -> None:
        port = free_port()
        server = subprocess.Popen([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"])
        try:
            until(lambda: _page(port, "") != "")
            words = ("--data", str(tmp_path), "--address", "127.0.0.1:0", "--metrics", f"127.0.0.1:{port}")
            command = [sys.executable, "-m", "rigd", "serve", *words]
            done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
            assert done.returncode != 0
            assert f"process {server.pid} listens on 127.0.0.1:{port}" in done.stderr
        finally:
            server.terminate()
            server.wait(60)


def _page(port: int, path: str) -> str:
    """A page of the server; empty while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=240) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())
    except OSError:
        return ""
