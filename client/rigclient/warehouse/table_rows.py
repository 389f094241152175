"""Rows of SESSIONS, LAPS, EVENTS and GAPS from the contract's messages; what is absent there becomes NULL."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from google.protobuf import json_format

from rig.lapfile import RECORDED, SAMPLES, SCORINGS, LapFile
from rig.v1 import analysis_pb2, archive_pb2, event_pb2, lap_pb2, session_pb2
from rigclient.queries import words
from rigclient.warehouse import flags
from rigclient.warehouse.names import parted

Array = np.ndarray[Any, np.dtype[Any]]
NamedRow = dict[str, Any]
"""A row by the names of its columns; a column that is not in it is NULL."""

_OFFLINE: Final = "-none-"
_MOST: Final = (1 << 63) - 1
"""The greatest number a warehouse takes. What a damaged record says may be twice as much."""


def session(rig_id: str, message: session_pb2.Session) -> NamedRow:
    """Return the row of SESSIONS."""
    state, weather = message.state, message.state.weather
    weather_known = message.HasField("state") and state.HasField("weather")
    return {
        "RIG_ID": rig_id,
        "SESSION": message.name.removeprefix("sessions/"),
        "TRACK": message.track_name,
        "TRACK_LENGTH": message.track_length,
        "KIND": _word(session_pb2.SessionKind, message.kind),
        "SESSION_NUMBER": message.number,
        "SOURCE": _word(session_pb2.SessionSource, message.source),
        "STATUS": _word(session_pb2.SessionStatus, message.status),
        "START_TIME_NS": message.start_time_ns or None,
        "END_TIME_NS": message.end_time_ns or None,
        "RING": message.ring or None,
        "RING_SESSION": message.ring_session,
        "MAX_LAPS": _given(state, "max_laps"),
        "LENGTH_S": _given(state, "end_time"),
        "PLAYER_NAME": state.player_name or None,
        "SERVER_NAME": None if state.server_name in ("", _OFFLINE) else state.server_name,
        "AMBIENT_TEMP": weather.ambient_temp if weather_known else None,
        "TRACK_TEMP": weather.track_temp if weather_known else None,
        "RAINING": weather.raining if weather_known else None,
    }


def lap(rig_id: str, lap: lap_pb2.Lap) -> NamedRow:
    """Return the row of LAPS, without the columns that need the lap file: GREEN, TOP_SPEED, SCHEMA_CRC."""
    own_session, own = parted(lap.name)
    return {
        "RIG_ID": rig_id,
        "SESSION": own_session,
        "LAP": own,
        "KIND": _word(lap_pb2.LapKind, lap.kind),
        "CAR": lap.car,
        "CAR_NUMBER": lap.car_number or None,
        "LAP_INDEX": lap.index,
        "LAP_NUMBER": lap.number,
        "STINT": lap.stint or None,
        "DRIVER": lap.driver or None,
        "RIG_USER": lap.user or None,
        "FORMER_DRIVERS": ", ".join(lap.former_drivers) or None,
        "VEHICLE": lap.vehicle or None,
        "VEHICLE_CLASS": lap.vehicle_class or None,
        "TEAM": lap.team or None,
        "PLAYER": lap.player,
        "START_TIME": lap.start_time,
        "END_TIME": lap.end_time,
        **{name.upper(): _given(lap, name) for name in ("lap_time", "sector1", "sector2", "sector3")},
        "OFFICIAL": lap.official,
        "VALID": lap.valid,
        "AI_TAKEOVER": lap.ai_takeover,
        "UNDRIVEN": lap.undriven,
        "COMPLETE": lap.complete,
        "OUT_LAP": lap.out_lap,
        "IN_LAP": lap.in_lap,
        "PIT_VISITS": len(lap.pit_visits),
        "PIT_TIME": sum(v.exit_time - v.enter_time for v in lap.pit_visits if v.HasField("exit_time")),
        "PLACE": lap.place or None,
        "FRONT_COMPOUND": lap.front_compound or None,
        "REAR_COMPOUND": lap.rear_compound or None,
        "TRACK": lap.track_name,
        "TRACK_LENGTH": lap.track_length or None,
        "START_TIME_NS": lap.start_time_ns or None,
        "END_TIME_NS": lap.end_time_ns or None,
        "SAMPLES": lap.samples,
        "MISSING": lap.missing,
        "TORN_SAMPLES": lap.torn_samples,
        "SCORINGS": lap.scorings,
        "BYTES": lap.bytes,
        "DIGEST": lap.digest,
    }


def lap_of_file(
    rig_id: str, file: LapFile, size: int, samples: Mapping[str, Array], scoring: Mapping[str, Array]
) -> NamedRow:
    """Return the whole row of LAPS: `size` is the bytes of the file, `samples` and `scoring` its columns."""
    speed = samples.get("speed", np.empty(0))
    moving = speed[np.isfinite(speed)]
    return lap(rig_id, file.header.lap) | {
        "BYTES": size,
        "DIGEST": file.digest,
        "GREEN": flags.green(file.header, scoring),
        "TOP_SPEED": float(moving.max()) if len(moving) else None,
        "SCHEMA_CRC": schema_crc(file),
        **_recorded(file.header),
    }


def _recorded(header: archive_pb2.LapHeader) -> NamedRow:
    """Return what only the file of another program tells of a lap; nothing of one that was recorded here."""
    told = header.recording
    if not header.HasField("recording"):
        return {}
    row = {"FLAG": told.flag or None, "GREEN": _given(told, "green"), "PIT_TIME": _given(told, "pit_time")}
    return row | ({"TOP_SPEED": told.top_speed} if told.HasField("top_speed") else {})


def readings(constants: Mapping[str, str | int], file: LapFile) -> Iterator[NamedRow]:
    """Yield the rows of READINGS: timing lines within a lap, and what no channel holds of its samples."""
    for at, point in enumerate(file.header.recording.points, start=1):
        times = {"LAP_TIME": point.time, "VALUE": _given(point, "since")}
        yield {**constants, "SEQ": at, "NAME": point.name, **times}
    names = file.channels(RECORDED)
    if not names:
        return
    clock = file.columns(("seq", "lap_time"))
    for name in names:
        values = file.column(name, RECORDED)
        told = np.flatnonzero(~np.isnan(values))
        columns = (clock["seq"][told].tolist(), clock["lap_time"][told].tolist(), values[told].tolist())
        for seq, lap_time, value in zip(*columns, strict=True):
            yield {**constants, "SEQ": seq, "NAME": name, "LAP_TIME": lap_time, "VALUE": value}


def file(rig_id: str, lap: LapFile) -> NamedRow:
    """Return the row of FILES of the file of another program that a lap was made of."""
    told = lap.header.recording
    return {
        "RIG_ID": rig_id,
        "SHA256": told.sha256,
        "PATH": told.file,
        "KIND": told.dialect,
        "SESSION": parted(lap.header.lap.name)[0],
        "BYTES": told.bytes,
        "LAPS": told.laps,
        "REFUSED": told.refused,
    }


def schema_crc(file: LapFile) -> int:
    """Return the CRC-32 of the channels of a lap file: their sections, names, types and widths."""
    shape = sorted((c.section, c.name, c.dtype, c.width) for c in file.header.columns)
    return zlib.crc32(repr(shape).encode())


def gaps_of_lap(rig_id: str, file: LapFile) -> Iterator[NamedRow]:
    """Yield the rows of GAPS for the samples that a lap file declares missing."""
    own_session, own = parted(file.header.lap.name)
    for one in file.header.gaps:
        yield {"RIG_ID": rig_id, "SESSION": own_session, "LAP": own, **_gap(one)}


def corners(rig_id: str, lap: str, kept: analysis_pb2.ListCornersResponse) -> Iterator[NamedRow]:
    """Yield the rows of CORNERS of a lap."""
    own_session, own = parted(lap)
    for one in kept.corners:
        known = {field.name.upper(): value for field, value in one.ListFields()}
        yield {
            **known,
            "RIG_ID": rig_id,
            "SESSION": own_session,
            "LAP": own,
            "CIRCUIT": kept.circuit,
            "CLEAR": one.clear,
            "SPEED_CLASS": one.speed_class or None,
            "FINGERPRINT": kept.fingerprint,
        }


def event(rig_id: str, ring: str, message: event_pb2.Event) -> NamedRow:
    """Return the row of EVENTS."""
    kind = message.WhichOneof("kind") or ""
    body: Any = getattr(message, kind) if kind else None
    subject = body.lap if kind == "lap_closed" else body
    return {
        "RIG_ID": rig_id,
        "RING": ring,
        "SEQ": message.seq,
        "RING_SESSION": message.session,
        "CAPTURE_TIME_NS": _whole(message.capture_time_ns),
        "SESSION_TIME": message.session_time,
        "KIND": kind,
        "CAR": getattr(subject, "car", None),
        "DRIVER": getattr(subject, "driver", None) or None,
        "BODY": _json(body) if kind else None,
    }


def gaps_of_ring(rig_id: str, ring: str, events: Iterable[event_pb2.Event]) -> Iterator[NamedRow]:
    """Yield the rows of GAPS for the gaps among the events of a ring."""
    for one in events:
        if one.HasField("gap"):
            yield {"RIG_ID": rig_id, "RING": ring, **_gap(one.gap)}


def evicted(rig_id: str, ring: str, first: int, last: int) -> NamedRow:
    """Return the row of GAPS for events `first` to `last`, evicted before they were loaded."""
    gap = event_pb2.Gap(
        stream=event_pb2.STREAM_EVENTS,
        first_seq=first,
        last_seq=last,
        count=last - first + 1,
        reason=event_pb2.GAP_REASON_EVICTED,
        detail="the ring had let go of them",
    )
    return {"RIG_ID": rig_id, "RING": ring, **_gap(gap)}


def numbered(rows: Iterable[NamedRow]) -> Iterator[NamedRow]:
    """Yield rows of GAPS with N, their position in the load."""
    return ({**row, "N": number} for number, row in enumerate(rows))


def columns_of(file: LapFile) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return all channels of the samples and of the scoring updates of a lap, as arrays by name."""
    return file.columns((), SAMPLES), file.columns((), SCORINGS)


def _gap(gap: event_pb2.Gap) -> NamedRow:
    return {
        "STREAM": _word(event_pb2.Stream, gap.stream),
        "FIRST_SEQ": _whole(gap.first_seq),
        "LAST_SEQ": _whole(gap.last_seq),
        "MISSING": _whole(gap.count) if gap.HasField("count") else None,
        "REASON": _word(event_pb2.GapReason, gap.reason),
        "BEGIN_TIME_NS": _whole(gap.begin_time_ns) or None,
        "END_TIME_NS": _whole(gap.end_time_ns) or None,
        "DETAIL": gap.detail or None,
    }


def _word(enum: Any, number: int) -> str | None:
    """Return the contract's word in lower case, the number itself of an unknown one, None for UNSPECIFIED."""
    known = {value: word for word, value in words(enum).items()}
    return known.get(number, str(number)) if number else None


def _whole(number: int) -> int:
    return min(number, _MOST)


def _given(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _json(message: Any) -> str:
    return json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True)
