"""What a warehouse reads of a rig: sessions from the oldest on, lap files by digest, events by number."""

import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Final, NamedTuple, Self

from rig.errors import Corrupt, Mismatch, RigError
from rig.lapfile import LapFile
from rig.v1 import analysis_pb2, event_pb2, lap_pb2, session_pb2
from rigclient.blocking import Rig, connect

_MARKED_AT_ONCE: Final = 200
"""The rig's own limit."""
_LISTED_AT_ONCE: Final = 1000
_CLOCK_S: Final = 1e-3
"""A wall clock as a float is good to a quarter of a microsecond."""
_LONGEST_S: Final = 60.0
"""Longest read of events; those that did not arrive by then come with the next load."""


class RingEvents(NamedTuple):
    """The range of events that the ring of a rig holds."""

    id: str
    first: int
    """Sequence number of the oldest event; 0 when there is none."""
    last: int


class FetchedLap(NamedTuple):
    """A lap file as it came from the rig; `size` is its bytes."""

    file: LapFile
    size: int


class RigReader:
    """Reads one rig. Asks for its identity when made: raises Unavailable, Mismatch where it has none."""

    def __init__(self, address: str) -> None:
        self.address: Final = address
        self._rig: Final[Rig] = connect(address)
        self.rig_id: Final = self._rig.status().rig_id
        """Identity of the rig's data directory."""
        if not self.rig_id:
            raise Mismatch(f"the rig at {address} tells no identity", hint="update rigd there")

    def ring(self) -> RingEvents | None:
        """Return the range of events in the present ring; None when there is no ring."""
        status = self._rig.status()
        for span in status.ring.spans:
            if span.stream == event_pb2.STREAM_EVENTS:
                return RingEvents(status.ring.id, span.first_seq, span.last_seq)
        return None

    def sessions(self) -> list[session_pb2.Session]:
        """Return all sessions, oldest first."""
        return [one.message for one in self._rig.sessions(page_size=_LISTED_AT_ONCE)][::-1]

    def laps(self, session: str) -> Iterator[lap_pb2.Lap]:
        """Return the laps of a session, oldest first."""
        return (lap.message for lap in self._rig.laps(session, page_size=_LISTED_AT_ONCE))

    def unmarked(self) -> set[str]:
        """Return the names of sessions with laps that are not marked as synced."""
        laps = self._rig.laps(synced=False, page_size=_LISTED_AT_ONCE)
        return {lap.name.partition("/laps/")[0] for lap in laps}

    def read(self, name: str, digest: str) -> FetchedLap:
        """Return a lap's file. Raises NotFound for a lap that is gone, Corrupt where the digest differs."""
        data = self._rig.lap_file(name)
        file = LapFile(data)
        if digest and file.digest != digest:
            raise Corrupt(f"{name} was listed with digest {digest} and came with {file.digest}", name=name)
        return FetchedLap(file, len(data))

    def corners(self, name: str) -> analysis_pb2.ListCornersResponse | None:
        """Return what a lap did in its corners; None where the rig does not say so now: a later sync asks
        again.
        """
        try:
            found = self._rig.corners(name)
        except RigError:
            return None
        return found if found.fingerprint else None

    def events(self, ring: RingEvents, after: int, since_ns: int) -> Iterator[event_pb2.Event]:
        """Yield the events with numbers above `after`, up to `ring.last`.

        `since_ns` is the wall clock of event `after`, or 0: it saves walking over those before.
        """
        if after >= ring.last:
            return
        found = self._events(ring, after, since_ns / 1e9 - _CLOCK_S if since_ns else None)
        head = next(found, None)
        if since_ns and (head is None or head.seq != after + 1):
            # The clock was set, or events were evicted: from the oldest on nothing is passed over.
            found = self._events(ring, after, None)
            head = next(found, None)
        if head is not None:
            yield head
            yield from found

    def _events(self, ring: RingEvents, after: int, since_s: float | None) -> Iterator[event_pb2.Event]:
        stream = self._rig.events("earliest" if since_s is None else since_s, reconnect=False)
        # A ring that was replaced meanwhile may never come so far.
        guard = threading.Timer(_LONGEST_S, stream.close)
        guard.start()
        try:
            for event in stream:
                if event.seq > after:
                    yield event
                if event.seq >= ring.last:
                    return
        finally:
            guard.cancel()
            stream.close()

    def mark(self, digests: Mapping[str, str]) -> None:
        """Mark laps as synced: a warehouse has them, verified. Laps that are gone by now are passed over."""
        laps = list(digests.items())
        for at in range(0, len(laps), _MARKED_AT_ONCE):
            self._rig.mark_synced(dict(laps[at : at + _MARKED_AT_ONCE]))

    def close(self) -> None:
        """Close the connection."""
        self._rig.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
