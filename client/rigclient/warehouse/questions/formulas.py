"""Formulas over samples of the warehouse: channels are fetched, and the same code computes as on a rig.

They are not SQL: a derivative takes the rows before and behind, and a unit is checked before a row is read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from rig.channels import LAP, PHYSICS
from rig.errors import Unavailable
from rigclient.warehouse import tables
from rigclient.warehouse.destination import Batch
from rigclient.warehouse.numbers import numbers
from riglap.extras import need
from riglap.formulas import Chosen, chosen, columns_of
from riglap.lap import Array, ChannelRows, ColumnSource

_LAP: Final = ("SESSION", "CAR", "LAP_INDEX", "LAP")
MOST_ROWS: Final = 500_000
"""Two hours and a half of one lap at 50 Hz, some 4 MB per channel."""


def split(channels: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Return channels without formulas, and the formulas among them by name. Raises BadRequest."""
    wanted = chosen(channels)
    return [name for name in wanted.channels if name not in wanted.formulas], wanted.formulas


def unit_of(name: str, formulas: Mapping[str, str]) -> str:
    """Return the unit of one of some formulas, from no rows. Raises BadRequest, MissingChannel."""
    sources = {
        channel.name: ColumnSource(
            channel.unit, "", _reader(np.empty((0,) if channel.width == 1 else (0, channel.width)))
        )
        for channel in (*LAP.channels, *PHYSICS.channels)
    }
    return columns_of(ChannelRows(sources, 0), formulas)[name].unit


def needed_by(formulas: Mapping[str, str]) -> tuple[str, ...]:
    """Return the channels that formulas take. Raises MissingChannel for one that no warehouse has."""
    return Chosen((), dict(formulas)).needed_here()


def with_formulas(
    batches: Iterable[Batch], formulas: Mapping[str, str], keep: Sequence[str]
) -> Iterator[Batch]:
    """Yield a batch per lap, with the columns to keep and one per formula, by its name in upper case.

    `batches` bring laps one after the other. Raises BadRequest and MissingChannel for what the formulas say,
    Unavailable for a lap too long to be held.
    """
    pa: Any = need("pyarrow", "warehouse")
    for lap in _by_lap(batches):
        made = columns_of(_rows(lap), formulas)
        names = [*keep, *(name.upper() for name in made)]
        order = _in_time(lap)
        back = np.argsort(order, kind="stable")
        columns = [pa.array(source.read()[back], from_pandas=True) for source in made.values()]
        yield pa.record_batch([*(lap.column(name) for name in keep), *columns], names=names)


def _by_lap(batches: Iterable[Batch]) -> Iterator[Any]:
    """Yield the rows of one lap after the other, however they were cut into batches."""
    pa: Any = need("pyarrow", "warehouse")
    parts: list[Any] = []
    for batch in batches:
        for part in _cut(batch):
            if parts and _key(parts[-1]) != _key(part):
                yield pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
                parts = []
            parts.append(part)
            if sum(one.num_rows for one in parts) > MOST_ROWS:
                raise Unavailable(f"a lap has more than {MOST_ROWS} samples, too many for a formula")
    if parts:
        yield pa.Table.from_batches(parts).combine_chunks().to_batches()[0]


def _cut(batch: Batch) -> Iterator[Any]:
    """Yield the stretches of a batch that are of one lap."""
    keys = list(zip(*(batch.column(name).to_pylist() for name in _LAP), strict=True))
    begin = 0
    for at in range(1, len(keys) + 1):
        if at == len(keys) or keys[at] != keys[begin]:
            yield batch.slice(begin, at - begin)
            begin = at


def _key(part: Any) -> tuple[Any, ...]:
    return tuple(part.column(name)[0].as_py() for name in _LAP)


def _in_time(lap: Any) -> Array:
    return np.argsort(_floats(lap, "LAP_TIME"), kind="stable")


def _rows(lap: Any) -> ChannelRows:
    """Return the columns of a lap as channels, in the order of time."""
    order, there = _in_time(lap), set(lap.schema.names)
    sources = {}
    for channel in (*LAP.channels, *PHYSICS.channels):
        columns = tables.components(channel.name, channel.width)
        if there.issuperset(columns):
            parts = [_floats(lap, name)[order] for name in columns]
            values = parts[0] if channel.width == 1 else np.stack(parts, axis=1)
            sources[channel.name] = ColumnSource(
                channel.unit, channel.description, _reader(values), channel.zeros_absent
            )
    return ChannelRows(sources, lap.num_rows)


def _reader(values: Array) -> Any:
    return lambda: values


def _floats(lap: Any, name: str) -> Array:
    """Return a column as float64, NaN for NULL."""
    return numbers(lap.column(name))
