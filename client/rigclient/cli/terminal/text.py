"""Where all that people read on a terminal goes through: names show what is in them, and are no markup."""

from collections.abc import Iterable
from typing import Any

import rich.console
import rich.text
from rich.style import Style

from rig.signs import visible


class Text(rich.text.Text):
    """Text of one line; signs stand for characters that would steer the terminal."""

    def __init__(self, text: str = "", style: str | Style = "", **more: Any) -> None:
        super().__init__(visible(text), style, **more)

    def append(self, text: rich.text.Text | str, style: str | Style | None = None) -> "Text":
        """Add text, or a piece with its own styles."""
        super().append(visible(text) if isinstance(text, str) else text, style)
        return self

    def join(self, lines: Iterable[rich.text.Text]) -> "Text":
        """Return the pieces, with this between them."""
        joined = Text()
        for at, line in enumerate(lines):
            if at:
                joined.append_text(self)
            joined.append_text(line)
        return joined

    @classmethod
    def assemble(cls, *parts: Any, **more: Any) -> "Text":
        """Return one text of texts, or pairs of text and style, one after the other."""
        joined = cls(**more)
        for part in parts:
            joined.append(*(part if isinstance(part, tuple) else (part,)))
        return joined


def stacked(parts: Iterable[rich.text.Text]) -> rich.text.Text:
    """Return texts one below the other, as one."""
    return rich.text.Text("\n").join(parts)


class Console(rich.console.Console):
    """A console that takes text as it is: what stands in brackets or between colons has no meaning."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **more})

    def on_broken_pipe(self) -> None:
        """Raise it on: `streams` gives the exit code, where rich would end with 1."""
        raise

    def render_str(self, text: str, **more: Any) -> rich.text.Text:
        """Return the text of a cell or a line."""
        return super().render_str(visible(text), **more)
