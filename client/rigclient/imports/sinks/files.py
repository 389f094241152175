"""The files that the laps of a sink came from."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.errors import NotFound
from rig.v1 import lap_pb2
from rigclient.imports.loaded_files import CarLap, LoadedFile, may_be
from rigclient.imports.races import date_told, digits, variant
from rigclient.imports.sinks.sink import LapSink

_LEAST: Final = 8
"""Digits of a checksum that may stand for it."""
_HEX: Final = re.compile("[0-9a-f]+")
_ALIKE: Final = 10
"""Races that are alike in all but their cars."""


class SinkFiles:
    """The files that the laps of a sink came from."""

    resumed: bool = True
    """Laps of a file that are there are those of one who was killed: the others come to them."""

    def __init__(self, sink: LapSink) -> None:
        self._sink: Final = sink
        self.place: str = sink.place

    def laps_of_file(self, sha256: str) -> list[lap_pb2.Lap]:
        """Return the laps that came from the file with a checksum, or with one that begins so."""
        return [lap for lap in self._laps() if lap.file_digest and _same(sha256, lap.file_digest)]

    def session_of_file(self, sha256: str) -> str | None:
        """Return the session of a file all of whose laps are there; None where one is not: whoever was killed
        while it came goes on.
        """
        laps = self.laps_of_file(sha256)
        if not laps or len(laps) < self._sink.recording(laps[0].name).laps:
            return None
        return laps[0].name.partition("/laps/")[0].removeprefix("sessions/")

    def sessions_of_race(self, key: str, name: str, date: str) -> list[LoadedFile]:
        """Return the sessions whose names end as those of the race do, with the digits of its key."""
        own = [digits(variant(key, nth))[:4] for nth in range(_ALIKE)]
        return [
            LoadedFile(short, *self._file(session.name))
            for session in self._sink.sessions()
            if (short := session.name.removeprefix("sessions/")) and _of_race(short, own, name)
            if may_be(date, "" if session.start_time_ns else date_told(short), session.start_time_ns)
            if self._sink.laps_of(session.name)
        ]

    def _file(self, session: str) -> tuple[str, str]:
        """Return checksum and name of the first file of a session."""
        recording = self._sink.recording(self._sink.laps_of(session)[0].name)
        return recording.sha256, recording.file

    def numbers(self, session: str) -> set[str]:
        """Return the numbers painted on the cars of a session."""
        return {lap.car_number for lap in self._sink.laps_of(f"sessions/{session}")}

    def replaced(self, sha256: str, session: str) -> bool:
        """Return whether the session came in the place of the file with this checksum."""
        lap = self._sink.laps_of(f"sessions/{session}")[0]
        return any(_same(sha256, one) for one in self._sink.recording(lap.name).replaced)

    def cars(self, session: str) -> dict[str, int]:
        """Return the slot ids of a session's cars, by vehicle."""
        return {lap.vehicle: lap.car for lap in self._sink.laps_of(f"sessions/{session}")}

    def laps(self, session: str) -> dict[CarLap, str]:
        """Return the checksum of the file that each lap of a session came from."""
        return {(lap.car, lap.index): lap.file_digest for lap in self._sink.laps_of(f"sessions/{session}")}

    def _laps(self) -> Iterator[lap_pb2.Lap]:
        for session in self._sink.sessions():
            yield from self._sink.laps_of(session.name)


def _same(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _of_race(session: str, own: list[str], name: str) -> bool:
    """Return whether 20250906-184041-barber-race-5f3a-1 ends as barber-race--1, with digits of the key."""
    head, _, number = session.rpartition("-")
    head, _, key = head.rpartition("-")
    return key in own and f"{head}--{number}".endswith(f"-{name.partition('-')[2]}")


def laps_of_file(sink: LapSink, path: Path) -> list[str]:
    """Return the names of the laps that came from a file, or from the file with a checksum that begins so."""
    sha256 = str(path).lower()
    if path.is_file():
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if len(sha256) < _LEAST or not _HEX.fullmatch(sha256):
        raise NotFound(f"there is no file {path}", hint="a file, or its checksum")
    return [lap.name for lap in SinkFiles(sink).laps_of_file(sha256)]
