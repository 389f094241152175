"""Sealed JSON: an object whose last member is the checksum of everything before it.

A person can read it, and a flipped bit is noticed; without the seal it would be another lap, or another
track. Objects without one are taken at their word: they were written before there were seals, or by hand.
"""

import re
import zlib
from typing import Any, Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from rig import parse
from rig.errors import Corrupt

_SEAL: Final = re.compile(rb'(.*), "crc32": (\d{1,10})\s*\}\s*', re.DOTALL)

M = TypeVar("M", bound=Message)


def sealed(text: str) -> bytes:
    """The JSON object `text`, which has a member at least, with its seal."""
    body = text.rstrip().removesuffix("}").rstrip().encode()
    return b'%s, "crc32": %d}' % (body, zlib.crc32(body))


def unsealed(data: bytes) -> dict[str, Any]:
    """The object. Raises Corrupt for whatever is none, and where the seal is broken."""
    seal = _SEAL.fullmatch(data)
    if seal and zlib.crc32(seal[1]) != int(seal[2]):
        raise Corrupt(f"{len(data)} bytes of JSON are not what was written: their CRC-32 differs")
    members = parse.json_object(data)
    members.pop("crc32", None)
    return members


def seal_message(message: Message) -> bytes:
    """A message as sealed JSON."""
    return sealed(json_format.MessageToJson(message, preserving_proto_field_name=True))


def unseal_message(kind: type[M], data: bytes) -> M:
    """The message; fields from the future are passed over. Raises Corrupt."""
    return parse.json_message(kind, unsealed(data))
