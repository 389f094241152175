"""Atomic writes: a file appears under its name when it is complete, or not at all."""

import contextlib
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.disk import beside, finish

_STREAMS: Final = ("/dev/fd/", "/dev/std", "/proc/")
"""Names of what is open already."""


@contextlib.contextmanager
def atomic_write(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Yield a path to write to, which becomes `path` at the end, flushed to the disk. After an error, Ctrl-C
    or SIGTERM nothing is left of it, and what stood there stays. Devices and pipes are written as they are.

    `flush` False keeps it complete where a process ends, not where the power fails: a flush takes
    milliseconds. Raises OSError, with the name of the file.
    """
    if not _replaceable(path):
        yield path
        return
    target = Path(os.path.realpath(path))  # a link goes on leading there
    try:
        with _terminated():
            yield beside(target)
            if flush:
                finish(target)
            else:
                beside(target).replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            beside(target).unlink()


def _replaceable(path: Path) -> bool:
    if str(path).startswith(_STREAMS):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is done here as Ctrl-C does."""
    taken = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                taken[number] = signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        for number, before in taken.items():
            signal.signal(number, before)
