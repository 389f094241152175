"""`rigd run`: starts the daemons of one machine as processes of their own, and starts them again."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from rig.errors import RigError
from rigd.lifeline import tied

_POLL_S: Final = 0.1
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 10.0
_STEADY_S: Final = 30.0
"""A daemon that ran this long is started again without delay."""
_GRACE_S: Final = 10.0
"""Time to stop on request before SIGKILL: the recorder commits what is pending."""

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
    keep: bool = True
    """Start it again when it ends; the simulated game may end by itself."""
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    _delay_s: float = _FIRST_DELAY_S
    _since: float = 0.0
    _again_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the process, its output appended to the log."""
        with self.log.open("ab") as log:
            self.process = self._spawn(log)
        self.starts += 1
        self._since = time.monotonic()

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches the supervisor alone, which stops the others in order.
        return subprocess.Popen(
            [sys.executable, "-m", "rigd", *self.words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **tied(),
        )

    def look(self) -> None:
        """Start it again if it has ended. Raises DaemonRefused when it said that it cannot work."""
        if self.process is None or (code := self.process.poll()) is None:
            return
        if code == REFUSED:
            raise DaemonRefused(f"{self.name} cannot work: {self.last_words()}", log=self.log)
        if not self.keep:
            self.process = None
        elif not self._again_at:
            self._plan()
        elif time.monotonic() >= self._again_at:
            self._again_at = 0.0
            self.start()

    def _plan(self) -> None:
        """Decide when to start it again: at once after a steady run, later and later otherwise."""
        now = time.monotonic()
        if now - self._since > _STEADY_S:
            self._delay_s = _FIRST_DELAY_S
        self._again_at = now + self._delay_s
        self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing; see {self.log}"

    def stop(self) -> None:
        """Ask it to stop, wait, and kill it if it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Keeps daemons running until asked to stop. They stop in reverse order of their start."""

    def __init__(self, daemons: Sequence[Daemon]) -> None:
        self.daemons = list(daemons)
        self.stop = threading.Event()
        self.trouble: DaemonRefused | None = None
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
        daemon.log.parent.mkdir(parents=True, exist_ok=True)
        daemon.log.write_bytes(b"")
        daemon.start()

    def run(self) -> None:
        """Wait until SIGTERM, SIGINT or a daemon that refuses. Raises DaemonRefused."""
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
                except DaemonRefused as refusal:
                    self.trouble = refusal
                    self.stop.set()
                    return
