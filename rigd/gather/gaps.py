"""What is missing of a lap, and why: received and declared together are what the game wrote."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from rig import parse
from rig.columns import read_head
from rig.v1 import event_pb2, lap_pb2
from rigd import ring as rings
from rigd.ring import RingReader

Array = np.ndarray[Any, np.dtype[Any]]

_LATE_S: Final = 0.25
"""A lap whose first sample comes later than this after its start has lost its beginning."""


def gaps_of(
    ring: RingReader, samples: Mapping[str, Array], lap: lap_pb2.Lap, left_out: int = 0
) -> list[event_pb2.Gap]:
    """Return losses among the samples of a lap: those declared in the ring, the beginning where it is not
    there and nobody said why, and `left_out` samples at the end that are more than a file holds.
    """
    before, last = (_position(ring, lap.session, clock) for clock in (lap.start_time, lap.end_time))
    declared = _declared(ring, before, last)
    gaps = [part for gap in declared if (part := _part(ring, gap, lap)) is not None]
    return [*_beginning(ring, samples, declared, last), *gaps, *_end(samples, left_out)]


def _position(ring: RingReader, session: int, clock: float) -> int:
    """Return the sequence number of the newest tick before `clock`."""

    def before(value: Any) -> bool:
        head = read_head(value)
        return (head.session, head.session_time) < (session, clock)

    return ring.bisect(rings.PHYSICS, before)


def _declared(ring: RingReader, before: int, last: int) -> list[event_pb2.Gap]:
    """Return losses declared after tick `before`. Where the ring has no such tick, they may have begun
    earlier: some frames were missed before its first one.
    """
    first = 0 if ring.get(rings.PHYSICS, before) is None else before + 1
    found = (parse.message(event_pb2.Gap, data) for data in ring.gaps(rings.PHYSICS, first, last + 1))
    return [gap for gap in found if gap.last_seq >= before]


def _part(ring: RingReader, gap: event_pb2.Gap, lap: lap_pb2.Lap) -> event_pb2.Gap | None:
    """Return the part of a loss that lies in the lap: frames come evenly, so the clock of each missing one is
    known from those around. A loss across the line is shared by two laps.
    """
    before, after = (ring.get(rings.PHYSICS, seq) for seq in (gap.first_seq - 1, gap.last_seq + 1))
    count = min(gap.count, gap.last_seq + 1 - gap.first_seq)  # what a damaged record says may differ
    if count <= 0 or before is None or after is None:
        return gap
    one, other = read_head(before), read_head(after)
    step = (other.session_time - one.session_time) / (count + 1)
    if one.session != other.session or not 0 < step < math.inf:
        return gap
    start, end = (
        _frames_before((clock - one.session_time) / step, count) for clock in (lap.start_time, lap.end_time)
    )
    if start >= end:
        return None
    part = event_pb2.Gap()
    part.CopyFrom(gap)
    part.first_seq, part.last_seq = gap.first_seq + start, gap.first_seq + end - 1
    part.count = end - start
    return part


def _frames_before(steps: float, count: int) -> int:
    """Return how many of `count` missing frames, the first of which is one step on, come before so many
    steps. A count may be of billions: no array is made of them.
    """
    return min(max(math.ceil(min(max(steps, 0.0), count + 1.0)) - 1, 0), count)


def _beginning(
    ring: RingReader, samples: Mapping[str, Array], declared: list[event_pb2.Gap], last: int
) -> Iterator[event_pb2.Gap]:
    """Return what stood before the first sample and nobody declared: the ring has let go of it, or the
    recorder came later than the lap. Where the ring has ticks of that time, but not of this car, there is no
    loss.
    """
    some = len(samples["seq"]) > 0
    first = int(samples["seq"][0]) if some else last + 1
    explained = any(gap.first_seq <= first <= gap.last_seq + 1 for gap in declared)
    if explained or (some and samples["lap_time"][0] <= _LATE_S):
        return
    evicted = ring.get(rings.PHYSICS, first - 1) is None and ring.spans()[rings.PHYSICS].first > 1
    if not evicted and not some:
        return
    gap = event_pb2.Gap(
        stream=event_pb2.STREAM_PHYSICS,
        first_seq=first,
        last_seq=first - 1,
        reason=event_pb2.GAP_REASON_EVICTED if evicted else event_pb2.GAP_REASON_RECORDER_DOWN,
        detail="the beginning of the lap" if some else "the whole lap",
    )
    if (data := ring.get(rings.PHYSICS, first)) is not None:
        gap.end_time_ns = read_head(data).capture_time_ns
    yield gap


def _end(samples: Mapping[str, Array], left_out: int) -> Iterator[event_pb2.Gap]:
    if left_out:
        first = int(samples["seq"][-1]) + 1
        yield event_pb2.Gap(
            stream=event_pb2.STREAM_PHYSICS,
            first_seq=first,
            last_seq=first + left_out - 1,
            count=left_out,
            reason=event_pb2.GAP_REASON_TOO_LONG,
        )
