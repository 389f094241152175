"""Single keys from the terminal, without Enter and without echo."""

import os
import select
import sys
import time
from types import TracebackType
from typing import Any, Final

try:
    import termios
    import tty
except ImportError:  # no such terminals on this system: the view works without keys
    termios = tty = None  # type: ignore[assignment]

_SEQUENCES: Final = {"\x1b[A": "k", "\x1b[B": "j", "\x1bOA": "k", "\x1bOB": "j"}
_MOST_BYTES: Final = 64


class Keyboard:
    """A context: keys one by one inside, the terminal's mode restored on leaving.

    Without a terminal at standard input it only waits.
    """

    def __init__(self) -> None:
        self.works = termios is not None and sys.stdin is not None and sys.stdin.isatty()
        self._mode: list[Any] | None = None

    def __enter__(self) -> "Keyboard":
        if self.works:
            self._mode = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
            self._ignore_suspend()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mode is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._mode)

    def wait(self, seconds: float) -> list[str]:
        """Return the keys pressed within `seconds`, as soon as there is one. Arrow keys come as j and k."""
        if not self.works:
            time.sleep(max(seconds, 0.0))
            return []
        ready, _, _ = select.select([sys.stdin], [], [], max(seconds, 0.0))
        if not ready:
            return []
        data = os.read(sys.stdin.fileno(), _MOST_BYTES)
        self.works = bool(data)  # nothing at all: the terminal is gone
        return keys(data.decode(errors="ignore"))

    def _ignore_suspend(self) -> None:
        """Ignore Ctrl-Z: a view that is suspended would leave the terminal in its mode."""
        mode = termios.tcgetattr(sys.stdin)
        mode[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, mode)


def keys(text: str) -> list[str]:
    """Return what was typed, arrow keys as j and k; other sequences are left out."""
    for sequence, key in _SEQUENCES.items():
        text = text.replace(sequence, key)
    return [] if "\x1b" in text else list(text)
