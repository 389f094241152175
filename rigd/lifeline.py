"""Children that end with their parent, whatever ends that: also SIGKILL, also a terminal that is closed.

The parent holds the writing end of a pipe that only its death closes; the child reads the other end. The
kernel's own way (PR_SET_PDEATHSIG) follows the thread that started the child, and the supervisor's restarts
come from one that ends earlier.
"""

import functools
import os
import signal
import threading
from typing import Any, Final

_VARIABLE: Final = "RIGD_LIFELINE"
"""The descriptor that the child reads, in its environment."""

_GRACE_S: Final = 10.0
"""Time to stop after the parent's end, as the supervisor grants; the recorder commits what is pending."""


@functools.cache
def _pipe() -> tuple[int, int]:
    return os.pipe()


def tied() -> dict[str, Any]:
    """Return the options of `Popen` for a child that calls `hold` to end with this process."""
    reading, _ = _pipe()
    return {"pass_fds": (reading,), "env": {**os.environ, _VARIABLE: str(reading)}}


def hold() -> None:
    """End this process when the one that started it with `tied` has ended: SIGTERM, and SIGKILL if that does
    not do. Started any other way, it goes on.
    """
    number = os.environ.pop(_VARIABLE, "")
    if number:
        os.set_inheritable(int(number), False)
        threading.Thread(target=_follow, args=(int(number),), name="lifeline", daemon=True).start()


def _follow(reading: int) -> None:
    while os.read(reading, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
