"""A lap as numpy tables: its samples and its scoring updates, decoded as they are asked for."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from rig.channels import DTYPES, LAP, PHYSICS, SCORING, WHEELS, components
from rig.errors import BadRequest, Corrupt, MissingChannel
from rig.info import no_attribute
from rig.infos import LapInfo, SessionInfo
from rig.regular import read_regular
from rig.tables import LapColumns, PhysicsColumns, ScoringColumns
from rig.v1 import archive_pb2, event_pb2, laps_pb2
from riglap.extras import need
from riglap.names import session_id
from riglap.times import lap_time

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from matplotlib.figure import Figure

    from rig.lapfile import LapFile
    from riglap.circuits.circuit import Circuit
    from riglap.compare import Comparison
    from riglap.findings import Finding

Array = np.ndarray[Any, np.dtype[Any]]
RowNumbers = np.ndarray[Any, np.dtype[np.intp]]
DataFrame: TypeAlias = "pandas.DataFrame"
Table: TypeAlias = "pyarrow.Table"

SAMPLES: Final = archive_pb2.SECTION_SAMPLES
UPDATES: Final = archive_pb2.SECTION_SCORING
_LEAST_BYTES: Final = 1 << 10
"""A piece of a column counts as so much, however little is in it: its name takes room too."""
_ZEROS_ABSENT: Final = {
    section: {channel.name for table in tables for channel in table.channels if channel.zeros_absent}
    for section, tables in ((SAMPLES, (PHYSICS, LAP)), (UPDATES, (SCORING, LAP)))
}
_STRAYS: Final = 0.001
"""Share of samples other than 0 that a field nobody fills may hold: engine torque, 0 in twelve recordings,
had two.
"""
_EACH: Final = {len(WHEELS): 1, 3 * len(WHEELS): 3}
"""Values that every wheel has, by those of a row. Eight are the dents around the car."""


class FlatColumn(NamedTuple):
    """A channel or one component of it: `values` of shape (rows,), from `by_wheel` also (rows, values)."""

    name: str
    unit: str
    description: str
    values: Array


@dataclasses.dataclass(frozen=True)
class ColumnSource:
    """Where a column comes from: what it is, and how to read it."""

    unit: str
    description: str
    read: Callable[[], Array]
    zeros_absent: bool = False
    """Zeros in all rows mean that the game does not fill the channel: it is not available."""


class ChannelRows:
    """Rows of one car in the order of time, an attribute per channel.

    `rows.gear` and `rows["gear"]` are an array of one value per row, `rows.tyre_temp` one of twelve per row.
    A channel that is not there raises AttributeError, with brackets MissingChannel.
    """

    def __init__(self, sources: Mapping[str, ColumnSource], rows: int) -> None:
        self._sources: Final = dict(sources)
        self._rows: Final = rows
        self._read: Final[dict[str, Array]] = {}
        self._filled: Final[dict[str, bool]] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._sources:
            have = ", ".join(self._sources)
            raise MissingChannel(f"there is no channel {name!r}", hint=f"there are {have}", channels=have)
        if name not in self._read:
            self._read[name] = self._sources[name].read()
        return self._read[name]

    def __getattr__(self, name: str) -> Array:
        if name.startswith("_"):
            raise AttributeError(name)  # asked for by copy and pickle before there are columns
        try:
            return self[name]
        except MissingChannel:
            raise no_attribute(type(self).__name__, "channel", name, self.channels) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._sources]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} rows of {len(self.channels)} channels>"

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    @property
    def channels(self) -> list[str]:
        """Names of the channels."""
        return list(self._sources)

    def unit(self, name: str) -> str:
        """Return the unit of a channel; "" for a number without one. Raises KeyError."""
        return self._sources[name].unit

    def picked(self, name: str, rows: RowNumbers) -> ColumnSource:
        """Return a channel at these rows; -1 is no row: NaN for numbers with a fraction, masked for all
        others.
        """
        values = self[name]
        return dataclasses.replace(self._sources[name], read=lambda: _picked(values, rows))

    def available(self, name: str) -> bool:
        """Return whether anything is known of a channel: False where all rows are missing or, of a field that
        the game may leave unfilled, 0.
        """
        if name not in self._filled:
            self._filled[name] = not len(self) or _filled(self[name], self._sources[name].zeros_absent)
        return self._filled[name]

    def unavailable(self, channels: Iterable[str] = ()) -> list[str]:
        """Return the names of the channels that are not available, of all or of these. Raises
        MissingChannel.
        """
        asked = dict.fromkeys(map(self.channel, tuple(channels) or self._sources))
        return [name for name in asked if not self.available(name)]

    def flat(self, channels: Iterable[str] = ()) -> Iterator[FlatColumn]:
        """Yield columns of shape (rows,): of all channels that are available, or of these in their order.

        Names are those of `rig.channels.components`. A channel may be one wheel's, such as tyre_temp_fl: then
        its columns alone. All values of one that is not available are missing: NaN for numbers with a
        fraction, masked for all others. Raises MissingChannel.
        """
        for wanted in tuple(channels) or filter(self.available, self._sources):
            available = self.available(self.channel(wanted))
            yield from (column if available else _blank(column) for column in self.columns(wanted))

    def columns(self, wanted: str) -> Iterator[FlatColumn]:
        """Yield columns of one channel or one wheel's as in `flat`, with the values as they are stored."""
        name = self.channel(wanted)
        source, values = self._sources[name], self[name]
        for column, wheel, part in _components(name, values):
            if wanted in (name, f"{name}_{wheel}"):
                yield FlatColumn(column, source.unit, source.description, part)

    def by_wheel(self, wanted: str) -> Iterator[FlatColumn]:
        """Yield a channel wheel by wheel, each with as many values per row as it has; one of the car as it
        is.

        `wanted` may be one wheel's, such as tyre_temp_fl. What is not available is missing as in `flat`.
        Raises MissingChannel.
        """
        name = self.channel(wanted)
        values, source = self[name], self._sources[name]
        for column, part in _wheels(name, values):
            if wanted in (name, column):
                whole = FlatColumn(column, source.unit, source.description, part)
                yield whole if self.available(name) else _blank(whole)

    def channel(self, wanted: str) -> str:
        """Return the name of the channel that a column, perhaps one wheel's, belongs to. Raises
        MissingChannel.
        """
        name = channel_of(wanted)
        known = name != wanted and name in self and _per_wheel(self[name])
        self[name if known else wanted]
        return name if known else wanted

    def to_arrow(self, channels: Iterable[str] = ()) -> Table:
        """Return a pyarrow.Table of `flat`, units in the metadata of the fields, masked values null.

        Raises Unavailable without pyarrow.
        """
        pa = need("pyarrow", "export")
        columns = list(self.flat(channels))
        arrays = [pa.array(np.ma.getdata(c.values), mask=_mask(c.values)) for c in columns]
        fields = [
            pa.field(c.name, array.type, metadata={"unit": c.unit, "description": c.description})
            for c, array in zip(columns, arrays, strict=True)
        ]
        return pa.table(arrays, schema=pa.schema(fields))

    def to_pandas(self, channels: Iterable[str] = ()) -> DataFrame:
        """Return a pandas.DataFrame of `flat`, units in `attrs["units"]`, masked values missing.

        Raises Unavailable without pandas.
        """
        pd = need("pandas", "export")
        columns = list(self.flat(channels))
        frame = pd.DataFrame({column.name: column.values for column in columns})
        frame.attrs["units"] = {column.name: column.unit for column in columns}
        return frame


class ScoringRows(ChannelRows, ScoringColumns, LapColumns):
    """The scoring updates of a lap."""


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


class ScoringAssembler:
    """Assembles scoring updates out of the plain columns that a rig sends, long ones in pieces."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[Array]] = {}
        self._units: dict[str, str] = {}
        self._bytes = 0

    def take(self, columns: Iterable[laps_pb2.PlainColumn]) -> None:
        """Add the next columns. Raises Corrupt, also when they come to more bytes than a lap can have."""
        from rig.lapfile import DECODED_LIMIT  # loads zstandard, which those who only follow do without

        for column in columns:
            self._pieces.setdefault(column.name, []).append(_plain(column))
            self._units[column.name] = column.unit
            self._bytes += max(len(column.values), _LEAST_BYTES)
            if self._bytes > DECODED_LIMIT:
                raise Corrupt(f"the columns came to more than {DECODED_LIMIT} bytes, which is the limit")

    def rows(self) -> ScoringRows:
        """Return the rows, once all columns have been added. Raises Corrupt."""
        whole = {name: _joined(name, parts) for name, parts in self._pieces.items()}
        rows = {len(values) for values in whole.values()} or {0}
        if len(rows) > 1:
            raise Corrupt(f"the columns have {sorted(rows)} rows")
        absent = _ZEROS_ABSENT[UPDATES]
        sources = {
            name: ColumnSource(self._units[name], "", _reader(values), zeros_absent=name in absent)
            for name, values in whole.items()
        }
        return ScoringRows(sources, rows.pop())


def plain_rows(columns: Iterable[laps_pb2.PlainColumn]) -> ScoringRows:
    """Return the scoring updates in plain columns. Raises Corrupt."""
    updates = ScoringAssembler()
    updates.take(columns)
    return updates.rows()


def nearest(at: Array, times: Array, tolerance_s: float | None = None) -> RowNumbers:
    """Return the row of `times` nearest to each time in `at`, both in seconds; -1 where none is within
    tolerance.

    Of two rows equally near the earlier counts, of several at one moment the last.
    """
    if not len(times):
        return np.full(len(at), -1)
    order = np.argsort(times, kind="stable")
    rising = times[order]
    after = np.searchsorted(rising, at, side="right")
    left, right = np.maximum(after - 1, 0), np.minimum(after, len(times) - 1)
    pick = np.where(rising[right] - at < at - rising[left], right, left)
    last = np.searchsorted(rising, rising[pick], side="right") - 1
    within = np.abs(rising[last] - at) <= (np.inf if tolerance_s is None else tolerance_s)
    return np.where(within, order[last], -1)


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


def _reader(values: Array) -> Callable[[], Array]:
    return lambda: values


def _joined(name: str, parts: list[Array]) -> Array:
    """Return a column out of its pieces. Raises Corrupt for pieces of different columns."""
    if len({(part.dtype, part.shape[1:]) for part in parts}) > 1:
        raise Corrupt(f"the pieces of column {name} do not fit together")
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _plain(column: laps_pb2.PlainColumn) -> Array:
    dtype = DTYPES.get(column.dtype)
    if dtype is None:
        raise Corrupt(f"column {column.name} has values of an unknown type {column.dtype!r}")
    if not column.width:
        raise Corrupt(f"column {column.name} has no values in a row")
    expected = column.rows * column.width * dtype.itemsize
    if len(column.values) != expected:
        raise Corrupt(f"column {column.name} has {len(column.values)} bytes, {expected} were announced")
    values = np.frombuffer(column.values, dtype)
    return values if column.width == 1 else values.reshape(column.rows, column.width)


def _picked(values: Array, rows: RowNumbers) -> Array:
    # -1 picks the row without a value that is put at the end.
    fraction = values.dtype.kind == "f"
    absent = np.full((1, *values.shape[1:]), np.nan if fraction else 0, values.dtype)
    picked: Array = np.concatenate((values, absent))[rows]
    if fraction:
        return picked
    missing = (rows < 0).reshape(-1, *(1,) * (values.ndim - 1))
    return np.ma.masked_array(picked, np.broadcast_to(missing, picked.shape))


def _clock(rows: ChannelRows, start: float) -> Array:
    """Return the session clock of the rows [s]; where it was not asked for, from the time since `start`,
    always sent.
    """
    return rows["session_time"] if "session_time" in rows else rows["lap_time"] + start


def _mask(values: Array) -> Array | None:
    return np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None


def channel_of(column: str) -> str:
    """Return tyre_temp of tyre_temp_fl; any other name as it is. No channel's own name ends like a wheel."""
    name, _, ending = column.rpartition("_")
    return name if name and ending in WHEELS else column


def _per_wheel(values: Array) -> int:
    """Return how many values every wheel has per row; 0: they are the car's."""
    return 0 if values.ndim == 1 else _EACH.get(values.shape[1], 0)


def _filled(values: Array, zeros_absent: bool) -> bool:
    """Return whether a column of at least one row holds more than missing values and, where they say so,
    zeros.
    """
    fraction = values.dtype.kind == "f"
    known = np.isfinite(values) if fraction else ~np.ma.getmaskarray(values)
    if not zeros_absent:
        return bool(np.any(known))
    known = known & (np.ma.getdata(values) != 0)
    rows = np.count_nonzero(known if known.ndim == 1 else known.any(axis=1))
    return bool(rows > (_STRAYS * len(values) if fraction else 0))


def _blank(column: FlatColumn) -> FlatColumn:
    """Return the column with all values missing."""
    values = column.values
    if values.dtype.kind == "f":
        return column._replace(values=np.full_like(values, np.nan))
    return column._replace(values=np.ma.masked_array(np.zeros_like(values), True))


def _wheels(name: str, values: Array) -> Iterator[tuple[str, Array]]:
    if not _per_wheel(values):
        yield name, values
        return
    for wheel, part in zip(WHEELS, np.split(values, len(WHEELS), axis=1), strict=True):
        yield f"{name}_{wheel}", part


def _components(name: str, values: Array) -> Iterator[tuple[str, str, Array]]:
    """Yield name, wheel ("" of the car) and values of every component."""
    if values.ndim == 1:
        yield name, "", values
        return
    each = _per_wheel(values)
    for at, column in enumerate(components(name, values.shape[1])):
        yield column, WHEELS[at // each] if each else "", values[:, at]
