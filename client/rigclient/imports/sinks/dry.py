"""A dry run: what another sink would keep."""

from collections.abc import Iterable
from typing import Final

from rig.lapfile import LapFile
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigclient.imports.sinks.sink import Came, LapSink, Put, one_by_one


class DrySink:
    """What would be kept in another sink: of the laps that come only the heads, and those in memory."""

    def __init__(self, under: LapSink, place: str = "") -> None:
        self._under: Final = under
        self.place: str = place or under.place
        self.user: str = under.user
        self._sessions = {one.name: one for one in under.sessions()}
        self._laps: dict[str, dict[str, lap_pb2.Lap]] = {}
        self._recordings: dict[str, archive_pb2.Recording] = {}

    def sessions(self) -> list[session_pb2.Session]:
        """Return the sessions that would be there."""
        return list(self._sessions.values())

    def laps_of(self, session: str) -> list[lap_pb2.Lap]:
        """Return the laps of a session that would be there."""
        return list(self._held(session).values())

    def recording(self, lap: str) -> archive_pb2.Recording:
        """Return what a lap would be made of."""
        return self._recordings.get(lap) or self._under.recording(lap)

    def data(self, lap: str) -> bytes:
        """Return the bytes of a lap file that is there."""
        return self._under.data(lap)

    def put(self, session: session_pb2.Session, data: bytes, *, replace: bool = False) -> None:  # noqa: ARG002
        """Note a lap by its head; nothing else comes meanwhile."""
        header = LapFile(data).header
        self._sessions[session.name] = session
        self._held(session.name)[header.lap.name] = header.lap
        self._recordings[header.lap.name] = header.recording

    def put_all(self, session: session_pb2.Session, files: Iterable[Put], came: Came) -> None:
        """Note laps one after the other."""
        one_by_one(self, session, files, came)

    def delete(self, lap: str) -> None:
        """Note that a lap would be gone."""
        session = lap.partition("/laps/")[0]
        del self._held(session)[lap]
        if not self._held(session):
            self._sessions.pop(session, None)

    def delete_all(self, laps: Iterable[str]) -> None:
        """Note that laps would be gone."""
        for lap in laps:
            self.delete(lap)

    def close(self) -> None:
        """Close the sink beneath."""
        self._under.close()

    def _held(self, session: str) -> dict[str, lap_pb2.Lap]:
        if session not in self._laps:
            self._laps[session] = {lap.name: lap for lap in self._under.laps_of(session)}
        return self._laps[session]
