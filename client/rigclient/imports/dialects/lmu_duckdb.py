"""The telemetry files that Le Mans Ultimate writes itself, a DuckDB database for every session of the player.

    channelsList(channelName, frequency, unit), eventsList(eventName, unit), metadata(key, value)
    "Ground Speed"(value), "Susp Pos"(value1, value2, value3, value4), ...     rows at the channel's frequency
    "Lap"(ts, value), "Lap Time"(ts, value), "Gear"(ts, value), ...            a row when it changes

The clock of row n of a channel is that of "GPS Time" there. Laps lie between two rows of "Lap"; the lap
distance tells none, for it falls back also where no lap ends. The file is opened read-only, and nothing of it
is run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.errors import BadRequest
from rig.lapfile import ROWS_LIMIT
from rigclient.imports.lmu.database import opened
from rigclient.imports.lmu.samples import KNOWN, LmuSamples
from rigclient.imports.lmu.session import LmuSession
from rigclient.imports.recording import Head, Progress, RecordedLap, Recording, Refuse

_MAGIC: Final = slice(8, 12)
_DUCK: Final = b"DUCK"


class LmuDuckDB:
    """Reads them."""

    name = "LMU telemetry"
    program = "Le Mans Ultimate"

    def recognises(self, head: Head) -> bool:
        """Return whether it is a DuckDB file with the game's tables; by its name where it does not open."""
        if head.first[_MAGIC] != _DUCK:
            return False
        try:
            with opened(head.path) as file:
                return not file.missing()
        except BadRequest:
            return head.path.suffix == ".duckdb"

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:
        """Return a recording of all laps. Raises BadRequest for a file without a lap, or without tables that
        it needs, and where duckdb is not installed.
        """
        with opened(path) as file:
            if missing := file.missing():
                raise BadRequest(f"it is a DuckDB file without {missing[0]}, which Le Mans Ultimate writes")
            session = LmuSession(file, KNOWN, _quiet)
            laps = session.laps()
            first = next((lap for lap in laps if lap.complete), laps[0])
            mapped = tuple(LmuSamples(session).samples(first)[1].mapped)
        left = tuple(
            name for name in session.names() if name not in {one.column.partition(".")[0] for one in mapped}
        )
        return [
            Recording(
                self.name,
                session.recorded(),
                _read_laps(path, refuse, progress),
                float(session.hertz),
                mapped,
                left,
                session.setup(),
            )
        ]


def _quiet(_line: int, _reason: str, _detail: str) -> None:
    """Do nothing: what is refused is told when the laps are read."""


def _read_laps(path: Path, refuse: Refuse, progress: Progress) -> Iterator[RecordedLap]:
    """Yield the laps with their samples, one in memory."""
    size = path.stat().st_size
    with opened(path) as file:
        session = LmuSession(file, KNOWN, refuse)
        laps, channels = session.laps(), LmuSamples(session)
        for n, lap in enumerate(laps, start=1):
            samples, _ = channels.samples(lap)
            if len(samples["lap_time"]) > ROWS_LIMIT:
                refuse(
                    0,
                    "too long a lap",
                    f"lap {lap.index} has {len(samples['lap_time'])} samples, the most is {ROWS_LIMIT}",
                )
            else:
                lap.samples = samples
                yield lap
            progress(size * n // len(laps))


DIALECT: Final = LmuDuckDB()
