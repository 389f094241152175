"""A row of the screen: pieces of text with a style, and how many cells they fill."""

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from rig.signs import visible

PLAIN: Final = Style.null()


class Line:
    """Made from left to right; `width` is in cells, so that names in any script keep the columns."""

    __slots__ = ("parts", "width")

    def __init__(self, text: str = "", style: Style = PLAIN) -> None:
        self.parts: list[tuple[str, Style]] = []
        self.width: int = 0
        self.put(text, style)

    def put(self, text: str, style: Style = PLAIN) -> "Line":
        """Append `text`."""
        text = visible(text)
        if text:
            self.parts.append((text, style))
            self.width += len(text) if text.isascii() else cell_len(text)
        return self

    def fit(self, text: str, cells: int, style: Style = PLAIN) -> "Line":
        """Append `text` cut or padded to `cells`; what is cut ends in an ellipsis."""
        return self.put(fitted(text, cells), style)

    def right(self, text: str, cells: int, style: Style = PLAIN) -> "Line":
        """Append `text` at the right of `cells`; what does not fit is cut."""
        text = visible(text)
        return self.put(set_cell_size(text, cells) if cell_len(text) > cells else text.rjust(cells), style)

    def add(self, other: "Line") -> "Line":
        """Append another line."""
        self.parts += other.parts
        self.width += other.width
        return self

    def to(self, column: int, style: Style = PLAIN) -> "Line":
        """Pad or cut so that the line is exactly `column` cells wide."""
        if self.width < column:
            return self.put(" " * (column - self.width), style)
        while self.width > column:
            text, last = self.parts.pop()
            self.width -= cell_len(text)
            if self.width < column:
                self.put(set_cell_size(text, column - self.width), last)
        return self

    @property
    def text(self) -> str:
        """Without the styles."""
        return "".join(text for text, _ in self.parts)

    def __iter__(self) -> Iterator[tuple[str, Style]]:
        return iter(self.parts)

    def __repr__(self) -> str:
        return f"<line {self.text!r}>"

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        for text, style in self.parts:
            yield Segment(text, style)
        yield Segment.line()


def fitted(text: str, cells: int) -> str:
    """Return `text` in exactly `cells` cells, with an ellipsis where it was cut."""
    text = visible(text)
    if cell_len(text) <= cells:
        return text + " " * (cells - cell_len(text))
    return set_cell_size(text, cells - 1) + "…" if cells > 0 else ""


def beside(left: list[Line], right: list[Line], width: int, height: int, between: Line) -> list[Line]:
    """Return the lines of two panels side by side; the left one `width` wide, both `height` tall."""
    rows = []
    for at in range(height):
        line = Line().add(left[at]) if at < len(left) else Line()
        line.to(width).add(between)
        rows.append(line.add(right[at]) if at < len(right) else line)
    return rows
