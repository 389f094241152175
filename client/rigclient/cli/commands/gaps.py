"""Gaps in words."""

from typing import Final

from rig.v1 import event_pb2

_REASONS: Final[dict[int, str]] = {
    event_pb2.GAP_REASON_UNSPECIFIED: "nobody declared why, which is a defect",
    event_pb2.GAP_REASON_MISSED: "the game was faster than the recorder",
    event_pb2.GAP_REASON_TORN: "the frames kept changing while they were read",
    event_pb2.GAP_REASON_RECORDER_DOWN: "the recorder was not running",
    event_pb2.GAP_REASON_DISK: "the disk did not take them",
    event_pb2.GAP_REASON_EVICTED: "the ring let go of them before they were read",
    event_pb2.GAP_REASON_RING_REPLACED: "another ring began",
    event_pb2.GAP_REASON_RETENTION: "the disk was full and they had to go",
    event_pb2.GAP_REASON_TOO_LONG: "the lap is longer than a lap file holds",
    event_pb2.GAP_REASON_POWER_CUT: "a power cut took them before they were stored",
    event_pb2.GAP_REASON_RESTORED: "they were recorded after the backup that was restored",
}


def gap_text(gap: event_pb2.Gap) -> str:
    """Return a gap in words: 12 records missing (101 to 112): the recorder was not running."""
    if not gap.HasField("count"):
        count = "an unknown number of records missing"
    else:
        count = f"{gap.count} record{'s' * (gap.count != 1)} missing"
    numbers = f" ({gap.first_seq} to {gap.last_seq})" if gap.last_seq >= gap.first_seq > 0 else ""
    detail = f" ({gap.detail})" if gap.detail else ""
    return f"{count}{numbers}: {reason_text(gap.reason)}{detail}"


def reason_text(reason: int) -> str:
    """Return a reason in words: the recorder was not running."""
    return _REASONS.get(reason, "a reason this version does not know")
