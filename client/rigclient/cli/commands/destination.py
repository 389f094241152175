"""The option that says which warehouse."""

from collections.abc import Callable
from typing import Any

import click

from rigclient.warehouse.url import VARIABLE


def which_warehouse(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option; it gets it as `where`."""
    return click.option(
        "--to",
        "--in",
        "where",
        metavar="PLACE",
        envvar=VARIABLE,
        show_envvar=True,
        help="duckdb:PATH, snowflake, or snowflake:NAME of connections.toml; default: your own DuckDB file.",
    )(command)
