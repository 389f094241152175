"""Every trouble against every daemon, while all work: each goes on when it ends, and losses are declared."""

import contextlib
import errno
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import grpc
import pytest

from rig.v1 import laps_pb2, laps_pb2_grpc, rig_pb2, rig_pb2_grpc
from rigd.watchdog import DAEMONS
from tests.faults.account import account
from tests.faults.campaign import SOAK, campaign, tries
from tests.faults.conditions import Conditions
from tests.stage import events, free_port, scratch, until

Kind = TypeVar("Kind", int, str)

AGAIN_S = 10.0
"""Within which a daemon has to work again; measured by the long form, on a machine that does nothing else."""
REFUSALS = {
    errno.ENOSPC: "disk full",
    errno.EIO: "input/output errors",
    errno.EROFS: "remounted read-only",
}


class SupervisedRig:
    """The supervised daemons, the simulated game, and who looks at them."""

    def __init__(self, folder: Path, scratch: Path, buffers: Path, disk: "Disk | None" = None) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.conditions = Conditions(scratch, self.data)
        address = f"127.0.0.1:{free_port()}"
        data = disk.inside / "data" if disk else self.data
        # What the ring lets go of would count as lost: for minutes of a busy machine it has room.
        words = ("tests.faults.supervised", str(data), str(buffers), address, "64M" if disk else "512M")
        within = disk.within if disk else ()
        self._daemons = self._start(*words, env=self.conditions.environment, within=within)
        self.channel = grpc.insecure_channel(address)
        self.rig = rig_pb2_grpc.RigServiceStub(self.channel)
        self.laps = laps_pb2_grpc.LapServiceStub(self.channel)
        game = ("--cars", "2", "--rate", "50", "--speed", "4", "--short", "--laps", "0")
        self._game = self._start("rigd", "demo-game", "--buffers", str(buffers), *game)
        self.lost = self.declared = 0

    def begin(self) -> None:
        """Wait until all are up and the first lap is closed."""
        until(lambda: self._up("record") and self._up("archive"))
        until(lambda: self.closed() > 0)

    def _start(
        self, *words: str, env: dict[str, str] | None = None, within: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        command = [*within, sys.executable, "-m", *words]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True, env=env)

    def close(self) -> None:
        self.conditions.become()
        self.channel.close()
        for process in (self._game, self._daemons):
            process.terminate()
            process.wait(60)

    # What is known.

    def status(self) -> rig_pb2.GetStatusResponse:
        """The status; an empty one while no server answers."""
        try:
            return self.rig.GetStatus(rig_pb2.GetStatusRequest(), timeout=5, wait_for_ready=False)
        except grpc.RpcError:
            return rig_pb2.GetStatusResponse()

    def pid(self, daemon: str) -> int:
        status = self.status()
        processes = {
            "record": status.recorder.process,
            "archive": status.archiver.process,
            "serve": status.process,
        }
        return processes[daemon].pid

    def running(self, daemon: str) -> int:
        """Its process, once it says which that is."""
        until(lambda: self._up(daemon))
        return self.pid(daemon)

    def _up(self, daemon: str) -> bool:
        return self.pid(daemon) > 0

    def closed(self) -> int:
        return sum(event.HasField("lap_closed") for event in events(self.data))

    def in_trouble(self, daemon: str) -> bool:
        """Whether the status says that the daemon is in trouble."""
        return daemon in {trouble.daemon for trouble in self.status().troubles}

    # What has to work.

    def records(self) -> Callable[[], bool]:
        before = self.status().recorder.durable_seq
        return lambda: self.status().recorder.durable_seq > before + 20

    def archives(self) -> Callable[[], bool]:
        """It has no trouble, and has done what there was to do."""

        def ready() -> bool:
            status = self.status()
            return (
                status.HasField("archiver") and not status.archiver.behind and not self.in_trouble("archive")
            )

        return ready

    def serves(self) -> Callable[[], bool]:
        """It answers from the ring, the index and the files."""

        def ready() -> bool:
            try:
                listed = self.laps.ListLaps(
                    laps_pb2.ListLapsRequest(parent="sessions/-", page_size=1), timeout=5
                )
                lap = laps_pb2.ReadLapRequest(name=listed.laps[0].name)
                return any(part.data for part in self.laps.ReadLap(lap, timeout=5)) and not self.in_trouble(
                    "serve"
                )
            except (grpc.RpcError, IndexError):
                return False

        return ready

    def _files(self) -> list[Path]:
        return list(self.data.glob("laps/*/[!.]*.lap"))

    def again(self) -> dict[str, float]:
        """Wait until all work; seconds that each took."""
        began, took = time.monotonic(), dict[str, float]()
        waiting = {"record": self.records(), "archive": self.archives(), "serve": self.serves()}

        def ready() -> bool:
            for daemon in [name for name, works in waiting.items() if works()]:
                took[daemon] = time.monotonic() - began
                del waiting[daemon]
            return not waiting

        laps = len(self._files())
        until(ready)
        until(lambda: len(self._files()) > laps)  # the next lap may take as long as it likes to be closed
        return took

    def take_account(self) -> tuple[int, int]:
        """Frames lost and declared since the last call."""
        found = account(self.data)
        lost, declared = found.lost - self.lost, found.declared - self.declared
        self.lost, self.declared = found.lost, found.declared
        return lost, declared


@contextlib.contextmanager
def supervised_rig(folder: Path, disk: "Disk | None" = None) -> Iterator[SupervisedRig]:
    with (
        tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as buffers,
        tempfile.TemporaryDirectory() as rest,
    ):
        built = SupervisedRig(folder, Path(rest), Path(buffers), disk)
        try:
            built.begin()
            yield built
        finally:
            built.close()


@pytest.fixture(scope="module")
def supervised() -> Iterator[SupervisedRig]:
    with (
        tempfile.TemporaryDirectory(prefix="rigd-", dir=scratch()) as folder,
        supervised_rig(Path(folder)) as built,
    ):
        yield built


def goes_on(supervised: SupervisedRig, fault: str, troubles: Sequence[Callable[[], None]], *hit: str) -> None:
    """A campaign: after the troubles, one by one, those that they have hit work again, as do the others."""
    with contextlib.ExitStack() as stack:
        rows = {name: stack.enter_context(campaign(f"{name}: {fault}", tries(1, 10))) for name in hit}
        for _ in range(tries(1, 10)):
            for trouble in troubles:
                trouble()
            took = supervised.again()
            lost, declared = supervised.take_account()
            for name, row in rows.items():
                row.again_s = max(row.again_s or 0.0, took[name])
                row.tried += 1
                row.survived += 1
                assert not SOAK or took[name] < AGAIN_S
            rows[hit[0]].lose(lost, declared)
        for name, row in rows.items():
            print(f"{name} works again after {row.again_s:.1f} s")


def by_turns(*kinds: Kind) -> list[tuple[Kind, ...]]:
    """Troubles of one test: in the long form a test for each, else one of all, which waits for laps once."""
    return [(kind,) for kind in kinds] if SOAK else [kinds]


@pytest.mark.parametrize("errors", by_turns(*REFUSALS))
def test_a_disk_that_refuses(supervised: SupervisedRig, errors: Sequence[int]) -> None:
    def refused(error: int) -> None:
        supervised.conditions.become(refuse=error)
        until(lambda: supervised.in_trouble("record"))
        time.sleep(1.0)
        supervised.conditions.become()
        until(lambda: not supervised.in_trouble("record"))

    goes_on(
        supervised,
        ", ".join(REFUSALS[error] for error in errors),
        [partial(refused, error) for error in errors],
        *DAEMONS,
    )
    kinds = [event.WhichOneof("kind") for event in events(supervised.data)]
    assert "trouble_began" in kinds
    until(lambda: any(event.HasField("trouble_ended") for event in events(supervised.data)))


@pytest.mark.parametrize("folders", by_turns("data", "laps", "ring"))
def test_a_folder_renamed_and_back(supervised: SupervisedRig, folders: Sequence[str]) -> None:
    def renamed(folder: str) -> None:
        path = supervised.data if folder == "data" else supervised.data / folder
        away, hit = path.with_name(f"{folder}.away"), "record" if folder == "ring" else "archive"
        path.rename(away)
        until(lambda: supervised.in_trouble(hit))
        time.sleep(1.0)
        assert not path.exists(), "nothing was made in its place"
        away.rename(path)
        until(lambda: not supervised.in_trouble(hit))

    troubles = [partial(renamed, folder) for folder in folders]
    goes_on(supervised, f"{' or '.join(folders)} folder renamed and back", troubles, *DAEMONS)


def test_a_locked_index(supervised: SupervisedRig) -> None:
    def locked() -> None:
        with contextlib.closing(
            sqlite3.connect(supervised.data / "index.sqlite", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            until(lambda: supervised.in_trouble("archive"))
            other.execute("ROLLBACK")

    goes_on(supervised, "index locked", [locked], "archive", "serve")


def test_an_index_that_is_taken_away_is_made_anew(supervised: SupervisedRig) -> None:
    goes_on(supervised, "index deleted", [(supervised.data / "index.sqlite").unlink], "archive", "serve")


@pytest.mark.parametrize("daemons", by_turns(*DAEMONS))
def test_a_daemon_stopped_and_continued(supervised: SupervisedRig, daemons: Sequence[str]) -> None:
    def stopped(daemon: str) -> None:
        pid = supervised.running(daemon)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(1.5)
            os.kill(pid, signal.SIGCONT)

    goes_on(supervised, "SIGSTOP for seconds", [partial(stopped, daemon) for daemon in daemons], *daemons)


@pytest.mark.parametrize("daemons", by_turns(*DAEMONS))
def test_a_daemon_without_memory(supervised: SupervisedRig, daemons: Sequence[str]) -> None:
    """It waits, or ends and is started again."""

    def starved(daemon: str) -> None:
        pid = supervised.running(daemon)
        size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
            time.sleep(1.0)
            resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)

    goes_on(supervised, "memory limit reached", [partial(starved, daemon) for daemon in daemons], *daemons)


class Disk(NamedTuple):
    """A file system in a mount namespace of its own."""

    inside: Path
    """Where it is for processes there."""
    outside: Path
    """Where we find it."""
    within: tuple[str, ...]
    """Words before a command that is to run there."""


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Disk]:
    with tempfile.TemporaryDirectory() as folder:
        mount = f"mount -t tmpfs -o size={size} tmpfs {folder} && echo mounted && exec sleep 3600"
        keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", mount], stdout=subprocess.PIPE, text=True)
        try:
            assert keeper.stdout is not None
            if keeper.stdout.readline() != "mounted\n":
                pytest.skip("a full disk for real: it needs the right to mount")
            within = ("nsenter", "-t", str(keeper.pid), "-m", f"--wd={Path.cwd()}")
            yield Disk(Path(folder), Path(f"/proc/{keeper.pid}/root{folder}"), within)
        finally:
            keeper.kill()
            keeper.communicate()


def test_a_disk_that_is_really_full() -> None:
    with small_disk("200M") as disk, supervised_rig(disk.outside, disk) as small:

        def trouble() -> None:
            filler = disk.outside / "filler"
            with filler.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            until(lambda: small.in_trouble("record"))
            time.sleep(tries(2, 20) if SOAK else 2.0)
            filler.unlink()

        goes_on(small, "200 MB disk filled and freed", [trouble], *DAEMONS)
