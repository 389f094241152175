"""Text that somebody else chose, fit to be shown: what steers a terminal or hides becomes a sign one sees."""

import re
from typing import Final

_PICTURES: Final = 0x2400
"""Unicode's pictures of the control characters 0 to 31; DEL has one of its own."""
_DELETE: Final = 0x7F
_UNKNOWN: Final = "\ufffd"
"""For what has no picture: C1 controls, marks that turn the direction of writing, what has no width, halves
of characters.
"""

_UNSEEN: Final = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_HIDDEN: Final = re.compile(f"[{_UNSEEN}]")


def visible(text: str) -> str:
    """Return the text with a sign of one cell for every character that is none: `␛[31m`, `␊`."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_sign, text)


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code == _DELETE:
        return chr(_PICTURES + 0x21)
    return chr(_PICTURES + code) if code < 0x20 else _UNKNOWN


def escaped(text: str) -> str:
    """Return JSON in which such characters stand as \\uXXXX: it means the same, and steers no terminal."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
