"""A scripted rig, and the command that talks to it."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from tests.cli import race
from tests.cli.rig_server import Server

Run = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[Server]:
    scripted = Server()
    scripted.status.CopyFrom(race.status())
    yield scripted
    scripted.stop()


@pytest.fixture
def run(server: Server) -> Run:
    """Runs `rig --rig <the scripted rig> ...` on a terminal 200 cells wide."""

    def invoke(*arguments: str, address: str = server.address) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(rig, ["--rig", address, *arguments])

    return invoke


@pytest.fixture
def nowhere() -> str:
    """An address where nothing answers."""
    gone = Server()
    gone.stop()
    return gone.address
