"""The seal of a data directory: what this rig gave out and gets back is told from what others made up."""

import contextlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from rig.disk import sync_folder
from rig.errors import Corrupt
from rigd.auth.private import read_private
from rigd.durable import replace

SEAL_BYTES: Final = 16

_FILE: Final = "seal.key"
_KEY_BYTES: Final = 32
_MOST_BYTES: Final = 4096


class Seal:
    """Makes and checks codes of 16 bytes: HMAC-SHA256, cut. Takes 1 µs, 30 where other work came between."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod="sha256")  # copied for each: half of what a new one takes

    def of(self, purpose: bytes, data: bytes) -> bytes:
        """Return the code of some data; that for one `purpose` fits no other."""
        code = self._keyed.copy()
        code.update(purpose + b"\0" + data)
        return code.digest()[:SEAL_BYTES]

    def fits(self, purpose: bytes, data: bytes, code: bytes) -> bool:
        """Return whether a code is that of the data, in a time that tells nothing."""
        return hmac.compare_digest(self.of(purpose, data), code)


def load_seal(data: Path) -> Seal:
    """Return the seal of a data directory, made by the first server that finds none. Raises Denied where
    others can read its key, Corrupt for a file that holds none.
    """
    path = data / _FILE
    if not path.exists():
        _make(path)
    key = read_private(path, _MOST_BYTES)
    if len(key) != _KEY_BYTES:
        raise Corrupt(
            f"{path} holds no key: it has {len(key)} bytes, a key has {_KEY_BYTES}",
            hint="remove it: cursors and page tokens that clients hold are refused then",
            path=path,
        )
    return Seal(key)


def _make(path: Path) -> None:
    """Written whole under another name; of two servers that do this at once the first one decides."""
    own = path.with_name(f"{_FILE}.{secrets.token_hex(4)}")
    replace(own, secrets.token_bytes(_KEY_BYTES), private=True)
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
    sync_folder(path.parent)
