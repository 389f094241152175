"""Feeds: what a live view follows, each in a thread of its own, all into one queue."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from rig.errors import RigError, Unavailable
from rig.v1 import rig_pb2, session_pb2
from rigclient.blocking import Rig
from rigclient.connection import Stream
from rigclient.frames import Frame, PhysicsFrame, ScoringFrame

RETRY_S: Final = 0.5
"""Between attempts while nothing has come yet; afterwards the stream has its own pace."""

STATUS_S: Final = 1.0

_DERIVED: Final = ("delta_personal_best",)
"""Asked for where the rig makes them."""

_JOIN_S: Final = 0.5
"""Waited for the threads at the end, all together."""


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A telemetry frame, and when it came: unix nanoseconds."""

    frame: PhysicsFrame
    received_ns: int


@dataclass(frozen=True, slots=True)
class TimedScoring:
    """A scoring frame with its session, and the entry list when it brought one."""

    frame: ScoringFrame
    state: session_pb2.SessionState
    entries: session_pb2.EntryList | None


@dataclass(frozen=True, slots=True)
class Report:
    """The status, or the error when the server did not answer."""

    answer: rig_pb2.GetStatusResponse | RigError


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that asking again cannot help."""

    error: RigError


Item = TimedFrame | TimedScoring | Report | Refusal
F = TypeVar("F", bound=Frame)


class Follower(Generic[F]):
    """Follows one stream for good, also when nothing answers yet."""

    def __init__(
        self, begin: Callable[[], Stream[F]], wrap: Callable[[F], Item], put: Callable[[Item], None]
    ) -> None:
        self._begin, self._wrap, self._put = begin, wrap, put
        self._stop = threading.Event()
        self._stream: Stream[F] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def reconnects(self) -> int:
        """Times the stream went on after it was away."""
        return self._stream.reconnects if self._stream else 0

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        if self._stream is not None:
            self._stream.close()

    def join(self, seconds: float) -> None:
        """Wait for the end, for a while."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stream = self._begin()
            try:
                self._drain(self._stream)
            except Unavailable:
                self._stop.wait(RETRY_S)
            except RigError as error:
                self._put(Refusal(error))
                return

    def _drain(self, stream: Stream[F]) -> None:
        for frame in stream:
            self._put(self._wrap(frame))
            if self._stop.is_set():
                return


class Feeds:
    """Telemetry complete, scoring, and the status once a second. `take` never waits."""

    def __init__(self, rig: Rig, physics: dict[str, Any], scoring: dict[str, Any]) -> None:
        self._rig = rig
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._stop = threading.Event()
        put = self._items.put
        self._physics = Follower(lambda: rig.physics(**_known(rig, physics)), _tick, put)
        self._scoring = Follower(lambda: rig.scoring(**scoring), _update, put)
        self._asking = threading.Thread(target=self._ask, daemon=True)

    @property
    def reconnects(self) -> int:
        """Times telemetry went on after it was away."""
        return self._physics.reconnects

    def start(self) -> None:
        """Begin to follow."""
        self._physics.start()
        self._scoring.start()
        self._asking.start()

    def take(self) -> list[Item]:
        """Return what has come since the last call, in order."""
        items = []
        while True:
            try:
                items.append(self._items.get_nowait())
            except queue.Empty:
                return items

    def close(self) -> None:
        """End everything."""
        self._stop.set()
        for follower in (self._physics, self._scoring):
            follower.close()
        until = time.monotonic() + _JOIN_S
        for thread in (self._physics, self._scoring, self._asking):
            thread.join(max(until - time.monotonic(), 0.0))

    def _ask(self) -> None:
        while not self._stop.is_set():
            self._items.put(self._report())
            self._stop.wait(STATUS_S)

    def _report(self) -> Report:
        try:
            return Report(self._rig.status())
        except RigError as error:
            return Report(error)


def _tick(frame: PhysicsFrame) -> Item:
    return TimedFrame(frame, time.time_ns())


def _update(frame: ScoringFrame) -> Item:
    return TimedScoring(frame, frame.session_state, frame.entry_list)


def _known(rig: Rig, physics: dict[str, Any]) -> dict[str, Any]:
    """Return what to ask of telemetry: an earlier rig knows none of the derived channels."""
    made: set[str] = set()
    with contextlib.suppress(RigError):
        made = {one.name for one in rig.channels() if one.derived}
    return {**physics, "channels": [*physics["channels"], *(one for one in _DERIVED if one in made)]}
