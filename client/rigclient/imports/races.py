"""Which session a file is of: by what the caller says, else by its path.

Data/road-america/Road America/Race 2/23_Analysis...CSV is of race 2 at Road America, as the innermost folder
says that means a track; Data/barber/Samples/R1_barber_telemetry.csv of race 1 at barber. The timekeepers' own
archives are

    Results/12_2023/04_LE MANS/398_SERIES/202306101600_Race/Hour 6/23_Analysis_Race_Hour 6.CSV

where the first of two numbered folders is the event, and the folder of the session begins with its date.
"""

import datetime
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import BadRequest

_NUMBERED: Final = re.compile(r"(?<![a-z])r(?:ace)?[ _-]*([0-9]{1,2})(?![0-9])", re.IGNORECASE)
_DATED: Final = re.compile(
    r"((?:19|20)[0-9]{2})[._-]?([01][0-9])[._-]?([0-3][0-9])(?:[T _-]?[0-9]{4,6})?(?![0-9])"
)
"""A date at the beginning of a folder's name, and a clock after it."""
_ORDERED: Final = re.compile(r"^[0-9]{1,4}_+(?=.*[A-Za-z])")
"""What puts the folders of an archive in order."""
_NO_TRACK: Final = re.compile(
    r"data|samples?|csv|results?|timing|charts?|provisional|official|final|corrected|(?:hour|h)\s*[0-9]{1,2}"
    r"|downloads?|documents?|desktop|home|tmp|[0-9]{1,4}(?:\s(?:19|20)[0-9]{2})?|\.+|/?",
    re.IGNORECASE,
)
"""Folders of collections, seasons and parts of a session."""
_SEASON: Final = re.compile(r"(?:[0-9]{1,4}[_ ])?((?:19|20)[0-9]{2})")
_STANDINGS: Final = (
    (-1, re.compile(r"(?<![a-z])provisional", re.IGNORECASE)),
    (1, re.compile(r"(?<![a-z])(?:official|final|corrected)(?![a-z])", re.IGNORECASE)),
)
_WHOLE: Final = 100
"""In place of an hour."""
_HOUR: Final = re.compile(r"(?<![a-z])hour[ _-]*([0-9]{1,2})(?![0-9])", re.IGNORECASE)
_PARTED: Final = re.compile(r"[\s_-]+")
_LONGEST: Final = 32
"""Characters of a track in a session's name, as on the rig."""

RIG_ID: Final = "import"
"""In place of a rig."""

RACE: Final = "race"
_SESSIONS: Final = {
    "test_day": (0, r"(?:official |private |collective )?test(?:ing|s)?(?: (?:day|session))?|shakedown"),
    "practice": (1, r"(?:free |official |night |bronze )?practice(?: session)?|fp|collective practice"),
    "qualifying": (
        5,
        r"(?:pre |night )?quali(?:fying|fication|fy)?(?: practice| session)?|q|(?:hyper|super)pole",
    ),
    "warmup": (9, r"warm ?up"),
    RACE: (10, r"(?:sprint |feature |main |endurance )?race|r"),
}
"""Kinds of sessions: the game's number of the first of a weekend, and how they are called."""
_CALLED: Final = {
    kind: re.compile(rf"(?:{words}) ?(?P<number>[0-9]{{1,2}})?(?: (?:hour|h) ?[0-9]{{1,2}})?", re.IGNORECASE)
    for kind, (_, words) in _SESSIONS.items()
}


class ImportedRace(NamedTuple):
    """A session of a track, a race as a rule."""

    track: str
    number: int
    """First, second, ... of its kind at the weekend."""
    kind: str = RACE
    date: str = ""
    """At the track, as 2023-06-10, or the year alone; empty where nobody has said so."""

    @property
    def slug(self) -> str:
        """Return the track as in a session's name."""
        plain = re.sub("[^a-z0-9]+", "-", self.track.lower()).strip("-")[:_LONGEST].strip("-")
        return plain or "track"

    def key(self, kind: str, *facts: object) -> str:
        """Return the same for all files of that kind of the race: hexadecimal, like the identity of a ring.

        Races of several years have the same, and `dated` tells them apart.
        """
        own = () if self.kind == RACE else (self.kind,)
        text = "|".join(map(str, (kind, self.slug, self.number, *own, *facts)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def session(self, began: str, key: str) -> str:
        """Return 20250906-184041-barber-race-5f3a-1, as a rig names its sessions."""
        return f"{began}-{self.slug}-{self.kind.replace('_', '-')}-{key[:4]}-{self.number}"

    def __str__(self) -> str:
        """Return Barber 2, Watkins Glen practice 1."""
        return (
            f"{self.track} {self.number}" if self.kind == RACE else f"{self.track} {self.kind} {self.number}"
        )


def session_number(number: int, kind: str = RACE) -> int:
    """Return the game's number of the first, second, ... session of its kind."""
    return _SESSIONS[kind][0] - 1 + number


def race_of(path: Path, track: str = "", number: int = 0, date: str = "", stated: int = 0) -> ImportedRace:
    """Return the session of a file. `track`, `number` (of a race) and `date` where the caller knows them;
    `stated` is the race that the file itself tells, which goes before its path. Raises BadRequest.
    """
    track = track or _track(path)
    if not track:
        raise BadRequest(f"the path of {path} names no track", hint="--track NAME")
    kind, nth = (RACE, stated) if stated else _session(path)
    if not kind and not number:
        raise BadRequest(f"the path of {path} tells no race", hint="--race 1 for the first of the weekend")
    if kind in ("", RACE):
        kind, nth = RACE, number or nth
    return ImportedRace(track, nth, kind, date or _date(path))


def standing(path: Path) -> tuple[int, int]:
    """Return how final a chart is, by its path: provisional ones first, official ones last; hour after hour,
    then the whole race.
    """
    parts = list(_inside_out(path))
    final = sum(sign for sign, words in _STANDINGS if any(words.search(part) for part in parts))
    hours = (int(found[1]) for part in parts if (found := _HOUR.search(part)))
    return final, next(hours, _WHOLE)


def variant(key: str, nth: int) -> str:
    """Return the key of a race that is like `nth` others in all but its cars."""
    return f"{key}-{nth}" if nth else key


def digits(key: str) -> str:
    """Return the digits of a key that tell it from those that begin alike."""
    return hashlib.sha256(key.encode()).hexdigest() if "-" in key else key


def date_told(session: str) -> str:
    """Return the date or year in the name of a session that was imported; empty where it has none."""
    return date_of(session.removeprefix("sessions/").partition("-")[0])


def dated(key: str, date: str) -> str:
    """Return the key of a race of one date or year."""
    return f"{key}-{date.replace('-', '')}" if date else key


def same_date(one: str, other: str) -> bool:
    """Return whether two dates can be of one race; of a date a part may be known, or nothing."""
    return one.startswith(other) or other.startswith(one)


def _inside_out(path: Path) -> Iterator[str]:
    """Yield the parts of a path, the file's own name first."""
    yield from reversed(path.absolute().with_suffix("").parts)


def _track(path: Path) -> str:
    """Return the innermost folder that means a track; of two that are numbered within each other the outer
    one.
    """
    folders = [part for part in list(_inside_out(path))[1:] if _may_be_track(part)]
    if not folders:
        return ""
    numbered = [bool(_ORDERED.match(part)) for part in folders[:2]]
    return _ORDERED.sub("", folders[1] if numbered == [True, True] else folders[0], count=1).strip()


def _may_be_track(folder: str) -> bool:
    return not (_DATED.match(folder) or _called(folder) or _NO_TRACK.fullmatch(_plain(folder)))


def _plain(name: str) -> str:
    return _PARTED.sub(" ", name).strip()


def _called(name: str) -> tuple[str, int] | None:
    """Return the kind of session that a name means, and its number; a date before it is none of it."""
    plain = _plain(_DATED.sub("", name, count=1) if _DATED.match(name) else name)
    for kind, words in _CALLED.items():
        if found := words.fullmatch(plain):
            return kind, int(found["number"] or 0)
    return None


def _session(path: Path) -> tuple[str, int]:
    """Return kind and number: of the file's name, whose words stand between underlines, then of the
    folders.
    """
    name, *folders = _inside_out(path)
    found = [one for part in (*_words(name), *folders) if (one := _called(part))]
    if not found:
        return _numbered(path)
    kind = found[0][0]
    return kind, next((number for other, number in found if other == kind and number), 1)


def _words(name: str) -> Iterator[str]:
    """Yield Race_Hour 6 of 23_Analysis_Race_Hour 6, Race and Race 1 of 23_Analysis_Race_1."""
    words = name.split("_")
    for first in range(len(words)):
        yield "_".join(words[first : first + 2])
        yield words[first]


def _numbered(path: Path) -> tuple[str, int]:
    """Return a race within other words, as in barber_R1 or R1-telemetry; the name first, then the folders."""
    for part in _inside_out(path):
        if found := _NUMBERED.findall(part):
            return RACE, int(found[-1])
    return "", 0


def _date(path: Path) -> str:
    """Return the date of the innermost folder that begins with one, else the year of the innermost folder
    that is one.
    """
    folders = list(_inside_out(path))[1:]
    for part in folders:
        if (found := _DATED.match(part)) and (date := date_of("-".join(found.groups()))):
            return date
    return next((found[1] for part in folders if (found := _SEASON.fullmatch(part))), "")


def date_of(text: str) -> str:
    """Return 2023-06-10 of 2023-06-10 or 20230610, 2023 of 2023; empty for what is neither."""
    if len(text) == len("2023") and _SEASON.fullmatch(text):
        return text
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return ""
