"""Rows of one car as numpy arrays, an attribute per channel, read as they are asked for."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from rig.channels import WHEELS, Channel, components
from rig.errors import MissingChannel
from rig.info import no_attribute
from riglap.extras import need

if TYPE_CHECKING:
    import pandas
    import pyarrow

Array = np.ndarray[Any, np.dtype[Any]]
RowNumbers = np.ndarray[Any, np.dtype[np.intp]]
DataFrame: TypeAlias = "pandas.DataFrame"
Table: TypeAlias = "pyarrow.Table"

_STRAYS: Final = 0.001
"""Share of samples other than 0 that a field nobody fills may hold: engine torque, 0 in twelve recordings,
had two.
"""
_EACH: Final = {len(WHEELS): 1, 3 * len(WHEELS): 3}
"""Values that every wheel has, by those of a row. Eight are the dents around the car."""


def zeros_absent(channels: Iterable[Channel]) -> set[str]:
    """Return the channels of which zeros in all rows mean that the game does not fill them."""
    return {channel.name for channel in channels if channel.zeros_absent}


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


def _picked(values: Array, rows: RowNumbers) -> Array:
    # -1 picks the row without a value that is put at the end.
    fraction = values.dtype.kind == "f"
    absent = np.full((1, *values.shape[1:]), np.nan if fraction else 0, values.dtype)
    picked: Array = np.concatenate((values, absent))[rows]
    if fraction:
        return picked
    missing = (rows < 0).reshape(-1, *(1,) * (values.ndim - 1))
    return np.ma.masked_array(picked, np.broadcast_to(missing, picked.shape))


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
