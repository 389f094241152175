"""How a command line meets the streams it was given: full, closed, or of an alphabet with few letters."""

import contextlib
import errno
import io
import logging
import os
import signal
import sys
from typing import Any, NoReturn

import click

from rig.signs import LogFormatter
from rigclient.cli.terminal.plain import say

_FAILED = 1


def run(command: click.Command) -> NoReturn:
    """Run the command line of this process to its end. Raises SystemExit, and nothing else."""
    # A shell without job control has what it starts in the background ignore Ctrl-C: `kill -INT` has to work.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _open()
    if logging.lastResort is not None:  # where words of a log go that nobody asked for
        logging.lastResort.setFormatter(LogFormatter())
    code: Any = 0
    try:
        command.main()
    except SystemExit as end:
        code = end.code
    except OSError as error:
        code = _refused(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or _refused(error)
    _let_go()
    raise SystemExit(code)


def _open() -> None:
    """See that there are streams, and that they take every text."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115  it is open as long as the process
    if sys.stdout is None:  # what is printed is refused, as it would be by one that is full
        sys.stdout = io.TextIOWrapper(io.FileIO(os.open(os.devnull, os.O_RDONLY), "r+"))
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  the same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _refused(error: OSError) -> int:
    """Say what is wrong with standard output; nobody is told who has stopped reading."""
    with contextlib.suppress(OSError):
        if error.errno != errno.EPIPE:
            say(f"error: standard output: {error.strerror or error}", err=True, fg="red")
    return _FAILED


def _let_go() -> None:
    """Drop what could not be written: Python would try again at its end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
