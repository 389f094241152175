"""`rig gaps`: reasons stand whole, in narrow terminals above the gaps that they are of."""

import pytest

from rig.v1 import event_pb2, rig_pb2
from rigclient.cli.commands.losses import _report
from rigclient.cli.terminal.text import Console


@pytest.mark.parametrize(("width", "times"), [(80, 1), (160, 2)])
def test_a_reason_of_a_gap_is_never_broken(width: int, times: int) -> None:
    second = 10**9
    gaps = [
        event_pb2.Gap(
            stream=event_pb2.STREAM_PHYSICS,
            first_seq=first,
            last_seq=first + 11,
            count=12,
            begin_time_ns=10**9 * second,
            end_time_ns=(10**9 + 1) * second,
            reason=event_pb2.GAP_REASON_TORN,
        )
        for first in (1_000_101, 1_000_201)
    ]
    losses = rig_pb2.GetLossesResponse(session="sessions/x", gaps=gaps)
    losses.streams.add(stream=event_pb2.STREAM_PHYSICS, expected=24, missing=24).reasons.add(gaps=2)
    console = Console(width=width)
    with console.capture() as captured:
        console.print(_report(losses, 50, width))
    said = captured.get()
    assert said.count("the frames kept changing while they were read") == times
    assert "1000101 to 1000112" in said
