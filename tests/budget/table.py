"""What a tick, a message and a frame may cost, counted instead of timed.

Each limit was measured on x86-64 with Python 3.11 and then given the margin that stands beside it: none where
the number is exact, so that one call or one transaction more fails. Who makes something cheaper lowers it.
"""

from typing import Final, NamedTuple


class Limit(NamedTuple):
    """The most of something, and where the number comes from."""

    most: float
    reason: str


LIMITS: Final[dict[str, Limit]] = {
    # The recorder: 40 cars, all channels.
    "reads of a look that finds a frame": Limit(
        4, "measured 4, exact: telemetry's head, its records, its head again, and scoring's head"
    ),
    "reads of a look that finds nothing": Limit(
        1, "measured 1, exact: telemetry's head; every poll costs it"
    ),
    "writes of a look": Limit(2, "measured 2, exact: into the live tail the record, and how far it goes"),
    "wake-ups of a look and follower": Limit(1, "measured 1, exact: an empty datagram"),
    "other calls of a look": Limit(0, "measured 0, exact: the tick thread waits for no disk"),
    "transactions per tick": Limit(1, "measured 1, exact: physics, gap and small values go together"),
    "commits per tick": Limit(1, "measured 1, exact, when ticks come one by one"),
    "flushes per commit": Limit(1, "measured 1, exact: LMDB flushes the pages, and writes its root through"),
    "writes per commit": Limit(
        10, "measured 8 to 10: pages that are neighbours go together; one root; a word in the live tail"
    ),
    "wake-ups per commit and follower": Limit(1, "measured 1, exact: an empty datagram"),
    "other calls of a commit": Limit(0, "measured 0, exact; twice a second it looks for followers besides"),
    "bytes written per byte of a tick": Limit(
        3.1, "measured 2.96: 1 in the live tail; 35 kB lie in 9 pages, and 8 of three trees are written anew"
    ),
    "blocks of memory that a tick leaves": Limit(
        0.1, "measured 0 to 0.02: a counter that outgrows the small numbers; one block per tick would be 1"
    ),
    "bytes of memory that a tick leaves": Limit(
        8, "measured 1.1 to 1.5: what a list grows by for one entry a tick is 9"
    ),
    "bytes that a look takes beyond its record": Limit(
        40_000, "measured 36,500: temporaries of numpy, a copy of the record for the live tail; not two"
    ),
    # The server.
    "cuts per tick and selection": Limit(1, "measured 1, exact, however many readers share it"),
    "read transactions per tick": Limit(
        1.1, "measured 1 to 1.05, however many readers: after its start the catalog asks once, as below"
    ),
    "read transactions per tick of the live tail": Limit(
        0.1, "measured 0 to 0.05: after its start the catalog asks once who is in the seat"
    ),
    "reads of the live tail per tick": Limit(
        3, "measured 3, exact: how far it goes, what is new, and that it was not overwritten meanwhile"
    ),
    "copies of a message that live at once": Limit(
        2.1, "measured 2.0 with all channels: what was cut, and the same behind its cursor"
    ),
    "bytes that a reader more takes of a message": Limit(
        512, "measured 64: all with one selection get the same bytes; a copy would be 35,000"
    ),
    "socket writes per message": Limit(
        1.1, "measured 1: what HTTP/2 has to say in between comes once in a while"
    ),
    "bytes on the wire beyond a message": Limit(20, "measured 14: the heads of HTTP/2 and gRPC"),
    "other calls of the server per tick": Limit(
        0, "measured 0, exact: no file is opened or read to send a tick, the ring is mapped"
    ),
    "calls by which gRPC's threads wake each other, per message": Limit(
        9, "measured 3 to 6: how many coincide is the scheduler's to say; half as many again"
    ),
    # The client.
    "blocks of memory of a frame": Limit(
        9.5, "measured 9.06: frame, head with six large numbers, view, list; a column each would be 98 more"
    ),
    "blocks of memory that a frame leaves": Limit(0.1, "measured 0, once the frame is let go"),
    "bytes that decoding a frame takes": Limit(
        2500, "measured 1582, for one car or forty: nothing is copied; 35,000 lie in the message"
    ),
    "bytes that a column of a frame takes": Limit(512, "measured 294: a view onto the message"),
}


def check(name: str, value: float) -> None:
    """Fail when more is spent than stands in the table."""
    limit = LIMITS[name]
    assert value <= limit.most, f"{name}: {value:g}, the limit is {limit.most:g} ({limit.reason})"
