"""AccessService: pairing, tokens, the certificate. Who is in the seat is a part of it in `seats`."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from rig.errors import BadRequest, Busy, WrongCode
from rig.join import Join
from rig.v1 import access_pb2, access_pb2_grpc
from rigd import log
from rigd.auth.caller import CALLER, LOCAL, Scope
from rigd.auth.codes import LIFETIME_S, OpenCode, PairingCodes, Wish
from rigd.auth.tokens import MAX_LIFETIME_S, YEAR_S, Token, TokenStore
from rigd.serve import connections
from rigd.serve.gate import Gate
from rigd.serve.seats import SeatMethods, Seats
from rigd.store.paging import Paging

if TYPE_CHECKING:
    from rigd.auth.certificate import Certificates

SERVICE: Final = "rig.v1.AccessService"

MAX_NAME: Final = 64
"""Characters of the name of a device, and of a user."""


class AccessService(SeatMethods, access_pb2_grpc.AccessServiceServicer):
    """Answers from the tokens, and lets the gate know of those that end."""

    def __init__(
        self,
        gate: Gate,
        tokens: TokenStore,
        certificates: "Certificates | None",
        addresses: Callable[[], Sequence[str]],
        seats: Seats,
        name: str = "",
    ) -> None:
        """Begin with no codes. `addresses` gives where others may reach this rig; `certificates` None:
        nowhere. `name` is the rig's, empty: that of the machine.
        """
        super().__init__(seats)
        self._gate, self._tokens, self._certificates = gate, tokens, certificates
        self._addresses, self._name = addresses, name or socket.gethostname()
        self._codes = PairingCodes()

    async def ExchangeCode(
        self, request: access_pb2.ExchangeCodeRequest, context: Any
    ) -> access_pb2.ExchangeCodeResponse:
        """Return a token for a code."""
        wish = self._taken(request.code, connections.host_of(context.peer()))
        secret, token = await asyncio.to_thread(self._tokens.create, *wish)
        log.say(log.PAIRED, token=token.id, name=token.name, user=token.user, scopes=",".join(token.scopes))
        return access_pb2.ExchangeCodeResponse(secret=secret, token=_listed(token), rig=self._name)

    async def GetCaller(
        self, _request: access_pb2.GetCallerRequest, _context: Any
    ) -> access_pb2.GetCallerResponse:
        """Return who asks."""
        caller = CALLER.get()
        return access_pb2.GetCallerResponse(
            user=caller.user,
            scopes=sorted(caller.scopes),
            expire_time_ns=caller.expire_ns,
            local=caller == LOCAL,
            pins=self._certificates.pins() if self._certificates else (),
        )

    async def CreatePairing(
        self, request: access_pb2.CreatePairingRequest, _context: Any
    ) -> access_pb2.CreatePairingResponse:
        """Return a code for one device."""
        certificates = self._beyond_this_machine()
        wish = _wish(request)
        addresses = tuple(self._addresses())
        if not addresses:
            raise Busy("this machine has no address that others could reach", hint="is its network up?")
        code = self._codes.make(wish)
        join = Join(addresses, certificates.current.fingerprint, code)
        expire_ns = time.time_ns() + int(LIFETIME_S * 1e9)
        return access_pb2.CreatePairingResponse(join=join.text(), expire_time_ns=expire_ns)

    async def ListPairings(
        self, _request: access_pb2.ListPairingsRequest, _context: Any
    ) -> access_pb2.ListPairingsResponse:
        """Return the codes that wait."""
        return access_pb2.ListPairingsResponse(pairings=map(_waiting, self._codes.open()))

    async def CancelPairing(
        self, request: access_pb2.CancelPairingRequest, _context: Any
    ) -> access_pb2.CancelPairingResponse:
        """End a code that waits."""
        wish = self._codes.cancel(request.id)
        log.say(log.PAIRING_CANCELLED, name=wish.name, user=wish.user)
        return access_pb2.CancelPairingResponse()

    async def ListTokens(
        self, request: access_pb2.ListTokensRequest, _context: Any
    ) -> access_pb2.ListTokensResponse:
        """Return a page of the tokens."""
        paging = Paging(request, [int, str])
        after = tuple(paging.after or ())
        tokens = [one for one in self._tokens.all() if not after or (one.created_ns, one.id) < after]
        page = tokens[: paging.size]
        more = paging.token((page[-1].created_ns, page[-1].id)) if len(tokens) > len(page) else ""
        return access_pb2.ListTokensResponse(tokens=map(_listed, page), next_page_token=more)

    async def RevokeToken(
        self, request: access_pb2.RevokeTokenRequest, _context: Any
    ) -> access_pb2.RevokeTokenResponse:
        """Revoke a token, and end its streams."""
        try:
            token = await asyncio.to_thread(self._tokens.revoke, request.id)
        finally:
            self._gate.sweep()
        log.say(log.TOKEN_REVOKED, token=token.id, name=token.name, user=token.user)
        return access_pb2.RevokeTokenResponse(token=_listed(token))

    async def ExtendToken(
        self, request: access_pb2.ExtendTokenRequest, _context: Any
    ) -> access_pb2.ExtendTokenResponse:
        """Move the expiry of a token."""
        lifetime_s = _lifetime(request.lifetime_s)
        token = await asyncio.to_thread(self._tokens.extend, request.id, lifetime_s)
        self._gate.sweep()
        return access_pb2.ExtendTokenResponse(token=_listed(token))

    async def RotateCertificate(
        self, request: access_pb2.RotateCertificateRequest, _context: Any
    ) -> access_pb2.RotateCertificateResponse:
        """Make the next certificate, or use it."""
        certificates = self._beyond_this_machine()
        await asyncio.to_thread(certificates.use_next if request.use else certificates.prepare)
        if request.use:
            log.say(log.CERTIFICATE, fingerprint=certificates.current.fingerprint)
        return access_pb2.RotateCertificateResponse(
            pins=certificates.pins(),
            expire_time_ns=int(certificates.current.not_after.timestamp()) * 1_000_000_000,
        )

    def _taken(self, code: str, host: str) -> Wish:
        """What a code stands for. Wrong ones are counted, as wrong tokens are."""
        self._gate.throttle.check(host)
        try:
            return self._codes.take(code)
        except WrongCode:
            self._gate.throttle.wrong(host)
            raise

    def _beyond_this_machine(self) -> "Certificates":
        if self._certificates is None:
            raise Busy(
                "this rig listens at no address beyond its own machine",
                hint="start it with --address 0.0.0.0:7341",
            )
        return self._certificates


def _wish(request: access_pb2.CreatePairingRequest) -> Wish:
    """What is asked for. Raises BadRequest."""
    name = _word("name of a device", request.name)
    user = _word("name of a user", request.user) if request.user else name
    if not request.scopes:
        raise BadRequest("a token without a scope is good for nothing", hint=f"scopes: {', '.join(Scope)}")
    scopes = frozenset(map(_scope, request.scopes))
    return Wish(name, user, scopes, _lifetime(request.lifetime_s or YEAR_S))


def _word(what: str, said: str) -> str:
    if not 0 < len(said) <= MAX_NAME or said != said.strip() or not said.isprintable():
        raise BadRequest(
            f"{said[:MAX_NAME]!r} is no {what}",
            hint=f"1 to {MAX_NAME} characters that can be printed, without blanks around them",
            limit=MAX_NAME,
        )
    return said


def _scope(said: str) -> Scope:
    try:
        return Scope(said)
    except ValueError:
        near = get_close_matches(said, list(Scope), 1)
        hint = f"did you mean '{near[0]}'?" if near else ", ".join(Scope)
        raise BadRequest(f"{said[:MAX_NAME]!r} is no scope", hint=hint, scope=said) from None


def _lifetime(seconds: int) -> int:
    if seconds > MAX_LIFETIME_S:
        raise BadRequest(
            f"a lifetime of {seconds} s", hint=f"at most {MAX_LIFETIME_S}, 100 years", limit=MAX_LIFETIME_S
        )
    return seconds


def _waiting(code: OpenCode) -> access_pb2.Pairing:
    wish = code.wish
    return access_pb2.Pairing(
        id=code.id,
        name=wish.name,
        user=wish.user,
        scopes=sorted(wish.scopes),
        lifetime_s=wish.lifetime_s,
        expire_time_ns=time.time_ns() + int(code.left_s * 1e9),
    )


def _listed(token: Token) -> access_pb2.Token:
    return access_pb2.Token(
        id=token.id,
        name=token.name,
        user=token.user,
        scopes=token.scopes,
        created_time_ns=token.created_ns,
        expire_time_ns=token.expire_ns,
        last_use_time_ns=token.last_use_ns,
        revoked_time_ns=token.revoked_ns,
    )
