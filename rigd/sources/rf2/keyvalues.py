"""Steam's own text files (VDF, ACF): quoted keys, each with a quoted value or a block in braces.

They lie where other programs write, so nothing in them is believed: size, depth and number of entries have
limits.
"""

import re
from pathlib import Path
from typing import Final

from rig.errors import Corrupt
from rig.regular import read_regular, shown

MAX_BYTES: Final = 1 << 20
"""A library list of a hundred drives with all games has 100 kB."""
MAX_DEPTH: Final = 16
MAX_ENTRIES: Final = 50_000

Values = dict[str, "str | Values"]
"""Keys in lower case: Steam has changed theirs more than once. Of equal ones the last counts."""

_TOKEN: Final = re.compile(r'\s+|//[^\n]*|\[[^\]\n]*\]|"((?:[^"\\]|\\.)*)"|([{}])|([^\s"{}\[\]]+)', re.DOTALL)
"""Blank, comment, condition; quoted text; brace; bare word."""
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANINGS: Final = {"n": "\n", "t": "\t"}


def read_values(path: Path) -> Values:
    """Return what stands in a file. Raises Corrupt for what is none, or beyond the limits; OSError."""
    text = read_regular(path, MAX_BYTES).decode(errors="replace").removeprefix("\ufeff")
    try:
        return parse(text)
    except Corrupt as error:
        raise Corrupt(f"{shown(path)}: {error}", path=path) from error


def parse(text: str) -> Values:
    """Return the entries of a text. Raises Corrupt."""
    blocks: list[Values] = [{}]
    key: str | None = None
    for count, (word, brace) in enumerate(_tokens(text)):
        if count > MAX_ENTRIES:
            raise Corrupt(f"it has more than {MAX_ENTRIES} words, which is the limit")
        if brace == "{":
            _begin(blocks, key)
            key = None
        elif brace == "}":
            _end(blocks, key)
        elif key is None:
            key = word.lower()
        else:
            blocks[-1][key], key = word, None
    if key is not None or len(blocks) > 1:
        raise Corrupt("it ends in the middle")
    return blocks[0]


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Corrupt(f"character {at} begins nothing that is known: {text[at : at + 20]!r}")
        at = match.end()
        quoted, brace, bare = match.groups()
        if brace or bare:
            found.append((bare or "", brace or ""))
        elif quoted is not None:
            found.append((_ESCAPE.sub(lambda sign: _MEANINGS.get(sign[1], sign[1]), quoted), ""))
    return found


def _begin(blocks: list[Values], key: str | None) -> None:
    if key is None:
        raise Corrupt("a block has no name")
    if len(blocks) > MAX_DEPTH:
        raise Corrupt(f"blocks stand in more than {MAX_DEPTH} others, which is the limit")
    inner: Values = {}
    blocks[-1][key] = inner
    blocks.append(inner)


def _end(blocks: list[Values], key: str | None) -> None:
    if key is not None or len(blocks) == 1:
        raise Corrupt("a brace closes what was not opened")
    blocks.pop()


def block(values: Values, key: str) -> Values:
    """Return the block of this name; an empty one when there is none."""
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def text(values: Values, key: str) -> str:
    """Return the value of this name; empty when there is none."""
    found = values.get(key)
    return found if isinstance(found, str) else ""
