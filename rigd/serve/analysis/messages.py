"""What analysis found, as the contract says it."""

import math
from collections.abc import Sequence

from rig.v1 import analysis_pb2
from riglap.circuits.circuit import Circuit
from riglap.compare import Comparison, LapPart
from riglap.findings import Finding


def circuit_message(circuit: Circuit) -> analysis_pb2.Circuit:
    """Return what the contract says of a circuit, without its file."""
    return analysis_pb2.Circuit(
        name=circuit.name if circuit.version else "",
        track_name=circuit.track_name,
        track_length=circuit.track_length,
        length=circuit.length,
        frozen=circuit.frozen,
        coverage=circuit.coverage,
        residual=circuit.residual_m,
        corners=[
            analysis_pb2.Corner(
                number=corner.number,
                name=corner.name,
                begin=corner.begin,
                apex=corner.apex,
                end=corner.end,
                right=corner.right,
                radius=corner.radius_m,
                angle=corner.angle_rad,
                weak=corner.weak,
            )
            for corner in circuit.corners
        ],
        splits=circuit.splits,
    )


def compared_message(
    found: Comparison, at: int, channels: Sequence[str], rows: slice
) -> analysis_pb2.ComparedLap:
    """Return a lap of a comparison, 0 the reference, with channels at some of its places."""
    trace = found.traces[at]
    lap = analysis_pb2.ComparedLap(
        name=trace.aligned.lap.info.name if trace.aligned else trace.title,
        lap_time=trace.lap_time,
        alignment=trace.how,
        error=trace.error_s,
        channels=[
            analysis_pb2.ComparedChannel(name=name, values=trace.read(name)[rows]) for name in channels
        ],
    )
    if at:
        other = at - 1
        lap.delta.extend(found.delta(other)[rows])
        lap.parts.extend(map(_part, found.parts(other)))
        lap.sectors.extend(map(_part, found.sectors(other)))
        lap.minis.extend(map(_part, found.minis(other)))
        lap.uncompared = found.uncompared(other)
    return lap


def _part(part: LapPart) -> analysis_pb2.ComparedPart:
    segment = part.segment
    told = {"reference": part.reference_s, "lost": part.lost_s}
    known = {name: value for name, value in told.items() if math.isfinite(value)}
    return analysis_pb2.ComparedPart(
        title=segment.title, kind=segment.kind, corner=segment.corner, begin=segment.begin, **known
    )


def finding_message(finding: Finding) -> analysis_pb2.LapFinding:
    """Return what a rule saw."""
    return analysis_pb2.LapFinding(
        id=finding.id,
        rule=finding.rule,
        corner=finding.corner,
        place=finding.place,
        lost=finding.lost_s,
        against=finding.against,
        confidence=finding.confidence,
        evidence=finding.evidence,
        begin=finding.begin,
        end=finding.end,
    )
