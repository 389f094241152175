"""The server: the feed, the services, health and reflection on one event loop."""

import asyncio
import ipaddress
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc.aio
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from rig.errors import BadRequest, Unavailable
from rig.v1 import rig_pb2_grpc
from rigclient import address as rigs
from rigd.serve import connections, laps, status, telemetry
from rigd.serve.feed import Feed
from rigd.serve.interceptor import CallInterceptor

DEFAULT_ADDRESS: Final = "127.0.0.1:7340"

MAX_REQUEST_BYTES: Final = 64 << 10
"""Largest request taken: all channel names of a table are 2 kB."""

_GRACE_S: Final = 0.5
"""Streams never end by themselves, so a stopping server does not wait for them long."""

_SERVICES: Final = (telemetry.SERVICE, laps.SERVICE, status.SERVICE)

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
    address: str = DEFAULT_ADDRESS
    """host:port on loopback, or unix:PATH."""


def check_address(address: str) -> None:
    """Refuse anything but loopback and Unix sockets, nothing here asks who is reading, and what is neither.
    Raises BadRequest.
    """
    rigs.check(address, first_port=0)
    if address.startswith(rigs.UNIX):
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

    def __init__(self, settings: Settings) -> None:
        check_address(settings.address)
        self._settings = settings
        self._feed = Feed(settings.data)
        self._server = grpc.aio.server(
            interceptors=(CallInterceptor(),), options=(*_OPTIONS, *connections.options())
        )
        self._health = health.aio.HealthServicer()
        streams = telemetry.TelemetryService(self._feed)
        self._laps = laps.LapService(self._feed, settings.data)
        self._server.add_generic_rpc_handlers((streams.handler(), self._laps.handler()))
        rig_pb2_grpc.add_RigServiceServicer_to_server(status.RigService(self._feed, streams), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self.port = self._bind()

    def _bind(self) -> int:
        try:
            return self._server.add_insecure_port(self._settings.address)
        except RuntimeError as error:
            raise Unavailable(
                f"cannot listen on {self._settings.address}",
                hint="is another server running there?",
                address=self._settings.address,
            ) from error

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()
        for name in ("", *_SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """End all streams and let go of the ring."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(_GRACE_S)
        self._laps.close()
        self._feed.close()


async def _serve(settings: Settings, ready: Callable[[int], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings)
    await server.start()
    ready(server.port)
    await stop.wait()
    await server.stop()


def serve(settings: Settings, ready: Callable[[int], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT. `ready` gets the port once calls are answered."""
    uvloop.run(_serve(settings, ready))


__all__ = ["DEFAULT_ADDRESS", "Server", "Settings", "serve"]
