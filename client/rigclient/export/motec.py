"""Laps as a MoTeC log: a .ld file with the channels, and beside it a .ldx file with the ends of the laps.

Nobody has published the format; what is known of it comes from files that MoTeC's i2 opens. A channel has
one rate and no clock, so the laps stand end to end, each as long as its time, and every channel holds the
sample nearest in time on a constant grid. Time that was driven between laps that do not follow each other
is left out; a hole in the samples holds the nearest one.
"""

import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest
from rigclient.export.signals import Signal, signals
from rigclient.lap import Array, Lap, nearest
from rigclient.terminal.clock import lap_time
from rigclient.whole import whole

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
_BEACON: Final = {"Version": "100", "ClassName": "BCN", "Flags": "13"}

_TEXT: Final = "latin-1"


def write(laps: Sequence[Lap], path: Path, channels: Iterable[str] = ()) -> None:
    """Write laps of one car, in their order, to `path` and to the .ldx beside it.

    All channels that every lap has and float32 can hold, or these. Raises BadRequest for laps of several
    cars, without samples or without such a channel, MissingChannel.
    """
    _check(laps)
    rate = nominal_rate_hz(laps[0])
    joined = _joined(laps, rate, tuple(channels))
    if not joined:
        raise BadRequest(
            "no channel is left that float32 can hold", hint="seq and capture_time_ns are too wide"
        )
    with whole(path) as log, whole(path.with_suffix(".ldx")) as markers:
        log.write_bytes(_file(laps[0], joined, rate))
        markers.write_bytes(_markers(laps))


def _check(laps: Sequence[Lap]) -> None:
    cars = {(lap.session.name, lap.info.car) for lap in laps}
    if len(cars) != 1:
        raise BadRequest(
            f"the laps are of {len(cars)} cars or sessions", hint="a .ld file holds those of one car in one"
        )
    for lap in laps:
        if not len(lap):
            raise BadRequest(f"{lap.info.name} has no samples", hint="leave it out")


def nominal_rate_hz(lap: Lap) -> int:
    """Samples a second, from the step that most samples have; whole."""
    steps = np.diff(lap.lap_time)
    steps = steps[steps > 0]
    return max(round(1 / float(np.median(steps))), 1) if len(steps) else 1


def duration_s(lap: Lap) -> float:
    """Seconds from line to line, or of the piece that was driven."""
    info = lap.info
    return info.lap_time if info.HasField("lap_time") else info.end_time - info.start_time


def ends_s(laps: Sequence[Lap]) -> Array:
    """Where the laps end, seconds from the start of the file."""
    return np.cumsum([duration_s(lap) for lap in laps])


def _joined(laps: Sequence[Lap], rate: int, channels: tuple[str, ...]) -> list[Signal]:
    """The channels of all laps on one grid."""
    ends = ends_s(laps)
    starts = np.concatenate(([0.0], ends[:-1]))
    clock = np.concatenate([start + lap.lap_time for start, lap in zip(starts, laps, strict=True)])
    grid = np.arange(max(round(ends[-1] * rate), 1)) / rate
    rows = nearest(grid, clock)
    made = [{signal.name: signal for signal in signals(lap, channels)} for lap in laps]
    shared = [signal for name, signal in made[0].items() if all(name in others for others in made)]
    return [
        one._replace(values=np.concatenate([others[one.name].values for others in made])[rows])
        for one in shared
    ]


def _file(first: Lap, channels: list[Signal], rate: int) -> bytes:
    begin = _HEAD.itemsize + _EVENT.itemsize
    data = begin + _CHANNEL.itemsize * len(channels)
    values = np.stack([channel.values for channel in channels]).astype("<f4")
    records = _records(channels, begin, data, rate)
    return b"".join((_head(first, len(channels), begin, data), records.tobytes(), values.tobytes()))


def _records(channels: list[Signal], begin: int, data: int, rate: int) -> Array:
    """The linked list of channels, from `begin` on; their values lie one after the other from `data` on."""
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
    head, event = np.zeros((), _HEAD), np.zeros((), _EVENT)
    start = time.gmtime(lap.info.start_time_ns // 1_000_000_000)
    facts: dict[str, Any] = {
        "marker": _MARKER, "channels": channels, "data": data, "event": _HEAD.itemsize,
        "format": _FORMAT, "count": count, **_LOGGER,
        "date": time.strftime("%d/%m/%Y", start).encode(), "time": time.strftime("%H:%M:%S", start).encode(),
        "driver": _text(lap.info.driver, 64), "vehicle": _text(lap.info.vehicle, 64),
        "venue": _text(lap.session.track_name, 64), "comment": b"times are UTC",
    }  # fmt: skip
    for name, value in facts.items():
        head[name] = value
    event["name"] = _text(lap.session.track_name, 64)
    event["session"] = _text(lap.session.name.removeprefix("sessions/"), 64)
    return head.tobytes() + event.tobytes()


def _text(text: str, size: int) -> bytes:
    """Latin-1 and short enough for a NUL at the end; what Latin-1 lacks becomes a question mark."""
    return text.encode(_TEXT, "replace")[: size - 1]


def _markers(laps: Sequence[Lap]) -> bytes:
    """The .ldx file: a beacon at the end of every lap, in microseconds, and the fastest."""
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
    timed = {at: lap.info.lap_time for at, lap in enumerate(laps, start=1) if lap.info.valid}
    if timed:
        best = min(timed, key=lambda at: timed[at])
        facts |= {"Fastest Time": lap_time(timed[best]), "Fastest Lap": str(best)}
    return facts
