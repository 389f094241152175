"""Events of a ring as the archiver takes them: those that can be read, in order, several laps at once."""

from collections.abc import Iterable, Iterator
from typing import Final

from rig import parse
from rig.errors import Corrupt
from rig.v1 import event_pb2, lap_pb2, session_pb2
from rigd import log
from rigd.losses.holes import uncovered
from rigd.store.naming import lap_name

_TOGETHER: Final = 8
_TOGETHER_S: Final = 1000.0
"""Laps gathered in one pass of the ring, and their seconds: 45 MB of samples. A car may stand for hours."""


def named(session: session_pb2.Session, event: event_pb2.Event) -> lap_pb2.Lap:
    """Return the lap of an event with its name. Its wall clock is near enough for one that has no samples."""
    lap = event.lap_closed.lap
    lap.name = lap_name(session.name, lap)
    lap.track_name = session.track_name
    lap.start_time_ns = event.capture_time_ns - int((event.session_time - lap.start_time) * 1e9)
    lap.end_time_ns = event.capture_time_ns - int((event.session_time - lap.end_time) * 1e9)
    return lap


def readable(records: list[tuple[int, bytes]]) -> list[event_pb2.Event]:
    """Return the events but those that the disk has spoiled, which are missing."""
    found = []
    for seq, data in records:
        try:
            event = parse.message(event_pb2.Event, data)
            if event.seq != seq:  # what is missing is counted by it
                raise Corrupt(f"it says that it is number {event.seq}")
            found.append(event)
        except Corrupt as error:
            log.say(log.EVENT_SPOILED, seq=seq, what=error)
    return found


def unbroken(events: list[event_pb2.Event]) -> Iterator[list[event_pb2.Event]]:
    """Return the events in runs without a missing number."""
    if not events:
        return iter(())
    starts = [0, *(at for at in range(1, len(events)) if events[at].seq != events[at - 1].seq + 1)]
    return (events[start:end] for start, end in zip(starts, [*starts[1:], len(events)], strict=True))


def missing_before(first: int, event: event_pb2.Event) -> bool:
    """Return whether the ring let go of events from `first` until this one. What a power cut took has numbers
    too; the next event declares them.
    """
    declared = [event.gap] if event.gap.stream == event_pb2.STREAM_EVENTS else []
    return bool(uncovered(first, event.seq - 1, declared))


def chunks(events: Iterable[event_pb2.Event]) -> Iterator[list[event_pb2.Event]]:
    """Return events in lists that are taken at once."""
    together, seconds = list[event_pb2.Event](), 0.0
    for event in events:
        lap = event.lap_closed.lap
        own = lap.end_time - lap.start_time
        if together and (len(together) >= _TOGETHER or not seconds + own <= _TOGETHER_S):
            yield together
            together, seconds = [], 0.0
        together.append(event)
        seconds += own
    yield together
