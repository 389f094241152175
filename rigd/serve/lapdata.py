"""The rows of a lap as they are sent: whole files, cuts of them, chosen rows, plain columns.

All of this reads and decodes, so a thread steps through it: every step gives one message.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from rig.channels import LAP, PHYSICS, SCORING, Table
from rig.columns import field
from rig.errors import BadRequest, Corrupt
from rig.lapfile import SAMPLES, SCORINGS, LapFile, pack
from rig.v1 import lap_pb2, laps_pb2

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK_BYTES: Final = (1 << 20) - 4096
"""Values or bytes of a file in one message, which with the rest of it has a mebibyte at most. A lap of 100 s
goes in one: in three messages it takes twice as long.
"""

_DECODED_AT_ONCE: Final = 16
"""Channels decoded in one step: some need others, all at once would be 25 MB for a lap of ten minutes."""

_DATA_FIELD: Final = laps_pb2.ReadLapResponse.DATA_FIELD_NUMBER
_FINEST: Final = 1e6
"""Bound of `max_rate_hz`, and of `step_m` from below: 1e-6. Finer is no decimation."""
_ROUNDING: Final = 1e-6
"""Of an interval: 0.58 s at 50 Hz is sample 29, not 28.999999999999996."""


# What is asked for.


def check(request: laps_pb2.ReadLapRequest) -> None:
    """Raises BadRequest and UnknownChannel for what no lap can answer."""
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
    """Raises UnknownChannel for names that neither the table nor the archive has."""
    foreign = [name for name in names if name not in LAP.by_name]
    if foreign:
        table.pick(foreign)


def check_range(wanted: laps_pb2.Range, name: str) -> None:
    """Raises BadRequest for a range that no number can lie in by any reading."""
    start, until = _bounds(wanted)
    if math.isnan(start) or math.isnan(until):
        raise BadRequest(f"{name} has an end that is not a number")
    if start > until:
        raise BadRequest(f"{name} is from {start} until {until}", hint="from is the smaller one")


def check_scoring(request: laps_pb2.ReadScoringRequest) -> None:
    """Raises BadRequest and UnknownChannel for what no lap can answer."""
    check_channels(request.channels, SCORING)
    check_range(request.lap_time, "lap_time")
    if 0 in request.triggers:
        raise BadRequest("triggers has 0, which is none", hint="a sum of the bits of Trigger")


def _check_interval(value: float, name: str) -> None:
    if value and not 1 / _FINEST <= value <= _FINEST:
        raise BadRequest(f"{name} is {value}", hint=f"0 for all, or {1 / _FINEST:g} to {_FINEST:g}")


def _bounds(wanted: laps_pb2.Range) -> tuple[float, float]:
    """`from` is a word of the language, so it has to be asked for by its name."""
    start = getattr(wanted, "from") if wanted.HasField("from") else -math.inf
    return start, wanted.until if wanted.HasField("until") else math.inf


def is_whole(request: laps_pb2.ReadLapRequest) -> bool:
    """Whether a lap file is asked for as it is."""
    only = laps_pb2.ReadLapRequest(name=request.name, encoding=request.encoding)
    return request.encoding != laps_pb2.ENCODING_COLUMNS and request == only


# Rows.


def rows(file: LapFile, request: laps_pb2.ReadLapRequest) -> Array | None:
    """Numbers of the samples that are asked for, rising; None: all."""
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
    """Numbers of the scoring updates that are asked for, rising; None: all."""
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
    """Among the `chosen` rows those that enter an interval nobody was in before; `position` counts intervals
    and may fall, when a car spins or a clock is set back.
    """
    if chosen is None:
        chosen = np.arange(len(position))
    interval = np.floor(position[chosen] + _ROUNDING)
    reached = np.fmax.accumulate(np.concatenate(([-np.inf], interval)))
    return chosen[interval > reached[:-1]]


# Messages.


def samples(
    lap: lap_pb2.Lap, file: LapFile, whole: Callable[[], bytes], request: laps_pb2.ReadLapRequest
) -> Iterator[bytes]:
    """What is asked for as responses; `whole` gives the bytes of the file, `lap` is what is known today."""
    if request.encoding == laps_pb2.ENCODING_COLUMNS:
        return _plain(file, request, lap)
    chosen = rows(file, request)
    if chosen is None and not request.channels:
        return _sound(file, whole())
    return chunks(_part(file, request, chosen))


def _sound(file: LapFile, data: bytes) -> Iterator[bytes]:
    """The file as it is; every block passes its check before any byte of it is sent."""
    columns, view = iter(file.header.columns), memoryview(data)
    checked = len(data) - sum(column.size for column in file.header.columns)
    for at in range(0, len(data), CHUNK_BYTES):
        while checked < min(at + CHUNK_BYTES, len(data)):
            column = next(columns)
            if zlib.crc32(view[checked : checked + column.size]) != column.crc:
                raise Corrupt(f"the block of {column.name} is not what was written")
            checked += column.size
        yield field(_DATA_FIELD, data[at : at + CHUNK_BYTES])


def _part(file: LapFile, request: laps_pb2.ReadLapRequest, chosen: Array | None) -> bytes:
    """A lap file with the channels that are asked for: blocks as they are, unless rows have to be chosen."""
    names = _names(file, request.channels)
    if chosen is None:
        return file.cut(names, file.channels(SCORINGS))
    needed = file.columns({*names, "session_time"})
    kept = {name: needed[name][chosen] for name in names}
    return pack(file.header, kept, _scoring_beside(file, needed["session_time"][chosen]), plain=True)


def _scoring_beside(file: LapFile, clock: Array) -> dict[str, Array]:
    """The scoring updates of the time of some samples, the one before them included."""
    told = file.columns((), SCORINGS)
    if not len(clock) or "session_time" not in told:
        return {}
    first = max(int(np.searchsorted(told["session_time"], clock[0], "right")) - 1, 0)
    last = int(np.searchsorted(told["session_time"], clock[-1], "right"))
    return {name: values[first:last] for name, values in told.items()}


def chunks(data: bytes) -> Iterator[bytes]:
    """The bytes of a lap file as responses."""
    for at in range(0, len(data), CHUNK_BYTES):
        yield field(_DATA_FIELD, data[at : at + CHUNK_BYTES])


def _plain(file: LapFile, request: laps_pb2.ReadLapRequest, lap: lap_pb2.Lap) -> Iterator[bytes]:
    yield laps_pb2.ReadLapResponse(lap=lap).SerializeToString()
    chosen = rows(file, request)
    for columns in _together(_columns(file, SAMPLES, _names(file, request.channels), chosen)):
        yield laps_pb2.ReadLapResponse(columns=columns).SerializeToString()


def scoring(file: LapFile, request: laps_pb2.ReadScoringRequest) -> Iterator[bytes]:
    """The columns of the scoring updates."""
    names, chosen = _names(file, request.channels, SCORINGS), scoring_rows(file, request)
    for columns in _together(_columns(file, SCORINGS, names, chosen)):
        yield laps_pb2.ReadScoringResponse(columns=columns).SerializeToString()


def _names(file: LapFile, wanted: Sequence[str], section: Any = SAMPLES) -> list[str]:
    """The channels to send, in the order asked for; `lap_time` among them."""
    return list(dict.fromkeys([*wanted, "lap_time"])) if wanted else file.channels(section)


def _columns(
    file: LapFile, section: Any, names: Sequence[str], chosen: Array | None
) -> Iterator[laps_pb2.PlainColumn]:
    """Columns one after another; one too long for a message comes in pieces, each with its own rows."""
    units = {column.name: column.unit for column in file.header.columns if column.section == section}
    for at in range(0, len(names), _DECODED_AT_ONCE):
        for name, values in file.columns(names[at : at + _DECODED_AT_ONCE], section).items():
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
    """Columns in groups that fit a message."""
    group: list[laps_pb2.PlainColumn] = []
    for column in columns:
        if group and sum(len(one.values) for one in group) + len(column.values) > CHUNK_BYTES:
            yield group
            group = []
        group.append(column)
    if group:
        yield group
