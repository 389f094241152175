"""The rig or the warehouse goes away in the middle of a job, answers get lost: all is there, once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.stage import until
from tests.warehouse.empty import EmptyWarehouse, empty_warehouse
from tests.warehouse.fork_server import ForkServer
from tests.warehouse.peer.process import PeerProcess
from tests.warehouse.recorded_rig import RecordedRig
from tests.warehouse.trial import Trial


def test_a_rig_that_goes_away_in_the_middle_ends_the_job_and_the_next_one_goes_on(
    fork_server: ForkServer, recorded_rig: RecordedRig, duck: EmptyWarehouse
) -> None:
    trial = Trial(fork_server, recorded_rig, duck)
    pid = trial.start("after read lap~0.5")
    until(lambda: trial.journal.exists() and "after read lap#3" in trial.journal.read_text())
    recorded_rig.stop()
    ended = fork_server.wait(pid)
    assert (ended.status, "no rig answers" in ended.err) == (3, True)
    assert trial.faults() == []
    recorded_rig.serve()
    trial.finish()
    assert trial.differences() == []


@pytest.fixture
def account_target(
    peer: PeerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EmptyWarehouse]:
    """In the peer."""
    with empty_warehouse("snowflake", tmp_path, peer, monkeypatch) as made:
        yield made


@pytest.mark.parametrize("when", ["after", "before"])
def test_replies_and_requests_that_get_lost_change_nothing(
    fork_server: ForkServer,
    recorded_rig: RecordedRig,
    account_target: EmptyWarehouse,
    peer: PeerProcess,
    when: str,
) -> None:
    """The connector sends such a statement again, and the peer runs it twice."""
    trial = Trial(fork_server, recorded_rig, account_target)
    statements = (
        "PUT",
        "BEGIN",
        "COPY INTO PHYSICS",
        "INSERT INTO RIG_LOADS",
        "UPDATE RIG_WATERMARK",
        "COMMIT",
    )
    peer.faults(*((when, f"^{statement}", "drop1") for statement in statements))
    trial.finish()
    assert trial.differences() == []


def test_a_warehouse_that_is_ill_ends_the_job_and_the_next_one_goes_on(
    fork_server: ForkServer, recorded_rig: RecordedRig, account_target: EmptyWarehouse, peer: PeerProcess
) -> None:
    hasty = {**account_target.environment, "SNOWFLAKE_NETWORK_TIMEOUT": "5"}
    trial = Trial(fork_server, recorded_rig, replace(account_target, environment=hasty))
    peer.faults(("after", "^INSERT INTO RIG_LOADS", "exit"))
    pid = trial.start()
    peer.ended()
    assert fork_server.wait(pid).status != 0
    peer.start()
    assert trial.faults() == []
    trial.finish()
    assert trial.differences() == []
