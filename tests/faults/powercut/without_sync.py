"""rigd, but it does not wait for the disk: `python -m tests.faults.powercut.without_sync WORDS`.

What a power cut leaves of it shows that the campaigns can fail.
"""

import os
import sys
from typing import Any
from unittest.mock import patch

import lmdb

from rigd.__main__ import main

_open = lmdb.open


def _hasty(*words: Any, **options: Any) -> Any:
    return _open(*words, **{**options, "sync": False})


if __name__ == "__main__":
    # The recorder's commits, and all that the archiver writes.
    recorder = sys.argv[1] == "record"
    with patch.object(lmdb, "open", _hasty) if recorder else patch.object(os, "fsync", lambda _: None):
        main()
