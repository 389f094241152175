"""Bytes that somebody else wrote, as messages and as JSON: the answer is a value or Corrupt."""

import json
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from rig.errors import Corrupt

M = TypeVar("M", bound=Message)


def message(kind: type[M], data: bytes) -> M:
    """Return a message out of its wire bytes. Raises Corrupt."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Corrupt(f"{len(data)} bytes are no {kind.DESCRIPTOR.name}: {error}") from error


def json_message(kind: type[M], members: dict[str, Any]) -> M:
    """Return a message out of its JSON object; fields from the future are passed over. Raises Corrupt."""
    from google.protobuf import json_format

    try:
        return json_format.ParseDict(members, kind(), ignore_unknown_fields=True)
    except (ValueError, RecursionError, json_format.Error) as error:
        raise Corrupt(f"an object of {len(members)} members is no {kind.DESCRIPTOR.name}: {error}") from error


def json_object(data: bytes) -> dict[str, Any]:
    """Return the object that some JSON is. Raises Corrupt for whatever else it may be."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{len(data)} bytes are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Corrupt(f"{len(data)} bytes of JSON are no object")
    return found
