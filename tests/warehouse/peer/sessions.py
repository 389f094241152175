"""Sessions of the peer: who is in, by which tokens, and until when."""

import asyncio
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from fakesnow.conn import FakeSnowflakeConnection

from tests.warehouse.peer import fake
from tests.warehouse.peer.users import User

_WORDS: Final = re.compile(
    r"\bCURRENT_(ROLE|WAREHOUSE|USER|DATABASE|SCHEMA|SESSION|TIMESTAMP)\(\)", re.IGNORECASE
)
_READS: Final = ("SELECT", "WITH", "SHOW", "DESC", "LIST", "USE", "BEGIN", "COMMIT", "ROLLBACK")
_RENEWED_S: Final = 3600.0
GONE: Final = ("390111", "Session no longer exists. New login required to access the service.")
EXPIRED: Final = ("390112", "Session token has expired.")
MASTER_EXPIRED: Final = ("390114", "Authentication token has expired. The user must authenticate again.")
NO_PRIVILEGE: Final = (
    "003001",
    "SQL access control error:\nInsufficient privileges to operate on schema '{}'.",
)


@dataclass
class Session:
    """One login."""

    number: int
    user: User
    role: str
    warehouse: str
    connection: FakeSnowflakeConnection
    token: str
    ends: float
    """Unix second at which the token expires."""
    master_ends: float
    master: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    used: float = 0.0
    """Unix second of the last request."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """A session runs one statement at a time."""

    def settle(self) -> None:
        """What a login names and is not there is not set, as in Snowflake; fakesnow keeps the name."""
        if not self.connection.database_set:
            self.connection.database = None
        if not self.connection.schema_set:
            self.connection._schema = None

    def may(self, sql: str) -> bool:
        """Whether the user may run a statement."""
        return not self.user.reads_only or sql.lstrip().upper().startswith(_READS)

    def spelled(self, sql: str) -> str:
        """A statement with the words that fakesnow does not know, or tells of itself, filled in."""
        facts: dict[str, Any] = {
            "ROLE": self.role,
            "WAREHOUSE": self.warehouse,
            "USER": self.user.name,
            "DATABASE": self.connection.database,
            "SCHEMA": self.connection.schema,
            "SESSION": str(self.number),
        }

        def fact(found: re.Match[str]) -> str:
            word = found[1].upper()
            if word == "TIMESTAMP":
                return f"DATEADD(SECOND, {self.user.ahead_s:.0f}, CURRENT_TIMESTAMP())"
            return f"'{facts[word]}'" if facts[word] else "CAST(NULL AS VARCHAR)"

        return fake.readable(_WORDS.sub(fact, sql))


@dataclass
class Sessions:
    """All that are open."""

    opened: int = 0
    _open: dict[str, Session] = field(default_factory=dict)

    def add(self, token: str, user: User, role: str, warehouse: str) -> Session:
        """A session that fakesnow has opened under `token`."""
        self.opened += 1
        now = user.now()
        ends = now + user.token_s, now + user.master_s
        session = Session(self.opened, user, role, warehouse, fake.sessions[token], token, *ends)
        session.settle()
        self._open[token] = session
        return session

    def of(self, token: str) -> Session | None:
        """The session of a token."""
        return self._open.get(token)

    def renew(self, master: str) -> Session | None:
        """Give the session of a master token a new token; None when that one is not good any more."""
        session = next((one for one in self._open.values() if one.master == master), None)
        if session is None or session.master_ends < session.user.now():
            return None
        old, session.token = session.token, secrets.token_urlsafe(32)
        self._open[session.token] = self._open.pop(old)
        fake.sessions[session.token] = fake.sessions.pop(old)
        session.ends = session.user.now() + _RENEWED_S
        return session

    def forget(self, token: str) -> None:
        """A session that is closed."""
        session = self._open.pop(token, None)
        fake.sessions.pop(token, None)
        if session:
            fake.abort(session.connection)

    def idle(self, since: float) -> list[Session]:
        """Sessions without a request since then."""
        return [session for session in self._open.values() if session.used <= since]
