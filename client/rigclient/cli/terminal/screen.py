"""The alternate screen: paints the lines that changed and leaves the terminal as it was."""

from types import TracebackType
from typing import Final

from rich.console import Console

from rigclient.cli.terminal.line import Line

_HOLD, _SHOW = "\x1b[?2026h", "\x1b[?2026l"
"""Terminals that know these show a frame at once; the others ignore them."""
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_WHOLE_EVERY: Final = 60
"""Frames after which all lines are painted again, in case something else wrote on the terminal."""


class Screen:
    """A context: alternate screen without a cursor inside, the terminal restored on leaving."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._painted: list[str] = []
        self._size = (0, 0)
        self._frames = 0

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._console.size

    def __enter__(self) -> "Screen":
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)
        self._write(_NO_WRAP)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write(_SHOW + _WRAP)
        self._console.show_cursor(True)
        self._console.set_alt_screen(False)

    def paint(self, lines: list[Line], size: tuple[int, int]) -> None:
        """Show `lines`, made for `size`."""
        rows = [self._ansi(line) for line in lines]
        self._frames += 1
        whole = size != self._size or self._frames % _WHOLE_EVERY == 0
        out = ["\x1b[0m\x1b[2J"] if size != self._size else []
        for at, row in enumerate(rows):
            if whole or row != self._painted[at]:
                out.append(f"\x1b[{at + 1};1H{row}")
        self._painted, self._size = rows, size
        if out:
            self._write("".join((_HOLD, *out, _SHOW)))

    def _ansi(self, line: Line) -> str:
        colors = self._console._color_system
        return "".join(style.render(text, color_system=colors) for text, style in line)

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
