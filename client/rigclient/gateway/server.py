"""The server of the gateway: addresses, limits, and who is let in."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import web

from rig.errors import BadRequest, Busy, Denied, RigError
from rigclient.gateway import answers, chat, page, report, setup_files
from rigclient.gateway.comparison import Comparing
from rigclient.gateway.files import PAGES, Files
from rigclient.gateway.guard import HEADERS, Guard
from rigclient.gateway.page import Page
from rigclient.gateway.rigs import Rigs

PORT: Final = 8790
LOOPBACK: Final = "127.0.0.1"
MAX_PAGES: Final = 256
MAX_CONNECTIONS: Final = 512
SILENT_S: Final = 10.0
"""Who connects and asks nothing for so long is sent away, at once where there are too many."""
MAX_WORDS: Final = 64 << 10
"""Bytes of what a page says at once."""
MAX_BODY: Final = 512 << 10
"""Bytes of what is entered at once: a setup's file has up to 60 kB."""
SEND_BUFFER: Final = 128 << 10
"""Bytes of the kernel's for a page that does not read; it doubles them."""
WRITE_BUFFER: Final = 128 << 10
"""Bytes of ours for one."""
_LOOK_S: Final = 0.25
_END_S: Final = 3.0
"""What is being answered when the gateway ends has so long; aiohttp's own is a minute."""
WIDGET_PAGE: Final = "overlay"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Settings:
    """How the gateway is set up."""

    listen: str = LOOPBACK
    port: int = PORT
    rigs: tuple[str, ...] = ()
    """Names or addresses; none: all that are known here."""
    key: str = ""
    tls: ssl.SSLContext | None = None
    names: frozenset[str] = frozenset()
    """Host names it answers to, beside those of this machine and addresses."""
    pages: Path = PAGES
    own: Path | None = None
    """A folder of the user's: its files are at /own/."""


class Gateway:
    """Pages, their streams, and answers, on one port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rigs: Rigs = Rigs(settings.rigs)
        self.open: set[Page] = set()
        self.port: int = settings.port
        own = {"localhost", socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        self._guard = Guard(settings.key, settings.names | own)
        self._files = Files(settings.pages)
        self._comparing = Comparing()
        self._own = Files(settings.own) if settings.own is not None else None
        self._runner: web.AppRunner | None = None
        self._site: web.SockSite | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._silent: dict[Any, float] = {}
        """Connections over which nothing was asked yet, with the time when they were first seen."""
        self._asked: set[Any] = set()

    @property
    def address(self) -> str:
        """The address of its first page, with the key."""
        return self.link("")

    def link(self, path: str) -> str:
        """Return the address of a page, with the key."""
        scheme = "https" if self.settings.tls else "http"
        host = self.settings.listen
        host = socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        key = f"?key={self.settings.key}" if self.settings.key else ""
        return f"{scheme}://{host}:{self.port}/{path}{key}"

    async def start(self) -> Self:
        """Listen. Raises Busy where somebody else does, Denied for others' machines without key and TLS."""
        if not is_loopback(self.settings.listen) and not (self.settings.key and self.settings.tls):
            raise Denied(
                f"{self.settings.listen} can be reached from other machines", hint="a key and TLS are needed"
            )
        app = web.Application(middlewares=[self._answer], client_max_size=MAX_BODY)
        app.router.add_get("/", self._page("index"))
        for name in ("wall", "replay", "laps", "compare", "garage", "season"):
            app.router.add_get(f"/{name}", self._page(name))
        app.router.add_get("/overlay/{widget}", self._page(WIDGET_PAGE))
        app.router.add_get("/assets/{name:.+}", self._asset)
        app.router.add_get("/own/{name:.+}", self._own_file)
        app.router.add_get("/api/rigs", self._rigs)
        app.router.add_get("/api/{rig}/comparison", self._comparison)
        app.router.add_get("/api/{rig}/{question}", self._question)
        app.router.add_post("/api/{rig}/setup-file", self._setup_file)
        app.router.add_post("/api/{rig}/chat", self._chat)
        app.router.add_post("/api/{rig}/{change}", self._change)
        app.router.add_get("/report/{rig}", self._report)
        app.router.add_get("/live/{rig}", self._live)
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, keepalive_timeout=30, shutdown_timeout=_END_S
        )
        await self._runner.setup()
        listening = _listening(self.settings.listen, self.settings.port)
        self.port = listening.getsockname()[1]
        self._site = web.SockSite(self._runner, listening, ssl_context=self.settings.tls, backlog=1024)
        await self._site.start()
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def stop(self) -> None:
        """Close all pages and rigs."""
        if self._ticking is not None:
            self._ticking.cancel()
        # First of all nobody new: pages that are sent away come back at once.
        if self._site is not None:
            await self._site.stop()
        await asyncio.gather(*(one.close() for one in tuple(self.open)))
        if self._runner is not None:
            await self._runner.cleanup()
        await self.rigs.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _tick(self) -> None:
        while True:
            for one in tuple(self.open):
                one.look()
            self._send_away()
            await asyncio.sleep(_LOOK_S)

    def _connections(self) -> list[Any]:
        server = self._runner.server if self._runner is not None else None
        return list(server.connections) if server is not None else []

    def _send_away(self) -> None:
        """Close connections over which nobody asks anything."""
        now, connections = time.monotonic(), self._connections()
        self._asked &= set(connections)
        self._silent = {one: self._silent.get(one, now) for one in connections if one not in self._asked}
        allowed_s = SILENT_S if len(connections) <= MAX_CONNECTIONS else 1.0
        for one, since in self._silent.items():
            if now - since > allowed_s and one.transport is not None:
                one.transport.abort()

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who may, and turn errors into answers."""
        self._asked.add(request.protocol)
        if len(self._connections()) > MAX_CONNECTIONS:
            response = _busy(f"{MAX_CONNECTIONS} connections are open")
            response.force_close()
            return response
        if (refused := self._guard.why_not(request)) is not None:
            return refused
        try:
            return await handler(request)
        except RigError as error:
            status, text = answers.error_text(error)
            return web.Response(status=status, text=text, content_type="application/json")
        except web.HTTPException as error:
            words = {
                "code": "NOT_FOUND" if error.status == 404 else "REFUSED",
                "message": error.reason,
                "hint": "",
            }
            return web.json_response({"error": words}, status=error.status)

    def _page(self, name: str) -> Handler:
        async def shown(request: web.Request) -> web.Response:
            response = self._files.page(request, name)
            if self._guard.brings_key(request):
                self._guard.keep_key(request, response)
            return response

        return shown

    async def _asset(self, request: web.Request) -> web.Response:
        return self._files.file(request, f"assets/{request.match_info['name']}")

    async def _own_file(self, request: web.Request) -> web.Response:
        if self._own is None:
            raise web.HTTPNotFound(reason="this gateway has no pages of your own: rig gateway --own FOLDER")
        response = self._own.file(request, request.match_info["name"])
        if self._guard.brings_key(request):
            self._guard.keep_key(request, response)
        return response

    async def _rigs(self, _request: web.Request) -> web.Response:
        listed = [
            {
                "name": name,
                "address": address,
                "state": how.state,
                "message": how.message,
                "lag_s": round(how.lag_s, 3),
                "gaps": how.gaps,
                "missed": how.missed,
            }
            for name, address, how in await self.rigs.states()
        ]
        return web.json_response({"rigs": listed})

    async def _question(self, request: web.Request) -> web.Response:
        question = answers.QUESTIONS.get(request.match_info["question"])
        if question is None:
            raise web.HTTPNotFound
        rig = await self.rigs.get(request.match_info["rig"])
        given = [(name, value) for name, value in request.query.items() if name != "key"]
        text = await answers.answer(rig.connection, question, given)
        return web.Response(text=text, content_type="application/json")

    async def _comparison(self, request: web.Request) -> web.Response:
        rig = await self.rigs.get(request.match_info["rig"])
        text = await self._comparing.answer(rig.connection, request.query.items())
        response = web.Response(text=text, content_type="application/json")
        response.enable_compression()
        return response

    async def _report(self, request: web.Request) -> web.Response:
        rig = await self.rigs.get(request.match_info["rig"])
        return await report.report(rig.connection, request.query.items())

    async def _change(self, request: web.Request) -> web.Response:
        call = answers.CHANGES.get(request.match_info["change"])
        if call is None:
            raise web.HTTPNotFound
        rig = await self.rigs.get(request.match_info["rig"])
        text = await answers.change(rig.connection, call, await _body(request))
        return web.Response(text=text, content_type="application/json")

    async def _setup_file(self, request: web.Request) -> web.Response:
        rig = await self.rigs.get(request.match_info["rig"])
        text = await setup_files.enter(rig.connection, await _body(request))
        return web.Response(text=text, content_type="application/json")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        rig = await self.rigs.get(request.match_info["rig"])
        return await chat.chat(rig.connection, request, await _body(request))

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if len(self.open) >= MAX_PAGES:
            return _busy(f"{MAX_PAGES} pages are open")
        rig = await self.rigs.get(request.match_info["rig"])
        delay_s = page.delay_s(request.query.get("delay", ""))
        live = web.WebSocketResponse(heartbeat=20, max_msg_size=MAX_WORDS, compress=False)
        await live.prepare(request)
        transport = request.transport
        if transport is None:
            return live
        transport.set_write_buffer_limits(high=WRITE_BUFFER)
        shown = Page(rig, delay_s, live, transport)
        self.open.add(shown)
        try:
            await shown.run()
        finally:
            self.open.discard(shown)
        return live


async def _body(request: web.Request) -> bytes:
    """Return what a page sends. Raises BadRequest for what another site's form could send too."""
    if request.content_type != "application/json":
        raise BadRequest("the body is no JSON", hint="Content-Type: application/json")
    try:
        async with asyncio.timeout(SILENT_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _busy(what: str) -> web.Response:
    words = {"code": "EXHAUSTED", "message": what, "hint": "close one, or try again"}
    return web.json_response({"error": words}, status=503, headers={"Retry-After": "1"})


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BadRequest(f"{host!r} is no address of this machine", hint="such as 0.0.0.0") from error
    family, kind, proto, _, place = found[0]
    listening = socket.socket(family, kind, proto)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Those that are accepted have it too.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listening.bind(place)
    except OSError as error:
        listening.close()
        raise Busy(
            f"nobody can listen at {host}:{port}: {error.strerror}", hint="choose another --port"
        ) from error
    listening.setblocking(False)
    return listening


def is_loopback(host: str) -> bool:
    """Return whether nobody but this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
