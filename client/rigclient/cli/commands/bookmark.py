"""Cursors as text, and kept in a file: where a reader goes on after it was stopped."""

import base64
import binascii
from pathlib import Path

from rig.errors import MalformedCursor
from riglap.atomic import atomic_write


def cursor_text(cursor: bytes) -> str:
    """Return a cursor as people pass it on."""
    return base64.urlsafe_b64encode(cursor).decode()


def cursor_of(text: str) -> bytes:
    """Return the cursor behind the text. Raises MalformedCursor."""
    try:
        return base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise MalformedCursor(
            f"{text.strip()!r} is no cursor", hint="pass it as it was printed; --help lists other beginnings"
        ) from None


class Bookmark:
    """One cursor in a file. A reader that is killed at any point finds the last cursor stored, whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """Return the cursor, None when there is no file yet. Raises MalformedCursor."""
        try:
            text = self._path.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise MalformedCursor(f"{self._path} holds no cursor", hint="delete it to begin anew") from None
        return cursor_of(text)

    def store(self, cursor: bytes) -> None:
        """Replace the cursor, at once or not at all."""
        with atomic_write(self._path, flush=False) as partial:
            partial.write_text(cursor_text(cursor) + "\n", encoding="ascii")
