"""What keeps imported laps."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from rig.lapfile import LapFile
from rig.v1 import archive_pb2, lap_pb2, session_pb2


class Put(NamedTuple):
    """A lap file that is to be kept."""

    data: bytes
    replace: bool
    """It may take the place of another file of that lap."""


Came = Callable[[str], None]
"""Told the name of a lap as soon as it is kept."""


class LapSink(Protocol):
    """Laps that were imported, and those that come to them. Not for several threads."""

    place: str
    """Where they are, as in `is on the rig`."""
    user: str
    """Whose the laps are that come; empty: nobody's."""

    def sessions(self) -> list[session_pb2.Session]:
        """Return the sessions that were imported."""

    def laps_of(self, session: str) -> list[lap_pb2.Lap]:
        """Return the laps of a session, `sessions/{session}`."""

    def recording(self, lap: str) -> archive_pb2.Recording:
        """Return what a lap was made of. Raises NotFound, Corrupt."""

    def data(self, lap: str) -> bytes:
        """Return the bytes of a lap file. Raises NotFound."""

    def put(self, session: session_pb2.Session, data: bytes, *, replace: bool = False) -> None:
        """Keep a lap file, and its session. The same once more changes nothing; another one of that lap is
        refused with Raced but for `replace`.
        """

    def put_all(self, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
        """Keep the lap files of a session, several at a time where that is quicker. Raises what `put` raises:
        no more are begun then, and `came` has been told all that are there.
        """

    def delete_all(self, laps: Iterable[str]) -> None:
        """Delete laps, those that are there even where one cannot be. Raises as `delete` does."""

    def delete(self, lap: str) -> None:
        """Delete a lap, and its session with the last one. Raises NotFound."""

    def close(self) -> None:
        """Release it."""


def one_by_one(sink: LapSink, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
    """Keep the lap files of a session, one after the other: as `put_all` where threads would gain nothing."""
    for put in files:
        sink.put(session, put.data, replace=put.replace)
        came(LapFile(put.data).header.lap.name)
