"""The moment of a scoring update: its clock, what is told at it, and the tyres the cars then have."""

from collections.abc import Callable
from typing import Any

from rig.v1 import event_pb2


class Moment:
    """One update. `trigger` gathers why the row of the car at hand is to be written: bits of Trigger."""

    def __init__(
        self,
        session: int,
        track_length: float,
        clock_s: float,
        compounds: Callable[[], dict[int, tuple[str, str]]] = dict,
        user: str = "",
    ) -> None:
        self.session = session
        self.track_length = track_length
        self.clock_s = clock_s
        self.user = user
        """Who is in the seat of the rig."""
        self.events: list[event_pb2.Event] = []
        self.trigger = 0
        self._compounds = compounds
        self._tyres: dict[int, tuple[str, str]] | None = None

    def tell(self, trigger: int = 0, **kind: Any) -> None:
        """Add an event of this session and clock, and a reason to write the row."""
        event = event_pb2.Event(session=self.session, session_time=self.clock_s, **kind)
        self.events.append(event)
        self.trigger |= trigger

    def tyres(self, slot: int) -> list[str] | None:
        """Return front and rear compound, None when telemetry does not have the car. Asked for once per
        update.
        """
        if self._tyres is None:
            self._tyres = self._compounds()
        found = self._tyres.get(slot)
        return None if found is None else list(found)
