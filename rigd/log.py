"""The log of the daemons: one line `event key=value` for what happens, and nobody who works waits for it.

The names of events and keys stand here alone; docs/operations.md lists them for people.
"""

import atexit
import contextlib
import json
import logging
import logging.handlers
import os
import queue
import re
import socket
import stat
from typing import Any, Final, NamedTuple

from rig.logformat import LogFormatter
from rig.signs import visible

_STDERR: Final = 2
_MOST_LINES: Final = 1000
"""Lines that wait for whoever reads them, or for the disk; what is more is counted and goes."""
_JOURNAL: Final = "/run/systemd/journal/socket"
_LAST_S: Final = 1.0
"""How long the end of a process waits for its last lines. They may go to a pipe that nobody reads."""

_PLAIN: Final = re.compile(r"[^\s\"'=]+")
"""A value that needs no quotes."""


class LogEvent(NamedTuple):
    """Something that happens, and what its line tells, in this order."""

    name: str
    keys: tuple[str, ...]
    meaning: str
    level: int = logging.INFO


STARTED: Final = LogEvent("started", ("daemon", "version", "data"), "a daemon works")
STOPPED: Final = LogEvent("stopped", ("daemon",), "it ended as it was asked to")
DIED: Final = LogEvent(
    "died", ("daemon", "thread"), "it met what nobody expected; the trace follows", logging.CRITICAL
)
SOURCE: Final = LogEvent(
    "source", ("state", "why"), "what the recorder sees of the game changed; the states of `rigd doctor`"
)
SESSION_STARTED: Final = LogEvent("session_started", ("session", "track", "kind"), "by number of the ring")
SESSION_ENDED: Final = LogEvent(
    "session_ended", ("session", "track", "kind"), "another begins, or the game left"
)
SEAT: Final = LogEvent("seat", ("user", "by_driver"), "another user is in the seat; none: nobody")
LAP_ARCHIVED: Final = LogEvent("lap_archived", ("lap", "bytes"), "a lap stands under its name")
LAP_IMPORTED: Final = LogEvent(
    "lap_imported", ("lap", "bytes", "user"), "a lap of another program's file stands under its name"
)
CIRCUIT_KEPT: Final = LogEvent(
    "circuit_kept", ("circuit", "corners", "updates"), "the line of a layout is good, and kept"
)
CIRCUIT_TROUBLE: Final = LogEvent(
    "circuit_trouble", ("lap", "error"), "a lap could not be used for its circuit", logging.WARNING
)
CORNERS_TROUBLE: Final = LogEvent(
    "corners_trouble", ("lap", "error"), "the corners of a lap could not be had or kept", logging.WARNING
)
LAP_EVICTED: Final = LogEvent("lap_evicted", ("lap", "bytes", "why"), "retention deleted a lap", logging.INFO)
LAP_LOST: Final = LogEvent(
    "lap_lost", ("lap", "bytes", "why"), "retention had to delete a lap that someone wants", logging.WARNING
)
EVENT_SPOILED: Final = LogEvent(
    "event_spoiled", ("seq", "what"), "an event of the ring cannot be read", logging.WARNING
)
TAIL_SPOILED: Final = LogEvent(
    "tail_spoiled",
    ("tail", "what"),
    "what the last recorder left in memory cannot be taken over; its numbers are declared lost",
    logging.WARNING,
)
RESERVE_SPOILED: Final = LogEvent(
    "reserve_spoiled",
    ("stream", "what"),
    "what the ring says of numbers that were given out cannot be true, and none is declared lost for it",
    logging.WARNING,
)
TROUBLE: Final = LogEvent("trouble", ("daemon", "what"), "something keeps it from its work", logging.WARNING)
TROUBLE_ENDED: Final = LogEvent(
    "trouble_ended", ("daemon", "what", "duration_s"), "it works again", logging.WARNING
)
CALL_REFUSED: Final = LogEvent(
    "call_refused", ("method", "what"), "a disk or a store refused; the caller was told", logging.WARNING
)
CONNECTIONS_CLOSED: Final = LogEvent(
    "connections_closed",
    ("address", "count", "limit"),
    "an address had more than it may; the newest were closed",
    logging.WARNING,
)
QUESTION: Final = LogEvent(
    "question", ("calls", "refused"), "the assistant was asked; calls of the model, and why it has no answer"
)
PLAN_ITEM: Final = LogEvent(
    "plan_item", ("plan", "item", "kind", "state"), "somebody has decided on what the assistant proposed"
)
CALL_FAILED: Final = LogEvent(
    "call_failed", ("method",), "a defect of the server; the trace follows", logging.ERROR
)
CONFIGURATION_READ: Final = LogEvent(
    "configuration_read",
    ("daemon", "changed", "restart"),
    "on SIGHUP; which settings hold now, and which only after a restart",
)
CONFIGURATION_REFUSED: Final = LogEvent(
    "configuration_refused",
    ("daemon", "what"),
    "on SIGHUP; it has mistakes, and what was in force stays",
    logging.WARNING,
)
PAIRED: Final = LogEvent(
    "paired", ("token", "name", "user", "scopes"), "a device exchanged a pairing code for a token"
)
PAIRING_CANCELLED: Final = LogEvent(
    "pairing_cancelled", ("name", "user"), "its join string is good for nothing any more"
)
TOKEN_REVOKED: Final = LogEvent("token_revoked", ("token", "name", "user"), "it is good for nothing any more")
CERTIFICATE: Final = LogEvent("certificate", ("fingerprint",), "another certificate is in use")
DAEMON_ENDED: Final = LogEvent(
    "daemon_ended", ("daemon", "code"), "`rigd run` starts it again", logging.WARNING
)
DAEMON_CONTINUED: Final = LogEvent(
    "daemon_continued",
    ("daemon", "silent_s"),
    "somebody had stopped it",
    logging.WARNING,
)
NO_PROGRESS: Final = LogEvent(
    "no_progress", ("daemon", "silent_s"), "it hangs; `rigd run` ends it and starts it again", logging.WARNING
)
START_FAILED: Final = LogEvent(
    "start_failed", ("daemon", "what"), "the machine refused a process; tried again", logging.WARNING
)
LINES_LOST: Final = LogEvent(
    "lines_lost",
    ("count",),
    "nobody read the log, or its disk hung: lines are missing",
    logging.WARNING,
)

EVENTS: Final = tuple(event for event in globals().values() if isinstance(event, LogEvent))

_log = logging.getLogger("rigd")


def say(event: LogEvent, *, trace: Any = None, **values: object) -> None:
    """Log an event with the values of its keys. `trace` is that of an exception, or True for the one that is
    handled. Takes 30 µs and never waits.
    """
    _log.log(event.level, line(event, **values), exc_info=trace, extra={"fields": _fields(event, values)})


def line(event: LogEvent, **values: object) -> str:
    """Return `event key=value ...`; values with spaces, quotes or nothing in them stand in quotes."""
    return " ".join((event.name, *(f"{key}={_value(value)}" for key, value in values.items())))


def _fields(event: LogEvent, values: dict[str, object]) -> dict[str, str]:
    """Return what the journal can search for: `journalctl RIGD_EVENT=trouble RIGD_DAEMON=archive`."""
    return {f"RIGD_{key.upper()}": _text(value) for key, value in {"event": event.name, **values}.items()}


def _text(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _value(value: object) -> str:
    text = _text(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def set_level(name: str) -> None:
    """Log what is of this level or worse: debug, info, warning, error."""
    _log.setLevel(name.upper())


def begin(level: str = "info") -> "Log":
    """Send what this process logs to standard error, from now on and until `close`."""
    log = Log()
    root = logging.getLogger()
    root.addHandler(log)
    set_level(level)
    logging.raiseExceptions = False  # a log on a full disk is no reason to write more
    log.start()
    return log


class Log(logging.handlers.QueueHandler):
    """Takes lines without waiting; a thread of its own writes them."""

    def __init__(self) -> None:
        super().__init__(queue.Queue(_MOST_LINES))
        self._lost = 0
        self._listener = logging.handlers.QueueListener(self.queue, _StandardError())

    def start(self) -> None:
        """Begin to write."""
        self._listener.start()
        atexit.register(self.close)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record with its text made, once. Unlike the original this leaves the trace to the
        formatter.
        """
        record.msg, record.args = record.getMessage(), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Hand over a line, or count it when too many wait."""
        try:
            if self._lost:
                self.queue.put_nowait(_record(LINES_LOST, count=self._lost))
                self._lost = 0
            self.queue.put_nowait(record)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Write the last lines, unless nobody takes them."""
        logging.getLogger().removeHandler(self)
        atexit.unregister(self.close)
        writer, self._listener._thread = self._listener._thread, None  # its `stop` would wait for good
        if writer is not None:
            with contextlib.suppress(queue.Full):
                self._listener.enqueue_sentinel()
            writer.join(_LAST_S)
        super().close()


def _record(event: LogEvent, **values: object) -> logging.LogRecord:
    record = logging.LogRecord("rigd", event.level, "", 0, line(event, **values), None, None)
    record.fields = _fields(event, values)
    return record


class _StandardError(logging.Handler):
    """Writes to the descriptor itself: who hangs in a write holds no lock that the process needs."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_JournalLines() if _is_pipe(_STDERR) else _TEXT)
        self._journal = _Journal() if _is_journal(_STDERR) else None

    def createLock(self) -> None:  # noqa: N802  logging names it
        """Do without: one thread writes."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, to the journal with its fields; a full disk loses it."""
        if self._journal is not None and self._journal.took(record):
            return
        with contextlib.suppress(OSError):
            os.write(_STDERR, f"{self.format(record)}\n".encode(errors="replace"))


_MESSAGE: Final = LogFormatter("%(message)s")
_TEXT: Final = LogFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")


class _JournalLines(LogFormatter):
    """Lines as systemd's journal takes them (sd-daemon(3)): it notes the time itself, and wants the priority,
    of every line of a trace as well.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        text = super().format(record)
        return "\n".join(f"<{_priority(record.levelno)}>{line}" for line in text.split("\n"))


class _Journal:
    """systemd's journal, in its own words: a datagram of fields for each record, `NAME=value` lines or, where
    the value has several, the name, eight bytes of length and the value.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def took(self, record: logging.LogRecord) -> bool:
        """Send a record. False when the journal does not take it, for being away or for its length."""
        fields = {
            "MESSAGE": _MESSAGE.format(record),
            "PRIORITY": str(_priority(record.levelno)),
            "SYSLOG_IDENTIFIER": "rigd",
            **{name: visible(text) for name, text in getattr(record, "fields", {}).items()},
        }
        try:
            self._socket.sendto(b"".join(map(_entry, fields, fields.values())), _JOURNAL)
        except OSError:
            return False
        return True


def _entry(name: str, text: str) -> bytes:
    """Return a field as the journal's protocol has it."""
    data = text.encode(errors="replace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data)


def _priority(level: int) -> int:
    """Return syslog's number of a level."""
    return {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}.get(level, 7)


def _is_journal(descriptor: int) -> bool:
    """Whether lines go to the journal: systemd tells which file that is, and it may have been redirected."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _is_pipe(descriptor: int) -> bool:
    """Return whether lines go to a program and not to people. The journal's end is a socket."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
