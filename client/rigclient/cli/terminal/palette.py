"""Colours: what is good, bad, first, missing. Terminals with fewer colours get the nearest ones."""

import itertools
import math
from collections.abc import Callable
from typing import Final

from rich.style import Style

DIM: Final = Style.parse("#6c7680")
FAINT: Final = Style.parse("#3a424b")
TEXT: Final = Style.parse("#d7dde3")
STRONG: Final = Style.parse("bold #ffffff")
TITLE: Final = Style.parse("bold #8fb7d9")
GOOD: Final = Style.parse("#4fd675")
PURPLE: Final = Style.parse("bold #c77dff")
YELLOW: Final = Style.parse("#ffd23f")
RED: Final = Style.parse("bold #ff5d5d")
BLUE: Final = Style.parse("#5aa9ff")
CYAN: Final = Style.parse("#46d9d9")
WARNING: Final = Style.parse("bold #101418 on #ffd23f")
ALARM: Final = Style.parse("bold #ffffff on #d32f2f")
CHOSEN: Final = Style.parse("bold #101418 on #d7dde3")

SECTORS: Final = (Style.parse("#ff7b72"), Style.parse("#5aa9ff"), Style.parse("#ffd23f"))
"""Sectors 1 to 3."""

CLASSES: Final = tuple(
    Style.parse(color) for color in ("#ff8c42", "#46d9d9", "#9bdb4d", "#f25fa5", "#ffd23f", "#a78bfa")
)
"""Vehicle classes in the order of their names; after the last the first comes again."""

FLAGS: Final = {
    "green": Style.parse("bold #08130b on #4fd675"),
    "yellow": WARNING,
    "red": ALARM,
    "blue": Style.parse("bold #ffffff on #2f6fd0"),
    "white": Style.parse("bold #101418 on #f0f0f0"),
    "none": Style.parse("bold #d7dde3 on #3a424b"),
}

_STEPS: Final = 48


class Ramp:
    """A colour for every value between anchors (value, red, green, blue); `paint` makes it a style."""

    def __init__(self, paint: Callable[[str], Style], *anchors: tuple[float, int, int, int]) -> None:
        self._low, self._high = anchors[0][0], anchors[-1][0]
        step = (self._high - self._low) / _STEPS
        self._styles = [paint(_between(self._low + i * step, anchors)) for i in range(_STEPS + 1)]

    def style(self, value: float) -> Style:
        """Return the style of `value`; beyond the anchors it is theirs, missing values are dim."""
        if math.isnan(value):
            return DIM
        at = (value - self._low) / (self._high - self._low) * _STEPS
        return self._styles[round(min(max(at, 0.0), _STEPS))]


def _between(value: float, anchors: tuple[tuple[float, int, int, int], ...]) -> str:
    for (low, *dark), (high, *bright) in itertools.pairwise(anchors):
        if value <= high:
            share = (value - low) / (high - low)
            mixed = (round(a + (b - a) * share) for a, b in zip(dark, bright, strict=True))
            return "#{:02x}{:02x}{:02x}".format(*mixed)
    return "#{:02x}{:02x}{:02x}".format(*anchors[-1][1:])


def _block(color: str) -> Style:
    return Style.parse(f"bold #0b0f14 on {color}")


TYRE_DEGC: Final = Ramp(
    _block,
    (40.0, 64, 120, 255),
    (65.0, 64, 200, 235),
    (80.0, 79, 214, 117),
    (100.0, 120, 220, 90),
    (112.0, 255, 210, 63),
    (128.0, 255, 74, 74),
)
"""Surface of a tyre: cold below 70 °C, good at 80 to 100, hot above 112."""

BRAKE_DEGC: Final = Ramp(
    Style.parse,
    (80.0, 90, 150, 255),
    (250.0, 90, 205, 225),
    (420.0, 79, 214, 117),
    (650.0, 255, 210, 63),
    (850.0, 255, 74, 74),
)
"""Brake disc."""

SHARE: Final = Ramp(
    Style.parse, (0.0, 255, 74, 74), (0.3, 255, 210, 63), (0.6, 79, 214, 117), (1.0, 79, 214, 117)
)
"""What is left of something: 1 all, 0 nothing."""

LATENCY_MS: Final = Ramp(
    Style.parse, (0.0, 79, 214, 117), (20.0, 79, 214, 117), (60.0, 255, 210, 63), (200.0, 255, 74, 74)
)
"""From capture to here."""
