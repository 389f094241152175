"""Which columns of a warehouse the channels of a lap file become, and whether they may."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from rig.channels import LAP, PHYSICS, SCORING, Channel
from rig.errors import Mismatch
from rig.lapfile import SAMPLES, SCORINGS, LapFile
from rig.v1 import archive_pb2
from rigclient.warehouse import schema, table_rows, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.tables import Column, WarehouseTable

Array = np.ndarray[Any, np.dtype[Any]]

_TABLES: Final = {SAMPLES: tables.SAMPLES, SCORINGS: tables.UPDATES}
_KNOWN: Final = {
    SAMPLES: {**PHYSICS.by_name, **LAP.by_name},
    SCORINGS: {**SCORING.by_name, **LAP.by_name},
}


class ChannelColumns(NamedTuple):
    """Which columns the channels of laps with one fingerprint become."""

    crc: int
    """Fingerprint of the channels, see `table_rows.schema_crc`."""
    columns: dict[WarehouseTable, tuple[Column, ...]]
    names: dict[WarehouseTable, dict[str, list[str]]]
    """Names of the columns of each channel, one per component."""

    def arrays(self, table: WarehouseTable, columns: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays of a table by column, each of shape (rows,), from the channels of a lap."""
        return dict(_split(self.names[table], columns))


def _split(names: Mapping[str, list[str]], columns: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    for channel, values in columns.items():
        own = names[channel]
        if len(own) == 1:
            yield own[0], values
        else:
            yield from ((name, values[:, at]) for at, name in enumerate(own))


class LayoutCache:
    """The layouts met so far, by fingerprint, each checked once against the tables of a warehouse."""

    def __init__(self, where: str, there: schema.Columns) -> None:
        self._where, self._there = where, there
        self._known: dict[int, ChannelColumns] = {}

    def of(self, file: LapFile) -> ChannelColumns:
        """Return the layout of a lap. Raises Mismatch, with what each side has, where it does not fit."""
        crc = table_rows.schema_crc(file)
        if crc not in self._known:
            self._known[crc] = self._made(crc, file)
        return self._known[crc]

    def _made(self, crc: int, file: LapFile) -> ChannelColumns:
        layout = ChannelColumns(crc, {}, {})
        for section, table in _TABLES.items():
            channels = [c for c in file.header.columns if c.section == section and not c.auxiliary]
            names = {channel.name: tables.components(channel.name, channel.width) for channel in channels}
            for channel in channels:
                _check_width(channel, _KNOWN[section].get(channel.name), file.header.lap.name)
            layout.names[table] = names
            layout.columns[table] = tuple(
                self._checked(table, name, channel) for channel in channels for name in names[channel.name]
            )
        return layout

    def _checked(self, table: WarehouseTable, name: str, channel: archive_pb2.Column) -> Column:
        column = Column(name, tables.type_of(np.dtype(channel.dtype)), channel.description)
        schema.check_type(self._where, table, column, self._there[table].get(name, column.type))
        return column

    def widen(self, destination: Destination, layout: ChannelColumns) -> None:
        """Add the columns that the tables do not have yet. Not within a transaction."""
        schema.widen(destination, self._there, layout.columns)


def _check_width(channel: archive_pb2.Column, known: Channel | None, lap: str) -> None:
    if known is not None and known.width != channel.width:
        raise Mismatch(
            f"{channel.name} has {channel.width} values a row in {lap}, this program knows {known.width}",
            hint="update rigd here, or on the rig",
        )
