"""The encoding of a text file, by rules that leave no choice.

A byte order mark says it: UTF-8, UTF-16 or UTF-32. Without one a file is UTF-8 if all of it is. Else it is
Windows-1252 if every byte above ASCII is a letter or a sign of that encoding beside another letter, and none
of them makes UTF-8; in all other files what is not UTF-8 costs its row. Marks may stand there twice, and NUL
bytes at the ends of lines: whoever allots a file before it is written leaves some.
"""

import codecs
import io
import re
from typing import BinaryIO, Final

from rig.errors import BadRequest

PADDING: Final = "\x00\ufeff"
"""What may stand around a line and is no text."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer of those that begin alike first."""
_CHUNK: Final = 1 << 20
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_UTF8: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_LETTERS: Final = re.compile(
    rb"[\x8a\x8c\x8e\x91-\x94\x96\x97\x9a\x9c\x9e\x9f\xaa\xb0\xb4\xba\xc0-\xd6\xd8-\xf6\xf8-\xff]+"
)
"""Letters of Windows-1252, and signs that stand beside letters: quotes, dashes, degrees."""
_AROUND: Final = 3
"""Bytes on either side of a chunk that are looked at with it: none of the rules needs more."""
_BEGINNING: Final = 4096
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")
"""Bytes at the beginning, and those of which one in their first line means that the file is no text."""


def opened(file: BinaryIO) -> io.TextIOWrapper:
    """Return the text of a file, from its beginning; lines end with a line feed. `wrong` tells what is none
    of it.

    Raises BadRequest for a file that is no text.
    """
    encoding = _encoding(file)
    file.seek(0)
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    return _LeftOpen(file, encoding=encoding, errors=errors, newline="\n")


class _LeftOpen(io.TextIOWrapper):
    """A text wrapper that does not close the file below it: that is the caller's."""

    def close(self) -> None:
        """Do nothing."""


def wrong(text: str) -> str | None:
    """Return where the first byte of a line that is no text stands; None where all of it is."""
    if text.isascii():
        return None
    for at, one in enumerate(text):
        if "\udc80" <= one <= "\udcff":
            return f"byte {at} is {ord(one) - 0xDC00:#04x}"
        if one == "\ufffd":
            return f"character {at} is none of the file's encoding"
    return None


def _encoding(file: BinaryIO) -> str:
    file.seek(0)
    first = file.read(_BEGINNING)
    for mark, name in _MARKS:
        if first.startswith(mark):
            return name
    if _CONTROLS.search(first.partition(b"\n")[0].strip(b"\r\x00")):
        raise BadRequest("it is binary, or UTF-16 without a byte order mark", hint="save it as UTF-8")
    return "utf-8" if _is_utf8(file) or not _is_western(file) else "cp1252"


def _is_utf8(file: BinaryIO) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_western(file: BinaryIO) -> bool:
    """Return whether all that is above ASCII can be Windows-1252 and nothing of it is UTF-8."""
    file.seek(0)
    before = b""
    while chunk := file.read(_CHUNK):
        chunk += file.readline(_CHUNK)
        if not chunk.isascii() and not all(
            _western(before + chunk, one) for one in _HIGH.finditer(before + chunk)
        ):
            return False
        before = chunk[-_AROUND:] if not chunk.endswith(b"\n") else b""
    return True


def _western(data: bytes, high: re.Match[bytes]) -> bool:
    """Return whether bytes above ASCII are letters of Windows-1252 beside any other letter."""
    around = data[high.start() - 1 : high.start()] + data[high.end() : high.end() + 1]
    return bool(
        _LETTERS.fullmatch(high[0])
        and not _UTF8.search(high[0])
        and any(chr(one).isalpha() for one in around)
    )
