"""What all daemons have: a log, a watchdog, and one end, whatever thread has died."""

import contextlib
import faulthandler
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rigd import log
from rigd.watchdog import Watchdog

DIED: Final = 1
"""Exit code of a daemon that met what nobody expected: it is to be started again."""


@contextlib.contextmanager
def daemon(name: str, data: Path, *, listens: bool = False, log_level: str = "info") -> Iterator[Watchdog]:
    """Run the life of a daemon. What is raised before its watchdog says `ready` is for the caller: it may be
    a refusal. After that, and in any other thread, it is a death: the trace goes to the log and the process
    ends with DIED. One that hangs is killed with SIGABRT, and every thread's trace goes to the log.
    """
    lines = log.begin(log_level)
    with contextlib.suppress(OSError, ValueError):  # standard error is closed
        faulthandler.enable()
    threading.excepthook = lambda died: _thread_died(name, died, lines)
    watchdog = Watchdog(name, data, listens=listens)
    watchdog.start()
    try:
        yield watchdog
    except Exception:
        if not watchdog.is_ready:
            raise
        log.say(log.DIED, daemon=name, thread="main", trace=True)
        sys.exit(DIED)
    else:
        log.say(log.STOPPED, daemon=name)
    finally:
        watchdog.close()
        lines.close()


def _thread_died(name: str, died: threading.ExceptHookArgs, lines: log.Log) -> None:
    thread = died.thread.name if died.thread else "unknown"
    trace = (died.exc_type, died.exc_value, died.exc_traceback)
    if died.exc_value is not None:
        log.say(log.DIED, daemon=name, thread=thread, trace=trace)
    lines.close()
    os._exit(DIED)
