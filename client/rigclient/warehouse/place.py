"""Where a warehouse is: `duckdb:PATH`, `snowflake`, or `snowflake:NAME` of connections.toml."""

import importlib
import os
from pathlib import Path
from typing import Final, NamedTuple, cast

from rig.errors import BadRequest
from rigclient.warehouse.destination import Destination

VARIABLE: Final = "RIG_WAREHOUSE"
"""Names the place where nothing else does."""

_KINDS: Final = {
    "duckdb": ("rigclient.warehouse.duck", "DuckDB"),
    "snowflake": ("rigclient.warehouse.snowflake.account", "Snowflake"),
}
"""Modules are loaded when one is opened: each needs a package of an extra."""


class Place(NamedTuple):
    """A warehouse that need not be open."""

    kind: str
    """duckdb or snowflake."""
    where: str
    """Path of the file, or name of the connection."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.where}" if self.where else self.kind

    def open(self, *, read_only: bool = False) -> Destination:
        """Connect. `read_only` needs no more than the right to read, and makes nothing."""
        module, name = _KINDS[self.kind]
        make = getattr(importlib.import_module(module), name)
        return cast(Destination, make(self.where, read_only=read_only))


def place(text: str | None = None) -> Place:
    """The place that `text` names, else that of RIG_WAREHOUSE, else the DuckDB file of the user.

    Raises BadRequest for what is none.
    """
    text = text or os.environ.get(VARIABLE) or f"duckdb:{default_file()}"
    kind, _, where = text.partition(":")
    if kind not in _KINDS or (kind == "duckdb" and not where):
        raise BadRequest(f"{text!r} is no warehouse", hint="duckdb:PATH, snowflake, or snowflake:NAME")
    return Place(kind, str(Path(where).expanduser().absolute()) if kind == "duckdb" else where)


def default_file() -> Path:
    """The user's own warehouse."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(base) / "rigd/warehouse.duckdb"


def connect(where: str | None = None, *, read_only: bool = False) -> Destination:
    """Connect to the warehouse that `where` names; see `place`."""
    return place(where).open(read_only=read_only)
