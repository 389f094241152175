"""Files of loggers, written from a drive whose every number is known, as their programs write them."""

import struct
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.imports.dialects.driven_loggers import Drive, line_degrees
from tests.imports.known import Array

G = 9.80665
_MINUTES = 60


def _rows(columns: Iterable[tuple[str, Array]], separator: str = ",", quote: str = "") -> list[str]:
    """Lines of numbers, each column in its own format."""
    texts = [[f"{quote}{one:{form}}{quote}" for one in values] for form, values in columns]
    return [separator.join(cells) for cells in zip(*texts, strict=True)]


def motec_csv(drive: Drive, *, about: Mapping[str, str] | None = None, separator: str = ",") -> str:
    facts = {
        "Range": "entire outing",
        "Beacon Markers": " ".join(f"{line:.3f}" for line in drive.lines),
        **(about or {}),
    }
    beside = {"Vehicle": ("Vehicle Desc", ""), "Comment": ("Session", "HOTLAP")}
    head = {
        "Format": "MoTeC CSV File",
        "Venue": "Meander Valley Grand",
        "Vehicle": "Copper GT3",
        "Driver": "A. Alder",
        "Device": "ADL",
        "Comment": "dry",
        "Log Date": "30/10/2022",
        "Log Time": "19:49:00",
        "Sample Rate": "20.000",
        "Duration": f"{drive.time[-1]:.3f}",
        **facts,
    }
    lines = [
        separator.join(f'"{cell}"' if cell else "" for cell in (name, value, "", "", *beside.get(name, ())))
        for name, value in head.items()
    ]
    names = [
        "Time",
        "Distance",
        "Brake Pos",
        "Throttle Pos",
        "Camber FL",
        "Steering Angle",
        "CG Accel Lateral",
    ]
    names += [
        "CG Accel Longitudinal",
        "Engine RPM",
        "Ground Speed",
        "Tire Temp Core RR",
        "Gear",
        "GPS Latitude",
    ]
    names += ["GPS Longitude", "Wing Flex"]
    units = ["s", "m", "%", "%", "deg", "deg", "G", "G", "rpm", "km/h", "C", "", "deg", "deg", "V"]
    columns = [
        (".3f", drive.time),
        (".1f", drive.distance),
        (".1f", drive.brake * 100),
        (".1f", drive.throttle * 100),
        (".2f", np.full(len(drive), -1.93)),
        (".1f", drive.steering * 180),
        (".3f", -drive.left / G),
        (".3f", drive.forward / G),
        (".0f", drive.rpm),
        (".2f", drive.speed * 3.6),
        (".1f", drive.water),
        (".0f", drive.gear),
        (".8f", drive.latitude),
        (".8f", drive.longitude),
        (".1f", drive.water),
    ]
    table = [separator.join(f'"{cell}"' for cell in line) for line in (names, units)]
    return "\n".join([*lines, "", "", *table, "", "", *_rows(columns, separator, '"'), ""])


def aim_csv(drive: Drive, *, beacons: bool = True) -> str:
    end = float(drive.time[-1])
    lines = [*drive.lines, end]
    spans = np.diff(lines, prepend=0.0)
    facts = {
        "Format": "AiM CSV File",
        "Session": "Meander Valley",
        "Vehicle": "Copper Junior",
        "Racer": "A. Alder",
        "Championship": "RMC",
        "Comment": "",
        "Date": '"Sunday, December 15, 2024"',
        "Time": "1:34 PM",
        "Sample Rate": "20",
        "Duration": f"{end:.3f}",
        "Segment": "Session",
    }
    if beacons:
        facts["Beacon Markers"] = ",".join(f"{line:.3f}" for line in lines)
    facts["Segment Times"] = ",".join(f"{int(span // 60):02}:{span % 60:04.1f}" for span in spans)
    names = "Time,GPS Speed,GPS Nsat,GPS LatAcc,GPS LonAcc,GPS Altitude,GPS Latitude,GPS Longitude"
    names += ",Engine RPM,Water Temp"
    units = "s,km/h, ,g,g,m,deg,deg,rpm,C"
    columns = [
        ("g", np.round(drive.time, 3)),
        (".4f", drive.speed * 3.6),
        (".0f", np.full(len(drive), 13)),
        (".4f", -drive.left / G),
        (".4f", drive.forward / G),
        (".3f", drive.height),
        (".8f", drive.latitude),
        (".8f", drive.longitude),
        (".0f", drive.rpm),
        (".1f", drive.water),
    ]
    padding = "," * names.count(",")
    head = [
        f"{name},{value}{padding}"[: 400 if name == "Beacon Markers" else None]
        for name, value in facts.items()
    ]
    return "\n".join([*head, padding, names, units, padding, *_rows(columns), ""])


def dovex(drive: Drive, begin_ms: int = 1_775_319_260_240, padding: str = "\n") -> str:
    laps = [round(one * 1000) for one in drive.lap_times]
    head = "datetime,driver,course,short_name,best_lap_ms,optimal_ms\n"
    head += f"2026-04-04 16:29:30,A. Alder,Meander Valley,MVG,{min(laps)},{min(laps) - 100}\n"
    head += "laps_ms\n" + ",".join(map(str, laps)) + "\n"
    columns = [
        (".0f", begin_ms + np.round(drive.time * 1000)),
        (".0f", np.full(len(drive), 7)),
        (".1f", np.full(len(drive), 2.9)),
        (".8f", drive.latitude),
        (".8f", drive.longitude),
        (".3f", drive.speed / 0.44704),
        (".2f", drive.height),
        (".0f", drive.rpm),
        (".3f", drive.forward / G),
    ]
    names = "timestamp,sats,hdop,lat,lng,speed_mph,altitude_m,rpm,accel_x"
    return head + padding * (1024 - len(head.encode())) + "\n".join([names, *_rows(columns), ""])


def _clock(seconds: Array) -> list[str]:
    return [f"{int(one // 3600) % 24:02}{int(one // 60) % 60:02}{one % 60:05.2f}" for one in seconds]


def vbo(
    drive: Drive,
    *,
    longitude: str = "long",
    gates: bool = True,
    begin_s: float = 41_541.0,
    swapped: bool = False,
) -> str:
    head = [
        "File created on 18/05/2025 at 11:32",
        "",
        "[header]",
        "satellites",
        "time",
        "latitude",
        "longitude",
    ]
    head += ["velocity kmh", "height", ""]
    if gates:
        head += ["[laptiming]"]
        thirds = (("Start", 0.0, "Start/Finish"), ("Split", 800.0, "Split 1"), ("Split", 1600.0, "Split 2"))
        for kind, metres, name in thirds:
            cells = []
            for latitude, east in line_degrees(metres):
                pair = [f"{-east * _MINUTES:+013.6f}", f"{latitude * _MINUTES:+013.6f}"]
                cells += pair[::-1] if swapped else pair
            head.append(f"{kind} {' '.join(cells)} ¬ {name}")
        head += [""]
    head += ["[circuit details]", "country Nowhere", "circuit Meander Valley", ""]
    names = f"sats time lat {longitude} velocity heading height latacc longacc"
    columns = [
        ("+013.6f", drive.latitude * _MINUTES),
        ("+013.6f", -drive.longitude * _MINUTES),
        ("07.3f", drive.speed * 3.6),
        ("06.2f", np.zeros(len(drive))),
        ("+09.2f", drive.height),
        ("+06.3f", -drive.left / G),
        ("+06.3f", drive.forward / G),
    ]
    clocks = _clock(begin_s + drive.time)
    rows = [f"016 {clock} {row}" for clock, row in zip(clocks, _rows(columns, " "), strict=True)]
    return "\r\n".join([*head, "[column names]", names, "", "[data]", *rows, ""])


def racechrono(drive: Drive, *, version: str = "3", fixes: int = 1, begin_s: float = 1_771_754_400.0) -> str:
    head = [
        "This file is created using RaceChrono v9.1.3 ( http://racechrono.com/ ).",
        f"Format,{version}",
        'Session title,"Test day"',
        "Session type,Lap timing",
        'Track name,"Meander Valley"',
        "Driver name,A. Alder",
        "Created,22/02/2026,10:00",
        "Note,",
        "",
    ]
    names = "timestamp,fragment_id,lap_number,elapsed_time,distance_traveled,altitude,device_update_rate,"
    names += "latitude,longitude,speed,lateral_acc,longitudinal_acc,speed,device_update_rate,rpm"
    units = "unix time,,,s,m,m,Hz,deg,deg,m/s,G,G,m/s,Hz,rpm"
    told = ",,,,,100: gps,100: gps,100: gps,100: gps,100: gps,calc,calc,200: obd,200: obd,200: obd"
    columns = [
        (".3f", begin_s + drive.time),
        (".0f", np.zeros(len(drive))),
        (".0f", drive.lap),
        (".3f", drive.time),
        (".2f", drive.distance),
        (".2f", drive.height),
        (".0f", np.full(len(drive), 20)),
        (".8f", drive.latitude),
        (".8f", drive.longitude),
        (".4f", drive.speed),
        (".4f", -drive.left / G),
        (".4f", drive.forward / G),
        (".4f", np.full(len(drive), 1.0)),
        (".0f", np.full(len(drive), 5)),
        (".1f", drive.rpm),
    ]
    rows = _rows(columns)
    if fixes > 1:  # fields are blank between updates of what tells them
        rows = [row if at % fixes == 0 else _without_fix(row) for at, row in enumerate(rows)]
    return "\n".join([*head, names, units, told, *rows, ""])


def _without_fix(row: str) -> str:
    cells = row.split(",")
    return ",".join(["" if 5 <= at <= 9 else cell for at, cell in enumerate(cells)])


def trackaddict(drive: Drive, *, told: bool = True, every: int = 1) -> str:
    names = [
        "Time",
        "UTC Time",
        "Lap",
        "Predicted Lap Time",
        "GPS_Update",
        "GPS_Delay",
        "Latitude",
        "Longitude",
    ]
    names += ["Altitude (m)", "Altitude (ft)", "Speed (MPH)", "Heading", "Accuracy (m)", "Accel X", "Accel Y"]
    names += ["Engine Speed (RPM) *OBD", "Throttle Position (%) *OBD"]
    fix = np.arange(len(drive)) // every * every
    columns = [
        (".3f", drive.time),
        (".3f", 1_727_597_624 + drive.time),
        (".0f", drive.lap),
        (".0f", np.zeros(len(drive))),
        (".0f", (np.arange(len(drive)) % every == 0).astype(float)),
        (".3f", np.zeros(len(drive))),
        (".7f", drive.latitude[fix]),
        (".7f", drive.longitude[fix]),
        (".1f", drive.height[fix]),
        (".0f", drive.height[fix] / 0.3048),
        (".2f", drive.speed[fix] / 0.44704),
        (".1f", np.zeros(len(drive))),
        (".1f", np.full(len(drive), 5.0)),
        (".2f", drive.left / G),
        (".2f", drive.forward / G),
        (".0f", drive.rpm),
        (".1f", drive.throttle * 100),
    ]
    rows = _rows(columns)
    lines = [
        "# RaceRender Data: TrackAddict 4.8.0 on iOS 15.5 [iPhone12,1] (Mode: 0)",
        "# Vehicle: Copper GT3",
        "# End Point: 45.610000, 10.110000  @ -1.00 deg",
        ",".join(f'"{name}"' for name in names),
    ]
    begin, spans = 0, np.diff(drive.lines, prepend=0.0)
    for lap, (line, span) in enumerate(zip(drive.lines, spans, strict=True)):
        end = int(np.searchsorted(drive.time, line))
        lines += rows[begin:end]
        if told:
            third = span / 3
            lines += [f"# Sector {at}: 00:00:{third:06.3f}" for at in (1, 2, 3)]
            lines.append(f"# Lap {lap}: 00:{int(span // 60):02}:{span % 60:06.3f}")
        begin = end
    return "\n".join([*lines, *rows[begin:], "# Session End", ""])


def garage61(drive: Drive, length_m: float) -> str:
    names = "Speed,LapDistPct,Lat,Lon,Brake,Throttle,RPM,SteeringWheelAngle,Gear,Clutch,ABSActive,DRSActive,"
    names += "LatAccel,LongAccel,VertAccel,Yaw,YawRate,PositionType"
    columns = [
        (".6f", drive.speed),
        (".10f", drive.distance / length_m),
        (".12f", drive.latitude),
        (".12f", drive.longitude),
        (".6g", drive.brake),
        (".6g", drive.throttle),
        (".4f", drive.rpm),
        (".7f", -drive.steering * 4),
        (".0f", drive.gear),
    ]
    after = [
        (".6f", drive.left),
        (".6f", drive.forward),
        (".6f", np.full(len(drive), G + 0.5)),
        (".6f", np.zeros(len(drive))),
        (".6f", drive.left / drive.speed),
        (".0f", np.full(len(drive), 3)),
    ]
    rows = [f"{one},1,false,false,{other}" for one, other in zip(_rows(columns), _rows(after), strict=True)]
    return "\n".join([names, *rows, ""])


FASTF1 = """driver,team,lap_time,lap_time_seconds,compound,tyre_life,sector_1,sector_2,sector_3
ALD,C,0 days 00:01:15.227000,75.227,SOFT,2.0,0 days 00:00:27.606000,0 days 00:00:26.382,0 days 00:00:21.239
BIR,Zinc,0 days 00:01:15.311000,75.311,MEDIUM,5.0,0 days 00:00:27.700000,,0 days 00:00:21.211000
ALD,Copper,0 days 00:01:16.001000,76.001,SOFT,3.0,NaT,NaT,NaT
CED,Tin,NaT,,HARD,1.0,NaT,NaT,NaT
DOG,Tin,75.2,75.2,HARD,1.0,NaT,NaT,NaT
"""

INFO = """---
WeekendInfo:
 TrackName: meander grand
 TrackLength: 2.40 km
 TrackDisplayName: Meander Valley
 TrackConfigName: Grand Prix
 TrackAirTemp: 23.89 C

SessionInfo:
 Sessions:
 - SessionNum: 0
   SessionLaps: unlimited
   SessionType: Practice
 - SessionNum: 1
   SessionLaps: 4
   SessionType: Race

DriverInfo:
 DriverCarIdx: 1
 Drivers:
 - CarIdx: 0
   UserName: B. Birch
   CarNumber: "7"
 - CarIdx: 1
   UserName: A. Alder
   CarScreenName: Copper GT3
   CarClassShortName: GT3
   CarNumber: "021"

SplitTimeInfo:
 Sectors:
...
"""


def ibt(
    drive: Drive, *, rate: int = 60, session: int = 1, begin_s: float = 932.0, told: bool = True
) -> bytes:
    """A file of iRacing's: its head, the session info, a list of variables, records."""
    running = drive.time - np.concatenate([[0.0], drive.lines])[drive.lap]
    spans = (-1.0, -1.0, *drive.lap_times)
    last = np.array([spans[lap] for lap in drive.lap])
    settled = running > 0.5
    last = np.where(settled, last, np.concatenate([[-1.0], [spans[lap - 1] for lap in drive.lap[1:]]]))
    last = last if told else np.full(len(drive), -1.0)
    columns: list[tuple[str, str, int, Array]] = [
        ("SessionTime", "s", 5, begin_s + drive.time),
        ("SessionNum", "", 2, np.full(len(drive), session)),
        ("OnPitRoad", "", 1, np.zeros(len(drive))),
        ("SteeringWheelAngle", "rad", 4, -drive.steering * 4),
        ("SteeringWheelAngleMax", "rad", 4, np.full(len(drive), 4.0)),
        ("Throttle", "%", 4, drive.throttle / 2),
        ("ThrottleRaw", "%", 4, drive.throttle),
        ("BrakeRaw", "%", 4, drive.brake),
        ("ClutchRaw", "%", 4, np.full(len(drive), 1.0)),
        ("Gear", "", 2, drive.gear),
        ("RPM", "revs/min", 4, drive.rpm),
        ("Lap", "", 2, drive.lap + 1),
        ("LapDist", "m", 4, drive.distance),
        ("LapCurrentLapTime", "s", 4, running),
        ("LapLastLapTime", "s", 4, last),
        ("Speed", "m/s", 4, drive.speed),
        ("YawRate", "rad/s", 4, drive.left / drive.speed),
        ("LatAccel", "m/s^2", 4, drive.left),
        ("Lat", "deg", 5, drive.latitude),
        ("Lon", "deg", 5, drive.longitude),
        ("Alt", "m", 4, drive.height),
        ("LFtempL", "C", 4, drive.water),
        ("EngineWarnings", "irsdk_EngineWarnings", 3, np.zeros(len(drive))),
    ]
    types = ("S1", "?", "<i4", "<u4", "<f4", "<f8")
    dtype = np.dtype([(name, types[kind]) for name, _, kind, _ in columns])
    records = np.zeros(len(drive), dtype)
    for name, _, _, values in columns:
        records[name] = values
    variables = b"".join(
        struct.pack("<3i4x32s64s32s", kind, dtype.fields[name][1], 1, name.encode(), b"", unit.encode())  # type: ignore[index]
        for name, unit, kind, _ in columns
    )
    info = INFO.encode()
    at_info = 144 + len(variables)
    begin = at_info + len(info)
    head = struct.pack(
        "<10i8x4i48xq2d2i",
        2, 1, rate, 0, len(info), at_info, len(columns), 144, 1, dtype.itemsize, 54661, begin, 0, 0,
        1_719_258_336, begin_s, begin_s + drive.time[-1], 3, len(drive),
    )  # fmt: skip
    return head + variables + info + records.tobytes()


def _xrk_message(token: str, payload: bytes) -> bytes:
    name = token.encode().ljust(4)
    return (
        b"<h" + name + struct.pack("<iB", len(payload), 1) + b">" + payload
        + b"<" + name + struct.pack("<H", sum(payload) & 0xFFFF) + b">"
    )  # fmt: skip


def _xrk_channel(index: int, name: str, unit: int, period_ms: int) -> bytes:
    data = bytearray(112)
    struct.pack_into("<H", data, 0, index)
    data[12], data[20] = unit, 6
    struct.pack_into("<8s24s", data, 24, name[:7].encode(), name.encode())
    struct.pack_into("<I", data, 64, period_ms * 1000)
    data[72] = 4
    return _xrk_message("CHS", bytes(data))


def _earth_centred(drive: Drive) -> Array:
    """Places [m] from the centre of the earth, shape (rows, 3)."""
    phi, lam = np.radians(drive.latitude), np.radians(drive.longitude)
    normal = 6_378_137.0 / np.sqrt(1 - 0.00669437999014 * np.sin(phi) ** 2)
    across = (normal + drive.height) * np.cos(phi)
    up = (normal * (1 - 0.00669437999014) + drive.height) * np.sin(phi)
    return np.stack([across * np.cos(lam), across * np.sin(lam), up], axis=1)


def xrk(drive: Drive, begin_ms: int = 5000) -> bytes:
    """A logger's file: channels of its own, a receiver, the laps timed to the millisecond."""
    channels = (
        ("Engine RPM", 15, drive.rpm),
        ("InlineAcc", 3, drive.forward / G),
        ("Water Temp", 17, drive.water),
        ("Exotic", 21, drive.water),
    )
    names = [_xrk_channel(at, name, unit, 50) for at, (name, unit, _) in enumerate(channels)]
    parts = [
        _xrk_message("CNF", b"".join(names)),
        _xrk_message("RCR", b"A. Alder\0"),
        _xrk_message("VEH", b"Copper Junior\0"),
        _xrk_message("TMD", b"15/12/2024\0"),
        _xrk_message("TMT", b"13:34:00\0"),
    ]
    lines = [0, *(round(line * 1000) for line in drive.lines)]
    for lap, (begin, end) in enumerate(pairwise(lines)):
        parts.append(_xrk_message("LAP", struct.pack("<BBHI8xI", 0, 0, lap, end - begin, begin_ms + end)))
    places = _earth_centred(drive) * 100
    speeds = np.gradient(places, drive.time, axis=0)
    for at, time in enumerate(drive.time):
        clock = begin_ms + round(time * 1000)
        for index, (_, _, values) in enumerate(channels):
            parts.append(b"(S" + struct.pack("<iHf", clock, index, values[at]) + b")")
        place, speed = (np.rint(one[at]).astype(int).tolist() for one in (places, speeds))
        fix = struct.pack(
            "<iIiHBB3iI3iIHBBI", clock, 0, 0, 2345, 3, 0xD, *place, 50, *speed, 10, 120, 0, 12, 0
        )
        parts.append(_xrk_message("GPS", fix))
    return b"".join(parts)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
