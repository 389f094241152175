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

_BESIDE: Final = ".writing-"
"""Begins the name of a file that is not finished; what a killed one left is taken by the next so named."""

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
    beside = target.with_name(_BESIDE + target.name)  # formats are told by the ending, which stays
    try:
        with _terminated():
            yield beside
            if flush:
                _flush(beside)
            beside.replace(target)
            if flush:
                _flush(target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _replaceable(path: Path) -> bool:
    if str(path).startswith(_STREAMS):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
