"""What this process costs, from /proc, how it comes after all others, and whose it is."""

import contextlib
import os
import pwd
import signal
import time
from typing import Final

from rig.v1 import rig_pb2

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class ProcessMeter:
    """Measures the CPU of this process between two calls of `status`."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._cpu_s = time.process_time()

    def status(self) -> rig_pb2.ProcessStatus:
        """Return the cost since the call before."""
        now, cpu_s = time.monotonic(), time.process_time()
        share = (cpu_s - self._cpu_s) / max(now - self._last, 1e-3)
        self._last, self._cpu_s = now, cpu_s
        resident, in_files = _resident()
        return rig_pb2.ProcessStatus(
            pid=os.getpid(),
            uptime_s=now - self._started,
            cpu_percent=100 * share,
            rss_bytes=resident - in_files,
            rss_file_bytes=in_files,
            cpu_s=cpu_s,
        )


def _resident() -> tuple[int, int]:
    """Return resident bytes: all, and those of mapped files."""
    with open("/proc/self/statm") as statm:
        _, resident, shared, *_ = statm.read().split()
    return int(resident) * _PAGE, int(shared) * _PAGE


def stop_signals(*, daemon: bool = False) -> tuple[signal.Signals, ...]:
    """Return the signals that ask a process to stop: SIGTERM, Ctrl-C (also where a background shell has it
    ignored), and the terminal that is closed, unless `nohup` has that ignored. A `daemon` without a terminal
    reads its configuration again instead.
    """
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    hangup = () if ignored or (daemon and hangup_reloads()) else (signal.SIGHUP,)
    return (signal.SIGTERM, signal.SIGINT, *hangup)


def hangup_reloads() -> bool:
    """Return whether SIGHUP asks a daemon to read its configuration again. Of one that has a controlling
    terminal the kernel says so that this was closed: started by hand it ends with it. Those that systemd or
    `rigd run` started have none.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return True
    return False


def yield_to_others(nice: int = 19) -> None:
    """Come after all others and interrupt nobody, and still make progress, which SCHED_IDLE does not where
    every core is taken; the disk follows the nice value.
    """
    os.nice(nice)
    with contextlib.suppress(PermissionError):  # some containers forbid it; the nice value stands
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def user_name(uid: int) -> str:
    """Return the name of a user, or the number where it has none (a container's)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
