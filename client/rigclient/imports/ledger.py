"""The ledger's stream of imported files, and the notes it keeps of files that were replaced or taken back."""

import json
from collections.abc import Sequence
from typing import Final

from rigclient.imports.loaded_files import LoadedFile

STREAM: Final = "files"
"""Name of the stream: one number for every file that came or went."""
ATTEMPTS: Final = 10
"""Attempts to load, where others load at the same time."""


def note(path: str, sha256: str, *, replaces: Sequence[LoadedFile] = ()) -> str:
    """Return the NOTE of a load that brings a file."""
    return _text({"file": path, "sha256": sha256}, "replaces", replaces)


def taken_back(gone: LoadedFile) -> str:
    """Return the NOTE of a load that takes a file back."""
    return _text({}, "takes_back", [gone])


def _text(own: dict[str, object], word: str, gone: Sequence[LoadedFile]) -> str:
    files = [{"file": one.path, "sha256": one.sha256, "session": one.name} for one in gone]
    return json.dumps(own | ({word: files} if files else {}))
