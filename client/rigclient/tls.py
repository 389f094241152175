"""Who answers at an address, and why nobody does: gRPC says UNAVAILABLE to all of it.

Looked at from outside, with a handshake that sends no token. Each look ends within LOOK_S.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from rig.errors import Mismatch, RigError, Unavailable, Unreachable, WrongPin
from rigclient.paired import SERVER_NAME as SERVER_NAME
from rigclient.paired import pin_of

LOOK_S: Final = 4.0
"""At one address, its name looked up; a server in another country takes half a second."""
_STEP_S: Final = 2.0
"""For the connection, and for each answer of the handshake."""
_DATES_ASIDE: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` has no name for."""
_SHOWN: Final = 16
"""Digits of a fingerprint that are printed: 64 bits."""

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """What answers at an address."""

    numeric: str
    """The address in numbers, as it was reached."""
    certificate: str
    """PEM, unchecked."""
    name: str = SERVER_NAME
    """Whom the certificate is for; one that was not made by the rig may be for any name."""

    @property
    def pin(self) -> str:
        """SHA-256 of the certificate, hexadecimal."""
        return pin_of(self.certificate)


def look(address: str) -> Seen:
    """Return what answers at host:port. Raises Unreachable for no such host, no way there and no answer,
    Unavailable where nothing listens, Mismatch where it does not speak TLS.
    """
    return _ended(_begun(lambda: _look(address)), time.monotonic() + LOOK_S, address)


def first(addresses: Collection[str], pins: Collection[str]) -> tuple[str, Seen]:
    """Return the first of the addresses where a rig with one of these pins answers, and what does there. All
    are looked at at once. Raises what tells most of why none does, somebody who answers before nobody: as
    `look` does, WrongPin, Mismatch for a certificate that is not valid today.
    """
    until = time.monotonic() + LOOK_S
    begun = [(address, _begun(partial(_find, address, pins))) for address in addresses]
    failures: list[RigError] = []
    for address, results in begun:
        try:
            return address, _ended(results, until, address)
        except RigError as error:
            failures.append(error)
    raise min(failures, key=lambda error: _TELLING.index(type(error)))


def unpaired(address: str) -> Mismatch | None:
    """Return what to say where TLS is spoken at an address, to who speaks without; None where it is not."""
    try:
        look(address)
    except RigError:
        return None
    return Mismatch(
        f"the rig at {address} speaks TLS, and this connection does not",
        hint="pair with it: `rigd pair` on the rig, `rig connect` here, then `rig --rig NAME`",
        address=address,
    )


_TELLING: Final = (WrongPin, Mismatch, Unavailable, Unreachable)


def _find(address: str, pins: Collection[str]) -> Seen:
    """Return what answers, checked."""
    seen = _look(address)
    if seen.pin not in pins:
        expected = " or ".join(pin[:_SHOWN] for pin in pins)
        raise WrongPin(
            f"another certificate answers at {address}: {seen.pin[:_SHOWN]}…, not {expected}…",
            hint="is that address another machine now? Or the rig is new: `rig forget` it, and pair again",
            address=address,
            pin=seen.pin,
        )
    facts = _facts(address, seen)
    _check_dates(address, facts)
    return replace(seen, name=_name(facts))


def _look(address: str) -> Seen:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin is what counts, and whoever asks compares it
    with _handshake(address, context) as secure:
        der = secure.getpeercert(binary_form=True)
        host, port, *more = secure.getpeername()
    if not der:
        raise Mismatch(f"what answers at {address} shows no certificate", hint="that is no rig")
    if more and more[1] and "%" not in host:
        host = f"{host}%{more[1]}"  # of a cable alone: the number of its interface
    numeric = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Seen(numeric, ssl.DER_cert_to_PEM_cert(der))


def _handshake(address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection on which TLS is spoken. Raises as `look` does."""
    host, _, port = address.rpartition(":")
    context.set_alpn_protocols(["h2"])
    try:
        plain = socket.create_connection((host.strip("[]"), int(port)), _STEP_S)
        try:
            return context.wrap_socket(plain, server_hostname=SERVER_NAME)
        except BaseException:
            plain.close()
            raise
    except OSError as error:
        raise _said(error, address) from error


def _said(error: OSError, address: str) -> RigError:
    """Return the sentence for what kept us from a handshake."""
    host = address.rpartition(":")[0]
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"no such host: {host}", hint="is the name right, and this machine in the rig's network?"
        )
    if isinstance(error, ConnectionRefusedError):
        return Unavailable(
            f"the rig is off: the machine at {address} answers, and nothing listens there",
            hint="start `rigd` there, with that --address",
            address=address,
        )
    if isinstance(error, TimeoutError):
        return _silent(address)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Mismatch(
            f"the certificate of the rig at {address} cannot be used: {error.verify_message}",
            hint="is it one for servers?",
            address=address,
        )
    if isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        # A rig that ends, or has too many connections, does so: streams are to try again.
        return Unavailable(
            f"what answers at {address} broke the connection off before it had begun",
            hint="is the rig just ending? Try again",
            address=address,
        )
    if isinstance(error, ssl.SSLError):
        return Mismatch(
            f"what answers at {address} does not speak TLS, as a rig does beyond its own machine",
            hint="is that another program's port?",
            address=address,
        )
    return Unreachable(
        f"no way to {address}: {error.strerror or error}", hint="is this machine in the rig's network?"
    )


def _silent(address: str) -> Unreachable:
    return Unreachable(
        f"nothing answers at {address}",
        hint="is that machine on, and does its firewall let the port in?",
        address=address,
    )


def _facts(address: str, seen: Seen) -> Any:
    """Return what the certificate says; `ssl` tells it only of one that it trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _DATES_ASIDE
    try:
        context.load_verify_locations(cadata=seen.certificate)
    except ssl.SSLError as error:
        raise _said(error, address) from error
    with _handshake(address, context) as secure:
        return secure.getpeercert() or {}


def _name(facts: Any) -> str:
    """Return a name that the certificate is for, ours if it is. The pin is what counts: the name is there for
    gRPC, which asks for one.
    """
    names = [value for kind, value in facts.get("subjectAltName", ()) if kind == "DNS"]
    names += [value for part in facts.get("subject", ()) for key, value in part if key == "commonName"]
    found = SERVER_NAME if SERVER_NAME in names or not names else str(names[0])
    return found.replace("*", "rig", 1)


def _check_dates(address: str, facts: Any) -> None:
    """Raise Mismatch for a certificate that is not valid yet, or any more, by the clock of this machine."""
    begins, ends = (ssl.cert_time_to_seconds(facts[name]) for name in ("notBefore", "notAfter"))
    now = time.time()
    if begins <= now < ends:
        return
    when, word = (begins, "not valid before") if now < begins else (ends, "valid until")
    raise Mismatch(
        f"the certificate of the rig at {address} is {word} {_day(when)}; here the clock says {_day(now)}",
        hint="set the clock that is wrong, or make a new certificate on the rig and pair again",
        address=address,
    )


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _begun(work: Callable[[], T]) -> "queue.SimpleQueue[T | BaseException]":
    """Begin some work in a thread of its own, and return where its result will be."""
    results: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put(work())
        except BaseException as error:  # noqa: BLE001  it is raised where it was asked for
            results.put(error)

    threading.Thread(target=run, name="look", daemon=True).start()
    return results


def _ended(results: "queue.SimpleQueue[T | BaseException]", until: float, address: str) -> T:
    """Return the result of some work, or raise what it raised. Raises Unreachable at a monotonic time: a name
    is looked up for as long as the machine was set up to, and who answers may do so a byte at a time.
    """
    try:
        result = results.get(timeout=max(until - time.monotonic(), 0.001))
    except queue.Empty:
        raise _silent(address) from None
    if isinstance(result, BaseException):
        raise result
    return result
