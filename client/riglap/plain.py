"""The comparison document as plain JSON: the contract between what makes it and the compare page."""

import base64
from typing import Any, Final, TypedDict

import numpy as np

from riglap.circuits.line import Floats

FORMAT: Final = 1
_LARGEST: Final = {16: 32_000, 32: 2_000_000_000}


class PackedColumn(TypedDict):
    """Numbers of one channel: value = offset + scale * integer. Of 16 or 32 bits, signed, little-endian, in
    base64; the smallest integer is a number that is not there.
    """

    bits: int
    scale: float
    offset: float
    values: str


class CornerPlain(TypedDict):
    """A corner, places in metres from the line; of one across it those behind it are beyond the length."""

    number: int
    title: str
    begin: float
    apex: float
    end: float
    right: bool


class CircuitPlain(TypedDict):
    """The line: its centre and edges at the places of the document, world frame, metres."""

    name: str
    """Empty for the way of one of the laps, which nothing keeps."""
    corners: list[CornerPlain]
    x: PackedColumn
    z: PackedColumn
    left: PackedColumn | None
    """Metres to the left edge; None where it is not known."""
    right: PackedColumn | None


class SegmentPlain(TypedDict):
    """A part of the lap: see `riglap.compare.Segment`."""

    kind: str
    title: str
    corner: int
    pieces: list[list[float]]


class ChannelPlain(TypedDict):
    """A channel that all laps have, be it as missing."""

    name: str
    title: str
    """What to call it; empty: as its name."""
    unit: str
    """Of the registry; the page shows the unit that people think in."""
    shown: str
    """A unit that is shown as it stands; empty: see `unit`."""
    description: str
    steps: bool
    """Nothing lies between its values."""
    formula: bool


class DoubtPlain(TypedDict):
    """A stretch that is not compared, metres from the line."""

    begin: float
    end: float
    reason: str


class LapPlain(TypedDict):
    """One lap, or the ideal of several, along the line."""

    name: str
    """`sessions/{session}/laps/{lap}`, or "ideal"."""
    title: str
    driver: str
    vehicle: str
    vehicle_class: str
    lap_time: float | None
    valid: bool
    ideal: bool
    sectors: list[float]
    """Official times in s; empty where the lap does not have all three."""
    start: float | None
    """Seconds from the beginning of the lap to the line; above 0 where it began on the grid."""
    how: str
    """positions, scaled distance or distance."""
    error: float
    doubts: list[DoubtPlain]
    time: PackedColumn | None
    """Seconds since the lap began; missing where doubtful. None: there are no deltas."""
    channels: dict[str, PackedColumn]
    corners: list[dict[str, Any]]
    """What the lap did in the corners; empty for the ideal lap."""


class FindingPlain(TypedDict):
    """See `riglap.findings.Finding`."""

    id: str
    rule: str
    corner: int
    place: str
    lost: float
    confidence: float
    evidence: dict[str, float]
    begin: float
    end: float


class TipPlain(TypedDict):
    """A finding told to a driver."""

    id: str
    text: str


class AdvicePlain(TypedDict):
    """What one lap loses to another, by their positions in `laps`."""

    lap: int
    reference: int
    findings: list[FindingPlain]
    tips: list[TipPlain]
    why: str
    """Why there are no findings; empty where there may be."""


class Document(TypedDict):
    """All that the compare page shows."""

    format: int
    track: str
    length: float
    """m; the places are `cells` + 1, even, from 0 to it."""
    cells: int
    reference: int
    """Which of the laps the others were compared with."""
    circuit: CircuitPlain | None
    segments: list[SegmentPlain]
    """Corners and straights, the whole lap in its order."""
    sectors: list[SegmentPlain]
    minis: list[SegmentPlain]
    channels: list[ChannelPlain]
    laps: list[LapPlain]
    advice: list[AdvicePlain]
    notes: list[str]


def column(values: Floats, bits: int = 16, scale: float = 0.0) -> PackedColumn:
    """Return numbers as integers of 16 or 32 bits. Without a scale, whole numbers keep their values, others
    the finest that their span allows.
    """
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    largest = _LARGEST[bits]
    offset = (low + high) / 2
    if not scale and max(abs(low), abs(high)) < largest and np.all(known == np.rint(known)):
        offset, scale = 0.0, 1.0
    scale = max(scale, (high - low) / 2 / largest) or 1.0
    least = -(1 << (bits - 1))
    filled = np.where(np.isfinite(values), values, offset)
    whole = np.where(np.isfinite(values), np.rint((filled - offset) / scale), least)
    data = whole.astype(f"<i{bits // 8}").tobytes()
    return {"bits": bits, "scale": scale, "offset": offset, "values": base64.b64encode(data).decode()}
