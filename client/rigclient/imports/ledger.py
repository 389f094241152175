"""The stream of the ledger that files come in, and what it keeps of them when they are gone."""

import json
from collections.abc import Sequence
from typing import Final

from rigclient.imports.held import Session

STREAM: Final = "files"
"""Of the ledger: a number for every file that came or went."""
ATTEMPTS: Final = 10
"""To be first, where others load at the same time."""


def note(path: str, sha256: str, *, replaces: Sequence[Session] = ()) -> str:
    """What a load of a file is of."""
    return _text({"file": path, "sha256": sha256}, "replaces", replaces)


def taken_back(gone: Session) -> str:
    """What a load is of that takes a file back."""
    return _text({}, "takes_back", [gone])


def _text(own: dict[str, object], word: str, gone: Sequence[Session]) -> str:
    files = [{"file": one.path, "sha256": one.sha256, "session": one.name} for one in gone]
    return json.dumps(own | ({word: files} if files else {}))
