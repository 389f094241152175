"""What a warehouse must hold of a rig, by the rig's own files, and what it holds: a checksum of every column.

Written after the words of the specification, not with the code that loads.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from rig.lapfile import SAMPLES, SCORINGS, LapFile
from rigclient.warehouse.destination import Destination
from rigd.serve.identity import identity
from tests.warehouse.recorded_rig import RecordedRig

Array = np.ndarray[Any, np.dtype[Any]]

WHEELS, AXES = ("FL", "FR", "RL", "RR"), ("X", "Y", "Z")
SECTIONS = {"PHYSICS": SAMPLES, "SCORING": SCORINGS}


class Held(NamedTuple):
    """A table: its rows, and a checksum of every column that has a value."""

    rows: int
    columns: dict[str, str]


def expected(recorded_rig: RecordedRig) -> dict[str, Held]:
    """What every table of samples must hold, and what every lap and event is known by."""
    files = [LapFile.open(path) for path in recorded_rig.laps()]
    found = {name: _samples(files, section) for name, section in SECTIONS.items()}
    laps: dict[str, list[Any]] = {
        "SESSION": [_parts(file)[0] for file in files],
        "LAP": [_parts(file)[1] for file in files],
        "DIGEST": [file.digest for file in files],
        "SAMPLES": [file.header.samples for file in files],
        "SCORINGS": [file.header.scorings for file in files],
        "LAP_TIME": [
            file.header.lap.lap_time if file.header.lap.HasField("lap_time") else None for file in files
        ],
        "DRIVER": [file.header.lap.driver for file in files],
    }
    found["LAPS"] = _table(len(files), laps)
    kinds = [event.WhichOneof("kind") for event in recorded_rig.events]
    numbers = [event.seq for event in recorded_rig.events]
    found["EVENTS"] = _table(len(kinds), {"SEQ": numbers, "KIND": kinds})
    gaps = sum(len(file.header.gaps) for file in files) + kinds.count("gap")
    found["GAPS"] = Held(gaps, {})
    for file in files:
        file.close()
    return found


def _parts(file: LapFile) -> tuple[str, str]:
    session, _, lap = file.header.lap.name.removeprefix("sessions/").partition("/laps/")
    return session, lap


def _samples(files: list[LapFile], section: Any) -> Held:
    """Laps in the order of their names, rows in that of their numbers."""
    columns: dict[str, list[Array]] = defaultdict(list)
    rows = 0
    for file in files:
        channels = file.columns((), section)
        order = np.argsort(channels["seq"], kind="stable")
        for name, values in _flat(channels):
            columns[name].append(_numbers(values[order]))
        columns["LAP"].append(np.full(len(order), _parts(file)[1], object))
        columns["CAR"].append(_numbers(np.full(len(order), file.header.lap.car)))
        rows += len(order)
    return _table(rows, {name: np.concatenate(parts) for name, parts in columns.items()})


def _table(rows: int, columns: Mapping[str, Any]) -> Held:
    """The checksums of columns that have any value."""
    numbers = {name: _numbers(values) for name, values in columns.items()}
    return Held(rows, {name: _checksum(values) for name, values in numbers.items() if _any(values)})


def _flat(channels: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    for name, values in channels.items():
        if values.ndim == 1:
            yield name.upper(), values
            continue
        width = values.shape[1]
        endings = {4: WHEELS, 3: AXES}.get(width) or tuple(map(str, range(width)))
        for at, ending in enumerate(endings):
            yield f"{name.upper()}_{ending}", values[:, at]


def _numbers(values: Any) -> Array:
    """As float64, so that 1 and 1.0 are the same whatever type a warehouse has for them; whole numbers that
    it cannot hold as they are; no number is NaN, texts stay objects.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iu" and len(array) and int(array.max()) >= 1 << 53:
        return array.astype(np.int64)
    if array.dtype.kind in "OUS":
        numbers = all(value is None or isinstance(value, int | float) for value in array.tolist())
        return array.astype(np.float64) if numbers else array.astype(object)
    return array.astype(np.float64)


def _any(values: Array) -> bool:
    if values.dtype == object:
        return any(value is not None for value in values)
    return not np.isnan(values).all() if values.dtype.kind == "f" else True


def _checksum(array: Array) -> str:
    """Of values in their order."""
    data = repr(array.tolist()).encode() if array.dtype == object else (array + 0).tobytes()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def held(destination: Destination, recorded_rig: RecordedRig) -> dict[str, Held]:
    """What a warehouse holds of a rig."""
    own = identity(recorded_rig.data)
    orders = dict.fromkeys(SECTIONS, "SESSION, LAP, SEQ") | {"LAPS": "SESSION, LAP", "EVENTS": "SEQ"}
    found = {name: _held(destination, name, order, own) for name, order in orders.items()}
    ((gaps,),) = destination.rows("SELECT COUNT(*) FROM GAPS WHERE RIG_ID = ?", [own])
    return {**found, "GAPS": Held(int(gaps), {})}


def _held(destination: Destination, table: str, order: str, own: str) -> Held:
    columns: dict[str, list[Array]] = defaultdict(list)
    sql = f"SELECT * FROM {table} WHERE RIG_ID = ? ORDER BY {order}"
    for batch in destination.batches(sql, [own]):
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            columns[name].append(values.to_numpy(zero_copy_only=False))
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return _table(len(joined.get("RIG_ID", ())), joined)


def differences(destination: Destination, recorded_rig: RecordedRig) -> list[str]:
    """Where the two are not the same. None: all rows and checksums agree, and the ledger is whole."""
    return contents(destination, recorded_rig, expected(recorded_rig)) + broken(destination)


def contents(destination: Destination, recorded_rig: RecordedRig, wanted: Mapping[str, Held]) -> list[str]:
    """Where rows and checksums are not the same."""
    there = held(destination, recorded_rig)
    out = []
    for table, want in wanted.items():
        have = there[table]
        if have.rows != want.rows:
            out.append(f"{table} has {have.rows} rows instead of {want.rows}")
            continue
        out += [
            f"{table}.{name} differs" for name, sum_ in want.columns.items() if have.columns.get(name) != sum_
        ]
        if table in SECTIONS:
            more = have.columns.keys() - want.columns.keys() - {"RIG_ID", "SESSION", "LAP_INDEX", "LOAD_ID"}
            out += [f"{table}.{name} has values that nobody recorded" for name in sorted(more)]
    return out


def broken(destination: Destination) -> list[str]:
    """What may not be at any moment, however much is loaded: ledger, watermarks and rows do not agree."""
    return [*_ledger(destination), *_strays(destination)]


def _ledger(destination: Destination) -> Iterator[str]:
    """Ranges follow each other from 0 on, and the watermark stands at their end."""
    rows = destination.rows(
        "SELECT RIG_ID, STREAM, FROM_N, TO_N FROM RIG_LOADS ORDER BY RIG_ID, STREAM, FROM_N"
    )
    ends: dict[tuple[str, str], int] = defaultdict(int)
    for rig, stream, first, end in rows:
        if first != ends[rig, stream] or end <= first:
            yield f"the ledger of {stream} goes from {ends[rig, stream]} to {first}"
        ends[rig, stream] = end
    for rig, stream, number in destination.rows("SELECT RIG_ID, STREAM, NEXT_N FROM RIG_WATERMARK"):
        if number != ends[rig, stream]:
            yield f"the watermark of {stream} is {number}, the ledger ends at {ends[rig, stream]}"


def _strays(destination: Destination) -> Iterator[str]:
    """Every row is of a load of the ledger, and of every load there are as many as it says."""
    loads = destination.rows("SELECT LOAD_ID, ROW_COUNTS FROM RIG_LOADS")
    counts = {load: json.loads(text) for load, text in loads}
    if len(counts) != len(loads):
        yield "a load is in the ledger twice"
    for table in ("PHYSICS", "SCORING", "LAPS", "EVENTS", "GAPS"):
        there: dict[str, int] = dict(
            destination.rows(f"SELECT LOAD_ID, COUNT(*) FROM {table} GROUP BY LOAD_ID")
        )
        wanted = {load: rows[table] for load, rows in counts.items() if table in rows}
        if there != wanted:
            yield f"{table} has {there}, the ledger says {wanted}"
    for (load,) in destination.rows("SELECT DISTINCT LOAD_ID FROM SESSIONS"):
        if load not in counts:
            yield f"SESSIONS has a row of {load}, which is not in the ledger"
