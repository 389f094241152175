"""`rigd` with one function that hangs when a file says so, while all other threads go on.

    python -m tests.house.hanging FILE MODULE NAME WORDS...

The file is taken away first: the next process does not hang.
"""

import importlib
import sys
import threading
from pathlib import Path
from typing import Any

from rigd.__main__ import main


def arrange(told: Path, module: str, name: str) -> None:
    """Have the function hang once the file is there."""
    owner: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    real = getattr(owner, last)

    def hangs(*args: Any, **options: Any) -> Any:
        if told.exists():
            told.unlink()
            threading.Event().wait()
        return real(*args, **options)

    setattr(owner, last, hangs)


if __name__ == "__main__":
    arrange(Path(sys.argv[1]), *sys.argv[2:4])
    sys.argv = ["rigd", *sys.argv[4:]]
    main()
