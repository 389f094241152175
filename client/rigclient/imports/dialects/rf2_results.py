"""Result files of rFactor 2 and Le Mans Ultimate: every lap of every car, with times and sectors, no samples.

    <rFactorXML version="1.0"><RaceResults>...<Race>...<Driver><Name>A. Alder</Name>...
    <Lap num="2" p="4" et="304.3290" s1="28.5282" s2="28.8937" s3="25.6581" fuel="0.686">83.0800</Lap>

The game writes names in the machine's 8-bit encoding and leaves ampersands bare, so that such a file is no
XML: both are mended as the file is read. What is not mended refuses the file as a whole.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from xml.parsers import expat

from rig.errors import BadRequest
from rigclient.imports.recording import Head, Progress, RecordedLap, RecordedSession, Recording, Refuse
from rigclient.imports.text import cells, encoding
from rigclient.imports.text.cells import Malformed

_ROOT: Final = "rFactorXML"
_SESSION: Final = re.compile(r"(TestDay|Practice|Qualify|Warmup|Race)([0-9]{0,2})")
_KINDS: Final = {
    "TestDay": "test_day",
    "Practice": "practice",
    "Qualify": "qualifying",
    "Warmup": "warmup",
    "Race": "race",
}
_RESULTS: Final = ("RaceResults",)
_IN_SESSION: Final = 2
"""Elements around one of a session: the root and RaceResults."""
_DEEPEST: Final = 8
"""Elements within each other; the game nests five."""
_LONGEST_LINE: Final = 1 << 16
_LONGEST_TEXT: Final = 1 << 12
"""Characters of a line, and of one text that is kept; the list of allowed vehicles is the longest."""
_MOST: Final = 1 << 16
"""Laps of a file, and drivers: a day of sixty cars has 40,000 laps."""
_ENTITIES: Final = 8
_ENTITY: Final = 100
"""Entities that a file may declare, as the game does one, and the characters of each. None is expanded."""
_BARE: Final = re.compile("&(?!(?:[A-Za-z][A-Za-z0-9]{0,30}|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
"""A byte that is no UTF-8, as `encoding.opened` gives it."""
_NO_TIME: Final = re.compile(r"-+[.:]-+")
"""--.---- where the game withholds a time."""
_TIME: Final = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,9})?")
_SECTORS: Final = ("s1", "s2", "s3")
_RESULT: Final = (
    "GridPos",
    "Position",
    "ClassGridPos",
    "ClassPosition",
    "Points",
    "Pitstops",
    "BestLapTime",
    "FinishTime",
    "FinishStatus",
    "DNFReason",
)
"""What becomes of a car, told with its last lap."""
_FIRST: Final = re.compile("<([A-Za-z][A-Za-z0-9]*)")
_ASIDE: Final = re.compile(r"<\?.*?\?>|<!--.*?-->", re.DOTALL)
"""What may stand before the first element, in its line too."""
_WHAT_LAPS_SAY: Final = ("fuel", "twfl", "twfr", "twrl", "twrr")
_OF_SESSION: Final = ("TrackVenue", "TrackEvent", "Mod", "GameVersion", "ServerName", "TimeString")


@dataclass
class _Line:
    """A lap as it stands there."""

    line: int
    said: dict[str, str]
    text: str = ""


@dataclass
class _Stint:
    """Laps that somebody drove, or that were driven with some aids."""

    first: int
    last: int
    text: str = ""


@dataclass
class _Driver:
    """A car of a session."""

    line: int
    said: dict[str, str] = field(default_factory=dict)
    laps: list[_Line] = field(default_factory=list)
    swaps: list[_Stint] = field(default_factory=list)
    aids: list[_Stint] = field(default_factory=list)


@dataclass
class _Session:
    """An element such as Race or Practice1."""

    kind: str
    number: int
    said: dict[str, str] = field(default_factory=dict)
    drivers: list[_Driver] = field(default_factory=list)


class Rf2Results:
    """Reads them."""

    name = "rFactor 2 results"
    program = "rFactor 2"

    def recognises(self, head: Head) -> bool:
        """Return whether the first element is the game's."""
        first = _FIRST.search(_ASIDE.sub("", head.text))
        return first is not None and first[1] == _ROOT

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording for every session that has laps. Raises BadRequest for a file without any, and
        for one that breaks off or whose elements do not fit.
        """
        with path.open("rb") as file:
            found = _Reader(refuse).read(file, progress)
        sessions = [one for one in found.sessions if any(driver.laps for driver in one.drivers)]
        if not sessions:
            raise BadRequest(_nothing(found.sessions))
        for session in found.sessions:
            for driver in session.drivers:
                if not driver.laps:
                    refuse(driver.line, "a driver without a lap", f"{driver.said.get('Name', '')} drove none")
        laps = [list(_laps(session, refuse)) for session in sessions]
        return [
            Recording(self.name, _session(found, session), iter(driven))
            for session, driven in zip(sessions, laps, strict=True)
        ]


def _nothing(sessions: list[_Session]) -> str:
    if not sessions:
        return "it has no session: the game wrote its settings and no more"
    drivers = sum(len(session.drivers) for session in sessions)
    return f"nobody drove a lap in it: {drivers} drivers in {', '.join(one.kind for one in sessions)}"


class _Reader:
    """Builds sessions from the elements, as they come."""

    def __init__(self, refuse: Refuse) -> None:
        self.said: dict[str, str] = {}
        self.mended: Counter[str] = Counter()
        """Lines that were no XML as the game wrote them, by what was done."""
        self.sessions: list[_Session] = []
        self._refuse = refuse
        self._line = 0
        self._open: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._entities = 0
        self._count = 0
        self._ended = False
        self._taking: _Line | _Stint | None = None

    def read(self, file: BinaryIO, progress: Progress) -> "_Reader":
        """Read all of it. Raises BadRequest."""
        parser = self._parser()
        for number, (text, mended) in enumerate(_lines(file), start=1):
            self._line = number
            self.mended.update(mended if not self._ended else ())
            try:
                self._feed(parser, text)
            except expat.ExpatError as error:
                raise BadRequest(f"line {self._line} is no XML: {expat.ErrorString(error.code)}") from None
            if self._line % 1000 == 0:
                progress(file.tell())
        if not self._ended:
            within = f"within <{self._open[-1]}>" if self._open else "before its first element"
            raise BadRequest(f"it breaks off after line {self._line}, {within}")
        progress(file.tell())
        return self

    def _feed(self, parser: expat.XMLParserType, text: str) -> None:
        if self._ended:
            if text.strip():
                self._refuse(self._line, "after the end", "all that follows </rFactorXML> is left out")
            return
        whole, end, after = text.partition(f"</{_ROOT}>")
        parser.Parse((whole + end).encode(), False)
        if self._ended and after.strip():
            self._feed(parser, after)

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity
        parser.DefaultHandler = self._other  # with one, entities are told and not expanded
        return parser

    def _entity(
        self,
        name: str,
        is_parameter: bool,
        value: str | None,
        _base: str | None,
        _system: str,
        _public: str | None,
        _notation: str | None,
    ) -> None:
        self._entities += 1
        if (
            is_parameter
            or value is None
            or len(value) > _ENTITY
            or "&" in value
            or self._entities > _ENTITIES
        ):
            raise BadRequest(f"line {self._line} declares an entity {name!r} that no game writes")

    def _other(self, data: str) -> None:
        if data.startswith("&"):
            raise BadRequest(f"line {self._line} uses {data}, and entities are not expanded")

    def _start(self, name: str, said: dict[str, str]) -> None:
        if len(self._open) == _DEEPEST:
            raise BadRequest(f"line {self._line}: more than {_DEEPEST} elements within each other")
        if len(self._open) == 1 and name not in _RESULTS:
            raise BadRequest(f"line {self._line}: <{name}> where <RaceResults> belongs")
        self._text, self._length = [], 0
        depth = len(self._open)
        self._open.append(name)
        match = _SESSION.fullmatch(name) if depth == _IN_SESSION else None
        if match:
            self._counted()
            self.sessions.append(_Session(_KINDS[match[1]], int(match[2] or 1)))
        elif depth > _IN_SESSION and _SESSION.fullmatch(self._open[_IN_SESSION]):
            self._start_in_session(depth, name, said)

    def _start_in_session(self, depth: int, name: str, said: dict[str, str]) -> None:
        drivers = self.sessions[-1].drivers
        if name == "Driver" and depth == _IN_SESSION + 1:
            self._counted()
            drivers.append(_Driver(self._line))
        elif drivers and depth == _IN_SESSION + 2 and self._open[-2] == "Driver":
            self._taking = None
            if name == "Lap":
                self._counted()
                self._taking = _Line(self._line, said)
                drivers[-1].laps.append(self._taking)
            elif name in ("Swap", "ControlAndAids"):
                self._counted()
                self._taking = _stint(said)
                (drivers[-1].swaps if name == "Swap" else drivers[-1].aids).append(self._taking)

    def _counted(self) -> None:
        self._count += 1
        if self._count > _MOST:
            raise BadRequest(f"it has more than {_MOST} sessions, drivers and laps")

    def _characters(self, data: str) -> None:
        self._length += len(data)
        if self._length <= _LONGEST_TEXT:
            self._text.append(data)

    def _end(self, name: str) -> None:
        depth = len(self._open) - 1
        self._open.pop()
        text = "".join(self._text).strip()
        self._text = []
        if self._taking is not None and depth == _IN_SESSION + 2:
            self._taking.text = text
            self._taking = None
        elif depth == _IN_SESSION and not _SESSION.fullmatch(name):
            self.said[name] = text
        elif self.sessions and depth == _IN_SESSION + 1 and name not in ("Driver", "Stream"):
            self.sessions[-1].said[name] = text
        elif self.sessions and depth == _IN_SESSION + 2 and self._open[-1] == "Driver":
            self.sessions[-1].drivers[-1].said[name] = text
        self._ended = not self._open


def _lines(file: BinaryIO) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines as XML, and what was done: names in Windows-1252 decoded, bare ampersands escaped."""
    text = encoding.opened(file)
    number = 0
    while line := text.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) > _LONGEST_LINE:
            raise BadRequest(f"line {number} is longer than {_LONGEST_LINE} characters")
        western = _ESCAPED.sub(lambda one: bytes([ord(one[0]) - 0xDC00]).decode("cp1252", "replace"), line)
        escaped = _BARE.sub("&amp;", _NO_XML.sub("\ufffd", western.removeprefix("\ufeff")))
        done = {"Windows-1252": western != line, "a bare ampersand": len(escaped) > len(western)}
        yield escaped, [what for what, was_done in done.items() if was_done]


def _stint(said: dict[str, str]) -> _Stint:
    try:
        return _Stint(
            cells.whole("startLap", said.get("startLap", "")), cells.whole("endLap", said.get("endLap", ""))
        )
    except Malformed:
        return _Stint(0, -1)


def _session(found: "_Reader", session: _Session) -> RecordedSession:
    said = {**found.said, **session.said}
    mended = ", ".join(f"{what} in {lines} lines" for what, lines in found.mended.items() if lines)
    began = said.get("DateTime", "")
    seconds = int(began) if re.fullmatch("[0-9]{9,10}", began) else 0
    length = said.get("TrackLength", "")
    return RecordedSession(
        track=said.get("TrackCourse") or said.get("TrackVenue", ""),
        kind=session.kind,
        number=session.number,
        start_time_ns=seconds * 1_000_000_000,
        whole=True,
        track_length_m=float(length) if _TIME.fullmatch(length) else 0.0,
        facts={
            **{name: said[name] for name in _OF_SESSION if said.get(name)},
            **({"mended": mended} if mended else {}),
        },
    )


def _laps(session: _Session, refuse: Refuse) -> Iterator[RecordedLap]:
    """Yield the laps of a session, car by car; those that say nothing sound are refused."""
    for slot, driver in enumerate(session.drivers):
        laps: list[RecordedLap] = []
        for line in driver.laps:
            try:
                laps.append(_lap(driver, slot, line, laps[-1] if laps else None))
            except Malformed as error:
                refuse(line.line, error.reason, error.detail)
        if laps:
            laps[-1].facts = {**laps[-1].facts, **_result(driver)}
        yield from laps


def _lap(driver: _Driver, slot: int, line: _Line, before: RecordedLap | None) -> RecordedLap:
    said = line.said
    index = cells.lap_number("num", said.get("num", ""))
    if before is not None and index <= before.index:
        raise Malformed("a repeated lap", f"lap {index} follows lap {before.index}")
    sectors = tuple(_seconds(name, said.get(name, "")) for name in _SECTORS)
    lap_time = _seconds("the lap's time", line.text)
    start = _seconds("et", said.get("et", ""))
    begun = start if start is not None else before.end_s if before else 0.0
    pit = said.get("pit") == "1"
    came_out = before is not None and before.in_lap and before.index == index - 1
    return RecordedLap(
        car=slot,
        index=index,
        number=index - 1,
        start_s=begun,
        end_s=begun + (lap_time if lap_time is not None else sum(one or 0.0 for one in sectors)),
        car_number=driver.said.get("CarNumber", ""),
        driver=_of(driver.swaps, index) or driver.said.get("Name", ""),
        vehicle=driver.said.get("VehName", ""),
        vehicle_class=driver.said.get("CarClass", ""),
        team=driver.said.get("TeamName", ""),
        lap_time_s=lap_time,
        official=lap_time is not None,
        sectors_s=sectors,  # type: ignore[arg-type]
        complete=lap_time is not None,
        valid=lap_time is not None,
        in_lap=pit,
        out_lap=came_out,
        stint=(before.stint if before else 1) + came_out,
        place=_place(said.get("p", "")),
        compounds=(_compound(said.get("fcompound", "")), _compound(said.get("rcompound", ""))),
        facts=_facts(driver, line, index),
    )


def _seconds(name: str, text: str) -> float | None:
    """Return seconds, None where the game withholds them."""
    if not text or _NO_TIME.fullmatch(text):
        return None
    if not _TIME.fullmatch(text):
        raise Malformed("no time", f"{name} is {text!r}, which is no number of seconds")
    return float(text)


def _place(text: str) -> int:
    return int(text) if re.fullmatch("[1-9][0-9]{0,2}", text) else 0


def _compound(text: str) -> str:
    """Return Soft, of 3,Soft."""
    return text.partition(",")[2].strip()


def _of(stints: list[_Stint], lap: int) -> str:
    return next((one.text for one in stints if one.first <= lap <= one.last and one.text), "")


def _facts(driver: _Driver, line: _Line, index: int) -> dict[str, str]:
    told = {name: line.said[name] for name in _WHAT_LAPS_SAY if line.said.get(name)}
    if told.get("fuel", "").startswith("-"):
        del told["fuel"]  # -1.000 where the server does not say it
    aids = _of(driver.aids, index)
    return {**told, **({"ControlAndAids": aids} if aids else {})}


def _result(driver: _Driver) -> dict[str, str]:
    return {name: driver.said[name] for name in _RESULT if driver.said.get(name)}


DIALECT: Final = Rf2Results()
