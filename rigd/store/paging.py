"""Pages of a long answer: how many rows, and the opaque token that says after which the next page begins."""

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

from rig.errors import BadRequest, MalformedToken
from rigd.store.where import Value

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1000
"""Rows of the largest page: 1000 laps are 400 kB."""

_HEAD: Final = struct.Struct("<2sB8s")
_CHECK: Final = struct.Struct("<I")
_MAGIC: Final = b"rp"
_VERSION: Final = 1


class Paging:
    """One page of one question. `kinds` are the types of the values that a row is ordered by.

    The token holds those values of the last row, so a page goes on where the one before ended, whatever was
    added or removed meanwhile. Raises BadRequest for a negative size, MalformedToken for a token that was
    made for another question. The size may change from page to page.
    """

    def __init__(self, request: Any, kinds: Sequence[type]) -> None:
        if request.page_size < 0:
            raise BadRequest(f"page_size is {request.page_size}", hint=f"1 to {MAX_PAGE}, or 0")
        self.size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
        self._question = _fingerprint(request)
        self.after = self._read(request.page_token, kinds) if request.page_token else None
        """Values of the row after which the page begins; None on the first."""

    def token(self, values: Sequence[Value]) -> str:
        """Return the token of the page that begins after the row with these values."""
        body = _HEAD.pack(_MAGIC, _VERSION, self._question) + json.dumps(list(values)).encode()
        return base64.urlsafe_b64encode(body + _CHECK.pack(zlib.crc32(body))).rstrip(b"=").decode()

    def _read(self, token: str, kinds: Sequence[type]) -> list[Value]:
        body = _checked(token)
        _, version, question = _HEAD.unpack_from(body)
        if version != _VERSION:
            raise MalformedToken(f"page token version {version}, this program reads {_VERSION}")
        if question != self._question:
            raise MalformedToken("the page token belongs to another question", hint="start without it")
        try:
            values = json.loads(body[_HEAD.size :])
        except (ValueError, RecursionError) as error:
            raise MalformedToken("the page token holds no position") from error
        if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
            raise MalformedToken("the page token holds no position in this order")
        if not all(map(_sound, values)):
            raise MalformedToken("the page token holds a value that no row has")
        return values


def _checked(token: str) -> bytes:
    """Return the token's bytes without their check."""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise MalformedToken("that is no page token", hint="pass next_page_token as it came") from error
    body, check = data[: -_CHECK.size], data[-_CHECK.size :]
    if len(body) < _HEAD.size or body[:2] != _MAGIC or check != _CHECK.pack(zlib.crc32(body)):
        raise MalformedToken("the page token was changed", hint="pass next_page_token as it came")
    return body


def _sound(value: Value) -> bool:
    """Return whether the database takes the value. Anyone can compute a CRC."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, float):
        return value == value
    return value.isascii() or value.encode(errors="ignore").decode() == value


def _fingerprint(request: Any) -> bytes:
    """Return what the question is, without where in the answer and how much of it."""
    question = type(request)()
    question.CopyFrom(request)
    question.ClearField("page_token")
    question.ClearField("page_size")
    words = question.DESCRIPTOR.full_name.encode() + b"\0" + question.SerializeToString(deterministic=True)
    return hashlib.blake2b(words, digest_size=8).digest()
