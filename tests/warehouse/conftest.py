"""One recorded race for all tests and rigs on copies of it; a fake Snowflake, and empty warehouses."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigclient.warehouse import schema
from rigclient.warehouse.url import parse_url
from tests.once import once
from tests.warehouse.empty import (
    KINDS,
    PASSWORD,
    USER,
    EmptyWarehouse,
    empty_warehouse,
    forget_settings,
    settings,
)
from tests.warehouse.fork_server import ForkServer
from tests.warehouse.key_pair import Pair, pair
from tests.warehouse.peer.process import PeerProcess
from tests.warehouse.recorded_rig import RecordedRig, record_race


@pytest.fixture(scope="session")
def race_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a race."""
    made = once(tmp_path_factory, "warehouse-race", lambda folder: record_race(folder / "data"))
    return made / "data"


@pytest.fixture
def recorded_rig(race_data: Path, tmp_path: Path) -> Iterator[RecordedRig]:
    """A rig that answers."""
    made = RecordedRig(race_data, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Commands in processes that need not import."""
    with ForkServer(tmp_path_factory.mktemp("fork_server")) as made:
        yield made


@pytest.fixture(scope="session")
def keys() -> Pair:
    """Of the user."""
    return pair()


@pytest.fixture(scope="session")
def running_peer(tmp_path_factory: pytest.TempPathFactory, keys: Pair) -> Iterator[PeerProcess]:
    with PeerProcess(tmp_path_factory.mktemp("peer")) as peer:
        peer.add_user(USER, password=PASSWORD, keys=[keys.public])
        yield peer


@pytest.fixture
def peer(running_peer: PeerProcess) -> Iterator[PeerProcess]:
    """Without faults, before and after."""
    running_peer.faults()
    yield running_peer
    running_peer.faults()


@pytest.fixture
def account(peer: PeerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PeerProcess:
    """The settings of the environment are those of the peer, with the right password."""
    forget_settings(monkeypatch, tmp_path)
    for name, value in settings(peer).items():
        monkeypatch.setenv(name, value)
    return peer


@pytest.fixture(scope="session")
def empty_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckDB file with all tables and not a row: to make it takes 0.2 s, most of it for 471 comments."""

    def make(folder: Path) -> None:
        with parse_url(f"duckdb:{folder / 'tables.duckdb'}").open() as there:
            schema.prepare(there)

    return once(tmp_path_factory, "empty-tables", make) / "tables.duckdb"


@pytest.fixture
def duck(empty_tables: Path, tmp_path: Path) -> EmptyWarehouse:
    """A DuckDB file with empty tables, for what depends neither on the warehouse nor on how it is made."""
    return EmptyWarehouse("duckdb", f"duckdb:{shutil.copy(empty_tables, tmp_path / 'warehouse.duckdb')}")


@pytest.fixture(params=KINDS)
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, peer: PeerProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EmptyWarehouse]:
    """An empty warehouse of every kind."""
    with empty_warehouse(request.param, tmp_path, peer, monkeypatch) as made:
        yield made


@pytest.fixture(params=KINDS[1:])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, peer: PeerProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EmptyWarehouse]:
    """One in which several can be at once."""
    with empty_warehouse(request.param, tmp_path, peer, monkeypatch) as made:
        yield made
