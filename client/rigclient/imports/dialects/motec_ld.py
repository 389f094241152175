"""MoTeC's .ld, with the ends of the laps in the .ldx beside it.

Nobody has published the format: what is read here is what files tell that i2 opens. Every pointer, count and
type is checked against the size of the file before anything is read by it. Channels have a rate and no clock;
the rows are those of the fastest channel that is used.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from rig.errors import BadRequest, Corrupt
from rigclient.imports.channels import naming
from rigclient.imports.loggers.laps import Driven, by_beacons, by_their_ends, recorded_laps, session_kind
from rigclient.imports.loggers.run import Ground, LoggedRun
from rigclient.imports.loggers.times import NO_ZONE, wall_clock_ns
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse

Array = np.ndarray[Any, np.dtype[Any]]

_HEAD: Final = np.dtype(
    {
        "itemsize": 1762,
        "names": ["marker", "channels", "data", "event", "date", "time", "driver", "vehicle", "venue"],
        "formats": ["<u4", "<u4", "<u4", "<u4", "S16", "S16", "S64", "S64", "S64"],
        "offsets": [0, 8, 12, 36, 94, 126, 158, 222, 350],
    }
)
_EVENT: Final = np.dtype([("name", "S64"), ("session", "S64"), ("comment", "S1024")])
_CHANNEL: Final = np.dtype(
    [
        ("previous", "<u4"), ("next", "<u4"), ("data", "<u4"), ("samples", "<u4"),
        ("counter", "<u2"), ("kind", "<u2"), ("bytes", "<u2"), ("rate", "<u2"),
        ("shift", "<i2"), ("multiplier", "<i2"), ("scale", "<i2"), ("decimals", "<i2"),
        ("name", "S32"), ("short", "S8"), ("unit", "S12"), ("reserved", "V40"),
    ]
)  # fmt: skip
_MARKER: Final = 0x40
_TYPES: Final[dict[tuple[int, int], np.dtype[Any]]] = {
    (7, 2): np.dtype("<f2"),
    (7, 4): np.dtype("<f4"),
    **{(kind, size): np.dtype(f"<i{size}") for kind in (0, 3, 5) for size in (2, 4)},
}
_MOST_CHANNELS: Final = 4096
_FASTEST_HZ: Final = 1000
"""Faster channels, of knock sensors say, become none."""
_LDX_BYTES: Final = 1 << 20
_END_TO_END: Final = "Laps stand end to end."
"""What the comment says where the file has nothing but whole laps, as those that this program writes."""
_NO_ZONE: Final = re.compile(r"\bUTC\b")
_MOST_DECIMALS: Final = 12


class LoggedChannel(NamedTuple):
    """A channel of the file."""

    name: str
    unit: str
    rate: int
    samples: int
    at: int
    """Where its values begin."""
    dtype: np.dtype[Any]
    factor: float
    shift: float


class MotecColumns:
    """The channels of an open file on one clock: what is slower than its rows lies on the line between."""

    def __init__(self, file: BinaryIO, channels: Sequence[LoggedChannel], rate: int, held: set[str]) -> None:
        self._file, self._rate, self._held = file, rate, held
        self._channels = {one.name: one for one in channels}
        self._rows = max(one.samples for one in channels if one.rate == rate)

    def __len__(self) -> int:
        return self._rows

    def values(self, name: str, first: int = 0, end: int | None = None) -> Array:
        """Return rows of a column, float64; NaN behind its end."""
        one, last = self._channels[name], self._rows if end is None else min(end, self._rows)
        if one.rate == self._rate:
            known = self._read(one, first, last)
            return np.concatenate([known, np.full(last - first - len(known), np.nan)])
        places = np.arange(first, last) * (one.rate / self._rate)
        low = int(places[0]) if len(places) else 0
        known = self._read(one, low, int(places[-1]) + 2 if len(places) else 0)
        if not len(known):
            return np.full(last - first, np.nan)
        if name in self._held:
            found = known[np.minimum((places - low).astype(np.int64), len(known) - 1)]
        else:
            found = np.interp(places - low, np.arange(len(known)), known)
        return np.where(places < one.samples, found, np.nan)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, one: LoggedChannel, first: int, end: int) -> Array:
        first, end = min(first, one.samples), min(end, one.samples)
        self._file.seek(one.at + first * one.dtype.itemsize)
        raw = np.frombuffer(self._file.read((end - first) * one.dtype.itemsize), one.dtype)
        if len(raw) != end - first:
            raise Corrupt(f"the file was cut while it was read, in {one.name}")
        return raw.astype(np.float64) * one.factor + one.shift


class MotecLd:
    """MoTeC's binary log."""

    name: str = "MoTeC .ld"
    program: str = "MoTeC, and loggers that write its files"

    def recognises(self, head: Head) -> bool:
        """Return whether the marker and the pointers of a .ld stand there."""
        if len(head.first) < _HEAD.itemsize:
            return False
        found = np.frombuffer(head.first, _HEAD, 1)[0]
        return bool(
            found["marker"] == _MARKER
            and found["channels"] >= _HEAD.itemsize
            and found["data"] > found["channels"]
        )

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return the recording; laps by the beacons of the .ldx. Raises Corrupt for pointers and counts
        beyond the file, BadRequest without a channel of the registry.
        """
        file = path.open("rb")  # stays open for the laps
        try:
            return [self._recording(path, file, refuse, progress)]
        except BaseException:
            file.close()
            raise

    def _recording(self, path: Path, file: BinaryIO, refuse: Refuse, progress: Progress) -> Recording:
        size = path.stat().st_size
        head = _record(file, 0, _HEAD, size, "head")
        channels = list(_channels(file, int(head["channels"]), size, refuse))
        log = _log(file, channels)
        progress(size)
        event = _event(file, int(head["event"]), size)
        whole = _END_TO_END in event.get("comment", "")
        cuts = by_beacons(log, _beacons(path), trusted=whole)
        driven = Driven(_text(head["driver"]), _text(head["vehicle"]))
        laps = recorded_laps(log, cuts, driven, by_their_ends(cuts))
        ground = [one.column for one in log.mapped]
        left = tuple(dict.fromkeys(one.name for one in channels if one.name not in ground))
        return Recording(self.name, _session(head, event), _closing(laps, log), log.rate_hz, log.mapped, left)


def _record(file: BinaryIO, at: int, dtype: np.dtype[Any], size: int, what: str) -> Any:
    """Return a record at a place. Raises Corrupt where it goes beyond the file."""
    if at + dtype.itemsize > size:
        raise Corrupt(f"its {what} at {at} goes beyond its {size} bytes", hint="the file was cut")
    file.seek(at)
    return np.frombuffer(file.read(dtype.itemsize), dtype, 1)[0]


def _channels(file: BinaryIO, first: int, size: int, refuse: Refuse) -> Iterator[LoggedChannel]:
    """Yield the channels of the linked list, each name once. Raises Corrupt for a list without an end, or
    one that leads out of the file.
    """
    at, names, seen = first, set[str](), set[int]()
    while at:
        if at in seen or len(seen) == _MOST_CHANNELS:
            raise Corrupt(f"its list of channels has no end within {len(seen)}", hint="the file is damaged")
        seen.add(at)
        record = _record(file, at, _CHANNEL, size, "channel")
        at = int(record["next"])
        found = _channel(record, size)
        if isinstance(found, str):
            refuse(0, found, _text(record["name"]))
        elif found.name not in names:
            names.add(found.name)
            yield found


def _channel(record: Any, size: int) -> LoggedChannel | str:
    """Return a channel, or why it is none that can be read. Raises Corrupt for one beyond the file."""
    name, samples, at = _text(record["name"]), int(record["samples"]), int(record["data"])
    dtype = _TYPES.get((int(record["kind"]), int(record["bytes"])))
    if dtype is None:
        return f"a channel of an unknown type {record['kind']}, {record['bytes']} bytes"
    if at + samples * dtype.itemsize > size:
        raise Corrupt(
            f"channel {name} has {samples} samples at {at}, beyond the {size} bytes of the file",
            hint="the file was cut",
        )
    scale, decimals = int(record["scale"]), int(record["decimals"])
    if not name or not samples or not record["rate"] or not scale or abs(decimals) > _MOST_DECIMALS:
        return "a channel without a name, samples, rate or scale"
    factor = int(record["multiplier"]) / scale * 10.0**-decimals
    return LoggedChannel(
        name, _text(record["unit"]), int(record["rate"]), samples, at, dtype, factor, float(record["shift"])
    )


def _log(file: BinaryIO, channels: Sequence[LoggedChannel]) -> LoggedRun:
    """Return the channels that are of the registry on one clock. Raises BadRequest without one."""
    usable = [one for one in channels if one.rate <= _FASTEST_HZ]
    sources = naming.sources((one.name, one.unit) for one in usable)
    own = {one.place for one in sources if one.channel.name == "position"}
    ground = None if {0, 2} <= own else Ground.among([one.name for one in usable])
    wanted = {one.column for one in sources} | set(ground or ())
    used = [one for one in usable if one.name in wanted]
    if not used:
        raise BadRequest(
            f"none of its {len(channels)} channels is one that is known", hint="Ground Speed, GPS Latitude"
        )
    rate = max(one.rate for one in used)
    held = {one.column for one in sources if one.channel.dtype.kind != "f"}
    columns = MotecColumns(file, used, rate, held)
    return LoggedRun(columns, np.arange(len(columns)), np.arange(len(columns)) / rate, sources, ground)


def _event(file: BinaryIO, at: int, size: int) -> dict[str, str]:
    """Return name, session and comment of the event; empty where the file has none."""
    if not at or at + _EVENT.itemsize > size:
        return {}
    record = _record(file, at, _EVENT, size, "event")
    return {name: _text(record[name]) for name in _EVENT.names or ()}


def _session(head: Any, event: Mapping[str, str]) -> RecordedSession:
    date, clock = _text(head["date"]), _text(head["time"])
    start = wall_clock_ns(date, clock)
    zone = {} if not start or _NO_ZONE.search(event.get("comment", "")) else {"time zone": NO_ZONE}
    return RecordedSession(
        track=_text(head["venue"]),
        kind=session_kind(event.get("session", "")),
        start_time_ns=start,
        facts={name: text for name, text in event.items() if text} | zone,
    )


def _beacons(path: Path) -> list[float]:
    """Return the ends of the laps [s] of the .ldx beside the file; none without one."""
    beside = next(
        (one for one in (path.with_suffix(".ldx"), path.with_suffix(".LDX")) if one.is_file()), None
    )
    if beside is None:
        return []
    with beside.open("rb") as file:
        data = file.read(_LDX_BYTES + 1)
    if len(data) > _LDX_BYTES or b"<!" in data.replace(b"<!--", b""):
        raise BadRequest(f"{beside.name} is no list of beacons", hint="without it the file is one piece")
    # It is small, and has no document type.
    try:
        root = ET.fromstring(data)  # noqa: S314
    except ET.ParseError as error:
        raise BadRequest(
            f"{beside.name} is broken: {error}", hint="without it the file is one piece"
        ) from None
    markers = root.iterfind(".//MarkerGroup[@Name='Beacons']/Marker")
    times = [_micros(marker.get("Time", "")) for marker in markers]
    return sorted(one for one in times if one is not None)


def _micros(text: str) -> float | None:
    try:
        seconds = float(text) / 1e6
    except ValueError:
        return None
    return seconds if 0 < seconds < 1e6 else None


def _text(field: bytes) -> str:
    return bytes(field).split(b"\0")[0].decode("latin-1").strip()


def _closing(laps: Iterator[RecordedLap], log: LoggedRun) -> Iterator[RecordedLap]:
    """Yield the laps, and close the file after the last."""
    try:
        yield from laps
    finally:
        log.columns.close()


DIALECT: Final = MotecLd()
