"""The statements that make and widen the tables of a warehouse, and make its views."""

from rigclient.warehouse.destination import Dialect
from rigclient.warehouse.tables import TABLES, Column, WarehouseTable
from rigclient.warehouse.views import VIEWS


def create(table: WarehouseTable, dialect: Dialect) -> str:
    """Return the statement that makes a table where there is none, with its comments where one statement
    can.
    """
    lines = [f"{c.name} {c.type}{' NOT NULL' * c.needed}{_comment(c, dialect)}" for c in table.columns]
    if table.few or (dialect.free_keys and table.unique):
        lines.append(f"PRIMARY KEY ({', '.join(table.unique)})")
    columns = ",\n".join(f"  {line}" for line in lines)
    about = f" COMMENT = {_quoted(table.about)}" if dialect.comments_within else ""
    return f"CREATE TABLE IF NOT EXISTS {table.name} (\n{columns}\n){about}"


def add_column(table: WarehouseTable, column: Column, dialect: Dialect) -> str:
    """Return the statement that adds a column where there is none."""
    added = f"{column.name} {column.type}{_comment(column, dialect)}"
    return f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {added}"


def fill(table: WarehouseTable, column: Column, dialect: Dialect) -> str:
    """Return the statement that makes the timestamps of a column that was added."""
    made = dialect.timestamp.format(f"{column.of} - {column.of} % 1000")  # cut as the spool does, not rounded
    return f"UPDATE {table.name} SET {column.name} = {made} WHERE {column.of} IS NOT NULL"  # noqa: S608


def comments(table: WarehouseTable) -> list[str]:
    """Return the statements that comment a table and its columns, for warehouses that take them by
    themselves.
    """
    about = f"COMMENT ON TABLE {table.name} IS {_quoted(table.about)}"
    columns = (f"COMMENT ON COLUMN {table.name}.{c.name} IS {_quoted(c.about)}" for c in table.columns)
    return [about, *columns]


def _comment(column: Column, dialect: Dialect) -> str:
    return f" COMMENT {_quoted(column.about)}" if dialect.comments_within else ""


def _quoted(text: str) -> str:
    """Return text of this program as SQL: one line, single quotes doubled."""
    return "'" + " ".join(text.split()).replace("\\", "/").replace("'", "''") + "'"


def create_view(name: str, dialect: Dialect) -> str:
    """Return the statement that makes a view, or makes it anew over what columns there are now."""
    parts = VIEWS[name].replace("}", "{").split("{")
    body = "".join(dialect.timestamp.format(part) if at % 2 else part for at, part in enumerate(parts))
    return f"CREATE OR REPLACE VIEW {name} AS {body}"


def statements(dialect: Dialect) -> list[str]:
    """Return all statements that make an empty warehouse, each safe to run again."""
    views = (create_view(name, dialect) for name in VIEWS)
    made = (create(table, dialect) for table in TABLES)
    apart = () if dialect.comments_within else (one for table in TABLES for one in comments(table))
    return [*made, *dialect.setup, *views, *apart]
