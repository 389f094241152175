"""Numbers large enough to read from a seat: pixels of half a cell."""

from functools import lru_cache
from typing import Final

import numpy as np

_FONT: Final = {
    "0": "### #.# #.# #.# ###",
    "1": "##. .#. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# ..# ..#",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "N": "#..# ##.# #.## #..# #..#",
    "R": "##. #.# ##. #.# #.#",
    "-": "... ... ### ... ...",
    " ": "... ... ... ... ...",
}
"""Five rows of pixels each."""

_HALVES: Final = (" ", "▀", "▄", "█")


def rows_of(scale: int) -> int:
    """Return rows that digits of this scale take."""
    return (5 * scale + 1) // 2


@lru_cache(maxsize=512)
def large(text: str, scale: int = 1) -> tuple[str, ...]:
    """Return `text` in rows of half blocks, 3 x `scale` cells a digit and as many pixels between as
    `scale`.
    """
    pixels = np.concatenate([_pixels(sign) for sign in text], axis=1)[:, :-1]
    pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    if len(pixels) % 2:
        pixels = np.vstack((pixels, np.zeros_like(pixels[:1])))
    halves = pixels[0::2] + 2 * pixels[1::2]
    return tuple("".join(_HALVES[half] for half in row) for row in halves)


def _pixels(sign: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    rows = _FONT.get(sign, _FONT["-"]).split()
    return np.array([[pixel == "#" for pixel in row + "."] for row in rows], np.int64)
