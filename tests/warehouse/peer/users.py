"""Who may log in: passwords, keys and tokens are really checked, which fakesnow does not.

The file of users is read at every login, so that a test can change it under a running peer:

    {"RIGD": {"password_sha256": "…", "keys": ["-----BEGIN PUBLIC KEY-----…"], "tokens": {"…": 1790000000},
              "roles": ["RIGD_LOADER"], "reads_only": false,
              "token_s": 3600, "master_s": 14400, "ahead_s": 0}}

A token is given with the unix second at which it expires; `token_s` and `master_s` are how long a session's
own tokens are good, `ahead_s` is how far the account's clock is ahead for this user.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

_BAD_PASSWORD: Final = ("390100", "Incorrect username or password was specified.")
_BAD_JWT: Final = "390144"
_BAD_TOKEN: Final = ("390303", "Invalid OAuth access token.")
_OLD_TOKEN: Final = ("390318", "OAuth access token expired.")
_BAD_ROLE: Final = "390189"
_LEEWAY_S: Final = 30
"""Of clocks that differ."""


class Refused(Exception):
    """A login that is not let in."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class User:
    """What a user has to prove it, and may do."""

    name: str
    password_sha256: str = ""
    keys: list[str] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    reads_only: bool = False
    token_s: float = 3600.0
    master_s: float = 14400.0
    ahead_s: float = 0.0

    def now(self) -> float:
        """Unix seconds by the account's clock."""
        return time.time() + self.ahead_s


@dataclass(frozen=True)
class Users:
    """Those of an account."""

    file: Path
    account: str

    def admit(self, data: dict[str, Any], role: str) -> User:
        """The user behind the body of a login. Raises Refused."""
        method = (data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        check = {"SNOWFLAKE_JWT": self._by_key, "OAUTH": self._by_token}.get(method, self._by_password)
        user = check(data)
        if role and role.upper() not in user.roles:
            text = f"Role '{role}' specified in the connect string is not granted to this user."
            raise Refused(_BAD_ROLE, text)
        return user

    def _find(self, name: str) -> User | None:
        known = json.loads(self.file.read_text())
        return User(name.upper(), **known[name.upper()]) if name.upper() in known else None

    def _by_password(self, data: dict[str, Any]) -> User:
        user = self._find(data.get("LOGIN_NAME") or "")
        given = hashlib.sha256((data.get("PASSWORD") or "").encode()).hexdigest()
        if user is None or not secrets.compare_digest(given, user.password_sha256):
            raise Refused(*_BAD_PASSWORD)
        return user

    def _by_token(self, data: dict[str, Any]) -> User:
        user = self._find(data.get("LOGIN_NAME") or "")
        expires = user.tokens.get(data.get("TOKEN") or "") if user else None
        if user is None or expires is None:
            raise Refused(*_BAD_TOKEN)
        if expires < user.now():
            raise Refused(*_OLD_TOKEN)
        return user

    def _by_key(self, data: dict[str, Any]) -> User:
        """By a token that the user's private key signed: RS256, this account, a known key, not too old."""
        token = data.get("TOKEN") or ""
        try:
            said = jwt.decode(token, options={"verify_signature": False})
            account, _, name = str(said["sub"]).partition(".")
            user = self._find(name)
            if account != self.account or user is None or name != user.name:
                raise jwt.InvalidTokenError("unknown user")
            if data.get("LOGIN_NAME") and data["LOGIN_NAME"].upper() != name:
                raise jwt.InvalidTokenError("another user")
            issuer = {f"{account}.{name}.{fingerprint(key)}": key for key in user.keys}
            if said.get("iss") not in issuer:
                raise jwt.InvalidIssuerError("unknown key")
            # Times are judged below, by the peer's own clock.
            any_time: Any = {"verify_exp": False, "verify_iat": False}
            jwt.decode(token, issuer[said["iss"]], ["RS256"], options=any_time)
            if not said["iat"] - _LEEWAY_S <= user.now() <= said["exp"]:
                raise jwt.ExpiredSignatureError("not now")
        except (jwt.PyJWTError, KeyError) as error:
            raise Refused(_BAD_JWT, f"JWT token is invalid. [{secrets.token_hex(16)}]") from error
        return user


def fingerprint(pem: str) -> str:
    """Of a public key, as DESC USER shows it."""
    der = load_pem_public_key(pem.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
