"""A race made up for the tests: frames, scoring and status as a recorder would make them."""

from typing import Any

import numpy as np

from rig.channels import PHYSICS, SCORING, Table
from rig.columns import Head, Layouts, Template, read_head
from rig.v1 import event_pb2, rig_pb2, scoring_pb2, session_pb2
from rigclient.frames import PhysicsFrame, ScoringFrame

PLAYER = 7
SLOTS = (7, 3, 11)
START_NS = 1_790_000_000_000_000_000

NAMES = {7: "A. Alder", 3: "É. Érable", 11: "山田 太郎"}


def head(table: Table, seq: int, rows: int, player: int = PLAYER) -> Head:
    return Head(seq, START_NS + seq * 20_000_000, 1, seq * 0.02, seq, table.schema, rows, player, False, True)


def physics(seq: int, slots: tuple[int, ...] = SLOTS, player: int = PLAYER, **values: Any) -> bytes:
    """A tick; `values` are columns by name, the rest drives along."""
    template = Template(PHYSICS, len(slots))
    put = template.columns
    put["id"][:] = slots
    put["speed"][:] = 50.0
    put["gear"][:] = 4
    put["engine_rpm"][:] = 7250.0
    put["engine_max_rpm"][:] = 8000.0
    put["throttle"][:] = 0.75
    put["fuel"][:], put["fuel_capacity"][:] = 40.0, 100.0
    put["elapsed_time"][:] = seq * 0.02
    put["tyre_temp"][:] = 90.0
    put["tyre_pressure"][:], put["brake_temp"][:], put["tyre_tread"][:] = 160.0, 400.0, 0.9
    for name, column in values.items():
        put[name][:] = column
    return template.pack(head(PHYSICS, seq, len(slots), player))


def scoring(seq: int, slots: tuple[int, ...] = SLOTS, player: int = PLAYER, **values: Any) -> bytes:
    """An update with session and entry list; the cars stand in the order of `slots`."""
    template = Template(SCORING, len(slots))
    put = template.columns
    rows = np.arange(len(slots))
    put["id"][:], put["place"][:] = slots, rows + 1
    put["laps"][:] = 5
    put["lap_distance"][:] = 1000.0 - 100.0 * rows
    put["sector"][:], put["count_lap_flag"][:] = 1, 2
    put["last_lap_time"][:] = 95.0 + rows
    put["best_lap_time"][:] = 94.0 + rows
    put["time_behind_leader"][:], put["time_behind_next"][:] = 1.5 * rows, 1.5
    for name, column in values.items():
        put[name][:] = column
    tail = scoring_pb2.Scoring(session_state=session(), entry_list=entries(slots)).SerializeToString()
    return template.pack(head(SCORING, seq, len(slots), player), tail)


def session(**changes: Any) -> session_pb2.SessionState:
    facts: dict[str, Any] = {
        "track_name": "Hollow Pass",
        "kind": session_pb2.SESSION_KIND_RACE,
        "number": 10,
        "end_time": 3600.0,
        "max_laps": 20,
        "track_length": 4000.0,
        "game_phase": 5,
        "sector_flags": [0, 1, 0],
        "weather": session_pb2.Weather(ambient_temp=21.0, track_temp=29.0, raining=0.3, wind=[3.0, 0.0, 4.0]),
    }
    return session_pb2.SessionState(**facts | changes)


def entries(slots: tuple[int, ...]) -> session_pb2.EntryList:
    return session_pb2.EntryList(
        entries=[
            session_pb2.Entry(
                id=slot,
                driver_name=NAMES.get(slot, f"D. Driver {slot}"),
                vehicle_name=f"Amber Racing #{slot}",
                vehicle_class=("Prototype", "Grand Tourer")[slot % 2],
                front_compound="Soft",
            )
            for slot in slots
        ]
    )


def status(
    source_state: str = "LIVE", explanation: str = "Telemetry is arriving."
) -> rig_pb2.GetStatusResponse:
    """A rig in good order."""
    recorder = rig_pb2.RecorderStatus(
        source_state=source_state,
        source_explanation=explanation,
        physics_rate_hz=50.0,
        scoring_rate_hz=5.0,
        cars=3,
        captured=1000,
        committed=998,
        missed=4,
        torn_given_up=1,
        pending=2,
        loss_window_ms=21.0,
        cars_setting="all",
        tick_work=rig_pb2.Latency(count=1000, p50_ms=0.5, p99_ms=1.25, max_ms=4.0),
        process=rig_pb2.ProcessStatus(pid=4711, uptime_s=60.0, cpu_percent=6.5, rss_bytes=20_000_000),
        durable_seq=998,
        session=1,
    )
    span = rig_pb2.StreamSpan(
        stream=event_pb2.STREAM_PHYSICS,
        first_seq=1,
        last_seq=998,
        first_time_ns=START_NS,
        last_time_ns=START_NS + 200_000_000_000,
        cursor=b"cursor",
    )
    follower = rig_pb2.Follower(
        peer="ipv4:127.0.0.1:50000", stream=event_pb2.STREAM_PHYSICS, seq=990, lag=8, channels=12, age_s=30.0
    )
    ring = rig_pb2.RingStatus(
        path="/data/ring", id="ab", bytes=500_000_000, limit_bytes=1_000_000_000, spans=[span]
    )
    return rig_pb2.GetStatusResponse(
        version="1.2.3", recorder=recorder, ring=ring, followers=[follower], process=recorder.process
    )


def gap(first: int, last: int, **facts: Any) -> event_pb2.Gap:
    """A declared loss of telemetry, by default because the recorder was too slow."""
    facts = {"count": last - first + 1, "reason": event_pb2.GAP_REASON_MISSED} | facts
    return event_pb2.Gap(stream=event_pb2.STREAM_PHYSICS, first_seq=first, last_seq=last, **facts)


def singles(*records: bytes) -> list[list[tuple[int, bytes]]]:
    """One message per record."""
    return [[(read_head(data).seq, data)] for data in records]


def physics_frame(data: bytes) -> PhysicsFrame:
    """As the client makes it of what came."""
    record = read_head(data)
    return PhysicsFrame(data, 0, len(data), record, Layouts(PHYSICS).of(record, data, 0, len(data)))


def scoring_frame(data: bytes) -> ScoringFrame:
    """As the client makes it of what came."""
    record = read_head(data)
    return ScoringFrame(data, 0, len(data), record, Layouts(SCORING).of(record, data, 0, len(data)))
