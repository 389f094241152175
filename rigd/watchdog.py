"""The watchdog of a daemon: a thread that looks whether the work goes on, and tells.

It tells those who listen in the folder `status` of the data directory, once a second, by a datagram that
needs no room on a disk and no disk that answers; the log, when something changes; and whoever started the
process, in the way of systemd's sd_notify(3): a daemon that makes no progress says so instead of that it
lives, and is killed and started again. Where even this thread hangs, its silence has the same end.
"""

import contextlib
import os
import queue
import socket
import threading
import time
from pathlib import Path
from typing import Final

import rigd
from rig import parse
from rig.errors import Corrupt
from rig.v1 import rig_pb2
from rigd import log
from rigd.wake import Bell, Listener

DAEMONS: Final = ("record", "archive", "serve")

STATUS: Final = "status"
"""Folder below the data directory in which daemons tell how they are."""

_LOOK_S: Final = 1.0
_SLOW_S: Final = 5.0
"""Work without progress for longer is trouble. A turn of the archiver with eight laps takes half a second."""
_DEAD_S: Final = 25.0
"""Work without progress for longer, that does not even wait for a disk, is dead."""
_SHARE: Final = 5 / 6
"""Of what whoever started us waits for a word, where that is shorter: of the 30 s of the units it is 25."""
_MOST_LOGGED: Final = 10
"""Sentences of one trouble: a full disk has two, which take turns."""
_SILENT_S: Final = 3.5
"""A daemon that has told nothing for longer does not speak."""


class Pulse:
    """A part of the work, done by one thread, which says that it goes on."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.thread = 0
        self.progress_s = self.alive_s = time.monotonic()
        """When it made progress, and when it was last seen alive: also who waits for a disk lives."""
        self.resting = True

    def beat(self) -> None:
        """Note that the work goes on; 0.4 µs."""
        self.thread = threading.current_thread().native_id or 0
        self.progress_s = self.alive_s = time.monotonic()
        self.resting = False

    def rest(self) -> None:
        """Note that there is no work until the next beat."""
        self.resting = True

    def silent_s(self, now: float) -> float:
        """Return seconds without progress."""
        return 0.0 if self.resting else now - self.progress_s

    def dead(self, now: float, within_s: float = _DEAD_S) -> bool:
        """Return whether it makes no progress and does not wait for a disk. A disk may take minutes, and no
        kill makes it faster.
        """
        if not self.resting and _state(self.thread) == "D":
            self.alive_s = now
        return not self.resting and now - self.alive_s > within_s


def _state(thread: int) -> str:
    """Return one letter of the kernel's, D while the thread waits for a disk."""
    try:
        with open(f"/proc/self/task/{thread}/stat") as stat:
            return stat.read().rpartition(") ")[2][:1]
    except OSError:
        return ""


class Watchdog:
    """Watches one daemon: `record`, `archive` or `serve`."""

    def __init__(self, daemon: str, data: Path, *, listens: bool = False) -> None:
        self.daemon = daemon
        self.is_ready = False
        self.archiver: rig_pb2.ArchiverStatus | None = None
        """What more there is to tell; the archiver's alone."""
        self._folder, self._listens = data / STATUS, listens
        self._bell: Bell | None = None
        self._listener: Listener | None = None
        self._words: dict[str, tuple[float, rig_pb2.DaemonStatus]] = {}
        self._pulses: list[Pulse] = []
        self._changes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._asked = self._work_trouble = ""
        self._trouble = rig_pb2.Trouble(daemon=daemon)
        self._logged: set[str] = set()
        self._manager = _Manager()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look, and to tell."""
        self._thread.start()

    def ready(self) -> None:
        """Note that the daemon has started; what ends it from now on is no refusal."""
        self.is_ready = True
        self._manager.say("READY=1")
        log.say(log.STARTED, daemon=self.daemon, version=rigd.__version__, data=self._folder.parent)

    def pulse(self, part: str) -> Pulse:
        """Watch one more part of the work."""
        pulse = Pulse(part)
        self._pulses.append(pulse)
        return pulse

    def trouble(self, what: str) -> None:
        """Say what keeps the daemon from its work; empty when it works (again). Never waits."""
        if what != self._asked:
            self._asked = what
            self._changes.put(what)

    def words(self) -> dict[str, rig_pb2.DaemonStatus]:
        """Return what the daemons that speak have said last, by name; of this one too, for those that
        listen.
        """
        since = time.monotonic() - _SILENT_S
        return {daemon: word for daemon, (heard, word) in self._words.items() if heard > since}

    def look(self) -> None:
        """Look once, and tell."""
        now = time.monotonic()
        self._change(self._work_trouble or self._stall(now))
        dead = [pulse for pulse in self._pulses if pulse.dead(now, self._manager.patience_s)]
        self._manager.say(f"WATCHDOG={'trigger' if dead else 1}\nSTATUS={self._trouble.what or 'works'}")
        with contextlib.suppress(OSError):  # no room, no memory: tried again in a second
            # Whoever owns the data directory makes it; one that was moved away is reached all the same.
            if self._bell is not None or self._folder.parent.exists():
                self._tell()
                self._hear()

    def close(self) -> None:
        """End, as the daemon does."""
        self._changes.put(None)
        if self._thread.is_alive():
            self._thread.join(_LOOK_S)
        for end in (self._bell, self._listener):
            if end is not None:
                end.close()

    def _run(self) -> None:
        what: str | None = ""
        while what is not None:
            self._work_trouble = what
            self.look()
            with contextlib.suppress(queue.Empty):
                what = self._changes.get(timeout=_LOOK_S)

    def _stall(self, now: float) -> str:
        for pulse in self._pulses:
            if pulse.silent_s(now) > _SLOW_S:
                waits = ": it waits for the disk" if _state(pulse.thread) == "D" else ""
                return f"the {pulse.part} makes no progress{waits}"
        return ""

    def _change(self, what: str) -> None:
        """Note the trouble of now; log what has changed."""
        trouble = self._trouble
        if what and what not in self._logged and len(self._logged) < _MOST_LOGGED:
            log.say(log.TROUBLE, daemon=self.daemon, what=what)
            self._logged.add(what)
        if what and not trouble.what:
            trouble.since_ns = time.time_ns()
        elif trouble.what and not what:
            seconds = (time.time_ns() - trouble.since_ns) / 1e9
            log.say(log.TROUBLE_ENDED, daemon=self.daemon, what=trouble.what, duration_s=seconds)
            self._logged.clear()
        trouble.what = what

    def _tell(self) -> None:
        """Send it to all who listen."""
        self._bell = self._bell or Bell(self._folder)
        trouble = self._trouble if self._trouble.what else None
        word = rig_pb2.DaemonStatus(daemon=self.daemon, trouble=trouble, archiver=self.archiver)
        self._bell.ring(word.SerializeToString())

    def _hear(self) -> None:
        """Take what the others say."""
        if not self._listens:
            return
        if self._listener is None or self._listener.forgotten():
            self._listener = Listener(self._folder)
        for message in self._listener.take():
            with contextlib.suppress(Corrupt):
                word = parse.message(rig_pb2.DaemonStatus, message)
                if word.daemon in DAEMONS:
                    self._words[word.daemon] = time.monotonic(), word


class _Manager:
    """Whoever started the process and gave it a socket to tell how it is: systemd, or `rigd run`."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        usec = os.environ.get("WATCHDOG_USEC", "")
        self.patience_s = min(int(usec) / 1e6 * _SHARE, _DEAD_S) if usec.isdecimal() else _DEAD_S
        """Without progress, until we say that we are dead."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def say(self, words: str) -> None:
        """Send the words; one who does not listen misses them."""
        if self._address:
            with contextlib.suppress(OSError):
                self._socket.sendto(words.encode(), self._address)
