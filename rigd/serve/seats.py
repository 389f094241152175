"""Who is in the seat, for the services: what callers may see of it, and how somebody is put into it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from rig.errors import Corrupt, Denied
from rig.v1 import access_pb2, session_pb2
from rig.v1.laps_pb2 import ListSessionsRequest
from rigd import ring as rings
from rigd.auth.caller import CALLER, Caller, Scope
from rigd.seat import NOBODY, Seat, SeatFile, check_user, in_ring
from rigd.serve.feed import Feed
from rigd.serve.recent import Tick, capture_ns
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING, Viewer

Permit = Callable[[Tick], bool]
"""Says whether a record may be sent to a caller."""


class Seats:
    """The seat as the feed and the file tell of it, on the event loop or in any thread."""

    def __init__(self, feed: Feed, data: Path) -> None:
        self._feed = feed
        self._file = SeatFile(data)
        self._store = StoreReader(data)
        self._told: tuple[int, int, Seat] = (-1, -1, NOBODY)

    def now(self) -> Seat:
        """Return who is in the seat: what is asked for counts at once, the recorder sees it within a second.
        What cannot be read is nobody's; the recorder says so.
        """
        try:
            asked = self._file.read()
        except (Corrupt, OSError):
            asked = NOBODY
        return max(asked, self._in_ring(), key=lambda seat: seat.since_ns)

    def _in_ring(self) -> Seat:
        """What the recorder told of last, read again when there is another event."""
        feed = self._feed
        opened, head = feed.rings_opened, feed.head(rings.EVENTS)
        if (opened, head) != self._told[:2] and feed.opened is not None:
            try:
                seat = in_ring(feed.history)
            except Corrupt:
                seat = NOBODY
            self._told = opened, head, seat
        return self._told[2]

    def put(self, user: str) -> Seat:
        """Put a user into the seat, or nobody; who is in it stays since when they are. Raises BadRequest."""
        check_user(user)
        seat = self.now()
        if user != seat.user or seat.by_driver:
            seat = seat.next(user)
            self._file.put(seat)
        return seat

    # Laps.

    def viewer(self, caller: Caller) -> Viewer:
        """Return what there is for a caller of what is kept. It asks the index."""
        if caller.may(Scope.LAPS_ALL):
            return EVERYTHING
        here = caller.user and self.now().user == caller.user
        return Viewer(caller.user, self._running_session() if here else "")

    def _running_session(self) -> str:
        """The session that is being driven, empty without one."""
        ring = self._feed.opened
        newest = ListSessionsRequest(page_size=1, imported=False)
        for session in self._store.index.list_sessions(newest).sessions:
            running = session.status == session_pb2.SESSION_STATUS_RECORDING
            if ring is not None and running and session.ring == ring.id.hex():
                return session.name
        return ""

    def check_mark(self, caller: Caller, start_ns: int) -> None:
        """Raise Denied unless the caller may keep what began at `start_ns`: what it is in the seat for."""
        if not caller.may(Scope.LAPS_ALL):
            self._check_since(caller, start_ns, "keep", Scope.LAPS_ALL)

    # Streams.

    def permit(self, caller: Caller) -> Permit | None:
        """Return what says of each record whether it may be sent; None: all may."""
        if caller.may(Scope.LIVE_ALL):
            return None

        def permits(tick: Tick) -> bool:
            seat = self.now()
            return bool(caller.user) and seat.user == caller.user and capture_ns(tick.data) >= seat.since_ns

        return permits

    def check_past(self, caller: Caller, time_ns: int) -> None:
        """Raise Denied where the caller asks for a past that is not its own."""
        self._check_since(caller, time_ns, "stream", Scope.LIVE_ALL)

    def _check_since(self, caller: Caller, time_ns: int, what: str, scope: Scope) -> None:
        seat = self.now()
        if not caller.user or seat.user != caller.user:
            raise Denied(
                f"you may {what} what is driven while you are in the seat, and you are not",
                hint=f"`rig seat {caller.user or 'USER'}` on the rig, or a token with `{scope}`",
            )
        if time_ns < seat.since_ns:
            since = datetime.fromtimestamp(seat.since_ns / 1e9).astimezone()
            raise Denied(
                f"you may {what} what is driven while you are in the seat, which is since {since:%H:%M:%S}",
                hint="begin then, or read your earlier laps",
                since_time_ns=seat.since_ns,
                time_ns=time_ns,
            )


class SeatMethods:
    """The methods of AccessService that are about the seat."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._taking = asyncio.Lock()

    async def GetSeat(  # noqa: N802
        self, _request: access_pb2.GetSeatRequest, _context: Any
    ) -> access_pb2.GetSeatResponse:
        """Return who is in the seat."""
        seat = self._seats.now()
        return access_pb2.GetSeatResponse(
            user=seat.user, since_time_ns=seat.since_ns if seat.user else 0, by_driver=seat.by_driver
        )

    async def TakeSeat(  # noqa: N802
        self, request: access_pb2.TakeSeatRequest, _context: Any
    ) -> access_pb2.TakeSeatResponse:
        """Put a user into the seat."""
        caller = CALLER.get()
        async with self._taking:
            if not caller.may(Scope.ADMIN):
                _check_own(caller, request.user, self._seats.now().user)
            seat = await asyncio.to_thread(self._seats.put, request.user)
        return access_pb2.TakeSeatResponse(user=seat.user)


def _check_own(caller: Caller, wanted: str, now: str) -> None:
    """Raise Denied unless a user takes the free seat for themselves, or leaves their own."""
    if not caller.user or wanted not in ("", caller.user):
        raise Denied("you may take the seat for yourself", hint="`rig seat` on the rig itself may put anyone")
    if now not in ("", caller.user):
        raise Denied("somebody else is in the seat", hint="`rig seat --nobody` on the rig itself frees it")
