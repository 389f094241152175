"""Who comes first on this machine: what the recorder may ask for, and what the daemons that run have got."""

import contextlib
import os
import resource
from collections.abc import Iterable, Iterator
from typing import Final

from rigd.check import Check, ok, warning, wrong
from rigd.doctor.processes import Process

WANTED_NICE: Final = -5
"""Of the recorder, in its unit."""
_NICE_SPAN: Final = 20
"""RLIMIT_NICE counts from here downwards."""


def check_priorities(processes: Iterable[Process]) -> Iterator[Check]:
    """Look at the limits of this user, and at every daemon that runs."""
    nice, realtime = (
        resource.getrlimit(resource.RLIMIT_NICE)[0],
        resource.getrlimit(resource.RLIMIT_RTPRIO)[0],
    )
    yield judged(os.geteuid() == 0, nice, realtime)
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended
            yield _check_process(process)


def judged(root: bool, limit: int, realtime: int) -> Check:
    """Return what limits of a user mean for a recorder that he starts."""
    least = -_NICE_SPAN if root or limit < 0 else _NICE_SPAN - limit
    facts = {"least_nice": least, "rtprio": realtime}
    if least > WANTED_NICE:
        return warning(
            "priority",
            f"this user may not go below nice {least}: under load the recorder waits behind the game",
            f'echo "$USER - nice {WANTED_NICE}" | sudo tee /etc/security/limits.d/90-rigd.conf; log in again',
            facts,
        )
    return ok("priority", f"this user may go down to nice {least}", facts)


def _check_process(process: Process) -> Check:
    nice = os.getpriority(os.PRIO_PROCESS, process.pid)
    idle = os.sched_getscheduler(process.pid) == os.SCHED_IDLE
    subject, facts = f"rigd {process.daemon}", {"pid": process.pid, "nice": nice}
    if idle:
        return wrong(
            subject,
            f"process {process.pid} runs only when nobody else does (SCHED_IDLE)",
            f"chrt --other --pid 0 {process.pid}, and see who started it so",
            facts,
        )
    if process.daemon == "record" and nice > 0:
        return warning(
            subject,
            f"process {process.pid} comes after others: nice {nice}",
            f"sudo renice -n {WANTED_NICE} -p {process.pid}, and start it without nice",
            facts,
        )
    return ok(subject, f"process {process.pid}, nice {nice}", facts)
