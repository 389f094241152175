"""Which lap another one is compared with: by a word, or where nobody says so by a rule."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from rig.errors import BadRequest, Draining, Mismatch, NotFound, Unavailable, Unreachable
from rig.v1 import lap_pb2
from riglap.names import short_names

SESSION: Final = "session"
DRIVER: Final = "driver"
CLASS: Final = "class"
TRACK: Final = "track"
IDEAL: Final = "ideal"
IDEAL_OF_ALL: Final = "ideal-of-all"
WORDS: Final = {
    SESSION: "best lap of the session",
    DRIVER: "the driver's best lap of the class on this circuit",
    CLASS: "best lap of the class on this circuit",
    TRACK: "best lap on this circuit, of any class",
    IDEAL: "the driver's ideal lap: best mini-sectors of the driver's fastest laps of the class",
    IDEAL_OF_ALL: "ideal lap of all: best mini-sectors of the fastest laps of the class",
}
"""What stands for a lap, and what it means."""
RULE: Final = (
    "the driver's best clean lap of the class on this circuit; where no other of them is faster the best of "
    "the class; for the best of all the driver's ideal lap"
)
"""What is taken without a word."""

MOST_OF_IDEAL: Final = 10
"""Fastest laps that an ideal lap is made of: 50 MB decoded."""
_LOOKED_AT: Final = 200
"""Fastest laps among which a clean one of the same layout is looked for."""
_MOST_REFUSED: Final = 20
"""Laps that are read in vain; further ones are not tried."""
_SAME_LENGTH: Final = 0.005


class WantedLaps(NamedTuple):
    """Which valid, complete laps are asked for; what is empty does not restrict."""

    track: str
    session: str = ""
    """`sessions/{session}`."""
    vehicle_class: str = ""
    driver: str = ""


Ask = Callable[[WantedLaps], Iterable[lap_pb2.Lap]]
"""Return valid, complete laps, the fastest first. They may be more than those that were asked for."""

Try = Callable[[lap_pb2.Lap], object]
"""Compare the lap in question with another one. Raises Mismatch, Unavailable, BadRequest."""


class Reference(NamedTuple):
    """What a lap is compared with: one lap, or the ideal lap of several."""

    laps: tuple[lap_pb2.Lap, ...]
    ideal: bool
    about: str
    """What it is, for people."""


def reference(lap: lap_pb2.Lap, ask: Ask, compare: Try, word: str = "") -> Reference:
    """Return what a lap is compared with: by one of `WORDS`, or by `RULE`.

    Clean laps alone are taken: valid, complete, not from the grid, and without the pit lane; and of other
    sessions, and of those that lack samples, what `compare` does not refuse, which `about` names. Raises
    BadRequest for another word, NotFound where there is no such lap, and as reading laps does.
    """
    if word and word not in WORDS:
        raise BadRequest(f"{word!r} is no reference", hint=f"a lap, or one of {', '.join(WORDS)}")
    choice = _Choice(lap, ask, compare)
    if word in (IDEAL, IDEAL_OF_ALL):
        return choice.ideal(word)
    if word:
        return choice.best(word) or choice.none(word)
    for tried in (DRIVER, CLASS):
        found = choice.best(tried)
        if found and found.laps[0].name != lap.name and found.laps[0].lap_time < lap.lap_time:
            return found
    return choice.ideal(IDEAL)


class _Choice:
    """The choice for one lap. Laps of a session are of one source, so one of them is tried for all, but for
    those that lack samples: half a lap may be missing.
    """

    def __init__(self, lap: lap_pb2.Lap, ask: Ask, compare: Try) -> None:
        self._lap, self._ask, self._compare = lap, ask, compare
        self._known = {_session(lap): True}
        """By session, or by lap, whether it can be compared."""
        self._refused: dict[str, str] = {}
        """Laps that were tried and cannot, and why."""

    def best(self, word: str) -> Reference | None:
        """Return the fastest lap that a word means; None without one."""
        found = next(self._comparable(word), None)
        return found and Reference((found,), False, self._about(word))

    def ideal(self, word: str) -> Reference:
        """Return the laps of which the ideal lap is made. Raises NotFound."""
        of = DRIVER if word == IDEAL else CLASS
        laps = tuple(islice(self._comparable(of), MOST_OF_IDEAL))
        if not {one.name for one in laps} - {self._lap.name}:
            return self.none(word)
        return Reference(laps, True, self._about(word))

    def none(self, word: str) -> Reference:
        """Raise NotFound, with the reason where there are laps and none can be compared."""
        lap = self._lap
        who = f" of {lap.driver}" if word in (DRIVER, IDEAL) and lap.driver else ""
        classed = word in (DRIVER, CLASS, IDEAL, IDEAL_OF_ALL) and lap.vehicle_class
        of = f" of class {lap.vehicle_class}" if classed else ""
        why = f" that can be compared: {next(iter(self._refused.values()))}" if self._refused else ""
        raise NotFound(
            f"no other clean lap{who}{of} at {lap.track_name or 'this track'}{why}",
            hint="name the lap to compare with",
        )

    def _about(self, word: str) -> str:
        """Return what a word means, and which lap was passed over for it."""
        if not self._refused:
            return WORDS[word]
        first, more = short_names([*self._refused, self._lap.name])[0], len(self._refused) - 1
        others = f" and {more} more" if more else ""
        return f"{WORDS[word]}, of those that can be compared: not {first}{others}"

    def _comparable(self, word: str) -> Iterator[lap_pb2.Lap]:
        return filter(self._can, _clean(self._lap, self._ask, word))

    def _can(self, one: lap_pb2.Lap) -> bool:
        of = one.name if one.missing else _session(one)
        if of not in self._known:
            self._known[of] = len(self._refused) < _MOST_REFUSED and self._tried(one)
        return self._known[of]

    def _tried(self, one: lap_pb2.Lap) -> bool:
        try:
            self._compare(one)
        except (Draining, Unreachable):
            raise  # this is said of a rig, not of a lap
        except (Mismatch, Unavailable, BadRequest) as error:
            self._refused[one.name] = error.message
            return False
        return True


def _session(lap: lap_pb2.Lap) -> str:
    return lap.name.partition("/laps/")[0]


def _clean(lap: lap_pb2.Lap, ask: Ask, word: str) -> Iterator[lap_pb2.Lap]:
    """Yield clean laps of the same layout, the fastest first."""
    wanted = WantedLaps(
        lap.track_name,
        _session(lap) if word == SESSION else "",
        lap.vehicle_class if word in (DRIVER, CLASS) else "",
        lap.driver if word == DRIVER else "",
    )
    for one in islice(ask(wanted), _LOOKED_AT):
        same = (
            one.track_name == lap.track_name
            and abs(one.track_length - lap.track_length) <= _SAME_LENGTH * lap.track_length
            and (not wanted.vehicle_class or one.vehicle_class == lap.vehicle_class)
            and (not wanted.driver or one.driver == lap.driver)
        )
        if same and one.samples and clean(one):  # an import may have times alone
            yield one


def clean(lap: lap_pb2.Lap) -> bool:
    """Return whether a lap was driven at speed from line to line, and counts."""
    away = lap.in_lap or lap.out_lap or lap.pit_visits
    return lap.valid and lap.complete and lap.lap_time > 0 and lap.number > 0 and not away
