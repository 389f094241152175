"""`kill -9` of the job at every point and at any moment, three at once: all is there, once. The loader that
everybody writes first fails the same comparison.
"""

import signal
from collections.abc import Callable

import pytest

from rigclient.warehouse import schema
from tests.faults.campaign import Campaign, campaign, tries
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.fork_server import ForkServer
from tests.warehouse.peer.process import PeerProcess
from tests.warehouse.recorded_rig import RecordedRig
from tests.warehouse.trial import Trial


def survive(trial: Trial, running: Campaign, clean_up: Callable[[], object]) -> None:
    """Kill, look, go on; when everything has arrived compare it all and begin anew."""
    points = trial.points()
    assert trial.differences() == []
    trial.empty()
    for _ in running.rounds():
        trial.kill_somewhere(points)
        clean_up()
        assert trial.faults() == []
        if trial.full():
            trial.finish()
            assert trial.differences() == []
            trial.empty()
    trial.finish()
    assert trial.differences() == []


def test_a_job_killed_anywhere_loads_everything_once(
    fork_server: ForkServer, recorded_rig: RecordedRig, warehouse: EmptyWarehouse, peer: PeerProcess
) -> None:
    duck = warehouse.kind == "duckdb"
    planned = tries(2, 350) if duck else tries(1, 150)
    with campaign(f"`rig sync` to {warehouse.kind} killed", planned, "rows") as running:
        survive(
            Trial(fork_server, recorded_rig, warehouse),
            running,
            (lambda: None) if duck else peer.abort_detached,
        )


@pytest.mark.parametrize(("program", "survives"), [("rig", True), ("naive", False)])
def test_killed_after_a_copy_the_job_is_right_and_a_loader_that_saves_its_offset_is_not(
    fork_server: ForkServer, recorded_rig: RecordedRig, duck: EmptyWarehouse, program: str, survives: bool
) -> None:
    """Undisturbed both are right. A kill after the copy of laps is among those of `make soak`."""
    trial = Trial(fork_server, recorded_rig, duck, program)
    trial.finish()
    assert trial.laps_differ() == []
    for table in ("PHYSICS", "LAPS")[: tries(1, 2)]:
        trial.empty()
        assert trial.run(f"after copy {table}#2").status == -signal.SIGKILL
        trial.finish()
        assert (trial.laps_differ() == []) is survives


def test_three_at_once_load_everything_once(
    fork_server: ForkServer, recorded_rig: RecordedRig, warehouse: EmptyWarehouse
) -> None:
    """Each is another machine, as far as locks go, and sleeps where the others can come in between."""
    trial = Trial(fork_server, recorded_rig, warehouse)
    with warehouse.open() as destination:
        schema.prepare(destination)  # the peer notes columns under a key, twice is an error there
    slow = ("before insert RIG_LOADS~0.1", "after copy PHYSICS~0.1", "before begin~0.2")
    pids = [trial.start(point, cache=f"machine{at}") for at, point in enumerate(slow)]
    ends = [fork_server.wait(pid) for pid in pids]
    assert [ended.status for ended in ends] == [0, 0, 0], [ended.err for ended in ends]
    assert trial.differences() == []
