"""The tally: whether every record of a stream came, or was declared missing. No I/O here."""

from collections.abc import Iterable

from rig.v1 import event_pb2


class Tally:
    """Counts every sequence number of one stream from its first record on.

    received + declared_missing + undeclared_missing = numbers passed, always. A gap without numbers of its
    own (the recorder was down) is counted by `unnumbered_missing` beside that sum.
    """

    def __init__(self) -> None:
        self.received: int = 0
        self.declared_missing: int = 0
        """Numbers that a gap accounts for."""
        self.undeclared_missing: int = 0
        """Numbers that nothing accounts for: a defect."""
        self.unnumbered_missing: int = 0
        """Records that gaps declare and that never had a number."""
        self.skipped: int = 0
        """Records left out on request."""
        self.first_seq: int = 0
        self.last_seq: int = 0

    def take(self, seq: int, gaps: Iterable[event_pb2.Gap] = (), skipped: int = 0) -> None:
        """Count a record, with what was said to be missing before it."""
        gaps = list(gaps)
        self.unnumbered_missing += sum(gap.count for gap in gaps if gap.last_seq < gap.first_seq)
        if self.received and seq > self.last_seq and not _replaced(gaps):
            self._account(seq, gaps, skipped)
        self.first_seq = self.first_seq or seq
        self.last_seq = seq
        self.received += 1

    def _account(self, seq: int, gaps: list[event_pb2.Gap], skipped: int) -> None:
        hole = seq - self.last_seq - 1
        declared = _covered(self.last_seq + 1, seq - 1, gaps)
        self.skipped += skipped
        self.declared_missing += declared
        self.undeclared_missing += max(hole - declared - skipped, 0)


def _replaced(gaps: list[event_pb2.Gap]) -> bool:
    """Return whether another ring began: its numbers say nothing about those before."""
    return any(gap.reason == event_pb2.GAP_REASON_RING_REPLACED for gap in gaps)


def _covered(first: int, last: int, gaps: list[event_pb2.Gap]) -> int:
    """Return how many of the numbers first..last lie in a gap; gaps may overlap."""
    covered = 0
    for gap in sorted(gaps, key=lambda gap: gap.first_seq):
        begin, end = max(gap.first_seq, first), min(gap.last_seq, last)
        if begin <= end:
            covered += end - begin + 1
            first = end + 1
    return covered
