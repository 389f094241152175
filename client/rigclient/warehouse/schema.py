"""Bringing a warehouse to the tables of this program: made where there are none, widened, never changed."""

import time
from collections.abc import Iterable

from rig.errors import Mismatch
from rigclient.warehouse import tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.loading import writer
from rigclient.warehouse.tables import Column, Table


def prepare(destination: Destination) -> None:
    """Make what is not there. Raises Mismatch for tables of another version or a column of another type."""
    if not destination.columns(tables.SCHEMA.name):
        make(destination)
    check_version(destination)
    widened = [widen(destination, table, table.columns) for table in tables.TABLES]
    if any(widened):
        make_views(destination)


def make(destination: Destination) -> None:
    """Run the DDL; again is harmless."""
    for statement in tables.ddl(destination.dialect):
        destination.execute(statement)
    destination.execute(
        "INSERT INTO RIG_SCHEMA (VERSION, WRITER, MADE_AT_MS) SELECT ?, ?, ? "
        "FROM (SELECT 1 AS ONE) X WHERE NOT EXISTS (SELECT 1 FROM RIG_SCHEMA)",
        [tables.VERSION, writer(), time.time_ns() // 1_000_000],
    )


def make_views(destination: Destination) -> None:
    """Make the views anew, over the columns that there are now."""
    for name in tables.VIEWS:
        destination.execute(tables.create_view(name, destination.dialect))


def check_version(destination: Destination) -> None:
    """Raises Mismatch when the tables have another meaning than this program gives them."""
    versions = {int(version) for (version,) in destination.rows("SELECT VERSION FROM RIG_SCHEMA")}
    if versions - {tables.VERSION}:
        raise Mismatch(
            f"the tables of {destination.name} have version {', '.join(map(str, sorted(versions)))}, "
            f"this program writes version {tables.VERSION}",
            hint="update rigd here, or load into another warehouse",
        )


def widen(destination: Destination, table: Table, wanted: Iterable[Column]) -> bool:
    """Add what is missing, columns or all of it; True when there was any. Raises Mismatch before anything is
    added when a column is there with a type that cannot hold the values.
    """
    there = destination.columns(table.name)
    if not there:
        destination.execute(tables.create(table))
        return True
    missing = [column for column in wanted if column.name not in there]
    for column in wanted:
        check_type(destination.name, table, column, there.get(column.name, column.type))
    for column in missing:
        destination.execute(tables.add_column(table.name, column.name, column.type))
    return bool(missing)


def check_type(where: str, table: Table, column: Column, there: str) -> None:
    """Raises Mismatch when a column of type `there` cannot hold the values of `column`."""
    if not tables.fits(column.type, there):
        raise Mismatch(
            f"{table.name}.{column.name} is {there} in {where}, here it is {column.type}",
            hint="a column's type is never changed; load into another warehouse",
        )
