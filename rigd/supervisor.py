"""`rigd run`: starts the daemons of one machine as processes of their own, and starts them again."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from rig.errors import RigError
from rigd import log
from rigd.lifeline import tied
from rigd.notices import Notices

_POLL_S: Final = 0.1
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 5.0
"""A daemon that could not start shall work again within 10 s after its trouble."""
_STEADY_S: Final = 30.0
"""A daemon that ran this long is started again without delay."""
_GRACE_S: Final = 10.0
"""Time to stop on request before SIGKILL: the recorder commits what is pending."""

WATCHDOG_S: Final = 30.0
"""A daemon that has not said for so long that it lives is stopped and started again. It is more than the
import of its modules takes on a busy machine.
"""

REFUSED: Final = 2
"""Exit code of a daemon that says why it cannot work: starting it again would not help."""


class DaemonRefused(RigError):
    """A daemon ended and said that it cannot work as things are."""


@dataclass
class Daemon:
    """One process to keep running. `words` are its command line after `rigd`."""

    name: str
    words: Sequence[str]
    log: Path
    program: str = "rigd"
    """The module that has the words."""
    needed: bool = True
    """When it says that it cannot work, the others are ended too; else it is tried again."""
    keep: bool = True
    """Start it again when it ends; the simulated game may end by itself."""
    watchdog_s: float = 0.0
    """Start it again when it has not said for so long that it lives; 0: it does not say so."""
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    _delay_s: float = _FIRST_DELAY_S
    _since: float = 0.0
    _again_at: float = field(default=0.0)
    _notices: Notices | None = None
    _fed_at: float = 0.0
    _kill_at: float = 0.0
    """When it is killed, having been asked to stop; 0: it has not."""

    def start(self) -> None:
        """Start the process, its output appended to the log; to nowhere if the disk refuses that."""
        if self.watchdog_s and self._notices is None:
            self._notices = Notices()
        with contextlib.ExitStack() as stack:
            log: IO[bytes] | int = subprocess.DEVNULL
            with contextlib.suppress(OSError):
                log = stack.enter_context(self.log.open("ab"))
            self.process = self._spawn(log)
        self.starts += 1
        self._since = self._fed_at = time.monotonic()
        self._kill_at = 0.0

    def _spawn(self, log: IO[bytes] | int) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches the supervisor alone, which stops the others in order.
        return subprocess.Popen(
            [sys.executable, "-m", self.program, *self.words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **self._tied(),
        )

    def _tied(self) -> dict[str, Any]:
        """Return the options that tie it to us: it ends with us, and feeds its watchdog here."""
        ends = tied()
        if self._notices:
            ends["env"] |= self._notices.environment(self.watchdog_s)
        return ends

    def look(self) -> None:
        """Start it again if it has ended. Raises DaemonRefused when it said that it cannot work."""
        if self.process is None:
            return
        if (code := self.process.poll()) is None:
            self._attend(self.process)
            return
        if code == REFUSED and self.needed:
            raise DaemonRefused(f"{self.name} cannot work: {self.last_words()}", log=self.log)
        if not self.keep:
            self.process = None
        elif not self._again_at:
            log.say(log.DAEMON_ENDED, daemon=self.name, code=code)
            self._plan()
        elif time.monotonic() >= self._again_at:
            try:
                self.start()
            except OSError as error:  # no memory for another process, for example
                log.say(log.START_FAILED, daemon=self.name, what=repr(error))
                self._plan()
            else:
                self._again_at = 0.0

    def _attend(self, process: subprocess.Popen[bytes]) -> None:
        """Ensure that it lives: continue it if somebody stopped it, else end it, so that it is started
        again.
        """
        now = time.monotonic()
        if self._notices is None or self._notices.fed(process.pid):
            self._fed_at = now
        if self._kill_at:
            if now >= self._kill_at:
                process.kill()
        elif now - self._fed_at > self.watchdog_s or (self._notices and self._notices.dead):
            self._revive(process, now)

    def _revive(self, process: subprocess.Popen[bytes], now: float) -> None:
        silent = now - self._fed_at
        if stopped(process.pid):
            log.say(log.DAEMON_CONTINUED, daemon=self.name, silent_s=silent)
            process.send_signal(signal.SIGCONT)
            self._fed_at = now
        else:
            log.say(log.NO_PROGRESS, daemon=self.name, silent_s=silent)
            process.send_signal(signal.SIGABRT)  # as systemd does; it says in its log where it hangs
            self._kill_at = now + _GRACE_S

    def _plan(self) -> None:
        """Decide when to start it again: at once after a steady run, later and later otherwise."""
        now = time.monotonic()
        if now - self._since > _STEADY_S:
            self._delay_s = _FIRST_DELAY_S
        self._again_at = now + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing; see {self.log}"

    def stop(self) -> None:
        """Ask it to stop, wait, and kill it if it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        self.process.send_signal(signal.SIGCONT)  # one that was stopped hears nothing else
        try:
            self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def stopped(pid: int) -> bool:
    """Return whether somebody has stopped the process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] == "T"
    except OSError:
        return False


class Supervisor:
    """Keeps daemons running until asked to stop. They stop in reverse order of their start."""

    def __init__(self, daemons: Sequence[Daemon]) -> None:
        self.daemons = list(daemons)
        self.stop = threading.Event()
        self.trouble: Exception | None = None
        """What ended it: a daemon that refused, or a mistake of ours."""
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all."""
        for daemon in self.daemons:
            self._launch(daemon)
        self._watcher.start()

    def add(self, daemon: Daemon) -> None:
        """Start one more."""
        self._launch(daemon)
        self.daemons.append(daemon)

    def _launch(self, daemon: Daemon) -> None:
        with contextlib.suppress(OSError):  # a disk that takes no log may still be recorded to
            daemon.log.parent.mkdir(parents=True, exist_ok=True)
            daemon.log.write_bytes(b"")
        daemon.start()

    def run(self) -> None:
        """Wait until SIGTERM, SIGINT or a daemon that refuses. Raises DaemonRefused, or what ended it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())
        while not self.stop.wait(_POLL_S):
            continue
        if self.trouble is not None:
            raise self.trouble

    def close(self) -> None:
        """Stop all."""
        self.stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for daemon in reversed(self.daemons):
            daemon.stop()

    def _watch(self) -> None:
        while not self.stop.wait(_POLL_S):
            for daemon in self.daemons:
                try:
                    daemon.look()
                except Exception as error:  # noqa: BLE001  whoever waits for us raises it
                    self.trouble = error
                    self.stop.set()
                    return
