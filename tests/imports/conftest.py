"""Recordings of other programs, unpacked once."""

import zipfile
from pathlib import Path

import pytest

from tests.imports.recorded import Chart, all_charts, read
from tests.warehouse.conftest import account as account
from tests.warehouse.conftest import duck as duck
from tests.warehouse.conftest import empty_tables as empty_tables
from tests.warehouse.conftest import fork_server as fork_server
from tests.warehouse.conftest import keys as keys
from tests.warehouse.conftest import peer as peer
from tests.warehouse.conftest import race_data as race_data
from tests.warehouse.conftest import recorded_rig as recorded_rig
from tests.warehouse.conftest import running_peer as running_peer
from tests.warehouse.conftest import shared as shared
from tests.warehouse.conftest import warehouse as warehouse

DATA = Path(__file__).resolve().parents[1] / "warehouse/data"


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `Data` of the Toyota GR Cup."""
    folder = tmp_path_factory.mktemp("gr-cup")
    with zipfile.ZipFile(DATA / "gr-cup.zip") as archive:
        archive.extractall(folder)
    return folder / "Data"


@pytest.fixture(scope="session")
def official(recordings: Path) -> dict[Path, Chart]:
    """What is read of the fourteen charts."""
    return {path: read(path.read_bytes()) for path in all_charts(recordings)}
