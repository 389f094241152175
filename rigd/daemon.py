"""What all daemons have: a log, a watchdog, and one end, whatever thread has died."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.signs import LogFormatter
from rigd.watchdog import Watchdog

DIED: Final = 1
"""Exit code of a daemon that met what nobody expected: it is to be started again."""

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def daemon(name: str, data: Path, *, listens: bool = False) -> Iterator[Watchdog]:
    """The life of a daemon. What is raised before its watchdog says `ready` is for the caller: it may be a
    refusal. After that, and in any other thread, it is a death: the trace goes to the log and the process
    ends with DIED.
    """
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[log])
    logging.raiseExceptions = False  # a log on a full disk is no reason to write more
    threading.excepthook = lambda died: _thread_died(name, died)
    watchdog = Watchdog(name, data, listens=listens)
    watchdog.start()
    try:
        yield watchdog
    except Exception:
        if not watchdog.is_ready:
            raise
        _log.critical("died daemon=%s", name, exc_info=True)
        sys.exit(DIED)
    finally:
        watchdog.close()


def _thread_died(name: str, died: threading.ExceptHookArgs) -> None:
    thread = died.thread.name if died.thread else "unknown"
    trace = (died.exc_type, died.exc_value, died.exc_traceback)
    if died.exc_value is not None:
        _log.critical("died daemon=%s thread=%s", name, thread, exc_info=trace)  # type: ignore[arg-type]
    logging.shutdown()
    os._exit(DIED)
