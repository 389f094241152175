"""Rows of sessions, laps, events and gaps, from the contract's messages. What is absent there is not here."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from google.protobuf import json_format

from rig.lapfile import SAMPLES, SCORINGS, LapFile
from rig.v1 import event_pb2, lap_pb2, session_pb2
from rigclient.queries import words
from rigclient.warehouse import flags
from rigclient.warehouse.tables import parted

Array = np.ndarray[Any, np.dtype[Any]]
Facts = dict[str, Any]

_OFFLINE: Final = "-none-"
_MOST: Final = (1 << 63) - 1
"""The greatest number a warehouse takes. What a damaged record says may be twice as much."""


def session(rig_id: str, one: session_pb2.Session) -> Facts:
    """A row of SESSIONS."""
    state, weather = one.state, one.state.weather
    told = one.HasField("state") and state.HasField("weather")
    return {
        "RIG_ID": rig_id,
        "SESSION": one.name.removeprefix("sessions/"),
        "TRACK": one.track_name,
        "TRACK_LENGTH": one.track_length,
        "KIND": _word(session_pb2.SessionKind, one.kind),
        "SESSION_NUMBER": one.number,
        "SOURCE": _word(session_pb2.SessionSource, one.source),
        "STATUS": _word(session_pb2.SessionStatus, one.status),
        "START_TIME_NS": one.start_time_ns,
        "END_TIME_NS": one.end_time_ns or None,
        "RING": one.ring or None,
        "RING_SESSION": one.ring_session,
        "MAX_LAPS": _given(state, "max_laps"),
        "LENGTH_S": _given(state, "end_time"),
        "PLAYER_NAME": state.player_name or None,
        "SERVER_NAME": None if state.server_name in ("", _OFFLINE) else state.server_name,
        "AMBIENT_TEMP": weather.ambient_temp if told else None,
        "TRACK_TEMP": weather.track_temp if told else None,
        "RAINING": weather.raining if told else None,
    }


def lap(rig_id: str, one: lap_pb2.Lap) -> Facts:
    """A row of LAPS, as far as a list of laps tells it."""
    own_session, own = parted(one.name)
    return {
        "RIG_ID": rig_id,
        "SESSION": own_session,
        "LAP": own,
        "KIND": _word(lap_pb2.LapKind, one.kind),
        "CAR": one.car,
        "LAP_INDEX": one.index,
        "LAP_NUMBER": one.number,
        "STINT": one.stint or None,
        "DRIVER": one.driver or None,
        "FORMER_DRIVERS": ", ".join(one.former_drivers) or None,
        "VEHICLE": one.vehicle or None,
        "VEHICLE_CLASS": one.vehicle_class or None,
        "TEAM": one.team or None,
        "PLAYER": one.player,
        "START_TIME": one.start_time,
        "END_TIME": one.end_time,
        **{name.upper(): _given(one, name) for name in ("lap_time", "sector1", "sector2", "sector3")},
        "OFFICIAL": one.official,
        "VALID": one.valid,
        "AI_TAKEOVER": one.ai_takeover,
        "UNDRIVEN": one.undriven,
        "COMPLETE": one.complete,
        "OUT_LAP": one.out_lap,
        "IN_LAP": one.in_lap,
        "PIT_VISITS": len(one.pit_visits),
        "PIT_TIME": sum(v.exit_time - v.enter_time for v in one.pit_visits if v.HasField("exit_time")),
        "PLACE": one.place or None,
        "FRONT_COMPOUND": one.front_compound or None,
        "REAR_COMPOUND": one.rear_compound or None,
        "TRACK": one.track_name,
        "TRACK_LENGTH": one.track_length or None,
        "START_TIME_NS": one.start_time_ns,
        "END_TIME_NS": one.end_time_ns,
        "SAMPLES": one.samples,
        "MISSING": one.missing,
        "TORN_SAMPLES": one.torn_samples,
        "SCORINGS": one.scorings,
        "BYTES": one.bytes,
        "DIGEST": one.digest,
    }


def lap_of_file(
    rig_id: str, file: LapFile, size: int, samples: Mapping[str, Array], scoring: Mapping[str, Array]
) -> Facts:
    """A row of LAPS, whole."""
    speed = samples.get("speed", np.empty(0))
    moving = speed[np.isfinite(speed)]
    return lap(rig_id, file.header.lap) | {
        "BYTES": size,
        "DIGEST": file.digest,
        "GREEN": flags.green(file.header, scoring),
        "TOP_SPEED": float(moving.max()) if len(moving) else None,
        "SCHEMA_CRC": schema_crc(file),
    }


def schema_crc(file: LapFile) -> int:
    """Fingerprint of the channels of a lap file: names, types and widths."""
    shape = sorted((c.section, c.name, c.dtype, c.width) for c in file.header.columns)
    return zlib.crc32(repr(shape).encode())


def gaps_of_lap(rig_id: str, file: LapFile) -> Iterator[Facts]:
    """Rows of GAPS of a lap."""
    own_session, own = parted(file.header.lap.name)
    for one in file.header.gaps:
        yield {"RIG_ID": rig_id, "SESSION": own_session, "LAP": own, **_gap(one)}


def event(rig_id: str, ring: str, one: event_pb2.Event) -> Facts:
    """A row of EVENTS."""
    kind = one.WhichOneof("kind") or ""
    body: Any = getattr(one, kind) if kind else None
    who = body.lap if kind == "lap_closed" else body
    return {
        "RIG_ID": rig_id,
        "RING": ring,
        "SEQ": one.seq,
        "RING_SESSION": one.session,
        "CAPTURE_TIME_NS": _whole(one.capture_time_ns),
        "SESSION_TIME": one.session_time,
        "KIND": kind,
        "CAR": getattr(who, "car", None),
        "DRIVER": getattr(who, "driver", None) or None,
        "BODY": _json(body) if kind else None,
    }


def gaps_of_ring(rig_id: str, ring: str, events: Iterable[event_pb2.Event]) -> Iterator[Facts]:
    """Rows of GAPS of the losses that events tell."""
    for one in events:
        if one.HasField("gap"):
            yield {"RIG_ID": rig_id, "RING": ring, **_gap(one.gap)}


def evicted(rig_id: str, ring: str, first: int, last: int) -> Facts:
    """A row of GAPS: events that the ring had let go of before anybody loaded them."""
    gap = event_pb2.Gap(
        stream=event_pb2.STREAM_EVENTS,
        first_seq=first,
        last_seq=last,
        count=last - first + 1,
        reason=event_pb2.GAP_REASON_EVICTED,
        detail="the ring had let go of them",
    )
    return {"RIG_ID": rig_id, "RING": ring, **_gap(gap)}


def numbered(rows: Iterable[Facts]) -> Iterator[Facts]:
    """Rows of GAPS with their position in the load."""
    return ({**row, "N": number} for number, row in enumerate(rows))


def columns_of(file: LapFile) -> tuple[dict[str, Array], dict[str, Array]]:
    """All channels of the samples and of the scoring updates of a lap."""
    return file.columns((), SAMPLES), file.columns((), SCORINGS)


def _gap(one: event_pb2.Gap) -> Facts:
    return {
        "STREAM": _word(event_pb2.Stream, one.stream),
        "FIRST_SEQ": _whole(one.first_seq),
        "LAST_SEQ": _whole(one.last_seq),
        "MISSING": _whole(one.count) if one.HasField("count") else None,
        "REASON": _word(event_pb2.GapReason, one.reason),
        "BEGIN_TIME_NS": _whole(one.begin_time_ns) or None,
        "END_TIME_NS": _whole(one.end_time_ns) or None,
        "DETAIL": one.detail or None,
    }


def _word(enum: Any, number: int) -> str | None:
    """The contract's word in lower case, the number of one from the future, None for what is not said."""
    known = {value: word for word, value in words(enum).items()}
    return known.get(number, str(number)) if number else None


def _whole(number: int) -> int:
    return min(number, _MOST)


def _given(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _json(message: Any) -> str:
    return json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True)
