"""Tokens: `id.secret`, of which the rig keeps the SHA-256 alone, in one file that `serve` writes."""

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from rig import disk
from rig.errors import (
    Busy,
    Corrupt,
    Exhausted,
    Newer,
    NotFound,
    RigError,
    TokenExpired,
    TokenRevoked,
    Unauthenticated,
    WrongToken,
)
from rigd import durable
from rigd.auth.caller import Caller, Scope
from rigd.auth.private import read_private
from rigd.store.checksummed import dump_json, load_json

MAX_TOKENS: Final = 1000
"""Those that are over for 90 days make room."""

YEAR_S: Final = 365 * 86_400
MAX_LIFETIME_S: Final = 100 * YEAR_S

_FILE: Final = "tokens.json"
_LOCK: Final = "tokens.lock"
_VERSION: Final = 1
_MOST_BYTES: Final = 4 << 20
_SECRET_BYTES: Final = 32
_TOKEN: Final = re.compile(r"([0-9a-f]{12})\.([A-Za-z0-9_-]{43})")
_ID: Final = re.compile(r"[0-9a-f]{12}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NOBODYS: Final = "0" * 64
"""Compared with where there is no such token: the answer takes as long."""

_MINUTE_NS: Final = 60_000_000_000
_KEPT_NS: Final = 90 * 86_400 * 1_000_000_000
_AHEAD_NS: Final = 3600 * 1_000_000_000
"""A token that was made so much later than now tells of a clock that was set."""

_AGAIN: Final = "pair again: `rigd pair` at the rig, `rig connect` here"


@dataclass(frozen=True)
class Token:
    """A token without its secret. Times are unix nanoseconds, 0: never."""

    id: str
    name: str
    user: str
    scopes: tuple[str, ...]
    digest: str
    """SHA-256 of the secret, hexadecimal."""
    created_ns: int
    expire_ns: int = 0
    last_use_ns: int = 0
    """To the minute."""
    revoked_ns: int = 0

    def caller(self) -> Caller:
        """Return who comes with this token. Scopes of a newer version mean nothing."""
        known = frozenset(Scope(scope) for scope in self.scopes if scope in set(Scope))
        return Caller(self.user, known, self.id, self.expire_ns)

    def refusal(self, now_ns: int) -> RigError | None:
        """Return why it is good for nothing at this moment, None when it is good."""
        if self.revoked_ns:
            return TokenRevoked(f"the token was revoked on {_date(self.revoked_ns)}", hint=_AGAIN)
        if self.expire_ns and self.expire_ns <= now_ns:
            return TokenExpired(
                f"the token expired on {_date(self.expire_ns)}",
                hint=f"`rigd token extend {self.id}` at the rig, or {_AGAIN}",
            )
        if self.created_ns > now_ns + _AHEAD_NS:
            return Unauthenticated(
                f"the token was made on {_date(self.created_ns)}, and the rig's clock says {_date(now_ns)}",
                hint="set the rig's clock; if it was wrong when you paired, pair again",
            )
        return None

    def over_ns(self) -> int:
        """Return when it ended or will end; 0: never."""
        return self.revoked_ns or self.expire_ns


class TokenStore:
    """The tokens of a data directory. Raises Denied for a file that others can read, Corrupt, Newer.

    One process changes them at a time: it owns them for its life (`own`) or for the time of a change.
    Methods that change may be called in any thread.
    """

    def __init__(self, data: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._path, self._lock_path = data / _FILE, data / _LOCK
        self._clock = clock
        self._owned: int | None = None
        self._changing = threading.RLock()
        self._seen: tuple[int, int] | None = None
        self._tokens = self._read()
        self._used: dict[str, int] = {}
        """Last uses that the file does not have yet."""

    def own(self) -> None:
        """Lock the tokens, so that nobody else changes them, until `close`. Raises Busy."""
        self._owned = self._lock()
        self._tokens = self._read()

    def close(self) -> None:
        """Write what is left to write, and let others change them."""
        if self._owned is not None:
            with contextlib.suppress(OSError):
                self.flush()
            os.close(self._owned)
            self._owned = None

    def all(self) -> list[Token]:
        """Return all tokens, newest first."""
        tokens = [self._with_use(token) for token in self._known().values()]
        return sorted(tokens, key=lambda token: (token.created_ns, token.id), reverse=True)

    def get(self, token: str) -> Token:
        """Return the token with that id. Raises NotFound."""
        known = self._known()
        if token not in known:
            raise NotFound(f"there is no token {token!r}", hint="rigd token list", id=token)
        return self._with_use(known[token])

    def any_good(self) -> bool:
        """Return whether anybody could come in with one of them."""
        return any(token.refusal(self._clock()) is None for token in self._known().values())

    def verify(self, text: str) -> Token:
        """Return the token that `id.secret` is. Raises WrongToken, TokenRevoked, TokenExpired, and
        Unauthenticated for one from the future.
        """
        match = _TOKEN.fullmatch(text)
        if match is None:
            raise WrongToken("that is no token: one is `id.secret`", hint=_AGAIN)
        found = self._known().get(match[1])
        same = hmac.compare_digest(_digest(match[2]), found.digest if found else _NOBODYS)
        if found is None or not same:
            raise WrongToken("the token is none of this rig's", hint=_AGAIN)
        now_ns = self._clock()
        if refusal := found.refusal(now_ns):
            raise refusal
        self._used[found.id] = now_ns - now_ns % _MINUTE_NS
        return found

    def refusal(self, token: str) -> RigError | None:
        """Return why the token with that id is good for nothing now, None when it is good."""
        found = self._known().get(token)
        return found.refusal(self._clock()) if found else WrongToken("the token is none of this rig's")

    def create(self, name: str, user: str, scopes: Iterable[Scope], lifetime_s: int) -> tuple[str, Token]:
        """Return a new token, as `id.secret` and as it is listed; `lifetime_s` 0: it never expires. Raises
        Exhausted, Busy, OSError.
        """
        secret, now_ns = secrets.token_urlsafe(_SECRET_BYTES), self._clock()
        expire_ns = now_ns + lifetime_s * 1_000_000_000 if lifetime_s else 0
        with self._change() as tokens:
            for token in [one.id for one in tokens.values() if 0 < one.over_ns() < now_ns - _KEPT_NS]:
                del tokens[token]
            if len(tokens) >= MAX_TOKENS:
                raise Exhausted(
                    f"{MAX_TOKENS} tokens are kept, which is the limit",
                    hint="revoked and expired ones go after 90 days",
                    limit=MAX_TOKENS,
                )
            names = tuple(sorted(scopes))
            made = Token(secrets.token_hex(6), name, user, names, _digest(secret), now_ns, expire_ns)
            tokens[made.id] = made
        return f"{made.id}.{secret}", made

    def revoke(self, token: str) -> Token:
        """Return the token, which is good for nothing from now on, even where that cannot be written. Raises
        NotFound, Busy, OSError.
        """
        found = self.get(token)
        if found.revoked_ns:
            return found
        revoked = replace(found, revoked_ns=self._clock())
        if self._owned is not None:
            self._tokens = {**self._tokens, token: revoked}
        with self._change() as tokens:
            tokens[token] = revoked
        return revoked

    def extend(self, token: str, lifetime_s: int) -> Token:
        """Return the token, which expires so many seconds from now; 0: never. Raises NotFound, Busy."""
        expire_ns = self._clock() + lifetime_s * 1_000_000_000 if lifetime_s else 0
        with self._change() as tokens:
            if token not in tokens:
                raise NotFound(f"there is no token {token!r}", hint="rigd token list", id=token)
            tokens[token] = replace(tokens[token], expire_ns=expire_ns)
        return self.get(token)

    def flush(self) -> None:
        """Write last uses that were not written yet, if the tokens are ours. Raises OSError."""
        if self._used and self._owned is not None:
            with self._change():
                pass

    def _known(self) -> dict[str, Token]:
        """The tokens; read anew where somebody else may have changed them."""
        if self._owned is None and self._seen != self._state():
            self._tokens = self._read()
        return self._tokens

    def _state(self) -> tuple[int, int] | None:
        """Tells the file from any other of its name."""
        with contextlib.suppress(FileNotFoundError):
            found = self._path.stat()
            return found.st_ino, found.st_mtime_ns
        return None

    def _with_use(self, token: Token) -> Token:
        return replace(token, last_use_ns=max(token.last_use_ns, self._used.get(token.id, 0)))

    @contextlib.contextmanager
    def _change(self) -> Iterator[dict[str, Token]]:
        """The tokens to be changed; they are written when that went well."""
        with self._changing, self._ours():
            used = dict(self._used)
            tokens = {token.id: self._with_use(token) for token in self._tokens.values()}
            yield tokens
            self._write(tokens)
            self._tokens = tokens
            for token, at in used.items():
                if self._used.get(token) == at:
                    del self._used[token]

    @contextlib.contextmanager
    def _ours(self) -> Iterator[None]:
        if self._owned is not None:
            yield
            return
        descriptor = self._lock()
        try:
            self._tokens = self._read()
            yield
        finally:
            os.close(descriptor)

    def _lock(self) -> int:
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if not disk.lock(descriptor):
            holder = disk.holder(descriptor)
            os.close(descriptor)
            raise Busy(
                f"the tokens are kept by {holder}", hint="stop that server, or ask it", path=self._lock_path
            )
        return descriptor

    def _write(self, tokens: dict[str, Token]) -> None:
        said = {"version": _VERSION, "tokens": [asdict(token) for token in tokens.values()]}
        durable.replace(self._path, dump_json(json.dumps(said, indent=1)), private=True)

    def _read(self) -> dict[str, Token]:
        self._seen = self._state()
        try:
            data = read_private(self._path, _MOST_BYTES)
        except FileNotFoundError:
            return {}
        try:
            return _parsed(load_json(data))
        except Corrupt as error:
            hint = error.hint or "restore it from a backup, or remove it and pair again"
            raise type(error)(f"{self._path}: {error.message}", hint=hint, path=self._path) from error


def _parsed(members: dict[str, Any]) -> dict[str, Token]:
    version, listed = members.get("version"), members.get("tokens")
    if isinstance(version, int) and version > _VERSION:
        raise Newer(f"version {version}, this program reads {_VERSION}", hint="upgrade rigd")
    if version != _VERSION or not isinstance(listed, list) or len(listed) > MAX_TOKENS:
        raise Corrupt("this is no list of tokens")
    tokens = [_token(item) for item in listed]
    found = {token.id: token for token in tokens}
    if len(found) != len(tokens):
        raise Corrupt("two tokens have one id")
    return found


def _token(item: Any) -> Token:
    """Return a token out of its JSON; members of newer versions are passed over. Raises Corrupt."""
    known = {field.name for field in fields(Token)}
    try:
        token = Token(**{key: value for key, value in item.items() if key in known})
        sound = _ID.fullmatch(token.id) and _DIGEST.fullmatch(token.digest)
        texts = [token.name, token.user, *token.scopes]
        times = (token.created_ns, token.expire_ns, token.last_use_ns, token.revoked_ns)
    except (AttributeError, TypeError) as error:
        raise Corrupt(f"a token is damaged: {error}") from error
    if not sound or not all(isinstance(text, str) for text in texts):
        raise Corrupt("a token is damaged")
    if not all(type(at) is int and 0 <= at < 2**64 for at in times):
        raise Corrupt(f"the times of token {token.id} are damaged")
    return replace(token, scopes=tuple(token.scopes))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _date(time_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(time_ns // 1_000_000_000)) + " UTC"
