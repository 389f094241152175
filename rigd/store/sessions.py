"""The sessions of a ring, as the archive names and keeps them."""

from rig.v1 import event_pb2, session_pb2
from rigd.gather.sessionstate import session_state
from rigd.ring import RingReader
from rigd.store.naming import session_name
from rigd.store.store import Store


class RingSessions:
    """Follows session events; finds the session that a lap belongs to.

    A session is written before its first lap, so that after a crash it has the name that its laps have.
    """

    def __init__(self, store: Store, ring: RingReader) -> None:
        self._store, self._ring = store, ring
        self._known = {s.ring_session: s for s in store.folder.sessions() if s.ring == ring.id.hex()}

    def known(self) -> list[session_pb2.Session]:
        """Return the sessions of this ring, in the order of their numbers."""
        return [self._known[number] for number in sorted(self._known)]

    def numbered(self, number: int) -> session_pb2.Session | None:
        """Return the session of that number, None when it is not known yet."""
        return self._known.get(number)

    def left_behind(self) -> list[session_pb2.Session]:
        """Return sessions of other rings that were never told to be over."""
        recording = session_pb2.SESSION_STATUS_RECORDING
        own = self._ring.id.hex()
        return [one for one in self._store.folder.sessions() if one.status == recording and one.ring != own]

    def begin(self, event: event_pb2.Event) -> None:
        """Note that a session has started; all others are over."""
        if event.session not in self._known:
            self._put(self._made(event.session, event.capture_time_ns, event.session_started.session_state))
        for session in self._store.folder.sessions():
            newer = session.ring == self._ring.id.hex() and session.ring_session >= event.session
            if session.status == session_pb2.SESSION_STATUS_RECORDING and not newer:
                self._close(session, event.capture_time_ns)

    def end(self, event: event_pb2.Event) -> None:
        """Note that a session is over."""
        session = self._known.get(event.session)
        if session is not None and session.status == session_pb2.SESSION_STATUS_RECORDING:
            session.state.CopyFrom(event.session_ended.session_state)
            self._close(session, event.capture_time_ns)

    def of(self, number: int, clock_s: float, time_ns: int) -> session_pb2.Session:
        """Return the session of that number. When its start is no longer in the ring, it is made from what
        scoring told at session clock `clock_s`, which was `time_ns`.
        """
        if number not in self._known:
            self._put(self._made(number, time_ns, session_state(self._ring, number, clock_s).state))
        return self._known[number]

    def _made(self, number: int, time_ns: int, state: session_pb2.SessionState) -> session_pb2.Session:
        return session_pb2.Session(
            name=session_name(self._ring.id, number, time_ns, state),
            track_name=state.track_name,
            track_length=state.track_length,
            kind=state.kind,
            number=state.number,
            source=state.source,
            status=session_pb2.SESSION_STATUS_RECORDING,
            start_time_ns=time_ns,
            ring=self._ring.id.hex(),
            ring_session=number,
            state=state,
        )

    def _close(self, session: session_pb2.Session, time_ns: int) -> None:
        session.status = session_pb2.SESSION_STATUS_COMPLETED
        session.end_time_ns = time_ns
        self._put(session)

    def _put(self, session: session_pb2.Session) -> None:
        self._store.put_session(session)
        if session.ring == self._ring.id.hex():
            self._known[session.ring_session] = session
