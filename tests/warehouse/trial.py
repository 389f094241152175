"""A warehouse that is filled while its job is killed, held up or left alone."""

import os
import random
import signal
import time

from rigclient.warehouse import tables, views
from tests.faults.campaign import SEED
from tests.warehouse.empty import EmptyWarehouse
from tests.warehouse.expected import SECTIONS, broken, contents, differences, expected
from tests.warehouse.fork_server import Exited, ForkServer
from tests.warehouse.recorded_rig import RecordedRig

ROWS = "2000"
LONGEST_S = 1.5
"""A run is over by then on a free machine, so that a kill at a random moment hits most of them."""


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
