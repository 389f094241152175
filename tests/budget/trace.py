"""Counts the system calls of a command, thread by thread, through ptrace: no compiler, no perf, no privilege.

    python -m tests.budget.trace OUT COMMAND...

The kernel stops the traced threads at every call and tells which one it is; that costs 50 µs and changes
nothing that is counted. Tracing one's own child is allowed everywhere but where Yama forbids it to all
(ptrace_scope 3). Counting begins when the command stops itself (`ready`); signals that it or others send it
(`mark`) end one window and begin the next, and never reach it. OUT gets the windows as JSON.
"""

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.restype = ctypes.c_long
_LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)

_TRACEME, _CONT, _SYSCALL, _SETOPTIONS, _INFO = 0, 7, 24, 0x4200, 0x420E
_OPTIONS: Final = 0x0000_0001 | 0x0000_0008 | 0x0010_0000
"""Calls are told from signals, new threads are followed, and the command does not outlive us."""
_WALL: Final = 0x4000_0000
_CALL: Final = signal.SIGTRAP | 0x80
_ENTRY: Final = 1
_INFO_BYTES: Final = 88
_NUMBER: Final = struct.Struct("<B23xq")
"""Kind of the stop, and the number of the call at its entry or its result at its exit."""

_TRACED: Final = "RIGD_TRACED"
_MARK: Final = signal.SIGUSR1

NAMES: Final = {
    0: "read", 1: "write", 3: "close", 5: "fstat", 8: "lseek", 9: "mmap", 10: "mprotect", 11: "munmap",
    12: "brk", 13: "rt_sigaction", 14: "rt_sigprocmask", 16: "ioctl", 17: "pread64", 18: "pwrite64",
    20: "writev", 24: "sched_yield", 25: "mremap", 26: "msync", 28: "madvise", 39: "getpid", 44: "sendto",
    45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 55: "getsockopt", 56: "clone", 72: "fcntl", 74: "fsync",
    75: "fdatasync", 77: "ftruncate", 186: "gettid", 202: "futex", 217: "getdents64", 219: "restart_syscall",
    228: "clock_gettime",
    230: "clock_nanosleep", 232: "epoll_wait", 233: "epoll_ctl", 234: "tgkill", 257: "openat",
    262: "newfstatat", 281: "epoll_pwait", 295: "preadv", 296: "pwritev", 327: "preadv2", 332: "statx",
    435: "clone3", 441: "epoll_pwait2",
}  # fmt: skip
"""Of x86-64, which the reader's protocol needs anyway. Others go by their number."""

UNCOUNTED: Final = frozenset(
    {"futex", "sched_yield", "clock_nanosleep", "epoll_wait", "epoll_pwait", "epoll_pwait2"}
    | {"restart_syscall"}  # a wait goes on that a mark has interrupted
    | {"mmap", "munmap", "mremap", "brk", "madvise", "mprotect", "rt_sigprocmask"}
    | {"clock_gettime", "tgkill", "gettid", "getpid"}
)
"""How threads wait and hand over the interpreter is the kernel's to decide and differs from run to run, the
allocator asks for memory now and then, some machines read the clock by a call, and marks are calls of ours.
"""


@dataclass
class Window:
    """Calls between two marks, by name."""

    main: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    moved: Counter[str] = field(default_factory=Counter)
    """Results of the calls of all threads: bytes, where they move some."""

    @property
    def calls(self) -> Counter[str]:
        """Of all threads."""
        return self.main + self.others


def read_windows(path: Path) -> list[Window]:
    """The windows of a trace."""
    return [
        Window(**{name: Counter(counts) for name, counts in each.items()})
        for each in json.loads(path.read_text())
    ]


# The command's side.


def traced() -> bool:
    """Whether somebody counts our calls."""
    return _TRACED in os.environ


def ready() -> None:
    """From here on calls are counted, of this thread and of those yet to come."""
    if traced():
        os.kill(os.getpid(), signal.SIGSTOP)


def mark(pid: int | None = None) -> None:
    """End a window: one's own, from the main thread, or that of the traced process `pid`."""
    if pid is not None:
        os.kill(pid, _MARK)
    elif traced():
        signal.pthread_kill(threading.main_thread().ident or 0, _MARK)


# The tracer's side.


class Trace:
    """A command and its windows."""

    def __init__(self, command: list[str]) -> None:
        environment = {**os.environ, _TRACED: "1"}
        # The tracer has one thread, so there is nothing that a fork could leave behind.
        self._child = subprocess.Popen(command, env=environment, preexec_fn=_offer)
        self._how = _CONT
        self._running: dict[int, str] = {}
        self.windows = [Window()]
        os.waitpid(self._child.pid, 0)
        _ask(_SETOPTIONS, self._child.pid, _OPTIONS)
        _ask(_CONT, self._child.pid)

    def run(self) -> None:
        """Until the command has ended."""
        while True:
            tid, status = os.waitpid(-1, _WALL)
            if os.WIFSTOPPED(status):
                deliver = self._stopped(tid, os.WSTOPSIG(status), status >> 16)
                _ask(self._how, tid, deliver)
            elif tid == self._child.pid:
                return

    def _stopped(self, tid: int, number: int, event: int) -> int:
        """Take note of a stop; the signal to deliver, 0 for none."""
        if number == _CALL:
            self._called(tid)
        elif number == _MARK:
            self.windows.append(Window())
        elif number == signal.SIGSTOP:
            self._how = _SYSCALL if tid == self._child.pid else self._how
        elif number != signal.SIGTRAP and not event:
            return number
        return 0

    def _called(self, tid: int) -> None:
        found = ctypes.create_string_buffer(_INFO_BYTES)
        _LIBC.ptrace(_INFO, tid, _INFO_BYTES, ctypes.addressof(found))
        kind, number = _NUMBER.unpack_from(found.raw)
        if kind == _ENTRY:
            name = self._running[tid] = NAMES.get(number, str(number))
            counts = self.windows[-1].main if tid == self._child.pid else self.windows[-1].others
            counts[name] += name not in UNCOUNTED
        elif number > 0:
            self.windows[-1].moved[self._running.get(tid, "")] += number


def _offer() -> None:
    """In the command, before it begins: let our parent trace us."""
    _LIBC.ptrace(_TRACEME, 0, None, None)


def _ask(what: int, tid: int, data: int = 0) -> None:
    _LIBC.ptrace(what, tid, None, data)  # a thread that was killed meanwhile is reported by waitpid


def main(out: Path, command: list[str]) -> None:
    """Trace a command."""
    trace = Trace(command)
    trace.run()
    out.write_text(json.dumps([vars(window) for window in trace.windows]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
