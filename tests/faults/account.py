"""What a ring says of its own losses, checked record by record."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rig.columns import Head, read_head
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import RingReader


class Account(NamedTuple):
    """Physics ticks of a ring."""

    heads: list[Head]
    """Of every tick held, in order."""
    lost: int
    """Numbers below the newest that are not held."""
    declared: int
    """Of these, how many stand in a gap."""
    unknown: int
    """Gaps of which nobody can know the size: another game, another ring."""
    reasons: frozenset[str]


def account(data: Path) -> Account:
    """The account of the ring in `data`. Fails where a number is both held and declared missing, or where a
    number was given to two frames of the game or a frame has none.
    """
    ring = RingReader(data / "ring")
    try:
        heads = _heads(ring)
        gaps = [event_pb2.Gap.FromString(gap) for gap in ring.gaps(rings.PHYSICS, 1, heads[-1].seq)]
    finally:
        ring.close()
    held = {head.seq for head in heads}
    missing = set(range(1, heads[-1].seq)) - held
    declared: set[int] = set()
    for gap in gaps:
        numbers = set(range(gap.first_seq, gap.last_seq + 1))
        assert not numbers & held, f"declared missing and held: {sorted(numbers & held)[:5]}"
        assert not numbers & declared, "declared twice"
        assert gap.count == len(numbers)
        declared |= numbers
    _counted(heads, {gap.last_seq + 1 for gap in gaps if not gap.HasField("count")})
    return Account(
        heads,
        len(missing),
        len(missing & declared),
        sum(not gap.HasField("count") for gap in gaps),
        frozenset(event_pb2.GapReason.Name(gap.reason).removeprefix("GAP_REASON_") for gap in gaps),
    )


def _heads(ring: RingReader) -> list[Head]:
    out: list[Head] = []
    while batch := ring.read(rings.PHYSICS, out[-1].seq if out else 0, 500, 1 << 28):
        out += [read_head(data) for _, data in batch]
    return out


def _counted(heads: list[Head], breaks: set[int]) -> None:
    """Numbers and the game's own frame counter go together, but where a gap of unknown size stands, and where
    another game began to count anew. A frame that was taken while it was open has the number before its own;
    it is not given again if it closes as it was.
    """
    for before, after in pairwise(heads):
        known = not breaks & set(range(before.seq + 1, after.seq + 1))
        if known and after.frame > before.frame:
            more = (after.frame - before.frame) - (after.seq - before.seq)
            assert more == 0 or (more == 1 and not before.whole), f"{more} frames at {after.seq}"
