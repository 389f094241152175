"""The URL of a warehouse: `duckdb:PATH`, `snowflake`, or `snowflake:NAME` of connections.toml."""

import importlib
import os
from pathlib import Path
from typing import Final, NamedTuple, cast

from rig.errors import BadRequest
from rigclient.warehouse.destination import Destination

VARIABLE: Final = "RIG_WAREHOUSE"
"""The variable of the environment that holds the URL where none is given."""

_CLASSES: Final = {
    "duckdb": ("rigclient.warehouse.duck", "DuckDB"),
    "snowflake": ("rigclient.warehouse.snowflake.account", "Snowflake"),
}
"""Module and class by scheme. A module is imported when one is opened: each needs a package of an extra."""


class WarehouseURL(NamedTuple):
    """Where a warehouse is; nothing is opened yet."""

    scheme: str
    """duckdb or snowflake."""
    location: str
    """Absolute path of the file, or name of the connection; empty for the default connection."""

    def __str__(self) -> str:
        return f"{self.scheme}:{self.location}" if self.location else self.scheme

    def open(self, *, read_only: bool = False) -> Destination:
        """Return an open connection. `read_only` needs only the right to read, and creates nothing."""
        module, name = _CLASSES[self.scheme]
        make = getattr(importlib.import_module(module), name)
        return cast(Destination, make(self.location, read_only=read_only))


def parse_url(text: str | None = None) -> WarehouseURL:
    """Return the URL in `text`, else the one in RIG_WAREHOUSE, else that of the user's own DuckDB file.

    Raises BadRequest for what is none.
    """
    text = text or os.environ.get(VARIABLE) or f"duckdb:{default_file()}"
    scheme, _, location = text.partition(":")
    if scheme not in _CLASSES or (scheme == "duckdb" and not location):
        raise BadRequest(f"{text!r} is no warehouse", hint="duckdb:PATH, snowflake, or snowflake:NAME")
    return WarehouseURL(
        scheme, str(Path(location).expanduser().absolute()) if scheme == "duckdb" else location
    )


def default_file() -> Path:
    """Return the path of the user's own DuckDB file, in XDG_DATA_HOME."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(base) / "rigd/warehouse.duckdb"


def connect(where: str | None = None, *, read_only: bool = False) -> Destination:
    """Return an open connection to the warehouse with the URL `where`; see `parse_url`."""
    return parse_url(where).open(read_only=read_only)
