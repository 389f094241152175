"""The server: the feed, the services, health and reflection on one event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import grpc.aio
import uvloop
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from rig import sockets
from rig.errors import Busy, RigError
from rig.v1 import access_pb2_grpc, rig_pb2_grpc
from rigd import log
from rigd.auth.caller import LOCAL
from rigd.auth.tokens import TokenStore
from rigd.config.settings import METRICS
from rigd.durable import make_private
from rigd.process import stop_signals
from rigd.serve import access, analysis, catalog, chat, connections, laps, planitems, seats, status, telemetry
from rigd.serve.accounts import Accounts
from rigd.serve.binding import ensure_free, is_local, protect, reachable
from rigd.serve.catalogcalls import CatalogCalls
from rigd.serve.feed import Feed
from rigd.serve.gate import Gate
from rigd.serve.health import Health
from rigd.serve.interceptor import CallInterceptor
from rigd.serve.limits import MAX_REQUEST_BYTES, Quotas
from rigd.serve.loop import Loop
from rigd.serve.monitoring import Monitor
from rigd.serve.pages import PageTokens
from rigd.serve.tls import Tls
from rigd.watchdog import Watchdog

_SECOND: Final = 1.0

_LOOK_S: Final = 0.5
"""For calls that end themselves, and for connections to close, which takes milliseconds."""
_DRAIN_S: Final = 5.0
"""A stopping server waits no longer for streams to end and laps to be read to their end: half of what
`rigd run` grants a daemon.
"""

_SERVICES: Final = (
    telemetry.SERVICE,
    laps.SERVICE,
    analysis.SERVICE,
    catalog.SERVICE,
    status.SERVICE,
    access.SERVICE,
)

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


@dataclass(frozen=True)
class Settings:
    """Settings of the server."""

    data: Path
    """Data directory of the recorder."""
    address: str
    """host:port, or unix:PATH. Whatever is no loopback address is served over TLS, and to tokens alone."""
    also: tuple[str, ...] = ()
    """More of them."""
    secure: tuple[str, ...] = ()
    """More of them, over TLS also on loopback."""
    certificate: tuple[Path, Path] | None = None
    """Files of a certificate and its key, PEM, to be used instead of the rig's own; they may be one file."""
    open_loopback: bool = True
    """Whether calls over plain TCP on loopback, which every user of the machine can make, need no token."""
    name: str = ""
    """Of the rig, for those who pair with it; empty: that of the machine."""
    metrics: str = METRICS.default
    """Address of the figures on loopback; empty: nowhere."""
    limits: Quotas = field(default_factory=Quotas)
    """What callers may take."""
    assistant: chat.Assistant = field(default_factory=chat.Assistant)
    """Whom questions about laps are put to."""
    drivers: Mapping[str, str] = field(default_factory=dict)
    """Users by the names of their drivers, of the configuration."""

    @property
    def plain(self) -> tuple[str, ...]:
        """Where it listens without TLS: on this machine."""
        return tuple(one for one in (self.address, *self.also) if is_local(one))

    @property
    def beyond(self) -> tuple[str, ...]:
        """Where it listens with TLS."""
        return tuple(one for one in (self.address, *self.also) if not is_local(one)) + self.secure


class Server:
    """A running server; `start` binds, `stop` ends it."""

    def __init__(
        self,
        settings: Settings,
        watchdog: Watchdog | None = None,
        latest: Callable[[], Settings] | None = None,
    ) -> None:
        for address in (*settings.plain, *settings.beyond):
            sockets.check(address, first_port=0)
        self._settings, self._latest = settings, latest or (lambda: settings)
        make_private(settings.data)
        with contextlib.ExitStack() as undo:
            self._tokens = TokenStore(settings.data)
            undo.callback(self._tokens.close)
            self._tls = self._made_secure(settings) if settings.beyond else None
            self._feed = Feed(settings.data, watchdog)
            undo.callback(self._feed.close)
            self._build(settings)
            undo.pop_all()

    def _made_secure(self, settings: Settings) -> Tls:
        """What an address beyond this machine takes. Raises Busy, and as `Certificates` does."""
        from rigd.auth.certificate import Certificates

        self._tokens.own()
        socket = any(one.startswith("unix:") for one in settings.plain)
        if not self._tokens.any_good() and not socket:
            raise Busy(
                f"there is no token for {settings.beyond[0]}, and nowhere else to make one",
                hint="listen on a socket of this machine too, with --instance: `rigd pair` goes there",
            )
        return Tls(Certificates(settings.data, settings.certificate))

    def _build(self, settings: Settings) -> None:
        accounts = Accounts(lambda: self._latest().limits)
        self.gate = Gate(self._tokens, settings.open_loopback, self._feed.wake_all)
        self._server = grpc.aio.server(
            interceptors=(CallInterceptor(self.gate, PageTokens(self._feed.seal), accounts),),
            options=(*_OPTIONS, *connections.options(settings.limits.connections)),
        )
        self._health = Health()
        who = seats.Seats(self._feed, settings.data)
        self.streams = telemetry.TelemetryService(self._feed, who, accounts)
        self._laps = laps.LapService(self._feed, settings.data, who, accounts)
        self._analysis = analysis.AnalysisService(settings.data, who)
        self._catalog = catalog.CatalogService(
            settings.data, who, lambda: self._known_users(who), lambda: self._latest().drivers
        )
        calls = CatalogCalls(self._catalog)
        questions = chat.ChatService(self._analysis, calls, lambda: self._latest().assistant)
        plans = planitems.PlanItems(calls)
        served = (self.streams, self._laps, self._analysis, self._catalog, questions, plans)
        self._server.add_generic_rpc_handlers([service.handler() for service in served])
        rig = status.RigService(self._feed, self.streams, who, lambda: self._catalog.trouble)
        rig_pb2_grpc.add_RigServiceServicer_to_server(rig, self._server)
        self._monitor = Monitor(settings.metrics, lambda: rig.status(LOCAL)) if settings.metrics else None
        access_pb2_grpc.add_AccessServiceServicer_to_server(self._access(who), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self._secure_ports = {address: self._bind(address, self._tls) for address in settings.beyond}
        self.ports = {address: self._bind(address) for address in settings.plain} | self._secure_ports
        """By address as it was given: where 0 was, the port that the system chose."""
        local = [port for address, port in self.ports.items() if not address.startswith("unix:")]
        self._crowds, self._timer = connections.Crowds(local), cast("asyncio.TimerHandle | None", None)

    @property
    def port(self) -> int:
        """Of the first address."""
        return self.ports[self._settings.address]

    @property
    def secure_port(self) -> int:
        """Of the first address with TLS."""
        return next(iter(self._secure_ports.values()))

    def _known_users(self, who: seats.Seats) -> Iterable[str]:
        """Users of tokens, and who is in the seat. Tokens that cannot be read are the gate's trouble."""
        found = [who.now().user]
        with contextlib.suppress(RigError, OSError):
            found += [token.user for token in self._tokens.all()]
        return found

    def _access(self, who: seats.Seats) -> access.AccessService:
        certificates = self._tls.certificates if self._tls else None
        return access.AccessService(
            self.gate, self._tokens, certificates, self._reachable, who, self._settings.name
        )

    def _reachable(self) -> Sequence[str]:
        """Where others find this rig."""
        bound = [f"{address.rpartition(':')[0]}:{port}" for address, port in self._secure_ports.items()]
        return reachable(bound)

    def _bind(self, address: str, tls: Tls | None = None) -> int:
        ensure_free(address)
        try:
            if tls is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, tls.credentials())
        except RuntimeError as error:
            raise Busy(
                f"cannot listen on {address}", hint="is another server running there?", address=address
            ) from error
        protect(address)
        return port

    async def start(self) -> None:
        """Begin to answer."""
        if self._monitor is not None:
            await self._monitor.start()
        await self._server.start()
        self.gate.start()
        self._catalog.start()
        self._each_second()
        if self._tls:
            self._tls.start()
        self._health.serve(("", *_SERVICES))

    def _each_second(self) -> None:
        """Close connections of whoever has too many."""
        self._timer = asyncio.get_running_loop().call_later(_SECOND, self._each_second)
        most = self._latest().limits.connections_per_address
        for address, count in self._crowds.disperse(most).items():
            log.say(log.CONNECTIONS_CLOSED, address=address, count=count, limit=most)

    async def ended(self, stop: asyncio.Event) -> None:
        """Wait until asked to stop. Raises what nobody expected while following the ring."""
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait((asked, self._feed.failure), return_when=asyncio.FIRST_COMPLETED)
        if self._feed.failure.done():
            self._feed.failure.result()

    async def stop(self) -> None:
        """End all streams, each with where to go on, and let go of the ring; 5 s at most."""
        await self._drain()
        if self._monitor is not None:
            await self._monitor.stop()
        self.gate.close()
        if self._timer:
            self._timer.cancel()
        if self._tls:
            self._tls.close()
        self.streams.close()
        self._laps.close()
        self._analysis.close()
        self._catalog.close()
        self._feed.close()
        self._tokens.close()

    async def _drain(self) -> None:
        """Say that we end, and wait for those who get something by it."""
        await self._health.end(_LOOK_S)
        self._feed.drain()
        stopping = asyncio.create_task(self._server.stop(_DRAIN_S))
        while not stopping.done():
            ended, _ = await asyncio.wait((stopping,), timeout=_LOOK_S)
            if not ended and not self._owes():
                await self._server.stop(None)  # who is left only watches, or has stopped reading

    def _owes(self) -> bool:
        """Whether somebody gets more when we wait."""
        return self._laps.busy or any(not follower.stalled for follower in self.streams.followers)


async def _serve(
    settings: Settings,
    ready: Callable[[int], None],
    watchdog: Watchdog | None,
    latest: Callable[[], Settings] | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in stop_signals(daemon=True):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings, watchdog, latest)
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
    latest: Callable[[], Settings] | None = None,
) -> None:
    """Serve until a signal asks to stop. `ready` gets the port once calls are answered. `latest` gives the
    settings in force: limits may change.
    """
    uvloop.run(_serve(settings, ready, watchdog, latest), loop_factory=Loop)


__all__ = ["Server", "Settings", "serve"]
