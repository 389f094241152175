"""The server: the feed, the services, health and reflection on one event loop."""

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc.aio
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from rig import sockets
from rig.errors import BadRequest, Busy
from rig.v1 import rig_pb2_grpc
from rigd.durable import make_private
from rigd.process import stop_signals
from rigd.serve import analysis, connections, laps, status, telemetry
from rigd.serve.binding import ensure_free, protect
from rigd.serve.feed import Feed
from rigd.serve.interceptor import CallInterceptor
from rigd.watchdog import Watchdog

MAX_REQUEST_BYTES: Final = 64 << 10
"""Largest request taken: all channel names of a table are 2 kB."""

_GRACE_S: Final = 0.5
"""Streams never end by themselves, so a stopping server does not wait for them long."""

_SERVICES: Final = (telemetry.SERVICE, laps.SERVICE, analysis.SERVICE, status.SERVICE)

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


@dataclass(frozen=True)
class Settings:
    """What the server can be told."""

    data: Path
    """Data directory of the recorder."""
    address: str
    """host:port on loopback, or unix:PATH."""
    also: tuple[str, ...] = ()
    """More of them."""


def check_address(address: str) -> None:
    """Refuse anything but loopback and Unix sockets, nothing here asks who is reading, and what is neither.
    Raises BadRequest.
    """
    sockets.check(address, first_port=0)
    if address.startswith("unix:"):
        return
    host = address.rpartition(":")[0]
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise BadRequest(
            f"{address!r} is no loopback address", hint="other addresses need TLS and tokens", address=address
        )


class Server:
    """A running server; `start` binds, `stop` ends it."""

    def __init__(self, settings: Settings, watchdog: Watchdog | None = None) -> None:
        for address in (settings.address, *settings.also):
            check_address(address)
        make_private(settings.data)
        self._feed = Feed(settings.data, watchdog)
        self._server = grpc.aio.server(
            interceptors=(CallInterceptor(),), options=(*_OPTIONS, *connections.options())
        )
        self._health = health.aio.HealthServicer()
        streams = telemetry.TelemetryService(self._feed)
        self._laps = laps.LapService(self._feed, settings.data)
        self._analysis = analysis.AnalysisService(settings.data)
        handlers = (streams.handler(), self._laps.handler(), self._analysis.handler())
        self._server.add_generic_rpc_handlers(handlers)
        rig_pb2_grpc.add_RigServiceServicer_to_server(status.RigService(self._feed, streams), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self.port, *_ = [self._bind(address) for address in (settings.address, *settings.also)]

    def _bind(self, address: str) -> int:
        ensure_free(address)
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise Busy(
                f"cannot listen on {address}", hint="is another server running there?", address=address
            ) from error
        protect(address)
        return port

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()
        for name in ("", *_SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def ended(self, stop: asyncio.Event) -> None:
        """Return when asked to stop. Raises what nobody expected while following the ring."""
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait((asked, self._feed.failure), return_when=asyncio.FIRST_COMPLETED)
        if self._feed.failure.done():
            self._feed.failure.result()

    async def stop(self) -> None:
        """End all streams and let go of the ring."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(_GRACE_S)
        self._laps.close()
        self._analysis.close()
        self._feed.close()


async def _serve(settings: Settings, ready: Callable[[int], None], watchdog: Watchdog | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, stop.set)
    server = Server(settings, watchdog)
    await server.start()
    if watchdog is not None:
        watchdog.ready()
    ready(server.port)
    try:
        await server.ended(stop)
    finally:
        await server.stop()


def serve(
    settings: Settings,
    ready: Callable[[int], None] = lambda _: None,
    watchdog: Watchdog | None = None,
) -> None:
    """Serve until a signal asks to stop. `ready` gets the port once calls are answered."""
    uvloop.run(_serve(settings, ready, watchdog))


__all__ = ["Server", "Settings", "serve"]
