"""The gate: who calls, whether they may, and for how long."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from rig.errors import Denied, Unauthenticated, WrongToken
from rigd import log
from rigd.auth.caller import CALLER, LOCAL, NOBODY, Caller, Scope
from rigd.auth.lease import LEASE, Lease
from rigd.auth.throttle import Throttle
from rigd.auth.tokens import TokenStore
from rigd.serve import connections
from rigd.serve.permissions import ANY_TOKEN, OPEN, PERMISSIONS

MACHINE: Final = Caller("", frozenset(Scope) - {Scope.ADMIN})
"""Whoever comes without a token over plain TCP on loopback: every user of the machine can."""

KILL_AFTER_S: Final = 1.0
"""A call whose token is over ends itself at once, unless its client has stopped reading: then its connection
is closed.
"""

_SECOND: Final = 1.0
_FLUSH_EVERY: Final = 60
"""Seconds: last uses are noted to the minute."""

_HEADER: Final = "authorization"
_BEARER: Final = "Bearer "


class Gate:
    """Lets calls in and ends them. Lives on the event loop."""

    def __init__(
        self,
        tokens: TokenStore,
        open_loopback: bool = True,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` has those who wait for something to send look at their lease."""
        self._tokens, self._open_loopback, self._wake = tokens, open_loopback, wake
        self.throttle = Throttle()
        self._leases: set[Lease] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0

    def start(self) -> None:
        """Look once a second for tokens that are over."""
        self._timer = asyncio.get_running_loop().call_later(_SECOND, self._each_second)

    def close(self) -> None:
        """Look no longer."""
        if self._timer is not None:
            self._timer.cancel()

    @contextlib.contextmanager
    def admit(self, method: str, context: Any) -> Iterator[Lease]:
        """Let a call in, for as long as it goes on; `method` "" is one that this version does not have.
        Raises Unauthenticated, Denied, Exhausted.
        """
        lease = Lease(self._caller(context), context.peer())
        _check(method, lease.caller)
        CALLER.set(lease.caller)
        LEASE.set(lease)
        self._leases.add(lease)
        try:
            yield lease
        finally:
            self._leases.discard(lease)

    def sweep(self) -> None:
        """End the calls whose token is over, and close the connections of those that did not end."""
        ending = False
        for lease in [lease for lease in self._leases if lease.caller.token]:
            if lease.why is None:
                if why := self._tokens.refusal(lease.caller.token):
                    lease.end(why)
                    ending = True
            elif time.monotonic() - lease.over_since >= KILL_AFTER_S:
                connections.close(lease.peer)
        if ending:
            self._wake()

    def _each_second(self) -> None:
        self.start()
        self.sweep()
        self._ticks += 1
        if self._ticks % _FLUSH_EVERY == 0:
            asyncio.get_running_loop().run_in_executor(None, self._flush)

    def _flush(self) -> None:
        try:
            self._tokens.flush()
        except OSError as error:  # tried again in a minute
            log.say(log.TROUBLE, daemon="serve", what=f"last uses of tokens could not be kept: {error}")

    def _caller(self, context: Any) -> Caller:
        """Who calls. A token counts wherever it comes from."""
        peer = context.peer()
        words = [str(value) for key, value in context.invocation_metadata() if key == _HEADER]
        if words:
            return self._with_token(words, connections.host_of(peer))
        if peer.startswith(connections.ANY_SOCKET):
            return LOCAL
        return MACHINE if self._open_loopback and _in_clear(context) else NOBODY

    def _with_token(self, words: list[str], host: str) -> Caller:
        self.throttle.check(host)
        try:
            if len(words) != 1 or not words[0].startswith(_BEARER):
                raise WrongToken(
                    "the call brings no token that can be read", hint=f"{_HEADER}: {_BEARER}TOKEN"
                )
            return self._tokens.verify(words[0].removeprefix(_BEARER)).caller()
        except WrongToken:
            self.throttle.wrong(host)
            raise


def _in_clear(context: Any) -> bool:
    """Whether a call came over plain TCP, which is served on loopback alone."""
    return b"insecure" in context.auth_context().get("transport_security_type", ())


def _check(method: str, caller: Caller) -> None:
    """Raise Unauthenticated or Denied for a caller that may not make the call."""
    need = PERMISSIONS.get(method) if method else ANY_TOKEN
    if need == OPEN:
        return
    if caller == NOBODY:
        raise Unauthenticated(
            "this rig answers nobody without a token", hint="pair: `rigd pair` at the rig, `rig connect` here"
        )
    if need is None:
        raise Denied("nobody may make this call", method=method)
    if not need.met(caller):
        wanted = " or ".join(need.scopes)
        raise Denied(f"this takes the scope {wanted}, {_has(caller)}", hint=_way(caller), scopes=wanted)


def _has(caller: Caller) -> str:
    if not caller.token:
        return "which nobody has at this address"
    return f"your token has {', '.join(sorted(caller.scopes)) or 'none that this version knows'}"


def _way(caller: Caller) -> str:
    return "pair again with it: `rigd pair --scope`" if caller.token else "use the rig's own socket"
