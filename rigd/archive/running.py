"""The lap that a car is driving now, read from the ring."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS
from rig.columns import Head, Layout, read_head
from rig.v1 import lap_pb2, scoring_pb2, session_pb2
from rigd import ring as rings
from rigd.archive.gather import Gathered, gather
from rigd.ring import RingReader

_LOOK_BACK: Final = 64
"""Scoring updates searched for the entry list: it is written every ten seconds, which is 50 at most."""


def running(ring: RingReader, car: int) -> Gathered | None:
    """The running lap of the car in slot `car` up to the newest tick, None when the car is not on track.

    Its lap has no name, time or index: those come when it is closed. The session has the state alone.
    """
    seq = ring.heads()[rings.PHYSICS]
    data = ring.get(rings.PHYSICS, seq) if seq else None
    if data is None:
        return None
    head = read_head(data)
    view = Layout(PHYSICS, data, 0, len(data)).view(data, 0)
    rows = np.flatnonzero(view["id"] == car)
    if not len(rows):
        return None
    lap = _lap(head, view, int(rows[0]))
    state = introduce(ring, [lap])
    lap.track_name, lap.track_length = state.track_name, state.track_length
    session = session_pb2.Session(
        ring=ring.id.hex(), ring_session=lap.session, track_name=state.track_name, state=state
    )
    return gather(ring, [lap], session)[0]


def _lap(head: Head, view: Any, row: int) -> lap_pb2.Lap:
    return lap_pb2.Lap(
        kind=lap_pb2.LAP_KIND_LAP,
        car=int(view["id"][row]),
        number=int(view["lap_number"][row]),
        player=int(view["id"][row]) == head.player,
        start_time=float(view["lap_start_time"][row]),
        end_time=float(np.nextafter(view["elapsed_time"][row], np.inf)),
        session=head.session,
        running=True,
    )


def introduce(ring: RingReader, laps: Sequence[lap_pb2.Lap]) -> session_pb2.SessionState:
    """Fill in who drives what, from the last scoring updates. Returns the state of the session."""
    newest = ring.heads()[rings.SCORING]
    state = None
    for seq in range(newest, max(newest - _LOOK_BACK, 0), -1):
        if (data := ring.get(rings.SCORING, seq)) is None:
            continue
        update = scoring_pb2.Scoring.FromString(data)
        state = state or update.session_state
        if update.HasField("entry_list"):
            _name(laps, update.entry_list)
            break
    return state or session_pb2.SessionState()


def _name(laps: Sequence[lap_pb2.Lap], entries: session_pb2.EntryList) -> None:
    by_slot = {entry.id: entry for entry in entries.entries}
    for lap in laps:
        if (entry := by_slot.get(lap.car)) is not None:
            lap.driver, lap.vehicle = entry.driver_name, entry.vehicle_name
            lap.vehicle_class, lap.team = entry.vehicle_class, entry.pit_group
            lap.front_compound, lap.rear_compound = entry.front_compound, entry.rear_compound
