"""The guard of a run: when the process that posted it has ended, however that was, all it started ends too.

What is started has the run's mark in its environment, also what starts in a session of its own or is started
by others in turn. The guard is a small process that waits for the end of a pipe.

python tests/guard.py MARK: waits for the end of its standard input.
"""

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VARIABLE: Final = "RIGD_TEST_RUN"


def post() -> None:
    """Post a guard for this process. What it starts from now on is marked."""
    os.environ[VARIABLE] = mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    reading, _ = os.pipe()  # our end is closed when we end: nobody inherits it
    words = [sys.executable, "-S", "-E", __file__, mark]
    # Not of this session: no signal of the terminal reaches it.
    os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)], setsid=True)
    os.close(reading)


def _marked(mark: str) -> Iterator[int]:
    """Descriptors of the processes with this mark; a number could be another process by now."""
    wanted = f"{VARIABLE}={mark}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(process.name) == os.getpid():
                continue
            descriptor = os.pidfd_open(int(process.name))
            try:
                if wanted in (process / "environ").read_bytes().split(b"\0"):
                    yield descriptor
            finally:
                os.close(descriptor)


def _clear(mark: str) -> None:
    """Kill until nobody is left: one may have started another meanwhile."""
    found = True
    while found:
        found = False
        for descriptor in _marked(mark):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            found = True


if __name__ == "__main__":
    sys.stdin.buffer.read()
    _clear(sys.argv[1])
