"""What the journals have to say, declared by plain lists: an item per number, with its session and why it is
missing.
"""

from collections import Counter
from itertools import groupby

from rig.v1 import event_pb2

MISSED, TORN, DOWN, DISK, REPLACED = (
    event_pb2.GAP_REASON_MISSED,
    event_pb2.GAP_REASON_TORN,
    event_pb2.GAP_REASON_RECORDER_DOWN,
    event_pb2.GAP_REASON_DISK,
    event_pb2.GAP_REASON_RING_REPLACED,
)
STORED = 0
BACK_S = 1.0
"""A session clock that falls by more is another session's."""


class Stream:
    """The numbers of one stream of a ring, from 1 on."""

    def __init__(self) -> None:
        self.numbers: list[tuple[int, int]] = []
        """Session, and why it is missing or STORED."""
        self.uncounted: list[tuple[int, int, int]] = []
        """Losses nobody could count: the number before, session, reason."""
        self.clock = 0.0
        """Of the newest record."""

    def store(self, session: int, clock: float) -> None:
        self.numbers.append((session, STORED))
        self.clock = clock

    def lose(self, session: int, count: int, reason: int) -> None:
        self.numbers += [(session, reason)] * count
        loss = (len(self.numbers), session, reason)
        if not count and loss not in self.uncounted:
            self.uncounted.append(loss)

    @property
    def declared(self) -> list[tuple[int, int]]:
        """A loss is told with the next record."""
        stored = (at for at, (_, reason) in enumerate(self.numbers, start=1) if reason == STORED)
        return self.numbers[: max(stored, default=0)]

    @property
    def newest(self) -> int:
        """Session of the newest record."""
        return self.declared[-1][0] if self.declared else 0

    def last(self, session: int) -> int:
        """Number of the newest record of a session, 0 when it has none."""
        own = (at for at, item in enumerate(self.numbers, start=1) if item == (session, STORED))
        return max(own, default=0)

    def forget_undeclared(self) -> None:
        """The recorder is gone: the next one gives the numbers of what was not declared again."""
        self.numbers = self.declared
        self.uncounted = [loss for loss in self.uncounted if loss[0] < len(self.numbers)]

    def sums(self, session: int) -> tuple[int, dict[int, int]]:
        """Expected, and missing by reason."""
        mine = [reason for of, reason in self.declared if of == session]
        return len(mine), dict(Counter(reason for reason in mine if reason != STORED))

    def gaps(self, session: int) -> list[tuple[int, int, int]]:
        """First and last number of each gap, and why."""
        found, at = [], 1
        for (of, reason), run in groupby(self.declared):
            count = len(list(run))
            if of == session and reason != STORED:
                found.append((at, at + count - 1, reason))
            at += count
        return found

    def doubts(self, session: int) -> dict[int, int]:
        """Its losses without a count, by reason."""
        declared = [loss for loss in self.uncounted if loss[0] < len(self.declared)]
        return dict(Counter(reason for _, of, reason in declared if of == session))

    def bordered(self, session: int) -> bool | None:
        """Whether a loss of a session before reaches up to the first number of this one; None without one."""
        first = next((at for at, (of, _) in enumerate(self.declared) if of == session), None)
        if first is None:
            return None
        lost = first > 0 and self.declared[first - 1][1] != STORED
        return lost or first in [before for before, of, _ in self.uncounted if of < session]


class Recording:
    """What a recorder makes of what the game does."""

    def __init__(self, *, replaced: bool = False) -> None:
        self.physics, self.scoring = Stream(), Stream()
        for stream in (self.physics, self.scoring) if replaced else ():
            stream.lose(1, 0, REPLACED)
        self.number = self.scored = 0
        """Of the session in the newest record, and of the one that scoring told last."""
        self.key: object = None
        """What makes the running session that of scoring the same one; None when it is over."""
        self.seen = False
        """Scoring was seen since the recorder started, and the game did not leave since."""
        self.over: dict[int, bool] = {}
        """Sessions that scoring told, and whether they have ended."""
        self.clock = self.begun_at = 0.0
        self.left = 0
        """The session that the recorder before left running."""
        self.fresh = self.fresh_scoring = False
        """No frame, no update was seen since the recorder started, in a ring that has some."""
        self.frame = (0, 0)
        """Life of the game and counter of the newest tick stored."""
        self.update: tuple[int, int] | None = None
        """Life of the game and counter of the newest scoring update that the ring knows of."""
        self.update_seen: tuple[int, int] | None = None

    @property
    def ahead(self) -> bool:
        return self.scored < self.number

    @property
    def booked(self) -> int:
        """The session of a loss of now: the running one, else the next."""
        return self.number + (self.key is None and self.number > 0 and not self.ahead)

    def start(self) -> None:
        """Another recorder takes up the ring."""
        for stream in (self.physics, self.scoring):
            stream.forget_undeclared()
        self.number, self.clock = self.physics.newest, self.physics.clock
        if self.scoring.newest > self.number:
            self.number, self.clock = self.scoring.newest, self.scoring.clock
        if self.scored > self.number:
            self.number, self.clock = self.scored, self.begun_at
        self.left = self.number if self.key is not None else 0
        self.fresh, self.fresh_scoring = bool(self.physics.declared), self.update is not None
        self.update_seen, self.seen = self.update, False

    def tick(
        self, life: int, frame: int, clock: float, missed: int, reason: int, *, jumped: bool, full: bool
    ) -> None:
        if self.fresh:
            self._catch_up(life, frame)
        elif missed:
            self.physics.lose(self.booked, missed, reason)
            if jumped:
                self.physics.lose(self.booked, 0, reason)
        if clock < self.clock - BACK_S or self.booked > self.number:
            self.number += 1
        self.clock = clock
        if full:
            self.physics.lose(self.number, 1, DISK)
        else:
            self.physics.store(self.number, clock)
            self.frame = life, frame
            self.hand_over()

    def _catch_up(self, life: int, frame: int) -> None:
        label, passed = self.left or self.booked, frame - self.frame[1]
        if self.frame[0] == life:
            if passed > 1:
                self.physics.lose(label, passed - 1, DOWN)
        elif self.left or frame > 1:
            self.physics.lose(label, 0, DOWN)
        self.fresh = False

    def see(
        self, key: object, life: int, update: int, clock: float, missed: int, *, torn: bool, full: bool
    ) -> None:
        if self.fresh_scoring:
            self._catch_up_scoring(life, update)
        elif missed:
            self.scoring.lose(self.booked or 1, missed, TORN if torn else MISSED)
        self.update_seen = life, update
        if self.ahead and clock > self.clock + BACK_S:
            return  # the last word of a session that telemetry has left
        if self.ahead or key != self.key or clock < self.clock - BACK_S:
            self._begin(key, clock)
            self.clock = clock
        self.clock, self.seen = max(clock, self.clock), True
        if full:
            self.scoring.lose(self.number, 1, DISK)
        else:
            self.scoring.store(self.number, clock)
            self.hand_over()

    def _catch_up_scoring(self, life: int, update: int) -> None:
        assert self.update_seen is not None
        label, passed = self.left or self.booked, update - self.update_seen[1]
        if self.update_seen[0] == life:
            if passed > 1:
                self.scoring.lose(label, passed - 1, DOWN)
        elif self.left or update > 1:
            self.scoring.lose(label, 0, DOWN)
        self.fresh_scoring = False

    def _begin(self, key: object, clock: float) -> None:
        self.over = dict.fromkeys(self.over, True)
        self.number += not self.ahead
        self.scored, self.key, self.begun_at = self.number, key, clock
        self.over[self.number] = False
        self.hand_over()

    def hand_over(self) -> None:
        """What is stored tells which update was seen."""
        self.update = self.update_seen

    def leave(self) -> None:
        if self.seen and self.key is not None:
            self.over[self.scored] = True
            self.key = None
        self.seen = False
        self.hand_over()
