"""Empty warehouses for tests: a DuckDB file, a schema of the peer, and one of a real account.

The real account takes part when RIGD_SNOWFLAKE_LIVE=1, with the SNOWFLAKE_* settings of the environment: a
login that may create schemas in SNOWFLAKE_DATABASE. Everything is made in a new schema and dropped with it.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from rigclient.warehouse import Destination
from rigclient.warehouse.url import parse_url
from tests.warehouse.peer.process import ACCOUNT, DATABASE, PeerProcess

LIVE: Final = os.environ.get("RIGD_SNOWFLAKE_LIVE") == "1"
KINDS: Final = ["duckdb", "snowflake", *(["live"] if LIVE else [])]

USER: Final = "RIGD"
PASSWORD: Final = "pa55-of-the-rig"
ROLE: Final = "RIGD_LOADER"


@dataclass(frozen=True)
class EmptyWarehouse:
    """A warehouse that one test has for itself."""

    kind: str
    where: str
    """As in --to."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings that are in the environment of the test; other processes inherit them."""

    def open(self, *, read_only: bool = False) -> Destination:
        """Connect."""
        return parse_url(self.where).open(read_only=read_only)


def forget_settings(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Remove the settings of this machine from the environment."""
    for name in [name for name in os.environ if name.startswith("SNOWFLAKE_")]:
        patch.delenv(name)
    patch.setenv("SNOWFLAKE_HOME", str(folder))


def settings(peer: PeerProcess, **other: str) -> dict[str, str]:
    """Return the settings that log in to the peer by password."""
    plain = {
        "ACCOUNT": ACCOUNT.lower(),
        "HOST": "127.0.0.1",
        "PORT": str(peer.port),
        "PROTOCOL": "http",
        "USER": USER.lower(),
        "PASSWORD": PASSWORD,
        "DATABASE": DATABASE,
        "ROLE": ROLE,
        "WAREHOUSE": "LOAD_WH",
        "NETWORK_TIMEOUT": "30",
    }
    return {f"SNOWFLAKE_{name}": value for name, value in (plain | other).items()}


@contextlib.contextmanager
def empty_warehouse(
    kind: str, folder: Path, peer: PeerProcess, patch: pytest.MonkeyPatch
) -> Iterator[EmptyWarehouse]:
    """Make an empty warehouse of this kind."""
    if kind == "duckdb":
        yield EmptyWarehouse(kind, f"duckdb:{folder / 'warehouse.duckdb'}")
        return
    around: dict[str, str] = {}
    if kind == "snowflake":
        forget_settings(patch, folder)
        around |= settings(peer)
    around["SNOWFLAKE_SCHEMA"] = schema = f"T{secrets.token_hex(6)}".upper()
    for name, value in around.items():
        patch.setenv(name, value)
    patch.setenv("SNOWFLAKE_SCHEMA", "PUBLIC")
    with parse_url("snowflake").open() as session:
        session.execute(f"CREATE SCHEMA {schema}")
    patch.setenv("SNOWFLAKE_SCHEMA", schema)
    yield EmptyWarehouse(kind, "snowflake", around)
    if kind == "live":  # the peer goes with all it has
        patch.setenv("SNOWFLAKE_SCHEMA", "PUBLIC")
        with parse_url("snowflake").open() as session:
            session.execute(f"DROP SCHEMA {schema}")
