"""What watches the rig from outside: the figures for Prometheus at /metrics, and /healthz, over plain HTTP.

It is for programs of this machine: it listens on loopback alone, asks nobody who they are, and tells only
figures. A client there costs no more than a connection, for some seconds; the streams come first.
"""

import asyncio
import contextlib
import importlib.util
import ipaddress
import math
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from rig import sockets
from rig.errors import BadRequest, Unavailable
from rig.v1 import rig_pb2
from rigd import metrics
from rigd.serve.binding import ensure_free

MAX_CONNECTIONS: Final = 16
"""Open at once; the next one is closed without a word. Prometheus has one."""
CONNECTION_S: Final = 5.0
"""From the first byte of a request to the last one of the answer; after that the connection is closed."""
MAX_REQUEST_BYTES: Final = 8 << 10
FRESH_S: Final = 1.0
"""For so long an answer is given again: the daemons say how they are once a second."""

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

Status = Callable[[], rig_pb2.GetStatusResponse]
"""Takes the status, on the event loop."""


def check_address(address: str) -> None:
    """Refuse all but host:port on loopback. Raises BadRequest."""
    sockets.check(address, first_port=0)
    if address.startswith("unix:") or not _is_loopback(address.rpartition(":")[0]):
        raise BadRequest(
            f"{address!r} is no host:port on loopback",
            hint="metrics are for this machine: write 127.0.0.1:9464, and let Prometheus run here",
            address=address,
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def ailments(status: rig_pb2.GetStatusResponse) -> list[str]:
    """Return why the rig does not do what it is there for, a sentence each; none when it does."""
    found = [f"{trouble.daemon}: {trouble.what}" for trouble in status.troubles]
    for daemon, field in (("record", "recorder"), ("archive", "archiver")):
        if not status.HasField(field):  # type: ignore[arg-type]
            found.append(f"{daemon}: not heard for three seconds")
    return found


class Monitor:
    """Answers on one address. Lives on the event loop that started it."""

    def __init__(self, address: str, status: Status) -> None:
        check_address(address)
        if importlib.util.find_spec("prometheus_client") is None:
            raise Unavailable(
                "metrics need the package prometheus-client",
                hint="install rigd[daemon], or go without --metrics",
            )
        self._address, self._take = address, status
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._status, self._taken_s = rig_pb2.GetStatusResponse(), -math.inf
        self._body = b""
        self._making = asyncio.Lock()

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to answer. Raises Busy where another process listens, Unavailable where nobody may."""
        ensure_free(self._address)
        host, _, port = self._address.rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._connected, host.strip("[]"), int(port), limit=MAX_REQUEST_BYTES, backlog=MAX_CONNECTIONS
            )
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {self._address}: {error.strerror}", address=self._address
            ) from error

    async def stop(self) -> None:
        """Close the port and what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, the end."""
        with contextlib.suppress(OSError, TimeoutError):
            try:
                async with asyncio.timeout(CONNECTION_S):
                    writer.write(await self._answer(reader))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
            finally:
                writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError:
            return _response(HTTPStatus.BAD_REQUEST)
        method, target, version, *more = [*request.split(b"\r\n")[0].split(b" "), b"", b"", b""]
        if not version.startswith(b"HTTP/1.") or any(more):
            return _response(HTTPStatus.BAD_REQUEST)
        if method not in (b"GET", b"HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        if not _asked_here(request):
            return _response(HTTPStatus.MISDIRECTED_REQUEST)
        answer = await self._page(target.partition(b"?")[0])
        return answer if method == b"GET" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    async def _page(self, path: bytes) -> bytes:
        match path:
            case b"/metrics":
                return _response(HTTPStatus.OK, await self._metrics())
            case b"/healthz":
                found = ailments(self._now())
                status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
                return _response(status, "".join(f"{line}\n" for line in found or ["serving"]).encode())
        return _response(HTTPStatus.NOT_FOUND, b"/metrics and /healthz are here\n")

    def _now(self) -> rig_pb2.GetStatusResponse:
        """The status, taken once a second at most, however often one asks."""
        now = asyncio.get_running_loop().time()
        if now - self._taken_s >= FRESH_S:
            self._status, self._taken_s, self._body = self._take(), now, b""
        return self._status

    async def _metrics(self) -> bytes:
        """The text, which is not made on the event loop, where streams are served: it takes 2 ms."""
        async with self._making:
            status = self._now()
            if not self._body:
                self._body = await asyncio.to_thread(metrics.exposition, status)
            return self._body


def _asked_here(request: bytes) -> bool:
    """Return whether a request names this machine: a page from elsewhere, whose name was made to lead here,
    names its own.
    """
    headers = (line.partition(b":") for line in request.split(b"\r\n")[1:])
    hosts = [value.strip().decode("latin-1").lower() for name, _, value in headers if name.lower() == b"host"]
    return all(_is_loopback(re.sub(r":\d*$", "", host)) for host in hosts)


def _response(status: HTTPStatus, body: bytes = b"") -> bytes:
    body = body or f"{status.phrase}\n".encode()
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {_TEXT}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + body
