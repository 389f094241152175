"""Names out of the game in files of lines and fixed fields: on one line, without what would break it."""

import re
from typing import Final

_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Control characters, and what else programs take for the end of a line."""


def one_line(text: str) -> str:
    """Return the text with a space in place of control characters and line ends."""
    return _BREAKS.sub(" ", text).strip()
