"""The ring: an LMDB environment bounded in bytes, written by one process and read by many.

It stores bytes under sequence numbers and knows nothing of their meaning, so it can be opened and checked
without loading numpy or protobuf. Durable by default settings: a commit is on the disk when it returns.
(NOSYNC would be faster and may leave a corrupt file, not only a shorter one, after a power cut.)
"""

from rigd.ring.environment import DAMAGE
from rigd.ring.inspection import inspect, open_ring
from rigd.ring.lock import Lock, set_aside
from rigd.ring.reader import RingReader
from rigd.ring.tables import EVENTS, GAPS, META, PHYSICS, SCORING, SHARES, STREAMS, Record, Span, gap_key, key
from rigd.ring.writer import DEFAULT_LIMIT_BYTES, RingWriter

__all__ = [
    "DAMAGE",
    "DEFAULT_LIMIT_BYTES",
    "EVENTS",
    "GAPS",
    "META",
    "PHYSICS",
    "SCORING",
    "SHARES",
    "STREAMS",
    "Lock",
    "Record",
    "RingReader",
    "RingWriter",
    "Span",
    "gap_key",
    "inspect",
    "key",
    "open_ring",
    "set_aside",
]
