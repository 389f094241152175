"""Moments that someone marks: checked against the ring and the room for them, then left to the archiver.

Marks are added in threads; what a moment may be is decided on the event loop.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rig.columns import read_head
from rig.errors import BadRequest, CursorExpired, Exhausted
from rig.v1 import laps_pb2
from rigd import ring as rings
from rigd.auth.caller import CALLER
from rigd.serve.accounts import Accounts
from rigd.serve.feed import Feed
from rigd.serve.limits import MAX_MARK_CARS, MAX_MARK_S, MAX_NOTE, MAX_PENDING_MARKS
from rigd.serve.recent import capture_ns
from rigd.serve.seats import Seats
from rigd.store.commands import CommandQueue
from rigd.store.heartbeat import heard
from rigd.store.marks import BYTES_LIMIT, Marks, expected_bytes, mark_id
from rigd.store.store import StoreReader


class Marking:
    """Takes marks for all callers."""

    def __init__(self, feed: Feed, data: Path, seats: Seats, accounts: Accounts, queue: CommandQueue) -> None:
        self._feed, self._data, self._seats, self._accounts = feed, data, seats, accounts
        self._store, self._queue = StoreReader(data), queue
        self.marks = Marks(data)
        self._marked_ns = 0
        self._adding = threading.Lock()
        """Held from counting the marks that wait until there is one more: several threads add them."""

    def moment(self, request: laps_pb2.MarkRequest) -> laps_pb2.Moment:
        """Return the mark that is asked for. Raises BadRequest, CursorExpired."""
        _check(request)
        now_ns = time.time_ns()
        # Two of the same nanosecond would be one file; a clock may stand still.
        self._marked_ns = max(now_ns, self._marked_ns + 1)
        time_ns = request.time_ns or now_ns
        if time_ns > now_ns + int(request.after_s * 1e9):
            raise BadRequest(
                f"the moment is {(time_ns - now_ns) / 1e9:.1f} s ahead, after_s is {request.after_s}",
                hint="mark what has happened, or at most after_s ahead",
            )
        caller = CALLER.get()
        self._seats.check_mark(caller, time_ns - int(request.before_s * 1e9))
        self._check_held(time_ns)
        return laps_pb2.Moment(
            name=f"marks/{mark_id(self._marked_ns)}",
            time_ns=time_ns,
            before_s=request.before_s,
            after_s=request.after_s,
            cars=sorted(set(request.cars)),
            note=request.note,
            user=caller.user,
            status=laps_pb2.MOMENT_STATUS_PENDING,
        )

    def cars(self) -> int:
        """Return how many cars the newest tick has."""
        ring = self._feed.ring
        tick = ring.get(rings.PHYSICS, ring.spans()[rings.PHYSICS].last)
        return read_head(tick).rows if tick else 0

    def add(self, moment: laps_pb2.Moment, cars: int) -> None:
        """Add a mark. Raises Exhausted when too many wait, or the archiver has no room for it."""
        with self._adding:
            self._add(moment, cars)

    def markers(self, excerpt: str) -> Iterator[str]:
        """Yield the users whose marks an excerpt holds."""
        return (moment.user for moment in self.marks.all() if excerpt in moment.laps)

    def _check_held(self, time_ns: int) -> None:
        """Raise CursorExpired when the ring has let go of the moment."""
        ring = self._feed.ring
        first = ring.get(rings.PHYSICS, ring.spans()[rings.PHYSICS].first)
        if first is not None and time_ns < capture_ns(first):
            raise CursorExpired(
                f"the ring begins {(capture_ns(first) - time_ns) / 1e9:.1f} s after the moment",
                hint="enlarge the ring with --ring-size",
                earliest_time_ns=capture_ns(first),
                time_ns=time_ns,
            )

    def _add(self, moment: laps_pb2.Moment, cars: int) -> None:
        pending = self.marks.pending()
        own, most = sum(one.user == moment.user for one in pending), self._accounts.limits().marks_per_user
        if moment.user and own >= most:
            raise Exhausted(
                f"{own} marks of {moment.user} wait to be kept, the limit is {most}",
                hint="try again when some are kept",
                limit=most,
            )
        self._check_room([*pending, moment], cars)
        if len(pending) >= MAX_PENDING_MARKS:
            raise Exhausted(
                f"{MAX_PENDING_MARKS} marks wait to be kept, which is the limit",
                hint="is `rigd archive` running?",
                limit=MAX_PENDING_MARKS,
            )
        self.marks.put(moment)
        self._queue.ring()

    def _check_room(self, moments: list[laps_pb2.Moment], cars: int) -> None:
        """Raise Exhausted unless all these fit into what marks may take, as far as one can say before."""
        archiver = heard(self._data)
        limit = archiver.marks_limit_bytes if archiver else int(self._store.index.meta(BYTES_LIMIT) or 0)
        room = archiver.marks_room_bytes if archiver else limit - self._store.index.mark_bytes()
        size = sum(expected_bytes(moment, cars) for moment in moments)
        if limit and size > room:
            raise Exhausted(
                f"this mark and {len(moments) - 1} that wait need about {size} bytes; "
                f"marks may take {limit}, and room is left for {max(room, 0)}",
                hint="`rig unpin` or `rig delete` excerpts, or start `rigd archive` with more --keep-marks",
                limit=limit,
                value=size,
                room=max(room, 0),
            )


def _check(request: laps_pb2.MarkRequest) -> None:
    for name, seconds in (("before_s", request.before_s), ("after_s", request.after_s)):
        if not 0 <= seconds <= MAX_MARK_S:  # nor is NaN
            raise BadRequest(f"{name} is {seconds}", hint=f"0 to {MAX_MARK_S:g}")
    if len(request.cars) > MAX_MARK_CARS:
        raise BadRequest(f"{len(request.cars)} cars, the limit is {MAX_MARK_CARS}", hint="none means all")
    if len(request.note) > MAX_NOTE:
        raise BadRequest(f"the note has {len(request.note)} characters, the limit is {MAX_NOTE}")
