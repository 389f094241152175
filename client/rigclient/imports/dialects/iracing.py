"""iRacing's .ibt, as far as its head describes itself.

    head 112 bytes, disk head 32 bytes, session info (YAML), variables 144 bytes each, records

Every offset and count is checked against the size of the file, every variable against the length of a record,
before anything is read by it. A lap begins where `LapCurrentLapTime` says that it did; its time is the game's
where the game gave it one.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest, Corrupt
from rigclient.imports.channels import naming
from rigclient.imports.channels.column import ChannelSource, To
from rigclient.imports.channels.iracing import APPLIED, DRIVEN, NAMES
from rigclient.imports.loggers.columns import SpooledColumns
from rigclient.imports.loggers.laps import Driven, Stated, recorded_laps, session_kind
from rigclient.imports.loggers.run import Ground, LoggedRun
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.signals.clock import clock
from rigclient.imports.signals.cuts import LapCut, laps_by_number

Array = np.ndarray[Any, np.dtype[Any]]

_HEAD: Final = np.dtype(
    [
        ("version", "<i4"), ("status", "<i4"), ("rate", "<i4"), ("updates", "<i4"),
        ("info_bytes", "<i4"), ("info", "<i4"), ("variables", "<i4"), ("variable", "<i4"),
        ("buffers", "<i4"), ("record_bytes", "<i4"), ("padding", "V8"), ("ticks", "<i4"),
        ("records", "<i4"), ("others", "V56"), ("start", "<i8"), ("start_s", "<f8"), ("end_s", "<f8"),
        ("laps", "<i4"), ("count", "<i4"),
    ]
)  # fmt: skip
_VARIABLE: Final = np.dtype(
    [
        ("kind", "<i4"), ("offset", "<i4"), ("count", "<i4"), ("as_time", "V4"),
        ("name", "S32"), ("description", "S64"), ("unit", "S32"),
    ]
)  # fmt: skip
_TYPES: Final = ("S1", "?", "<i4", "<u4", "<f4", "<f8")
_VERSIONS: Final = (1, 2)
_FASTEST_HZ: Final = 360
_MOST_VARIABLES: Final = 4096
_MOST_RECORD_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 8 << 20
_TIME: Final = "SessionTime"
_LAP: Final = "Lap"
_RUNNING: Final = "LapCurrentLapTime"
_LAST: Final = "LapLastLapTime"
_SESSION: Final = "SessionNum"
_STEERING_MAX: Final = "SteeringWheelAngleMax"
_OTHERS: Final = (_TIME, _LAP, _RUNNING, _LAST, _SESSION, _STEERING_MAX)
_GROUND: Final = Ground("Lat", "Lon", "Alt")
_SHARE_NOTE: Final = "labelled %, holds 0 to 1"
_SETTLE_S: Final = 5.0
"""After the line, until which the game tells the time of the lap before."""
_AGREE_S: Final = 0.25
"""Between the game's time and the clocks at the two lines: else it is that of another lap."""
_FACTS: Final = ("TrackConfigName", "TrackSurfaceTemp", "TrackAirTemp", "TrackSkies", "BuildVersion")


class Variable(NamedTuple):
    """A variable of the file."""

    name: str
    unit: str
    dtype: np.dtype[Any]
    offset: int
    values: int


class Ibt(NamedTuple):
    """What the head says, checked against the file."""

    variables: dict[str, Variable]
    info: str
    records: int
    """Where the first begins."""
    record_bytes: int
    rows: int
    rate: int
    start_ns: int


class IRacing:
    """iRacing's telemetry on disk."""

    name: str = "iRacing .ibt"
    program: str = "iRacing"

    def recognises(self, head: Head) -> bool:
        """Return whether the head's numbers can be those of one."""
        if len(head.first) < _HEAD.itemsize:
            return False
        return _possible(np.frombuffer(head.first, _HEAD, 1)[0])

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every run of the session's clock. Raises Corrupt for offsets and counts
        beyond the file, BadRequest without a clock.
        """
        with path.open("rb") as file:
            ibt = _opened(file, path.stat().st_size)
            sources = _sources(ibt)
            names = [one.column for one in sources] + [
                one for one in (*_OTHERS, *_GROUND) if one in ibt.variables
            ]
            columns = _spooled(file, ibt, list(dict.fromkeys(names)), progress)
        try:
            return _recordings(ibt, columns, sources, refuse)
        except BaseException:
            columns.close()
            raise


def _possible(head: Any) -> bool:
    return bool(
        head["version"] in _VERSIONS
        and 0 < head["rate"] <= _FASTEST_HZ
        and 0 < head["variables"] <= _MOST_VARIABLES
        and head["variable"] >= _HEAD.itemsize
        and 0 < head["record_bytes"] <= _MOST_RECORD_BYTES
        and head["buffers"] == 1
    )


def _opened(file: BinaryIO, size: int) -> Ibt:
    head = np.frombuffer(_part(file, 0, _HEAD.itemsize, size, "head"), _HEAD, 1)[0]
    if not _possible(head):
        raise BadRequest("its head is not one of iRacing's telemetry", version=int(head["version"]))
    table = _part(
        file, int(head["variable"]), _VARIABLE.itemsize * int(head["variables"]), size, "list of variables"
    )
    info = _part(file, int(head["info"]), int(head["info_bytes"]), size, "session info")
    record_bytes, begin = int(head["record_bytes"]), int(head["records"])
    count = int(head["count"])
    if begin < _HEAD.itemsize or count < 0 or begin + count * record_bytes > size:
        raise Corrupt(
            f"its head says {count} records of {record_bytes} bytes from {begin} on; the file has {size}",
            hint="the file was cut",
        )
    return Ibt(
        dict(_variables(np.frombuffer(table, _VARIABLE), record_bytes)),
        info.split(b"\0")[0].decode("cp1252", "replace"),
        begin, record_bytes, count or max(size - begin, 0) // record_bytes,
        int(head["rate"]), max(int(head["start"]), 0) * 1_000_000_000,
    )  # fmt: skip


def _part(file: BinaryIO, at: int, length: int, size: int, what: str) -> bytes:
    """Return bytes of the file. Raises Corrupt where it has not so many there."""
    if at < 0 or length < 0 or at + length > size:
        raise Corrupt(
            f"its {what}, {length} bytes at {at}, goes beyond its {size} bytes", hint="the file was cut"
        )
    file.seek(at)
    return file.read(length)


def _variables(table: Array, record_bytes: int) -> Iterator[tuple[str, Variable]]:
    """Yield the variables by name. Raises Corrupt for one beyond the record."""
    for row in table:
        name, kind = _text(row["name"]), int(row["kind"])
        if not 0 <= kind < len(_TYPES):
            raise Corrupt(f"variable {name} is of type {kind}", hint=f"known are 0 to {len(_TYPES) - 1}")
        dtype, offset, count = np.dtype(_TYPES[kind]), int(row["offset"]), int(row["count"])
        if offset < 0 or count < 1 or offset + dtype.itemsize * count > record_bytes:
            raise Corrupt(f"variable {name} lies at {offset}, beyond a record of {record_bytes} bytes")
        yield name, Variable(name, _text(row["unit"]), dtype, offset, count)


def _text(field: bytes) -> str:
    return bytes(field).split(b"\0")[0].decode("latin-1").strip()


def _sources(ibt: Ibt) -> list[ChannelSource]:
    """Return the variables that become channels."""
    single = [one for one in ibt.variables.values() if one.values == 1 and one.dtype.kind != "S"]
    own = {**NAMES, **(DRIVEN if "ThrottleRaw" in ibt.variables else APPLIED)}
    units = {"%": "", "revs/min": "rpm", "N*m": "Nm"}
    known = [(one.name, units.get(one.unit, one.unit)) for one in single if one.name in own]
    if ibt.variables.get(_STEERING_MAX) in single:
        own = own | {_STEERING_MAX: To("physical_steering_range", "rad", times=2.0)}
        known.append((_STEERING_MAX, "rad"))
    shares = {one.name for one in single if one.unit == "%"}
    return [
        one._replace(unit="%", note=_SHARE_NOTE) if one.column in shares else one
        for one in naming.sources(known, own)
    ]


def _spooled(file: BinaryIO, ibt: Ibt, names: Sequence[str], progress: Progress) -> SpooledColumns:
    """Return columns of the records, read some at a time."""
    used = [ibt.variables[name] for name in names if ibt.variables[name].values == 1]
    dtype = np.dtype(
        {
            "names": [one.name for one in used],
            "formats": [one.dtype for one in used],
            "offsets": [one.offset for one in used],
            "itemsize": ibt.record_bytes,
        }
    )
    columns = SpooledColumns([one.name for one in used])
    file.seek(ibt.records)
    left = ibt.rows
    while left:
        rows = min(max(_CHUNK_BYTES // ibt.record_bytes, 1), left)
        chunk = np.frombuffer(file.read(rows * ibt.record_bytes), dtype, rows)
        columns.append({one.name: chunk[one.name].astype(np.float64) for one in used})
        left -= rows
        progress(file.tell())
    return columns


def _recordings(
    ibt: Ibt, columns: SpooledColumns, sources: Sequence[ChannelSource], refuse: Refuse
) -> list[Recording]:
    """Return a recording for every run of the clock. Raises BadRequest without one."""
    if _TIME not in ibt.variables or not len(columns):
        raise BadRequest(
            f"it has {len(columns)} records, and no clock for them", hint=f"{_TIME} is its clock"
        )
    times = columns.values(_TIME)
    found = clock(times)
    found.tell(refuse, np.arange(1, len(times) + 1))
    runs = [rows for rows in found.runs() if len(rows) > 1]
    if not runs:
        raise BadRequest("no two of its records follow each other in time", records=len(times))
    ground = _GROUND if set(_GROUND) <= ibt.variables.keys() else None
    logs = [LoggedRun(columns, rows, times[rows], sources, ground) for rows in runs]
    used = {one.column for one in logs[0].mapped} | set(_OTHERS)
    left = tuple(name for name in ibt.variables if name not in used)
    return [
        Recording(
            IRacing.name,
            _session(ibt, log, at),
            _closing(_laps(ibt, log), columns if at == len(logs) else None),
            float(ibt.rate),
            log.mapped,
            left,
        )
        for at, log in enumerate(logs, start=1)
    ]


def _laps(ibt: Ibt, log: LoggedRun) -> Iterator[RecordedLap]:
    cuts, stated = _cuts(ibt, log)
    yield from recorded_laps(log, cuts, _driven(ibt.info), stated, counted=True)


def _cuts(ibt: Ibt, log: LoggedRun) -> tuple[list[LapCut], dict[int, Stated]]:
    """Return the laps by their numbers, from where their running time began."""
    if _LAP not in ibt.variables:
        return [LapCut(0, len(log.times), 0, float(log.times[0]), float(log.times[-1]), False)], {}
    cuts = laps_by_number(np.nan_to_num(log.column(_LAP)).astype(np.int64), log.times)
    if _RUNNING in ibt.variables:
        begins = [_began(log, cut, 2 / ibt.rate) if at else cut.begin_s for at, cut in enumerate(cuts)]
        ends = [*begins[1:], cuts[-1].end_s]
        cuts = [
            cut._replace(begin_s=begin, end_s=end) for cut, begin, end in zip(cuts, begins, ends, strict=True)
        ]
    stated = {at: _stated(ibt, log, cut) for at, cut in enumerate(cuts) if cut.complete}
    return cuts, stated


def _began(log: LoggedRun, cut: LapCut, most_s: float) -> float:
    """Return the clock at the line [s]: that of the lap's first row, less the time it has run by then."""
    ran = float(log.column(_RUNNING, cut.first, cut.first + 1)[0])
    return cut.begin_s - ran if 0 <= ran <= most_s else cut.begin_s


def _stated(ibt: Ibt, log: LoggedRun, cut: LapCut) -> Stated:
    """Return the game's time of a lap, told soon after its end; without it that of the clocks."""
    measured = cut.end_s - cut.begin_s
    if _LAST in ibt.variables:
        told = log.column(_LAST, cut.end, cut.end + round(_SETTLE_S * ibt.rate))
        near = told[np.abs(told - measured) < _AGREE_S]
        if len(near):
            return Stated(round(float(near[0]), 4))
    return Stated(measured, official=False)


def _session(ibt: Ibt, log: LoggedRun, number: int) -> RecordedSession:
    which = int(np.nan_to_num(log.column(_SESSION, 0, 1)[0])) if _SESSION in ibt.variables else 0
    kinds = re.findall(r"^ - SessionNum: (\d+)(?:\n   .*)*?\n   SessionType: (.*)$", ibt.info, re.MULTILINE)
    length = re.search(r"^ TrackLength: ([0-9.]+) km", ibt.info, re.MULTILINE)
    return RecordedSession(
        track=_said(ibt.info, "TrackDisplayName") or _said(ibt.info, "TrackName"),
        kind=session_kind(next((kind for at, kind in kinds if int(at) == which), "")),
        number=number,
        start_time_ns=ibt.start_ns,
        track_length_m=float(length[1]) * 1000 if length else 0.0,
        facts={name: text for name in _FACTS if (text := _said(ibt.info, name))},
    )


def _said(info: str, name: str) -> str:
    found = re.search(rf"^\s*(?:- )?{name}:[ \t]*(.*)$", info, re.MULTILINE)
    return found[1].strip().strip('"') if found else ""


def _driven(info: str) -> Driven:
    """Return who drove: the driver of the car that the file is of."""
    mine = _said(info, "DriverCarIdx")
    drivers = info.partition("\n Drivers:")[2]
    own = re.search(
        rf"^ - CarIdx: {re.escape(mine)}$(.*?)(?=^ - CarIdx:|^\S|\Z)", drivers, re.MULTILINE | re.DOTALL
    )
    text = own[1] if mine and own else ""
    return Driven(
        _said(text, "UserName"),
        _said(text, "CarScreenName"),
        _said(text, "CarClassShortName"),
        _said(text, "CarNumber"),
    )


def _closing(laps: Iterator[RecordedLap], columns: SpooledColumns | None) -> Iterator[RecordedLap]:
    yield from laps
    if columns is not None:
        columns.close()


DIALECT: Final = IRacing()
