"""Laps as a MoTeC log: a .ld file with the channels, and beside it a .ldx file with the ends of the laps.

Nobody has published the format; what is known of it comes from files that MoTeC's i2 opens. A channel has
one rate and no clock, so the laps stand end to end, each as long as its time, and every channel holds the
value nearest in time on a constant grid. Time that was driven between laps that do not follow each other
is left out. i2 knows no missing value: in a hole, and where a value is missing, stands the nearest one that
is known. Nothing is interpolated, so that no number is in the file that the game did not tell. The comments
in the file say so.
"""

import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest
from riglap.atomic import atomic_write
from riglap.export.line import one_line
from riglap.export.signals import STEERING, Signal, signals, steering_range, turned
from riglap.lap import Lap
from riglap.rows import Array, nearest
from riglap.times import lap_time

_HEAD: Final = np.dtype(
    {
        "itemsize": 1762,
        "names": [
            "marker", "channels", "data", "event", "format", "serial", "device", "version", "kind", "count",
            "date", "time", "driver", "vehicle", "venue", "features", "comment",
        ],
        "formats": [
            "<u4", "<u4", "<u4", "<u4", ("<u2", 3), "<u4", "S8", "<u2", "<u2", "<u4",
            "S16", "S16", "S64", "S64", "S64", "<u4", "S64",
        ],
        "offsets": [0, 8, 12, 36, 64, 70, 74, 82, 84, 86, 94, 126, 158, 222, 350, 1502, 1572],
    }
)  # fmt: skip
_EVENT: Final = np.dtype([("name", "S64"), ("session", "S64"), ("comment", "S1024"), ("venue", "<u2")])
_CHANNEL: Final = np.dtype(
    [
        ("previous", "<u4"), ("next", "<u4"), ("data", "<u4"), ("samples", "<u4"),
        ("counter", "<u2"), ("type", "<u2", 2), ("rate", "<u2"),
        ("shift", "<i2"), ("multiplier", "<i2"), ("scale", "<i2"), ("decimals", "<i2"),
        ("name", "S32"), ("short", "S8"), ("unit", "S12"), ("reserved", "V40"),
    ]
)  # fmt: skip

_MARKER: Final = 0x40
_FORMAT: Final = (1, 0x4240, 0xF)
_FLOAT32: Final = (0x07, 4)
_LOGGER: Final = {"serial": 0x1F44, "device": b"ADL", "version": 420, "kind": 0xADB0, "features": 0xC81A4}
"""i2 opens files of loggers it knows. This is the one that other converters name as well."""
_COUNTER: Final = 0x2EE1
"""Number of the first channel; the others count on."""
_COMMENT: Final = "UTC; NaN and holes hold the nearest value; GPS made of x and z"
_BEACON: Final = {"Version": "100", "ClassName": "BCN", "Flags": "13"}

_TEXT: Final = "latin-1"


def write(laps: Sequence[Lap], path: Path, channels: Iterable[str] = ()) -> None:
    """Write laps of one car, in their order, to `path` and to the .ldx beside it.

    All channels that every lap has values of and float32 can hold, or these. Raises BadRequest for laps of
    several cars, without samples or without such a channel, MissingChannel.
    """
    _check(laps)
    asked, rate = tuple(channels), nominal_rate_hz(laps[0])
    absent = unavailable(laps, asked)
    joined = _joined(laps, rate, asked, absent)
    if not joined:
        raise BadRequest("no channel is left for the file", hint=_why(absent))
    if not asked:
        joined.append(_beacons(laps, rate))
    with atomic_write(path) as log, atomic_write(path.with_suffix(".ldx")) as markers:
        log.write_bytes(_file(laps, joined, rate, absent))
        markers.write_bytes(_markers(laps))


def _why(absent: list[str]) -> str:
    if absent:
        return f"not available: {', '.join(absent)}"
    return "seq and capture_time_ns are too wide for float32"


def unavailable(laps: Sequence[Lap], asked: tuple[str, ...]) -> list[str]:
    """Return the channels that no lap has values of. Where one lap has some, zeros of the others are
    zeros.
    """
    first, *others = (lap.unavailable(one for one in asked or lap.channels if one in lap) for lap in laps)
    return [name for name in first if all(name in other for other in others)]


def _check(laps: Sequence[Lap]) -> None:
    cars = {(lap.session.name, lap.info.car) for lap in laps}
    if len(cars) != 1:
        raise BadRequest(
            f"the laps are of {len(cars)} cars or sessions", hint="a .ld file holds those of one car in one"
        )
    for lap in laps:
        lap.check_samples()


def nominal_rate_hz(lap: Lap) -> int:
    """Return the whole number of samples a second, from the step that most samples have."""
    steps = np.diff(lap.lap_time)
    steps = steps[steps > 0]
    return max(round(1 / float(np.median(steps))), 1) if len(steps) else 1


def duration_s(lap: Lap) -> float:
    """Return the seconds from line to line, or of the piece that was driven."""
    info = lap.info
    return info.lap_time if info.lap_time is not None else info.end_time - info.start_time


def ends_s(laps: Sequence[Lap]) -> Array:
    """Return where the laps end, in seconds from the start of the file."""
    return np.cumsum([duration_s(lap) for lap in laps])


def _joined(laps: Sequence[Lap], rate: int, asked: tuple[str, ...], absent: list[str]) -> list[Signal]:
    """Return the channels that all laps have values of, on one grid."""
    clock, grid = _clocks(laps, rate)
    made = [{signal.name: signal for signal in signals(lap, asked, absent)} for lap in laps]
    _turn(laps, made)
    shared = [signal for name, signal in made[0].items() if all(_has(others, name) for others in made)]
    rows = nearest(grid, clock)
    return [
        _laid(one, np.concatenate([others[one.name].values for others in made]), rows, clock, grid)
        for one in shared
    ]


def _clocks(laps: Sequence[Lap], rate: int) -> tuple[Array, Array]:
    """Return the times of all samples and of the constant grid, in seconds from the start of the file."""
    ends = ends_s(laps)
    starts = np.concatenate(([0.0], ends[:-1]))
    clock = np.concatenate([start + lap.lap_time for start, lap in zip(starts, laps, strict=True)])
    return clock, np.arange(max(round(ends[-1] * rate), 1)) / rate


def _has(made: dict[str, Signal], name: str) -> bool:
    return name in made and bool(np.isfinite(made[name].values).any())


def _turn(laps: Sequence[Lap], made: list[dict[str, Signal]]) -> None:
    """Turn the steering into degrees where all laps know the range of the wheel: a channel has one unit."""
    ranges = [steering_range(lap) for lap in laps]
    for lock_to_lock, signal in zip(ranges, made, strict=True):
        if lock_to_lock is not None and None not in ranges and STEERING in signal:
            signal[STEERING] = turned(signal[STEERING], lock_to_lock)


def _laid(one: Signal, values: Array, rows: Array, clock: Array, grid: Array) -> Signal:
    """Return the values on the grid: at each of its times the nearest sample that is known."""
    known = np.isfinite(values)
    if known.all():
        return one._replace(values=values[rows])
    return one._replace(values=values[known][nearest(grid, clock[known])])


def _beacons(laps: Sequence[Lap], rate: int) -> Signal:
    """Return the signal that is 1 in the sample in which a lap ends, else 0."""
    values = np.zeros(max(round(ends_s(laps)[-1] * rate), 1), np.float32)
    values[np.minimum(np.ceil(ends_s(laps) * rate).astype(np.intp), len(values) - 1)] = 1
    return Signal("Beacon", "Beacon", "", values)


def _file(laps: Sequence[Lap], channels: list[Signal], rate: int, absent: list[str]) -> bytes:
    begin = _HEAD.itemsize + _EVENT.itemsize
    data = begin + _CHANNEL.itemsize * len(channels)
    values = np.stack([channel.values for channel in channels]).astype("<f4")
    records = _records(channels, begin, data, rate)
    head = _head(laps[0], len(channels), begin, data)
    return b"".join((head, _event(laps, absent), records.tobytes(), values.tobytes()))


def _records(channels: list[Signal], begin: int, data: int, rate: int) -> Array:
    """Return the linked list of channels, from `begin` on; their values lie one after the other from `data`
    on.
    """
    records, at = np.zeros(len(channels), _CHANNEL), np.arange(len(channels))
    places, samples = begin + _CHANNEL.itemsize * at, len(channels[0].values)
    records["previous"][1:], records["next"][:-1] = places[:-1], places[1:]
    records["data"], records["samples"] = data + 4 * samples * at, samples
    records["counter"], records["type"], records["rate"] = _COUNTER + at, _FLOAT32, rate
    records["multiplier"] = records["scale"] = 1
    for name in ("name", "short", "unit"):
        size = _CHANNEL[name].itemsize
        records[name] = [_text(getattr(channel, name), size) for channel in channels]
    return records


def _head(lap: Lap, count: int, channels: int, data: int) -> bytes:
    head = np.zeros((), _HEAD)
    start = time.gmtime(lap.info.start_time_ns // 1_000_000_000)
    facts: dict[str, Any] = {
        "marker": _MARKER, "channels": channels, "data": data, "event": _HEAD.itemsize,
        "format": _FORMAT, "count": count, **_LOGGER,
        "date": time.strftime("%d/%m/%Y", start).encode(), "time": time.strftime("%H:%M:%S", start).encode(),
        "driver": _text(lap.info.driver, 64), "vehicle": _text(lap.info.vehicle, 64),
        "venue": _text(lap.session.track_name, 64), "comment": _text(_COMMENT, 64),
    }  # fmt: skip
    for name, value in facts.items():
        head[name] = value
    return head.tobytes()


def _event(laps: Sequence[Lap], absent: list[str]) -> bytes:
    event, session = np.zeros((), _EVENT), laps[0].session
    event["name"] = _text(session.track_name, 64)
    event["session"] = _text(session.name.removeprefix("sessions/"), 64)
    event["comment"] = _text(_comment(laps, absent), 1024)
    return event.tobytes()


def _comment(laps: Sequence[Lap], absent: list[str]) -> str:
    """Return the comment of the file, the short things first: it is cut at 1023 letters."""
    missing, gaps = sum(gap.count for lap in laps for gap in lap.gaps), sum(len(lap.gaps) for lap in laps)
    users = ", ".join(dict.fromkeys(lap.info.user for lap in laps if lap.info.user))
    parts = [
        f"User: {users}." if users else "",
        "Times are UTC.",
        "Laps stand end to end.",
        f"Holes: {gaps}; samples known to be missing in them: {missing}." if gaps else "",
        "Where samples or values are missing the nearest one in time is held, nothing is interpolated.",
        "GPS is made of the game's x and z around latitude 0, longitude 0: it is no place on earth.",
        "Ambient and track temperature are those that the session last told.",
        f"Not available: {', '.join(absent)}." if absent else "",
    ]
    return " ".join(filter(None, parts))


def _text(text: str, size: int) -> bytes:
    """Return one line of Latin-1, short enough for a NUL at the end; what Latin-1 lacks becomes a question
    mark.
    """
    return one_line(text).encode(_TEXT, "replace")[: size - 1]


def _markers(laps: Sequence[Lap]) -> bytes:
    """Return the .ldx file: a beacon at the end of every lap, in microseconds, and the fastest."""
    root = ET.Element("LDXFile", Locale="English_United States.1252", DefaultLocale="C", Version="1.6")
    layer = ET.SubElement(ET.SubElement(root, "Layers"), "Layer")
    block = ET.SubElement(layer, "MarkerBlock")
    beacons = ET.SubElement(block, "MarkerGroup", Name="Beacons", Index="3")
    for number, end in enumerate(ends_s(laps), start=1):
        ET.SubElement(beacons, "Marker", _BEACON, Name=f"{number}, id=99", Time=f"{end * 1e6:.0f}")
    details = ET.SubElement(layer, "Details")
    for name, value in _fastest(laps).items():
        ET.SubElement(details, "String", Id=name, Value=value)
    ET.indent(root)
    return bytes(ET.tostring(root, "utf-8", xml_declaration=True))


def _fastest(laps: Sequence[Lap]) -> dict[str, str]:
    facts = {"Total Laps": str(len(laps))}
    timed = {at: lap.info.lap_time or 0.0 for at, lap in enumerate(laps, start=1) if lap.info.valid}
    if timed:
        best = min(timed, key=lambda at: timed[at])
        facts |= {"Fastest Time": lap_time(timed[best]), "Fastest Lap": str(best)}
    return facts
