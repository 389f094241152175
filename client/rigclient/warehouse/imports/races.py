"""Which race a file is of: by what the caller says, else by its path.

Data/road-america/Road America/Race 2/23_Analysis...CSV is of race 2 at Road America, as the innermost folder
that is no race's and no collection's says; Data/barber/Samples/R1_barber_telemetry.csv of race 1 at barber.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import BadRequest

_NUMBERED: Final = re.compile(r"(?<![a-z])r(?:ace)?[ _-]*([0-9]{1,2})(?![0-9])", re.IGNORECASE)
_NO_TRACK: Final = re.compile(r"(data|samples?|csv|results?|race[ _-]*[0-9]*|r?[0-9]*|\.+)", re.IGNORECASE)
_LONGEST: Final = 32
"""Characters of a track in a session's name, as on the rig."""

RIG_ID: Final = "import"
"""In place of a rig."""

_FIRST_RACE: Final = 10
"""The game's session number of the first race of a weekend."""


class Race(NamedTuple):
    """A race of a track."""

    track: str
    number: int
    """First, second, ... race of the weekend."""

    @property
    def slug(self) -> str:
        """The track as in a session's name."""
        plain = re.sub("[^a-z0-9]+", "-", self.track.lower()).strip("-")[:_LONGEST].strip("-")
        return plain or "track"

    def key(self, kind: str, *facts: object) -> str:
        """The same for all files of that kind of the race: hexadecimal, like the identity of a ring."""
        text = "|".join(map(str, (kind, self.slug, self.number, *facts)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def session(self, began: str, key: str) -> str:
        """20250906-184041-barber-race-5f3a-1, as a rig names its sessions."""
        return f"{began}-{self.slug}-race-{key[:4]}-{self.number}"


@dataclass(frozen=True)
class Imported:
    """The session that a file becomes, or adds to."""

    session: str
    key: str
    """Of the race, in place of a ring's identity."""
    race: Race
    sha256: str
    """Of the file."""

    def session_row(self, begin_ns: int | None, end_ns: int | None) -> dict[str, str | int | None]:
        """Its row of SESSIONS; wall clocks are unix nanoseconds."""
        return {
            "RIG_ID": RIG_ID,
            "SESSION": self.session,
            "TRACK": self.race.track,
            "KIND": "race",
            "SESSION_NUMBER": session_number(self.race.number),
            "SOURCE": "import",
            "STATUS": "completed",
            "START_TIME_NS": begin_ns,
            "END_TIME_NS": end_ns,
            "RING": self.key,
            "RING_SESSION": self.race.number,
        }


def session_number(race: int) -> int:
    """The game's number of the first, second, ... race."""
    return _FIRST_RACE - 1 + race


def race_of(path: Path, track: str = "", number: int = 0) -> Race:
    """The race of a file; `track` and `number` where the caller knows them. Raises BadRequest."""
    folders = [part for part in path.absolute().parent.parts if not _NO_TRACK.fullmatch(part.strip("/"))]
    track = track or (folders[-1] if folders else "")
    if not track:
        raise BadRequest(f"the path of {path} names no track", hint="--track NAME")
    number = number or _number(path)
    if not number:
        raise BadRequest(f"the path of {path} tells no race", hint="--race 1 for the first of the weekend")
    return Race(track, number)


def _number(path: Path) -> int:
    """Of the name first, then of the folders from the inside."""
    for part in reversed(path.absolute().parts):
        if found := _NUMBERED.findall(part):
            return int(found[-1])
    return 0
