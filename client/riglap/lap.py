"""A lap as numpy tables: its samples and its scoring updates, decoded as they are asked for."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rig.channels import LAP, PHYSICS, SCORING
from rig.errors import BadRequest, MissingChannel
from rig.infos import LapInfo, SessionInfo
from rig.regular import read_regular
from rig.tables import LapColumns, PhysicsColumns
from rig.v1 import archive_pb2, event_pb2
from riglap.names import session_id
from riglap.rows import (
    Array,
    ChannelRows,
    ColumnSource,
    DataFrame,
    FlatColumn,
    channel_of,
    nearest,
    zeros_absent,
)
from riglap.scoring import ScoringAssembler, ScoringRows, plain_rows
from riglap.times import lap_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rig.lapfile import LapFile
    from riglap.circuits.circuit import Circuit
    from riglap.compare import Comparison
    from riglap.findings import Finding

__all__ = [
    "Array",
    "ChannelRows",
    "ColumnSource",
    "DataFrame",
    "FlatColumn",
    "Lap",
    "ScoringAssembler",
    "ScoringRows",
    "channel_of",
    "nearest",
    "plain_rows",
]

SAMPLES: Final = archive_pb2.SECTION_SAMPLES
UPDATES: Final = archive_pb2.SECTION_SCORING
_ZEROS_ABSENT: Final = {
    SAMPLES: zeros_absent((*PHYSICS.channels, *LAP.channels)),
    UPDATES: zeros_absent((*SCORING.channels, *LAP.channels)),
}


class Lap(ChannelRows, PhysicsColumns, LapColumns):
    """One lap of one car: its samples, and beside them `info`, `session`, `events`, `gaps` and `scoring`."""

    def __init__(self, file: "LapFile", joined: Mapping[str, ColumnSource] | None = None) -> None:
        self._header: Final[archive_pb2.LapHeader] = file.header
        self._joined: Final = dict(joined or {})
        super().__init__({**_sources(file, SAMPLES), **self._joined}, file.header.samples)
        self._file = file
        self._scoring: ScoringRows | None = None
        self._info: LapInfo | None = None

    @classmethod
    def open(cls, path: str | Path) -> "Lap":
        """Return the lap in a lap file, without a rig. Raises Corrupt, Newer, OSError."""
        from rig.lapfile import FILE_LIMIT

        return cls.from_bytes(read_regular(path, FILE_LIMIT))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Lap":
        """Return the lap in the bytes of a lap file. Raises Corrupt, Newer."""
        from rig.lapfile import LapFile  # loads zstandard, which those who only follow streams do without

        return cls(LapFile(data))

    def __getitem__(self, name: str) -> Array:
        if not len(self) and name not in self:
            raise MissingChannel(f"{self.info.name or 'the lap'} has no samples, and so no channel {name!r}")
        return super().__getitem__(name)

    def check_samples(self) -> None:
        """Raise BadRequest for a lap that has times and no samples, as timing sheets tell of it."""
        if not len(self):
            raise BadRequest(f"{self.info.name or 'the lap'} has no samples", hint="leave it out")

    def __repr__(self) -> str:
        info = self.info
        name = f"{session_id(info.name)}/{info.name.rpartition('/')[2]}"
        facts = ", ".join(
            filter(None, (info.driver, lap_time(info.lap_time or 0.0), *["not valid"] * (not info.valid)))
        )
        return f"<Lap {name} ({facts}): {len(self)} samples of {len(self.channels)} channels>"

    @property
    def info(self) -> LapInfo:
        """What the lap is: car, driver, times, whether it counts.

        As it was when the file was written; `Rig.lap_info` tells its size and whether it is pinned.
        """
        if self._info is None:
            self._info = LapInfo.of(self._header.lap)
        return self._info

    @property
    def session(self) -> SessionInfo:
        """The session, as it was when the file was written."""
        return SessionInfo.of(self._header.session)

    @property
    def events(self) -> list[event_pb2.Event]:
        """What happened to this car, and to the whole session, during the lap."""
        return list(self._header.events)

    @property
    def gaps(self) -> list[event_pb2.Gap]:
        """Declared losses among the samples."""
        return list(self._header.gaps)

    @property
    def scoring(self) -> ScoringRows:
        """The scoring updates of the lap."""
        if self._scoring is None:
            self._scoring = ScoringRows(_sources(self._file, UPDATES), self._header.scorings)
        return self._scoring

    def with_scoring(self, channels: Iterable[str] = (), tolerance_s: float | None = None) -> "Lap":
        """Return the lap with columns `scoring_<channel>`: of each sample the scoring update nearest in time.

        No channels: all of Scoring. Where none is within `tolerance_s` (None: however far) on the session
        clock, numbers with a fraction are NaN and all others masked. Raises MissingChannel.
        """
        scoring, start = self.scoring, self.info.start_time
        if not scoring.channels:
            raise MissingChannel(
                "this lap came without scoring updates",
                hint="none were recorded in its time, or its file has none",
            )
        names = tuple(channels) or [name for name in scoring.channels if name not in LAP.by_name]
        rows = nearest(_clock(self, start), _clock(scoring, start), tolerance_s)
        joined = {f"scoring_{name}": scoring.picked(name, rows) for name in names}
        return Lap(self._file, self._joined | joined)

    def with_columns(self, sources: Mapping[str, ColumnSource]) -> "Lap":
        """Return the lap with more columns, each of as many rows."""
        return Lap(self._file, self._joined | dict(sources))

    def with_formulas(self, *formulas: str) -> "Lap":
        """Return the lap with a channel per formula such as "kmh = speed [km/h]", which may use each other.

        Raises BadRequest for what a formula says, MissingChannel for what the lap does not have.
        """
        from riglap.formulas import chosen, with_formulas  # which are made of laps

        return with_formulas(self, chosen(formulas).formulas)

    def over_distance(self, name: str, metres: Array) -> Array:
        """Return a channel at these distances from the line [m], as float64 of shape (metres,): linear
        between samples, NaN outside. The channel has one value per row.

        Where the car rolled back, the farthest distance so far counts.
        """
        known = np.isfinite(self["distance"])
        if not known.any():
            return np.full(len(metres), np.nan)
        distance = np.maximum.accumulate(self["distance"][known].astype(np.float64))
        return np.interp(metres, distance, self[name][known].astype(np.float64), np.nan, np.nan)

    def compare(
        self, other: "Lap", circuit: "Circuit | None" = None, formulas: Iterable[str] = ()
    ) -> "Comparison":
        """Return where another lap loses time to this one; along the way of one of them without a circuit.
        Its traces read channels, and `formulas` such as "kmh = speed [km/h]" by their names.

        Raises BadRequest, Mismatch for different circuits, Unavailable for what the laps lack.
        """
        from riglap.compare import compare  # which is made of laps

        made = tuple(formulas)
        return compare([lap.with_formulas(*made) if made else lap for lap in (self, other)], circuit)

    def findings(self, reference: "Lap", circuit: "Circuit | None" = None) -> "list[Finding]":
        """Return what costs this lap time against a reference, the most first. Raises as `compare`."""
        from riglap.findings import findings

        return findings(reference.compare(self, circuit))

    def plot(
        self,
        channels: Iterable[str] = (),
        *,
        against: "Lap | Iterable[Lap]" = (),
        path: str | Path | None = None,
    ) -> "Figure":
        """Return a matplotlib Figure of channels over the distance in metres, a panel each (default: speed,
        throttle, brake and gear); with other laps `against`, also of the seconds that those lose to this one.

        `path` writes it as well: .png, .svg or .pdf, or for .html a page to zoom in. Raises MissingChannel,
        also where the lap came without `distance`; BadRequest for another ending; Unavailable without
        matplotlib.
        """
        from riglap.formulas import chosen, with_formulas
        from riglap.plot import draw  # which is made of laps

        wanted = chosen(channels)
        laps = [self, *([against] if isinstance(against, Lap) else against)]
        drawn = [with_formulas(lap, wanted.formulas) if wanted.formulas else lap for lap in laps]
        return draw(drawn, wanted.channels, None if path is None else Path(path))


def _sources(file: "LapFile", section: "archive_pb2.Section.ValueType") -> dict[str, ColumnSource]:
    def reader(name: str) -> Callable[[], Array]:
        return lambda: file.column(name, section)

    asked = set(file.channels(section))
    absent = _ZEROS_ABSENT[section]
    return {
        column.name: ColumnSource(
            column.unit, column.description, reader(column.name), zeros_absent=column.name in absent
        )
        for column in file.header.columns
        if column.section == section and column.name in asked
    }


def _clock(rows: ChannelRows, start: float) -> Array:
    """Return the session clock of the rows [s]; where it was not asked for, from the time since `start`,
    always sent.
    """
    return rows["session_time"] if "session_time" in rows else rows["lap_time"] + start
