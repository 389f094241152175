"""SIGHUP: a daemon reads its configuration again and takes up what can change while it runs."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from rig.errors import RigError
from rigd import log
from rigd.config import settings
from rigd.config.effective import Effective, changes, taken_up
from rigd.process import hangup_reloads

S = TypeVar("S")


class Reload(Generic[S]):
    """What a daemon works with now. `read` reads the configuration, `make` makes the daemon's settings of it.

    A thread of its own reads: a tick must not wait for a disk.
    """

    def __init__(
        self, daemon: str, first: Effective, read: Callable[[], Effective], make: Callable[[Effective], S]
    ) -> None:
        self._daemon, self._effective, self._read, self._make = daemon, first, read, make
        self._settings = make(first)
        self._asked, self._ending = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def latest(self) -> S:
        """Return the settings in force; the same object until they change."""
        return self._settings

    def again(self) -> None:
        """Read the configuration now, and log what changed. A file with mistakes changes nothing."""
        log.set_level("info")  # who asked gets an answer
        try:
            self._take()
        except (RigError, OSError) as error:
            log.say(log.CONFIGURATION_REFUSED, daemon=self._daemon, what=error)
        log.set_level(self._effective[settings.LOG_LEVEL])

    def _take(self) -> None:
        read = self._read()
        taken, restart = changes(self._effective, read, self._daemon)
        effective = taken_up(self._effective, read)
        if taken:
            self._settings = self._make(effective)
        self._effective = effective
        log.say(
            log.CONFIGURATION_READ,
            daemon=self._daemon,
            changed=",".join(taken) or "nothing",
            restart=",".join(restart) or "nothing",
        )

    @contextlib.contextmanager
    def on_hangup(self) -> Iterator[None]:
        """Do so whenever SIGHUP comes, unless that says that a terminal was closed."""
        if not hangup_reloads():
            yield
            return
        signal.signal(signal.SIGHUP, lambda *_: self._asked.set())
        self._thread.start()
        try:
            yield
        finally:
            self._ending = True
            self._asked.set()
            self._thread.join()

    def _run(self) -> None:
        while self._asked.wait() and not self._ending:
            self._asked.clear()
            self.again()
