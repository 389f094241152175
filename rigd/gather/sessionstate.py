"""Session state: track, weather and who drives what, as scoring knew it at some moment of a session."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from rig import parse
from rig.columns import read_head
from rig.v1 import lap_pb2, scoring_pb2, session_pb2
from rigd import ring as rings
from rigd.ring import RingReader

_LOOK_BACK: Final = 64
"""Updates searched for the entry list: it is written every ten seconds, which is 50 at most."""


class KnownState(NamedTuple):
    """What was known; empty where scoring of that time is no longer in the ring."""

    state: session_pb2.SessionState
    entries: Mapping[int, session_pb2.Entry]
    """By slot id."""

    def fill_in(self, laps: Iterable[lap_pb2.Lap]) -> None:
        """Fill in who drives each lap, and what."""
        for lap in laps:
            if (entry := self.entries.get(lap.car)) is not None:
                lap.driver, lap.vehicle = entry.driver_name, entry.vehicle_name
                lap.vehicle_class, lap.team = entry.vehicle_class, entry.pit_group
                lap.front_compound, lap.rear_compound = entry.front_compound, entry.rear_compound


def session_state(ring: RingReader, session: int, clock_s: float) -> KnownState:
    """Return what was known of session number `session` at session clock `clock_s`, in seconds."""

    def before(value: Any) -> bool:
        head = read_head(value)
        return (head.session, head.session_time) <= (session, clock_s)

    last = ring.bisect(rings.SCORING, before)
    state = None
    for _ in range(_LOOK_BACK):
        found = ring.latest(rings.SCORING, last)  # an update that was missed has a number and no record
        if found is None or read_head(found[1]).session != session:
            break
        last, update = found[0] - 1, parse.message(scoring_pb2.Scoring, found[1])
        state = state or update.session_state
        if update.HasField("entry_list"):
            return KnownState(state, {entry.id: entry for entry in update.entry_list.entries})
    return KnownState(state or session_pb2.SessionState(), {})
