"""Holes in a sequence of numbers, and the gaps that explain them."""

from collections.abc import Iterable

from rig.v1 import event_pb2


def uncovered(first: int, last: int, gaps: Iterable[event_pb2.Gap]) -> list[tuple[int, int]]:
    """Return the parts of first..last that no gap covers."""
    out = []
    for gap in sorted(gaps, key=lambda gap: gap.first_seq):
        if first < gap.first_seq:
            out.append((first, min(gap.first_seq - 1, last)))
        first = max(first, gap.last_seq + 1)
    if first <= last:
        out.append((first, last))
    return [(start, stop) for start, stop in out if start <= stop]
