"""What the recorder before left in the ring: the next one goes on from it."""

from collections.abc import Mapping
from typing import NamedTuple

from rig.columns import read_head
from rigd import ring as rings
from rigd.record.absence import Absence
from rigd.record.scorer import SAVED, newest_session
from rigd.ring import RingWriter
from rigd.ring.restored import RESTORED, RestoredNumbers


class Former(NamedTuple):
    """The newest of everything, as far as the ring has any."""

    number: int
    """Of the newest session."""
    key: bytes
    """What makes it the same one; empty when it is over."""
    clock_s: float
    """Its clock at the newest record, seconds."""
    saved: Mapping[bytes, bytes]
    """What the scorer needs to go on."""
    taken_ns: Mapping[bytes, int]
    """Wall clock of the newest record of streams that the game writes, unix nanoseconds."""
    absence: Absence
    restored: RestoredNumbers
    """When the ring came back from a backup: what it knew of a session is of no use after that."""

    @classmethod
    def read(cls, ring: RingWriter) -> "Former":
        """Return what a ring has. Raises Corrupt for a record that cannot be read."""
        saved, restored = ring.metas(SAVED), RestoredNumbers.read(ring.meta(RESTORED))
        heads = {
            stream: read_head(last)
            for stream in (rings.SCORING, rings.PHYSICS)
            if (last := ring.last(stream)) is not None
        }
        # The number that the scorer knows is taken, also when no record of it could be stored.
        newest = [newest_session(saved), *((head.session, head.session_time) for head in heads.values())]
        number = max(number for number, _ in newest)
        clock_s = [clock_s for of, clock_s in newest if of == number][-1]
        key = ring.meta(b"session") or b""
        taken_ns = {stream: head.capture_time_ns for stream, head in heads.items()}
        frame = heads[rings.PHYSICS].frame if rings.PHYSICS in heads else None
        absence = _absence(ring, number if key else 0, frame, max(taken_ns.values(), default=0), clock_s)
        if number < restored.session:
            number, key, saved = restored.session, b"", {}
        return cls(number, key, clock_s, saved, taken_ns, absence, restored)


def _absence(ring: RingWriter, session: int, frame: int | None, taken_ns: int, clock_s: float) -> Absence:
    game = ring.meta(b"game") or b""
    update, _, update_game = (ring.meta(b"scored") or b"").partition(b" ")
    return Absence(
        session=session,
        game=game,
        frame=frame,
        update=int(update) if update.isdigit() else None,
        update_game=update_game or game,  # a recorder of an earlier version said it for both
        taken_ns=taken_ns,
        clock_s=clock_s,
    )
