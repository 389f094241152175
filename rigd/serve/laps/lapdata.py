"""The rows of a lap as they are sent: whole files, cuts of them, chosen rows, plain columns.

All of this reads and decodes, so a thread steps through it: every step gives one message.
"""

import math
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from rig.channels import LAP, PHYSICS, SCORING, Table
from rig.columns import field
from rig.errors import BadRequest
from rig.lapfile import DECODE_BYTES, SAMPLES, SCORINGS, LapFile, PlainFile
from rig.v1 import lap_pb2, laps_pb2

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK_BYTES: Final = (1 << 20) - 4096
"""Values or bytes of a file in one message, which with the rest of it has a mebibyte at most. A lap of 100 s
goes in one: in three messages it takes twice as long.
"""

DECODES: Final = 2
"""Parts of laps decoded at once, 30 MB each on the way. More would wait for the two cores as well."""

_decoding: Final = threading.Semaphore(DECODES)

_DATA_FIELD: Final = laps_pb2.ReadLapResponse.DATA_FIELD_NUMBER
_FINEST: Final = 1e6
"""Bound of `max_rate_hz`, and of `step_m` from below: 1e-6. Finer is no decimation."""
_ROUNDING: Final = 1e-6
"""Of an interval: 0.58 s at 50 Hz is sample 29, not 28.999999999999996."""


# What is asked for.


def check(request: laps_pb2.ReadLapRequest) -> None:
    """Raise BadRequest and UnknownChannel for what no lap can answer."""
    check_channels(request.channels, PHYSICS)
    check_range(request.lap_time, "lap_time")
    check_range(request.distance, "distance")
    if request.HasField("lap_time") and request.HasField("distance"):
        raise BadRequest("lap_time and distance exclude each other", hint="give one of them")
    _check_interval(request.max_rate_hz, "max_rate_hz")
    _check_interval(request.step_m, "step_m")
    if request.max_rate_hz and request.step_m:
        raise BadRequest("max_rate_hz and step_m exclude each other", hint="give one of them")
    if request.encoding not in laps_pb2.Encoding.values():
        raise BadRequest(f"encoding is {request.encoding}", hint="1 for blocks, 2 for plain columns")


def check_channels(names: Iterable[str], table: Table) -> None:
    """Raise UnknownChannel for names that neither the table nor the archive has."""
    foreign = [name for name in names if name not in LAP.by_name]
    if foreign:
        table.pick(foreign)


def check_range(wanted: laps_pb2.Range, name: str) -> None:
    """Raise BadRequest for a range that no number can lie in by any reading."""
    start, until = _bounds(wanted)
    if math.isnan(start) or math.isnan(until):
        raise BadRequest(f"{name} has an end that is not a number")
    if start > until:
        raise BadRequest(f"{name} is from {start} until {until}", hint="from is the smaller one")


def check_scoring(request: laps_pb2.ReadScoringRequest) -> None:
    """Raise BadRequest and UnknownChannel for what no lap can answer."""
    check_channels(request.channels, SCORING)
    check_range(request.lap_time, "lap_time")
    if 0 in request.triggers:
        raise BadRequest("triggers has 0, which is none", hint="a sum of the bits of Trigger")


def _check_interval(value: float, name: str) -> None:
    if value and not 1 / _FINEST <= value <= _FINEST:
        raise BadRequest(f"{name} is {value}", hint=f"0 for all, or {1 / _FINEST:g} to {_FINEST:g}")


def _bounds(wanted: laps_pb2.Range) -> tuple[float, float]:
    """Return both bounds. `from` is a word of the language, so it has to be asked for by its name."""
    start = getattr(wanted, "from") if wanted.HasField("from") else -math.inf
    return start, wanted.until if wanted.HasField("until") else math.inf


def is_whole(request: laps_pb2.ReadLapRequest) -> bool:
    """Return whether a lap file is asked for as it is."""
    only = laps_pb2.ReadLapRequest(name=request.name, encoding=request.encoding)
    return request.encoding != laps_pb2.ENCODING_COLUMNS and request == only


# Rows.


def rows(file: LapFile, request: laps_pb2.ReadLapRequest) -> Array | None:
    """Return numbers of the samples that are asked for, rising; None: all."""
    along = "distance" if request.HasField("distance") else "lap_time"
    chosen = None
    if request.HasField("distance") or request.HasField("lap_time"):
        chosen = _within(file.column(along), getattr(request, along))
    if request.max_rate_hz:
        chosen = _first_of_each(file.column("lap_time") * request.max_rate_hz, chosen)
    if request.step_m:
        chosen = _first_of_each(file.column("distance").astype(np.float64) / request.step_m, chosen)
    return chosen


def scoring_rows(file: LapFile, request: laps_pb2.ReadScoringRequest) -> Array | None:
    """Return numbers of the scoring updates that are asked for, rising; None: all."""
    chosen = None
    if request.HasField("lap_time"):
        chosen = _within(file.column("lap_time", SCORINGS), request.lap_time)
    if request.triggers:
        mask = np.uint32(np.bitwise_or.reduce(np.array(request.triggers, np.uint32)))
        found = np.flatnonzero(file.column("triggers", SCORINGS) & mask)
        chosen = found if chosen is None else np.intersect1d(chosen, found)
    return chosen


def _within(values: Array, wanted: laps_pb2.Range) -> Array:
    start, until = _bounds(wanted)
    return np.flatnonzero((values >= start) & (values < until))


def _first_of_each(position: Array, chosen: Array | None) -> Array:
    """Return, among the `chosen` rows, those that enter an interval nobody was in before; `position`
    counts intervals and may fall, when a car spins or a clock is set back.
    """
    if chosen is None:
        chosen = np.arange(len(position))
    interval = np.floor(position[chosen] + _ROUNDING)
    reached = np.fmax.accumulate(np.concatenate(([-np.inf], interval)))
    return chosen[interval > reached[:-1]]


# Messages.


def samples(lap: lap_pb2.Lap, file: LapFile, request: laps_pb2.ReadLapRequest) -> Iterator[bytes]:
    """Yield what is asked for as responses; `lap` is what is known today."""
    if request.encoding == laps_pb2.ENCODING_COLUMNS:
        return _plain(file, request, lap)
    chosen = rows(file, request)
    if chosen is None and not request.channels:
        return chunks(file.pieces())
    names = _names(file, request.channels)
    return chunks(
        file.cut_pieces(names, file.channels(SCORINGS)) if chosen is None else _chosen(file, names, chosen)
    )


def _chosen(file: LapFile, names: Sequence[str], chosen: Array) -> Iterator[bytes]:
    """Yield a lap file of chosen rows, piece by piece. Its beginning comes last, so the rest waits in a
    file.
    """
    made = PlainFile(file.header)
    clock = file.column("session_time")[chosen]
    with tempfile.SpooledTemporaryFile(DECODE_BYTES) as waiting:
        for section, wanted, kept in (
            (SAMPLES, names, chosen),
            (SCORINGS, file.channels(SCORINGS), _scoring_beside(file, clock)),
        ):
            for name, values in _decoded(file, wanted, section):
                waiting.write(made.add(file.find(name, section), values[kept]))
        waiting.seek(0)
        yield made.beginning()
        while piece := waiting.read(CHUNK_BYTES):
            yield piece


def _scoring_beside(file: LapFile, clock: Array) -> slice:
    """Return the scoring updates of the time of some samples, the one before them included."""
    if not len(clock) or "session_time" not in file.channels(SCORINGS):
        return slice(0)
    clocks = file.column("session_time", SCORINGS)
    first = max(int(np.searchsorted(clocks, clock[0], "right")) - 1, 0)
    return slice(first, int(np.searchsorted(clocks, clock[-1], "right")))


def _decoded(file: LapFile, names: Sequence[str], section: Any) -> Iterator[tuple[str, Array]]:
    """Yield channels, a part of them at a time in memory."""
    parts = file.portions(names, section) if names else iter(())
    while True:
        with _decoding:
            part = next(parts, None)
        if part is None:
            return
        yield from part.items()


def chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a lap file as responses."""
    held = bytearray()
    for piece in pieces:
        held += piece
        for at in range(0, len(held) - CHUNK_BYTES, CHUNK_BYTES):
            yield field(_DATA_FIELD, bytes(held[at : at + CHUNK_BYTES]))
        del held[: max(len(held) - 1, 0) // CHUNK_BYTES * CHUNK_BYTES]
    if held:
        yield field(_DATA_FIELD, bytes(held))


def _plain(file: LapFile, request: laps_pb2.ReadLapRequest, lap: lap_pb2.Lap) -> Iterator[bytes]:
    yield laps_pb2.ReadLapResponse(lap=lap).SerializeToString()
    chosen = rows(file, request)
    for columns in _together(_columns(file, SAMPLES, _names(file, request.channels), chosen)):
        yield laps_pb2.ReadLapResponse(columns=columns).SerializeToString()


def scoring(file: LapFile, request: laps_pb2.ReadScoringRequest) -> Iterator[bytes]:
    """Yield the columns of the scoring updates."""
    names, chosen = _names(file, request.channels, SCORINGS), scoring_rows(file, request)
    for columns in _together(_columns(file, SCORINGS, names, chosen)):
        yield laps_pb2.ReadScoringResponse(columns=columns).SerializeToString()


def _names(file: LapFile, wanted: Sequence[str], section: Any = SAMPLES) -> list[str]:
    """Return the channels to send, in the order asked for; `lap_time` among them."""
    return list(dict.fromkeys([*wanted, "lap_time"])) if wanted else file.channels(section)


def _columns(
    file: LapFile, section: Any, names: Sequence[str], chosen: Array | None
) -> Iterator[laps_pb2.PlainColumn]:
    """Yield columns one after another; one too long for a message comes in pieces, each with its own rows."""
    units = {column.name: column.unit for column in file.header.columns if column.section == section}
    for name, values in _decoded(file, names, section):
        yield from _pieces(name, units[name], values if chosen is None else values[chosen])


def _pieces(name: str, unit: str, values: Array) -> Iterator[laps_pb2.PlainColumn]:
    width = values.shape[1] if values.ndim > 1 else 1
    step = CHUNK_BYTES // (width * values.dtype.itemsize)
    for at in range(0, max(len(values), 1), step):
        piece = values[at : at + step]
        yield laps_pb2.PlainColumn(
            name=name,
            dtype=values.dtype.str,
            width=width,
            unit=unit,
            rows=len(piece),
            values=piece.tobytes(),
        )


def _together(columns: Iterable[laps_pb2.PlainColumn]) -> Iterator[list[laps_pb2.PlainColumn]]:
    """Yield columns in groups that fit a message."""
    group: list[laps_pb2.PlainColumn] = []
    for column in columns:
        if group and sum(len(one.values) for one in group) + len(column.values) > CHUNK_BYTES:
            yield group
            group = []
        group.append(column)
    if group:
        yield group
