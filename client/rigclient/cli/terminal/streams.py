"""How a command line meets the streams it was given: full, closed, or of an alphabet with few letters."""

import contextlib
import errno
import io
import logging
import os
import signal
import sys
from typing import Any, Final, NoReturn

import click

from rig.logformat import LogFormatter
from rigclient.cli.terminal.plain import say

_FAILED = 1
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""
UNREAD: Final = 141
"""Exit code where nobody reads on, as in `rig laps | head -1`: that of a program that SIGPIPE ends."""


def run(command: click.Command) -> NoReturn:
    """Run the command line of this process to its end. Raises SystemExit, and nothing else."""
    code: Any = 0
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # it says on standard error what we say in a sentence
    pressed: list[int] = []
    try:
        _take_ctrl_c(pressed)
        _open()
        given = sys.stdout
        command.main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as end:
        code = INTERRUPTED if pressed and end.code == _FAILED else end.code  # click ends it as a failure
        if code == _FAILED and sys.stdout is not given:  # click does this where nobody reads on
            code = UNREAD
    except OSError as error:
        code = _refused(error)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end is near
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or _refused(error)
    _let_go()
    # Where Ctrl-C met code out of a text, as dataclasses are made of, Python notes that nobody took it, and
    # ends by the signal whoever did. The next such code takes the note back.
    exec("")  # noqa: S102
    raise SystemExit(code)


def _take_ctrl_c(pressed: list[int]) -> None:
    """Let Ctrl-C interrupt, also where a shell without job control has had it ignored, and be noted."""

    def interrupt(number: int, _: object) -> NoReturn:
        pressed.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


def _open() -> None:
    """Ensure that there are streams, and that they take every text."""
    if logging.lastResort is not None:  # where words of a log go that nobody asked for
        logging.lastResort.setFormatter(LogFormatter())
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
    if error.errno == errno.EPIPE:
        return UNREAD
    with contextlib.suppress(OSError):
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
