"""Bringing a warehouse to the tables of this program: made where there are none, widened, never changed."""

import time
from collections.abc import Iterable, Mapping

from rig.errors import Mismatch
from rigclient.warehouse import ddl, tables, views
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.loading import writer
from rigclient.warehouse.tables import Column, WarehouseTable

Columns = dict[WarehouseTable, dict[str, str]]
"""The types of the columns that the tables of a warehouse have, by table and name."""


def prepare(destination: Destination) -> Columns:
    """Make what is not there; returns what is. Raises Mismatch for tables of another version or a column of
    another type, before anything is made.

    The version is noted last: where it stands everything else does.
    """
    columns = destination.columns()
    there = {table: columns[table.name] for table in tables.TABLES}
    made = bool(there[tables.SCHEMA]) and bool(versions(destination))
    if made:
        check_version(destination)
    grown = _grown(destination, there, {table: table.columns for table in tables.TABLES})
    if grown or not made:
        make_views(destination)
        comment(destination)
    if not made:
        for statement in destination.dialect.setup:
            destination.execute(statement)
        _note_version(destination)
    return there


def _note_version(destination: Destination) -> None:
    destination.execute(
        "INSERT INTO RIG_SCHEMA (VERSION, WRITER, MADE_AT_MS) SELECT ?, ?, ? "
        "FROM (SELECT 1 AS ONE) X WHERE NOT EXISTS (SELECT 1 FROM RIG_SCHEMA)",
        [tables.VERSION, writer(), time.time_ns() // 1_000_000],
    )


def make_views(destination: Destination) -> None:
    """Make the views anew, over the columns that there are now."""
    for name in views.VIEWS:
        destination.execute(ddl.create_view(name, destination.dialect))


def comment(destination: Destination) -> None:
    """Comment tables and columns, where that is not done as they are made."""
    if destination.dialect.comments_within:
        return
    destination.begin()
    try:
        for table in tables.TABLES:
            for statement in ddl.comments(table):
                destination.execute(statement)
        destination.commit()
    except BaseException:
        destination.rollback()
        raise


def versions(destination: Destination) -> set[int]:
    """Return the versions that the tables have; none while they are being made."""
    return {int(version) for (version,) in destination.rows("SELECT VERSION FROM RIG_SCHEMA")}


def check_version(destination: Destination) -> None:
    """Raise Mismatch when the tables have another meaning than this program gives them."""
    found = versions(destination)
    if found - {tables.VERSION}:
        raise Mismatch(
            f"the tables of {destination.name} have version {', '.join(map(str, sorted(found)))}, "
            f"this program writes version {tables.VERSION}",
            hint="update rigd here, or load into another warehouse",
        )


def widen(
    destination: Destination, there: Columns, wanted: Mapping[WarehouseTable, Iterable[Column]]
) -> None:
    """Add what is missing, columns or all of a table, there and in `there`, and make the views over it.

    Raises Mismatch, before anything is added, when a column is there with a type that cannot hold the values.
    """
    if _grown(destination, there, wanted):
        make_views(destination)


def _grown(
    destination: Destination, there: Columns, wanted: Mapping[WarehouseTable, Iterable[Column]]
) -> bool:
    """Add what is missing; return whether there was anything."""
    for table, columns in wanted.items():
        for column in columns:
            check_type(destination.name, table, column, there[table].get(column.name, column.type))
    grown = False
    for table, columns in wanted.items():
        grown |= _widened(destination, table, there[table], columns)
    return grown


def _widened(
    destination: Destination, table: WarehouseTable, there: dict[str, str], columns: Iterable[Column]
) -> bool:
    """Add what one table lacks; return whether there was anything."""
    if not there:
        destination.execute(ddl.create(table, destination.dialect))
        there |= {column.name: column.type for column in table.columns}
        return True
    missing = [column for column in columns if column.name not in there]
    for column in missing:
        destination.execute(ddl.add_column(table, column, destination.dialect))
        if column.of:
            destination.execute(ddl.fill(table, column, destination.dialect))
        there[column.name] = column.type
    return bool(missing)


def check_type(where: str, table: WarehouseTable, column: Column, there: str) -> None:
    """Raise Mismatch when a column of type `there` cannot hold the values of `column`."""
    if not tables.fits(column.type, there):
        raise Mismatch(
            f"{table.name}.{column.name} is {there} in {where}, here it is {column.type}",
            hint="a column's type is never changed; load into another warehouse",
        )
