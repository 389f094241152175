"""The comparison document: laps along one line as plain JSON, which the compare page shows.

The page lays any of its laps against any other. It computes deltas and losses out of the times in here, as
`riglap.compare` does, so that a document of 20 laps holds 21 columns of time and not 420 of deltas.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import permutations
from typing import Any, Final

import numpy as np

from rig.channels import LAP, PHYSICS
from rig.errors import BadRequest, MissingChannel, Unavailable
from riglap.circuits.circuit import Circuit
from riglap.circuits.line import Floats
from riglap.compare import (
    Comparison,
    Segment,
    Trace,
    against,
    ideal,
    mini_sectors,
    sector_segments,
    trace,
)
from riglap.cornering import CornerPass, cornering
from riglap.findings import Finding, doubtful, findings, tips
from riglap.formulas import with_formulas
from riglap.lap import Lap
from riglap.names import short_names
from riglap.plain import (
    FORMAT,
    AdvicePlain,
    ChannelPlain,
    CircuitPlain,
    Document,
    FindingPlain,
    LapPlain,
    SegmentPlain,
    column,
)
from riglap.rows import Array, ColumnSource, channel_of

MOST_LAPS: Final = 20
MOST_CHANNELS: Final = 40
USUAL: Final = ("speed", "throttle", "brake", "gear", "steering", "engine_rpm", "lateral")
"""Channels where none are named; `lateral` is the place beside the line."""
_ALL_PAIRS: Final = 5
"""Up to so many laps all are laid against all for findings: 20 pairs, 0.4 s. Of more, all against the first
and the fastest."""
_TIME_SCALE: Final = 1e-6


def document(
    found: Comparison, channels: Iterable[str] = (), formulas: Mapping[str, str] | None = None
) -> Document:
    """Return the document of a comparison of 1 to 20 laps, with their ideal lap.

    `channels` may name one wheel's, such as tyre_temp_fl; of several values the mean is shown, of a channel
    per wheel all four. Raises BadRequest for too much and for what a formula says, MissingChannel.
    """
    formulas = formulas or {}
    wanted = tuple(dict.fromkeys((*(channels or USUAL), *formulas)))
    driven = [one for one in found.traces if one.aligned]
    if not 1 <= len(driven) <= MOST_LAPS:
        raise BadRequest(f"{len(driven)} laps in one page", hint=f"from 1 to {MOST_LAPS}")
    if len(wanted) > MOST_CHANNELS:
        raise BadRequest(f"{len(wanted)} channels in one page", hint=f"{MOST_CHANNELS} at most")
    names, traces = _extended(driven, wanted, formulas)
    told = list(found.notes)
    own = found.reference.aligned is None
    traces = [*traces, *([found.reference] if own else _ideal(traces, told))]
    at = len(traces) - 1 if own else 0
    whole = against(traces[at], [one for one in traces if one is not traces[at]], found.circuit)
    places, circuit = found.places, found.circuit
    return {
        "format": FORMAT,
        "track": _track(driven),
        "length": float(places[-1]),
        "cells": len(places) - 1,
        "reference": at,
        "circuit": _circuit(circuit, places) if circuit else None,
        "segments": [_segment(one) for one in whole.segments],
        "sectors": [_segment(one) for one in sector_segments(circuit)],
        "minis": [_segment(one) for one in mini_sectors(float(places[-1]))],
        "channels": [_channel(name, driven, traces, formulas) for name in names],
        "laps": [_lap(one, circuit, names) for one in traces],
        "advice": list(_advice(traces, at, circuit)),
        "notes": told,
    }


def _extended(
    driven: Sequence[Trace], wanted: Sequence[str], formulas: Mapping[str, str]
) -> tuple[list[str], list[Trace]]:
    """Return names of columns of one value per row, and the traces that have them."""
    names: dict[str, None] = {}
    traces = []
    for one in driven:
        assert one.aligned
        lap, own = _with_columns(with_formulas(one.aligned.lap, formulas), wanted)
        names |= dict.fromkeys(own)
        traces.append(trace(dataclasses.replace(one.aligned, lap=lap)))
    return list(names), traces


def _with_columns(lap: Lap, wanted: Sequence[str]) -> tuple[Lap, list[str]]:
    """Return the lap with a column for each wheel of what wheels have, and the names of all columns."""
    names: list[str] = []
    more: dict[str, ColumnSource] = {}
    for name in wanted:
        if name == "lateral" or (name in lap and lap[name].ndim == 1) or _elsewhere(lap, name):
            names.append(name)
            continue
        for wheel in lap.by_wheel(name):
            names.append(wheel.name)
            if wheel.name not in lap:
                values = np.ma.filled(wheel.values.astype(np.float64), np.nan)
                values = values.mean(axis=1) if values.ndim == 2 else values
                more[wheel.name] = ColumnSource(wheel.unit, wheel.description, partial(_same, values))
    return lap.with_columns(more), list(dict.fromkeys(names))


def _same(values: Array) -> Array:
    return values


_KNOWN: Final = {**PHYSICS.by_name, **LAP.by_name}


def _elsewhere(lap: Lap, name: str) -> bool:
    """Return whether a channel of one value exists, and only this lap lacks it: a file of another program
    has few. Raises MissingChannel for one that no lap could have.
    """
    if channel_of(name) in lap or name in lap:
        return False
    if name not in _KNOWN:
        raise MissingChannel(f"there is no channel {name!r}", hint="`rig channels` lists them")
    return True


def _ideal(traces: Sequence[Trace], notes: list[str]) -> list[Trace]:
    """Return the ideal lap of several; a note says why there is none."""
    if len(traces) < 2:
        return []
    try:
        return [ideal(traces)]
    except Unavailable as error:
        notes.append(f"there is no ideal lap: {error.message}")
        return []


def _track(driven: Sequence[Trace]) -> str:
    return next((one.aligned.lap.info.track_name for one in driven if one.aligned), "")


def _circuit(circuit: Circuit, places: Floats) -> CircuitPlain:
    line = circuit.line
    x, z, left, right = line.at(places, line.x, line.z, circuit.left, circuit.right)
    edges = [column(edge) if np.isfinite(edge).any() else None for edge in (left, right)]
    return {
        "name": circuit.name if circuit.version else "",
        "corners": [
            {
                "number": corner.number,
                "title": corner.title,
                "begin": corner.begin,
                "apex": corner.apex,
                "end": corner.end,
                "right": corner.right,
            }
            for corner in circuit.corners
        ],
        # A centimetre: what is drawn of a corner 60 m wide is a pixel of 5 cm.
        "x": column(x, 32, 0.01),
        "z": column(z, 32, 0.01),
        "left": edges[0],
        "right": edges[1],
    }


def _segment(segment: Segment) -> SegmentPlain:
    return {
        "kind": segment.kind,
        "title": segment.title,
        "corner": segment.corner,
        "pieces": [list(piece) for piece in segment.pieces],
    }


def _channel(
    name: str, driven: Sequence[Trace], traces: Sequence[Trace], formulas: Mapping[str, str]
) -> ChannelPlain:
    """Return what a column is, of the first lap that has it."""
    if name == "lateral":
        words = ("m", "Place beside the line, left is above zero.")
    else:
        laps = [one.aligned.lap for one in traces if one.aligned and name in one.aligned.lap]
        source = next(iter(next(laps_.columns(name) for laps_ in laps))) if laps else _KNOWN[name]
        words = (source.unit, source.description)
    steps = all(_whole(one, name) for one in driven) if name not in formulas else False
    return {
        "name": name,
        "title": "",
        "unit": words[0],
        "shown": "",
        "description": words[1],
        "steps": steps,
        "formula": name in formulas,
    }


def _whole(one: Trace, name: str) -> bool:
    assert one.aligned
    return name in one.aligned.lap and one.aligned.lap[name].dtype.kind in "iub"


def _lap(one: Trace, circuit: Circuit | None, names: Sequence[str]) -> LapPlain:
    aligned = one.aligned
    info = aligned.lap.info if aligned else None
    sectors = [info.sector1, info.sector2, info.sector3] if info else []
    official = [float(time) for time in sectors if time is not None]
    clear = np.where(one.doubtful, np.nan, one.time)
    passes = cornering(aligned, circuit) if aligned and circuit else ()
    return {
        "name": info.name if info else "ideal",
        "title": short_names([info.name])[0] if info else one.title,
        "driver": info.driver if info else "",
        "vehicle": info.vehicle if info else "",
        "vehicle_class": info.vehicle_class if info else "",
        "lap_time": _number(one.lap_time),
        "valid": info.valid if info else False,
        "ideal": info is None,
        "sectors": official if len(official) == 3 else [],
        "start": _number(float(one.time[0])),
        "how": one.how,
        "error": one.error_s,
        "doubts": [
            {"begin": doubt.begin, "end": doubt.end, "reason": doubt.reason}
            for doubt in (aligned.doubts if aligned else ())
        ],
        "time": column(clear, 32, _TIME_SCALE),
        "channels": {name: column(one.read(name)) for name in names},
        "corners": [_pass(passed) for passed in passes],
    }


def _pass(passed: CornerPass) -> dict[str, Any]:
    plain = dataclasses.asdict(passed)
    return {name: _number(value) if isinstance(value, float) else value for name, value in plain.items()}


def _advice(traces: Sequence[Trace], first: int, circuit: Circuit | None) -> Iterator[AdvicePlain]:
    """Yield findings of laps against each other."""
    driven = [at for at, one in enumerate(traces) if one.aligned]
    pairs = list(permutations(driven, 2))
    if len(driven) > _ALL_PAIRS:
        fastest = min(driven, key=lambda at: traces[at].lap_time)
        pairs = [pair for pair in pairs if pair[1] in (first, fastest)]
    for lap, reference in pairs:
        found = against(traces[reference], [traces[lap]], circuit)
        seen = findings(found)
        yield {
            "lap": lap,
            "reference": reference,
            "findings": [_finding(one) for one in seen],
            "tips": [{"id": tip.id, "text": tip.text} for tip in tips(seen)],
            "why": doubtful(found),
        }


def _finding(finding: Finding) -> FindingPlain:
    return {
        "id": finding.id,
        "rule": finding.rule,
        "corner": finding.corner,
        "place": finding.place,
        "lost": finding.lost_s,
        "confidence": finding.confidence,
        "evidence": dict(finding.evidence),
        "begin": finding.begin,
        "end": finding.end,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
