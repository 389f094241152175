"""How a connection reaches its rig, and what to say when it does not: the same for both clients.

A rig beyond this machine is reached over TLS with exactly the certificates that it is known by, and every
call carries the token. Those of this machine are reached as they always were.
"""

import contextlib
import ipaddress
import logging
import threading
import time
from dataclasses import replace
from typing import Any, Final

import grpc

from rig import sockets
from rig.errors import RigError
from rig.v1 import access_pb2
from rigclient import paired, wire
from rigclient.paired import PairedRig

_LOG: Final = logging.getLogger("rigclient")

_LEARN_EVERY_S: Final = 600.0
"""Between two questions which certificates a rig announces. A new one is announced for days."""
_CONNECT_MS: Final = 5_000
"""gRPC would give an address that is silent 20 s before it tries the next."""
_MOST_PINS: Final = 8


class Route:
    """The way to one rig."""

    def __init__(self, rig: str | PairedRig) -> None:
        if isinstance(rig, str):
            sockets.check(rig)
        self._paired = rig if isinstance(rig, PairedRig) else None
        self._kept = self._paired
        """As it stood in its file when we last read or wrote that."""
        self.name: Final = str(rig) if isinstance(rig, str) else rig.name
        """What the rig is called in messages: its address, or the name it is paired by."""
        self._address = rig if isinstance(rig, str) else ""
        self._reached: tuple[str, ...] = ()
        """In numbers, the addresses where a look from outside has found it."""
        self._turn = threading.Lock()
        self._due = 0.0
        self._looked = False
        self._looks = 0
        self._found: RigError | None = None
        self.changes = 0
        """How often it has become another way: a channel opened before that is none any more."""

    def open(self, kind: Any, options: tuple[tuple[str, Any], ...]) -> Any:
        """Return a channel of `grpc` or `grpc.aio`."""
        if self._paired is None:
            return kind.insecure_channel(self._address, options)
        return Reopening(self, kind, options)

    def open_secure(self, kind: Any, options: tuple[tuple[str, Any], ...]) -> Any:
        """Return a channel to a paired rig as it is known now."""
        assert self._paired is not None
        roots = "".join(self._paired.certificates).encode()
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(roots), grpc.access_token_call_credentials(self._paired.token)
        )
        more = (
            ("grpc.ssl_target_name_override", self._paired.server_name),
            ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
            ("grpc.enable_http_proxy", 0),  # a look from outside takes none either
        )
        target = target_of((*self._reached, *self._paired.addresses))
        return kind.secure_channel(target, credentials, (*options, *more))

    def explained(self, error: Any) -> RigError | None:
        """Return the error of the tree behind one of gRPC; None where the way is another one now, and asking
        again is worth it. Where nothing answered it takes a look from outside, up to LOOK_S an address.
        """
        told = wire.translated(error, self.name)
        if not wire.unanswered(error) or self._address.startswith("unix:"):
            return told
        if error.code() is grpc.StatusCode.CANCELLED:
            return told  # by us, or because the rig ends
        looks = self._looks
        with self._turn:
            if looks == self._looks:  # else another stream of this rig has just looked
                self._found = self._sought(told) if self._paired else self._tried(told)
                self._looks += 1
            late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            return told if self._found is None and late else self._found  # it may have been done

    def _tried(self, told: RigError) -> RigError:
        """Look once in a life whether TLS is spoken at the address of a rig that is not paired."""
        from rigclient import tls

        looked, self._looked = self._looked, True
        return told if looked else tls.unpaired(self._address) or told

    def _sought(self, told: RigError) -> RigError | None:
        """Look for the paired rig at all its addresses, and go on there. Each look that finds nothing new
        ends in an error, so that nobody asks for ever.
        """
        from rigclient import tls

        refreshed = self._refresh()
        assert self._paired is not None
        try:
            seen = tls.first(self._paired.addresses, self._paired.pins)[1]
        except RigError as error:
            return error
        known = seen.certificate in self._paired.certificates
        if known and not refreshed and seen.numeric in _together((*self._reached, *self._paired.addresses)):
            return told  # gRPC knew that way: what happened there may happen again
        if not known:
            _LOG.warning("%s has changed its certificate, as it had announced", self.name)
            certificates = (seen.certificate, *self._paired.certificates)[:_MOST_PINS]
            self._keep(certificates=certificates, server_name=seen.name)
        self._reached = (seen.numeric, *self._reached)
        self.changes += 1
        return None

    def _refresh(self) -> bool:
        """Take what another program has learned of the rig meanwhile; return whether there was anything."""
        with contextlib.suppress(OSError, RigError):
            kept = paired.load(self.name)
            if self._paired and kept.token == self._paired.token and kept != self._kept:
                self._paired = self._kept = kept
                return True
        return False

    def due(self) -> bool:
        """Return whether it is time to ask the rig which certificates it announces."""
        if self._paired is None:
            return False
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + _LEARN_EVERY_S
        return True

    def learn(self, caller: access_pb2.GetCallerResponse) -> None:
        """Keep what the rig announces, and what its token may do now."""
        pins = tuple(dict.fromkeys(pin for pin in caller.pins if paired.is_pin(pin)))[:_MOST_PINS]
        if not pins:
            return
        with self._turn:
            assert self._paired is not None
            known = self._paired.certificates
            self._keep(
                pins=pins,
                certificates=tuple(one for one in known if paired.pin_of(one) in pins) or known,
                user=caller.user,
                scopes=tuple(caller.scopes),
                expire_ns=caller.expire_time_ns,
            )

    def _keep(self, **changed: Any) -> None:
        assert self._paired is not None
        was, self._paired = self._paired, replace(self._paired, **changed)
        if self._paired == was:
            return
        try:
            paired.update(self._paired)
            self._kept = self._paired
        except (OSError, RigError) as error:
            _LOG.warning("what is new of %s could not be kept: %s", self.name, error)


def target_of(addresses: tuple[str, ...]) -> str:
    """Return addresses as a target of gRPC, which tries them in this order. A name it looks up itself, and
    takes alone.
    """
    found = _together(addresses)
    if not found:
        return f"dns:///{addresses[0]}"
    if all("." in one and "[" not in one for one in found):
        return f"ipv4:{','.join(found)}"
    # A target is of one family: those of the other are written as IPv6 writes them.
    return f"ipv6:{','.join(one if '[' in one else _mapped(one) for one in found)}"


def _together(addresses: tuple[str, ...]) -> list[str]:
    """Return those that gRPC takes together: all in numbers, unless a name comes first."""
    if _numeric(addresses[0]) is None:
        return []
    return list(dict.fromkeys(filter(None, map(_numeric, addresses))))


def _numeric(address: str) -> str | None:
    """Return the address where it is in numbers."""
    try:
        ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
    except ValueError:
        return None
    return address


def _mapped(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"[::ffff:{host}]:{port}"


class Reopening:
    """A channel to a paired rig that is opened anew, under the stubs made of it, when the way has changed:
    gRPC takes no other certificate for a channel that is open.
    """

    def __init__(self, route: Route, kind: Any, options: tuple[tuple[str, Any], ...]) -> None:
        self._route, self._kind, self._options = route, kind, options
        self._turn = threading.Lock()
        self._changes = route.changes
        self._channel = route.open_secure(kind, options)

    def now(self) -> Any:
        """Return the channel to use."""
        with self._turn:
            if self._changes != self._route.changes:
                self._changes = self._route.changes
                # The one before goes when its calls have ended.
                self._channel = self._route.open_secure(self._kind, self._options)
            return self._channel

    def close(self) -> Any:
        """Close it; to be awaited in asyncio."""
        return self._channel.close()

    def __getattr__(self, how: str) -> Any:
        """Return what makes calls of a form: `unary_unary` and its like."""
        return lambda *words, **options: _Call(self, how, words, options)


class _Call:
    """A method of a stub, on the channel of the moment."""

    def __init__(self, channel: Reopening, how: str, words: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._channel, self._how, self._words, self._options = channel, how, words, options

    def __call__(self, *given: Any, **how: Any) -> Any:
        return self._method()(*given, **how)

    def future(self, *given: Any, **how: Any) -> Any:
        """Begin a call and go on."""
        return self._method().future(*given, **how)

    def _method(self) -> Any:
        return getattr(self._channel.now(), self._how)(*self._words, **self._options)
