"""Checksummed JSON: an object whose last member is the CRC-32 of everything before it.

A person can read it, and a flipped bit is noticed; without the checksum it would name another lap, or another
track. Objects without one are accepted: they were written before there were checksums, or by hand.
"""

import re
import zlib
from typing import Any, Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from rig import parse
from rig.errors import Corrupt

_CHECKSUMMED: Final = re.compile(rb'(.*), "crc32": (\d{1,10})\s*\}\s*', re.DOTALL)

M = TypeVar("M", bound=Message)


def dump_json(text: str) -> bytes:
    """Return the JSON object `text`, which has at least one member, with its checksum added as UTF-8."""
    body = text.rstrip().removesuffix("}").rstrip().encode()
    return b'%s, "crc32": %d}' % (body, zlib.crc32(body))


def load_json(data: bytes) -> dict[str, Any]:
    """Return the object in `data` without its checksum. Raises Corrupt for what is no object, and where the
    checksum differs.
    """
    match = _CHECKSUMMED.fullmatch(data)
    if match and zlib.crc32(match[1]) != int(match[2]):
        raise Corrupt(f"{len(data)} bytes of JSON are not what was written: their CRC-32 differs")
    members = parse.json_object(data)
    members.pop("crc32", None)
    return members


def dump_message(message: Message) -> bytes:
    """Return a message as checksummed JSON."""
    return dump_json(json_format.MessageToJson(message, preserving_proto_field_name=True))


def load_message(kind: type[M], data: bytes) -> M:
    """Return the message of that `kind`; fields of newer versions are ignored. Raises Corrupt."""
    return parse.json_message(kind, load_json(data))
