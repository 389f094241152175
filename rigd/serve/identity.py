"""Identity of a data directory: made once, by the first server that finds none."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from rig.disk import sync_folder
from rig.errors import Corrupt
from rig.regular import read_regular
from rigd.durable import replace

_FILE: Final = "rig.id"
_BYTES: Final = 8
_MOST_BYTES: Final = 4096


def identity(data: Path) -> str:
    """Return the identity, hexadecimal. Raises Corrupt for a file that holds none."""
    path = data / _FILE
    if not path.exists():
        _make(path)
    text = read_regular(path, _MOST_BYTES).decode(errors="replace").strip()
    if len(text) != 2 * _BYTES or not set(text) <= set("0123456789abcdef"):
        raise Corrupt(f"{path} holds no identity: {text[:40]!r}", hint="restore it from a backup", path=path)
    return text


def _make(path: Path) -> None:
    """Write it whole under another name; of two servers that do this at once the first one names it."""
    own = path.with_name(f"{_FILE}.{secrets.token_hex(4)}")
    replace(own, secrets.token_hex(_BYTES).encode() + b"\n")
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
    sync_folder(path.parent)
