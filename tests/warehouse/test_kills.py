"""`kill -9` of the job at every point and at any moment, three at once, the rig or the warehouse gone: all is
there, once. The loader that everybody writes first fails the same comparison.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rigclient.warehouse import schema, tables, views
from tests.faults.campaign import SEED, Campaign, campaign, tries
from tests.stage import until
from tests.warehouse.empty import EmptyWarehouse, empty_warehouse
from tests.warehouse.expected import SECTIONS, broken, contents, differences, expected
from tests.warehouse.fork_server import Exited, ForkServer
from tests.warehouse.peer.process import PeerProcess
from tests.warehouse.recorded_rig import RecordedRig

ROWS = "4000"
LONGEST_S = 1.5
"""A run is over by then on a free machine, so that a kill at a random moment hits most of them."""


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with ForkServer(tmp_path_factory.mktemp("fork_server")) as made:
        yield made


class Trial:
    """A warehouse that is filled while its job is killed again and again."""

    def __init__(
        self, fork_server: ForkServer, recorded_rig: RecordedRig, target: EmptyWarehouse, program: str = "rig"
    ) -> None:
        self.fork_server, self.recorded_rig, self.target, self.program = (
            fork_server,
            recorded_rig,
            target,
            program,
        )
        self.journal, self.offset = recorded_rig.folder / "journal", recorded_rig.folder / "offset"
        self.random = random.Random(SEED)

    def words(self, point: str) -> tuple[str, ...]:
        """The command line of the job that dies at a point."""
        if self.program == "rig":
            return (str(self.journal), point, "rig", "sync", "--to", self.target.where, "--load-rows", ROWS)
        return (
            str(self.journal),
            point,
            "naive",
            self.recorded_rig.address,
            self.target.where,
            str(self.offset),
        )

    def start(self, point: str = "", cache: str = "cache") -> int:
        env = {**self.recorded_rig.environment(cache), **self.target.environment}
        return self.fork_server.start(*self.words(point), env=env)

    def run(self, point: str = "") -> Exited:
        return self.fork_server.wait(self.start(point))

    def finish(self) -> None:
        """Let it do its work."""
        ended = self.run()
        assert ended.status == 0, ended.err

    def points(self) -> list[str]:
        """All points of an undisturbed run, each once, before the first of them is met."""
        self.journal.write_text("")
        self.finish()
        return sorted(set(self.journal.read_text().split("\n")) - {""})

    def kill_somewhere(self, points: list[str]) -> None:
        """At a point, or at a moment that nobody chose."""
        if self.random.random() < 0.75:
            ended = self.run(self.random.choice(points))
            assert ended.status in (-signal.SIGKILL, 0), ended.err
            return
        pid = self.start()
        time.sleep(self.random.uniform(0, LONGEST_S))
        os.kill(pid, signal.SIGKILL)
        assert self.fork_server.wait(pid).status in (-signal.SIGKILL, 0)

    def faults(self) -> list[str]:
        """What is wrong already, however much is still to come."""
        with self.target.open() as destination:
            columns = destination.columns()
            made = all(columns[table.name] for table in tables.TABLES)
            return broken(destination) if made else []

    def differences(self) -> list[str]:
        with self.target.open() as destination:
            return differences(destination, self.recorded_rig)

    def laps_differ(self) -> list[str]:
        """What is wrong with the laps alone, which every loader brings."""
        wanted = {
            name: held
            for name, held in expected(self.recorded_rig).items()
            if name in SECTIONS or name == "LAPS"
        }
        with self.target.open() as destination:
            return contents(destination, self.recorded_rig, wanted)

    def empty(self) -> None:
        """Begin anew with a warehouse that has not even tables."""
        with self.target.open() as destination:
            for view in views.VIEWS:
                destination.execute(f"DROP VIEW IF EXISTS {view}")
            for table in tables.TABLES:
                destination.execute(f"DROP TABLE IF EXISTS {table.name}")
        self.offset.unlink(missing_ok=True)

    def full(self) -> bool:
        with self.target.open() as destination:
            if not destination.columns()["LAPS"]:
                return False
            ((laps,),) = destination.rows("SELECT COUNT(*) FROM LAPS")
            return int(laps) == len(self.recorded_rig.laps())


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
    """Undisturbed both are right."""
    trial = Trial(fork_server, recorded_rig, duck, program)
    trial.finish()
    assert trial.laps_differ() == []
    for table in ("PHYSICS", "LAPS"):
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
