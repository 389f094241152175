"""A real archive with a server that looks into it, to be spoiled and to be laid out again."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from rig.v1 import lap_pb2, laps_pb2, laps_pb2_grpc, session_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.store.folder import LapFolder
from rigd.store.marks import Marks
from rigd.store.reindex import IndexTotals, reindex
from tests.archive.tape import ROOMY, START_NS, Tape
from tests.stage import free_port

Files = dict[str, bytes]

_SAYS_SO: Final = (
    grpc.StatusCode.DATA_LOSS,  # the bytes are not what was written
    grpc.StatusCode.NOT_FOUND,  # nothing is known of it
    grpc.StatusCode.UNAVAILABLE,  # not now
)
_INDEX: Final = "index.sqlite"


def files(folder: Path) -> Files:
    """All files below, by their path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def race(data: Path) -> None:
    """Record a race and archive it: laps, one of them pinned, one deleted, a marked moment."""
    tape = Tape(data, cars=2)
    tape.drive(60.0)
    tape.finish()
    mark = laps_pb2.Moment(name="marks/20261120-134500-000000001", time_ns=START_NS + 10 * 10**9)
    mark.before_s, mark.after_s, mark.status = 2.0, 1.0, laps_pb2.MOMENT_STATUS_PENDING
    Marks(data).put(mark)
    archiver = tape.archiver()
    drain(archiver)
    pinned, gone = sorted(archiver.store.folder.laps())[:2]
    archiver.store.pin(pinned, True)
    archiver.store.folder.add_tombstone(gone, {"why": "less than 1024 MiB were free", "forced": True})
    archiver.store.folder.delete(gone)
    archiver.close()


def drain(archiver: Archiver) -> None:
    """Do all there is to do."""
    while archiver.turn():
        pass
    assert not archiver.trouble


@dataclass
class Archive:
    """What is right, and what is found."""

    data: Path
    stub: "laps_pb2_grpc.LapServiceStub"
    laps: dict[str, lap_pb2.Lap] = field(default_factory=dict)
    content: Files = field(default_factory=dict)
    """Of lap files, by the lap's name."""

    def __post_init__(self) -> None:
        self.store = LapFolder(self.data / "laps")
        assert self.goes_on().damaged == 0
        self.lives()  # it knows now how far it is in the ring, and does not look at old laps again
        self.files = files(self.data / "laps")
        self.index = (self.data / _INDEX).read_bytes()
        self.laps = {lap.name: lap for lap in self.listed()}
        self.content = {name: self.store.path(name).read_bytes() for name in self.laps}
        self.columns = {name: self.decoded(name) for name in self.laps}
        (self.session,) = self.sessions()
        (self.recorded,) = self.store.sessions()
        self.gone = self.store.tombstones(self.session.name)

    def lay_out(self) -> None:
        """As it was, in new files."""
        shutil.rmtree(self.data / "laps")
        for path in self.data.glob(f"{_INDEX}*"):
            path.unlink()
        for name, content in self.files.items():
            path = self.data / "laps" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.data / _INDEX).write_bytes(self.index)

    # What the server says.

    def listed(self) -> list[lap_pb2.Lap]:
        """All laps."""
        asked = laps_pb2.ListLapsRequest(parent="sessions/-", page_size=1000)
        return list(self.stub.ListLaps(asked).laps)

    def sessions(self) -> list[session_pb2.Session]:
        """All sessions."""
        return list(self.stub.ListSessions(laps_pb2.ListSessionsRequest()).sessions)

    def read(self, name: str) -> bytes:
        """The file of a lap."""
        return b"".join(part.data for part in self.stub.ReadLap(laps_pb2.ReadLapRequest(name=name)))

    def decoded(self, name: str) -> bytes:
        """The columns of a lap."""
        asked = laps_pb2.ReadLapRequest(name=name, encoding=laps_pb2.ENCODING_COLUMNS)
        return b"".join(c.SerializeToString() for part in self.stub.ReadLap(asked) for c in part.columns)

    # What must hold.

    def tells_truth_or_refuses(self, lap: str) -> bool:
        """Whether a server says what is so, and gives this lap as it is. What is not so, it refuses."""
        answers = [
            _answered(lambda: self._true_laps(self.listed())),
            _answered(lambda: self._true_sessions(self.sessions())),
            _answered(lambda: self.read(lap) == self.content[lap]),
            _answered(lambda: self.decoded(lap) == self.columns[lap]),
        ]
        assert False not in answers, "something that is not so was told"
        return all(answers)

    def _true_laps(self, found: list[lap_pb2.Lap]) -> bool:
        """Those that are damaged are called so, and what else is said of them does not matter."""
        return all(lap.damage or lap == self.laps.get(lap.name) for lap in found)

    def _true_sessions(self, found: list[session_pb2.Session]) -> bool:
        """A session that was restored from a lap may have less to tell, and nothing else."""
        return [_core(session) for session in found] in ([], [_core(self.session)])

    def lives(self) -> None:
        """An archiver starts, does what there is to do, and ends."""
        archiver = Archiver(Settings(self.data, ROOMY))
        try:
            drain(archiver)
        finally:
            archiver.close()

    def goes_on(self) -> IndexTotals:
        """An archiver lives for a while; then everything is checked to its last byte."""
        self.lives()
        return reindex(self.data)

    def others_are_untouched(self, *but: str) -> None:
        """All files but these stand where they stood, as they were."""
        now = files(self.data / "laps")
        assert {name for name, content in self.files.items() if now.get(name) != content} <= set(but)

    def kept(self, content: bytes) -> bool:
        """Whether somewhere among the laps a file holds this."""
        return content in files(self.data / "laps").values()


def _core(session: session_pb2.Session) -> tuple[object, ...]:
    return session.name, session.track_name, session.kind, session.start_time_ns, session.ring_session


def _answered(ask: Callable[[], bool]) -> bool | None:
    """The answer; None when the server says what is wrong instead."""
    try:
        return ask()
    except grpc.RpcError as error:
        if error.code() not in _SAYS_SO:
            raise
        return None


@contextlib.contextmanager
def archive(folder: Path) -> Iterator[Archive]:
    """An archive, and a server that must live as long as this."""
    race(folder)
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "rigd", "serve", "--data", str(folder), "--address", address]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        with grpc.insecure_channel(address) as channel:
            yield Archive(folder, laps_pb2_grpc.LapServiceStub(channel))
        assert server.poll() is None, "the server has died"
    finally:
        server.terminate()
        server.communicate(timeout=20)
