"""The lap that a car is driving now, read from the ring."""

from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS
from rig.columns import Head, Layouts, read_head
from rig.v1 import lap_pb2, session_pb2
from rigd import ring as rings
from rigd.gather.gather import Gathered, gather
from rigd.gather.seated import seated
from rigd.gather.sessionstate import session_state
from rigd.ring import RingReader

_AHEAD_S: Final = 1.0
"""Scoring is never further ahead of telemetry."""


MOST_ROWS: Final = 30_000
"""Rows of a running lap, ten minutes at 50 Hz: who reads it holds it in memory, 27 MB."""


def running(ring: RingReader, car: int) -> Gathered | None:
    """Return the running lap of the car in slot `car` up to the newest tick, None when the car is not on
    track. What is beyond `MOST_ROWS` is left out, and declared.

    Its lap has no name, time or index: those come when it is closed. The session has the state alone.
    """
    seq = ring.heads()[rings.PHYSICS]
    data = ring.get(rings.PHYSICS, seq) if seq else None
    if data is None:
        return None
    head = read_head(data)
    view = Layouts(PHYSICS, whole=True).of(head, data, 0, len(data)).view(data, 0)
    rows = np.flatnonzero(view["id"] == car)
    if not len(rows):
        return None
    lap = _lap(head, view, int(rows[0]))
    known = session_state(ring, lap.session, head.session_time + _AHEAD_S)
    known.fill_in([lap])
    state = known.state
    lap.track_name, lap.track_length = state.track_name, state.track_length
    if lap.player:
        lap.user = seated(ring, lap.session, lap.start_time, lap.start_time)
    session = session_pb2.Session(
        ring=ring.id.hex(), ring_session=lap.session, track_name=state.track_name, state=state
    )
    return gather(ring, [lap], session, MOST_ROWS)[0]


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
