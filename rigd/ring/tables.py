"""What the ring stores under which key."""

import struct
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rig.errors import Corrupt

PHYSICS: Final = b"physics"
SCORING: Final = b"scoring"
EVENTS: Final = b"events"
GAPS: Final = b"gaps"
"""Declared losses again, under stream and first missing number, so that a hole is explained by one seek."""
CHECKS: Final = b"checks"
"""CRC-32 of every record, under stream and number: the only way to know that its bytes are still those
written.
"""
META: Final = b"meta"

STREAMS: Final = (PHYSICS, SCORING, EVENTS)

SHARES: Final[Mapping[bytes, float]] = {PHYSICS: 0.90, SCORING: 0.07, EVENTS: 0.02, GAPS: 0.01}
"""Parts of the limit. At 50 Hz against 5 Hz scoring takes 4 % of the bytes, so physics goes first."""

FILLED: Final = 0.97
"""Part of the limit that records may take: pages of evicted ones are free only when no reader sees them and
two more commits are made.
"""

FORMAT: Final = b"1"
"""Version of what is stored under which key; a ring of another version is set aside."""

KEY: Final = struct.Struct(">Q")
LAST_SEQ: Final = (1 << 64) - 1
"""No number is greater; no record has this one, after which nothing could follow."""
GAP_KEY: Final = struct.Struct(">BQQ")
_HINT: Final = "start the recorder again: it sets a damaged ring aside and begins another"


class Record(NamedTuple):
    """A value for one of the ring's tables."""

    table: bytes
    key: bytes
    value: bytes


def key(seq: int) -> bytes:
    """Return the key of a sequence number: big endian, so that LMDB's order is ours."""
    return KEY.pack(seq)


def seq_of(at: Any) -> int:
    """Return the sequence number that a key stands for. Raises Corrupt for what no writer made."""
    seq = int.from_bytes(at, "big")
    if len(at) != KEY.size or seq >= LAST_SEQ:
        raise Corrupt(f"the ring has a record under the key {bytes(at).hex()}", hint=_HINT)
    return seq


def gap_key(stream: bytes, first_seq: int, event_seq: int) -> bytes:
    """Return the key of a declared loss in `stream` that begins at `first_seq`."""
    return GAP_KEY.pack(STREAMS.index(stream), first_seq, event_seq)


def gap_of(at: bytes) -> tuple[bytes, int, int]:
    """Return stream, first missing number and event of a declared loss. Raises Corrupt as `seq_of` does."""
    if len(at) != GAP_KEY.size or at[0] >= len(STREAMS):
        raise Corrupt(f"the ring has a loss under the key {at.hex()}", hint=_HINT)
    table, first, event = GAP_KEY.unpack(at)
    return STREAMS[table], first, event


def check_key(stream: bytes, at: bytes) -> bytes:
    """Return the key of the CRC-32 of the record under the key `at`."""
    return bytes((STREAMS.index(stream),)) + at


class Span(NamedTuple):
    """Oldest and newest sequence number of a stream; (0, 0) when it is empty."""

    first: int
    last: int
