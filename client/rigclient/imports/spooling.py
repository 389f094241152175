"""Recordings into lap files in a folder of their own: all laps of a file are there before one is kept."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from rig.errors import BadRequest
from rig.lapfile import LapFile
from rig.v1 import lap_pb2, session_pb2
from rigclient.imports import races
from rigclient.imports.import_file import EMPTY, LOADED, OLDER, ImportFile, ImportOptions, ImportReport
from rigclient.imports.lap_files import WholeFile, finished, lap_file, recording_message, session_message
from rigclient.imports.loaded_files import CarLap, LoadedFile, conflict
from rigclient.imports.races import ImportedRace, race_of, standing
from rigclient.imports.recording import RecordedLap, Recording
from rigclient.imports.signals.distance import length_of
from rigclient.imports.timing.dating import Clocks, first_midnight

_S: Final = 1_000_000_000
_HALF_DAY_NS: Final = 43_200_000_000_000
_MOST_RACES: Final = 10
"""Sessions that are alike in all but their cars."""
_HINT: Final = "laps of two files are never merged: take the other one back first"

BeaconClocks = dict[tuple[str, str, int], list[Clocks]]
"""Clocks of beacons by track, kind and number of their race."""


class OlderFile(Exception):
    """The file stays out: a later one of its race is there."""

    def __init__(self, other: LoadedFile, race: ImportedRace) -> None:
        super().__init__(other.name)
        self.other = other
        self.race = race


@dataclass
class SpooledSession:
    """A session of a file, and its laps as files in a folder."""

    session: session_pb2.Session
    race: ImportedRace
    key: str
    """Of the race and its date."""
    is_new: bool
    """No file of it is there."""
    whole: bool
    """Laps of other files in it go."""
    replaces: tuple[LoadedFile, ...] = ()
    laps: list[lap_pb2.Lap] = field(default_factory=list)
    parts: list[bytes | Path] = field(default_factory=list)
    """The file of each lap as it was when it was made, or where that lies."""
    file: WholeFile = field(default_factory=WholeFile)
    """What is known of the file by now."""

    def lap_files(self) -> Iterator[bytes]:
        """Yield the lap files, in the order of the laps."""
        for part in self.parts:
            data = part if isinstance(part, bytes) else part.read_bytes()
            yield finished(LapFile(data), self.session, self.file)


@dataclass
class _Placed:
    """Where a recording goes among what is there."""

    name: str
    key: str
    race: ImportedRace
    start_ns: int
    other: LoadedFile | None
    slots: dict[str, int] = field(default_factory=dict)
    """Of cars that are there, by vehicle."""
    there: dict[CarLap, str] = field(default_factory=dict)


def spooled(
    source: ImportFile, folder: Path, clocks: BeaconClocks
) -> tuple[ImportReport, list[SpooledSession]]:
    """Return the sessions of a file with their lap files in `folder`, and the report. Raises BadRequest, and
    Mismatch when one of the laps is there from another file.
    """
    dialect = source.file.dialect
    assert dialect is not None, "beacons have no laps"
    recordings = dialect.read(source.file.path, source.refuse, source.read)
    try:
        sessions = [
            _spooled(source, recording, folder / str(at), clocks) for at, recording in enumerate(recordings)
        ]
    except OlderFile as error:
        return _older(source, error), []
    finally:
        for recording in recordings:
            if hasattr(recording.laps, "close"):
                recording.laps.close()
    laps = [lap for session in sessions for lap in session.laps]
    _finish(source, sessions, len(laps))
    return _report(source, recordings, sessions, laps), [one for one in sessions if one.laps]


def _report(
    source: ImportFile, recordings: list[Recording], sessions: list[SpooledSession], laps: list[lap_pb2.Lap]
) -> ImportReport:
    refused = source.refusals.by_reason
    first = next((one for one in sessions if one.laps), sessions[0] if sessions else None)
    return ImportReport(
        source.file.path,
        source.file.kind,
        LOADED if laps else EMPTY,
        first.session.name.removeprefix("sessions/") if first else "",
        first.race if first else None,
        len(laps),
        sum(lap.samples for lap in laps),
        refused,
        "" if laps else f"{source.file.path} has no sound row, {refused.total()} refused",
        tuple(gone for one in sessions for gone in one.replaces),
        source.file.dialect.name if source.file.dialect else "",
        tuple(one.session.name.removeprefix("sessions/") for one in sessions if one.laps),
        tuple(recordings),
        tuple((lap.name, lap.lap_time if lap.HasField("lap_time") else None) for lap in laps),
    )


def _older(source: ImportFile, error: OlderFile) -> ImportReport:
    """Return the report of a chart that stays out: a later one of the race is there."""
    name, path = error.other.name, error.other.path
    why = f"{source.file.path} is older than {path}, from which {name} is in {source.loaded.place}"
    return ImportReport(source.file.path, source.file.kind, OLDER, name, error.race, why=why)


def _spooled(source: ImportFile, recording: Recording, folder: Path, clocks: BeaconClocks) -> SpooledSession:
    """Return a recording with its laps in `folder`."""
    laps: Iterable[RecordedLap] = recording.laps
    if recording.rate_hz is None:
        laps = list(laps)  # a kilobyte each, and the whole is asked for numbers and clocks
    placed = _placed(source, recording, laps if isinstance(laps, list) else [], clocks)
    session = session_message(placed.name, placed.race, recording.session, placed.start_ns)
    whole = recording.session.whole
    gone = (placed.other,) if placed.other and whole else ()
    made = SpooledSession(session, placed.race, placed.key, not placed.other or bool(gone), whole, gone)
    of = recording_message(recording)
    of.file = source.file.path.name
    of.program = source.file.dialect.program if source.file.dialect else ""
    of.sha256, of.bytes = source.file.sha256, source.file.bytes
    of.race, of.local_date = placed.key, placed.race.date
    folder.mkdir()
    lengths: list[float | None] = []
    for lap in _checked(source, placed, laps):
        if lap.complete and lap.samples and not recording.session.track_length_m:
            lengths.append(length_of(lap.samples, lap.lap_time_s or lap.end_s - lap.start_s))
        data = lap_file(lap, session, of)
        made.parts.append(_spool(data, folder) if lap.samples else data)
        made.laps.append(LapFile(data).header.lap)
    _end(made)
    if known := [one for one in lengths if one is not None]:
        session.track_length = session.state.track_length = float(np.median(known))
    return made


def _spool(data: bytes, folder: Path) -> Path:
    """Return a new file with these bytes: laps with samples are too much for the memory."""
    path = folder / f"{len(list(folder.iterdir()))}.lap"
    path.write_bytes(data)
    return path


def _end(made: SpooledSession) -> None:
    """Note when the session was over, by its laps."""
    if made.session.start_time_ns and made.laps:
        made.session.end_time_ns = max(lap.end_time_ns for lap in made.laps)


def _checked(source: ImportFile, placed: _Placed, laps: Iterable[RecordedLap]) -> Iterator[RecordedLap]:
    """Yield the laps with the slots that their cars have. Raises Mismatch for one that is there, BadRequest
    for one that comes twice.
    """
    slots, seen = dict(placed.slots), dict.fromkeys(placed.there, True)
    own: dict[int, int] = {}
    for lap in laps:
        if placed.slots:
            if lap.car not in own:
                own[lap.car] = slots.setdefault(lap.vehicle, max(slots.values(), default=-1) + 1)
            lap = replace(lap, car=own[lap.car])
        at = (lap.car, lap.index)
        if at in placed.there:
            what = f"{placed.name}/car{lap.car:03d}-{lap.index:04d}"
            there = LoadedFile(placed.name, placed.there[at], "")
            raise conflict(source.file, what, there, source.loaded.place, _HINT)
        if seen.get(at) is False:
            raise BadRequest(f"{source.file.path} has lap {lap.index} of car {lap.car} twice")
        seen[at] = False
        yield lap


def _finish(source: ImportFile, sessions: list[SpooledSession], laps: int) -> None:
    """Note what is known once all laps are read."""
    refused = source.refusals.by_reason.total()
    for made in sessions:
        gone = tuple(one.sha256 for one in made.replaces if one.sha256 != source.file.sha256)
        made.file = WholeFile(laps, refused, gone, source.user)


def _placed(
    source: ImportFile, recording: Recording, laps: list[RecordedLap], clocks: BeaconClocks
) -> _Placed:
    race = _race(source.file.path, source.named, recording)
    start_ns, clock_s = recording.session.start_time_ns, recording.session.local_clock_s
    if not start_ns and clock_s is not None:
        crossings = np.array([round((clock_s + lap.end_s) * _S) for lap in laps], np.int64)
        found = first_midnight(crossings, clocks.get((race.slug, race.kind, race.number), ()))
        if found is not None:
            race = race._replace(date=_local_date(found))
            start_ns = found + round(clock_s * 1e6) * 1000
    key = race.key(*map(str, _identity(source, recording)))
    began = _began(recording, race, start_ns)
    others = source.loaded.sessions_of_race(key, race.session(began, "").partition("-")[2], race.date)
    if recording.session.whole:
        return _whole(source, race, key, began, start_ns, others, {lap.car_number for lap in laps})
    other = next(iter(others), None)
    name = other.name if other else race.session(began, races.digits(key))
    placed = _Placed(name, races.dated(key, race.date), race, start_ns, other)
    if other:
        placed.slots, there = source.loaded.cars(name), source.loaded.laps(name)
        placed.there = {at: sha256 for at, sha256 in there.items() if not _resumed(source, sha256)}
    return placed


def _whole(
    source: ImportFile,
    race: ImportedRace,
    key: str,
    began: str,
    start_ns: int,
    others: list[LoadedFile],
    numbers: set[str],
) -> _Placed:
    """Return the place of a file that has all of its session. One that is like others in all but its cars,
    without one in common, is another race. Raises Mismatch, OlderFile.
    """
    other = next((one for one in others if source.loaded.numbers(one.name) & numbers), None)
    if other is None:
        key = races.variant(key, len(others))
        name = race.session(began, races.digits(key))
        return _Placed(name, races.dated(key, race.date), race, start_ns, None)
    if _resumed(source, other.sha256):
        return _Placed(other.name, races.dated(key, race.date), race, start_ns, other)
    replaced = source.loaded.replaced(source.file.sha256, other.name)
    if replaced or standing(source.file.path) < standing(Path(other.path)):
        raise OlderFile(other, race)
    if not _may_replace(source, other):
        raise conflict(source.file, other.name, other, source.loaded.place, _hint(source, race, other))
    return _Placed(other.name, races.dated(key, race.date), race, start_ns, other)


def _resumed(source: ImportFile, sha256: str) -> bool:
    """Return whether a lap of that file is one of this file, whose import was broken off."""
    return source.loaded.resumed and source.file.sha256.startswith(sha256)


def _identity(source: ImportFile, recording: Recording) -> tuple[str | int, ...]:
    """Return what tells the session from others: what the file says, else its start, else the file."""
    session = recording.session
    return session.identity or (recording.dialect, session.start_time_ns or source.file.sha256)


def _race(path: Path, named: ImportOptions, recording: Recording) -> ImportedRace:
    """Return the race of a recording: by what the caller says, what the file says, the path. Raises
    BadRequest.
    """
    session = recording.session
    track = named.track or session.track
    if session.kind in ("", races.RACE):
        return race_of(path, track, named.race, named.date, session.number if session.kind else 0)
    if not track:
        track = race_of(path, "", 1, named.date).track
    return ImportedRace(track, session.number, session.kind, named.date)


def _may_replace(source: ImportFile, other: LoadedFile) -> bool:
    """Return whether the caller said so, and did not name both without a sign which of them is the later
    one.
    """
    equal = standing(source.file.path) == standing(Path(other.path))
    named = any(one.startswith(other.sha256) for one in {*source.beside, source.file.sha256})
    return source.named.replace and not (equal and named)


def _hint(source: ImportFile, race: ImportedRace, other: LoadedFile) -> str:
    if source.named.replace:
        return "both were named; --replace with the right one alone takes it"
    undated = race.date == "" or "undated" in other.name
    date = "; --date tells races of several years apart" if undated else ""
    return f"--replace takes the later chart in its place{date}"


def _local_date(midnight_ns: int) -> str:
    """Return the date of a local midnight, which is at most half a day from one in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime((midnight_ns + _HALF_DAY_NS) // _S))


def _began(recording: Recording, race: ImportedRace, start_ns: int) -> str:
    """Return 20250906-184041 in UTC. With a date alone 20250906-134041 by the file's own clock, whose zone
    nobody knows. Without a date undated-134041.
    """
    if start_ns:
        return time.strftime("%Y%m%d-%H%M%S", time.gmtime(start_ns // _S))
    clock = time.strftime("%H%M%S", time.gmtime(int(recording.session.local_clock_s or 0)))
    return f"{race.date.replace('-', '') or 'undated'}-{clock}"
