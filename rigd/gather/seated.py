"""Who was in the seat of the rig at some time of a session, by the events of the ring."""

from typing import Any, Final

from rig import parse
from rig.errors import Corrupt
from rig.v1 import event_pb2
from rigd import ring as rings
from rigd.ring import RingReader
from rigd.seat import in_ring

_SLACK_S: Final = 1.0
"""Events and laps are told by two clocks, which lie up to 0.2 s apart; a change so near is nobody's."""
_BATCH: Final = 256


def seated(ring: RingReader, session: int, start_s: float, end_s: float) -> str:
    """Return who was in the seat all along from one session clock to another of session number `session`;
    empty: nobody, or not one user alone.
    """
    start, end = (session, start_s - _SLACK_S), (session, end_s + _SLACK_S)
    changes = _changes(ring, start)
    if not changes:
        return _now(ring)
    users = {changes[0].seat_changed.former_user}
    users.update(one.seat_changed.user for one in changes if (one.session, one.session_time) <= end)
    return users.pop() if len(users) == 1 else ""


def _now(ring: RingReader) -> str:
    try:
        return in_ring(ring).user
    except Corrupt:
        return ""


def _changes(ring: RingReader, start: tuple[int, float]) -> list[event_pb2.Event]:
    """Return the changes of the seat since a session clock."""

    def early(value: Any) -> bool:
        event = _event(value)
        return event is not None and (event.session, event.session_time) < start

    found: list[event_pb2.Event] = []

    def see(_: int, value: Any) -> bool:
        event = _event(value)
        if event is not None and event.HasField("seat_changed"):
            found.append(event)
        return True

    position = ring.bisect(rings.EVENTS, early)
    while (at := ring.visit(rings.EVENTS, position, _BATCH, see)) > position:
        position = at
    return found


def _event(value: Any) -> event_pb2.Event | None:
    try:
        return parse.message(event_pb2.Event, bytes(value))
    except Corrupt:
        return None
