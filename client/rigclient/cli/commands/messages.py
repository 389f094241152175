"""Messages of the contract as plain values, for JSON."""

import base64
import math
from typing import Any

from google.protobuf.message import Message


def numbers(message: Message) -> dict[str, Any]:
    """Return a message with the contract's names, and 64-bit numbers as numbers, without unset fields."""
    return {
        field.name: _plain(field.enum_type, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def _plain(enum: Any, value: Any) -> Any:
    if isinstance(value, Message):
        return numbers(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        known = enum.values_by_number.get(value) if enum else None
        return value if known is None else known.name
    return [_plain(enum, one) for one in value]
