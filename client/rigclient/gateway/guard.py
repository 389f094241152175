"""Who may use the gateway: the key, the name it is called by, and whose page a request comes from."""

import hmac
import ipaddress
from typing import Final

from aiohttp import web

COOKIE: Final = "rig_gateway_key"

HEADERS: Final = {
    # Own assets alone: a page of ours runs nothing that somebody put into a driver's name. Styles stand in
    # elements too, which components of lit set.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; media-src 'self' data:; connect-src 'self'; "
        "manifest-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Decides on every request. Without a key everybody who reaches the loopback may read."""

    def __init__(self, key: str, names: frozenset[str]) -> None:
        self._key = key
        self._names = names
        """Host names it answers to beside addresses: another one is a page of the internet that has its name
        lead here.
        """

    def why_not(self, request: web.Request) -> web.Response | None:
        """Return what is answered instead; None where the request may go on."""
        # Not request.host: where there is no header it asks the network for a name, and everybody waits.
        host = request.headers.get("Host", "")
        if not self._knows(host_of(host)):
            return _refused(421, "WRONG_HOST", f"this gateway is not called {host[:80]!r}", "use its address")
        if not self._own_page(request):
            return _refused(
                403, "FOREIGN_ORIGIN", "a page of another site asks", "open the gateway's own pages"
            )
        if self._key and not self._has_key(request):
            return _refused(
                401, "WRONG_KEY", "the key is missing or wrong", "use the whole address: ...?key=KEY"
            )
        return None

    def brings_key(self, request: web.Request) -> bool:
        """Return whether the key stands in the address, to be kept as a cookie."""
        return bool(self._key) and self._is_key(request.query.get("key", ""))

    def keep_key(self, request: web.Request, response: web.StreamResponse) -> None:
        """Have the browser keep the key, out of reach of scripts and of other sites."""
        response.set_cookie(
            COOKIE,
            self._key,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
            path="/",
            max_age=30 * 86400,
        )

    def _has_key(self, request: web.Request) -> bool:
        return self._is_key(request.query.get("key", "")) or self._is_key(request.cookies.get(COOKIE, ""))

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._key.encode())

    def _knows(self, host: str) -> bool:
        return host in self._names or _is_address(host)

    def _own_page(self, request: web.Request) -> bool:
        """Return whether no other site's page asks for what changes something or streams."""
        origin = request.headers.get("Origin")
        streams = request.headers.get("Upgrade", "").lower() == "websocket"
        if origin is None or (request.method in ("GET", "HEAD") and not streams):
            return True
        return origin.partition("://")[2] == request.host


def host_of(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refused(status: int, code: str, message: str, hint: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message, "hint": hint}}, status=status)
