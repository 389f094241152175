"""Which lap another one is compared with: by a word, or where nobody says so by a rule."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from rig.errors import BadRequest, NotFound
from rig.v1 import lap_pb2

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


class Reference(NamedTuple):
    """What a lap is compared with: one lap, or the ideal lap of several."""

    laps: tuple[lap_pb2.Lap, ...]
    ideal: bool
    about: str
    """What it is, for people."""


def reference(lap: lap_pb2.Lap, ask: Ask, word: str = "") -> Reference:
    """Return what a lap is compared with: by one of `WORDS`, or by `RULE`.

    Clean laps alone are taken: valid, complete, not from the grid, and without the pit lane. Raises
    BadRequest for another word, NotFound where there is no such lap.
    """
    if word and word not in WORDS:
        raise BadRequest(f"{word!r} is no reference", hint=f"a lap, or one of {', '.join(WORDS)}")
    if word in (IDEAL, IDEAL_OF_ALL):
        return _ideal(lap, ask, word)
    if word:
        return _best(lap, ask, word) or _none(lap, word)
    for tried in (DRIVER, CLASS):
        found = _best(lap, ask, tried)
        if found and found.laps[0].name != lap.name and found.laps[0].lap_time < lap.lap_time:
            return found
    return _ideal(lap, ask, IDEAL)


def _best(lap: lap_pb2.Lap, ask: Ask, word: str) -> Reference | None:
    return next((Reference((one,), False, WORDS[word]) for one in _clean(lap, ask, word)), None)


def _ideal(lap: lap_pb2.Lap, ask: Ask, word: str) -> Reference:
    of = DRIVER if word == IDEAL else CLASS
    laps = tuple(islice(_clean(lap, ask, of), MOST_OF_IDEAL))
    if not {one.name for one in laps} - {lap.name}:
        return _none(lap, word)
    return Reference(laps, True, WORDS[word])


def _clean(lap: lap_pb2.Lap, ask: Ask, word: str) -> Iterator[lap_pb2.Lap]:
    """Yield clean laps of the same layout, the fastest first."""
    wanted = WantedLaps(
        lap.track_name,
        lap.name.partition("/laps/")[0] if word == SESSION else "",
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


def _none(lap: lap_pb2.Lap, word: str) -> Reference:
    who = f" of {lap.driver}" if word in (DRIVER, IDEAL) and lap.driver else ""
    classed = word in (DRIVER, CLASS, IDEAL, IDEAL_OF_ALL) and lap.vehicle_class
    of = f" of class {lap.vehicle_class}" if classed else ""
    raise NotFound(
        f"no other clean lap{who}{of} at {lap.track_name or 'this track'}",
        hint="name the lap to compare with",
    )
