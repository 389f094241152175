"""What lies among marks and commands and is neither: the archiver passes it over."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.disk import UNFINISHED
from rig.regular import is_regular
from rigd.verify.finding import finding
from rigd.verify.walk import Findings

_OURS: Final = {
    "marks": re.compile(r"[a-zA-Z0-9-]+\.(json|damaged)"),
    "inbox": re.compile(r"[0-9]+-[0-9]+-[0-9]+\.(order|taken|refused|upload)"),
}


def foreign_files(data: Path) -> Iterator[Path]:
    """Yield where marks and commands lie, whatever there is, below the data directory."""
    for folder in _OURS:
        if (data / folder).is_dir():
            yield from sorted((data / folder).iterdir())


def foreign(path: Path) -> Findings:
    """Yield a finding for what is no mark and no command."""
    named = _OURS[path.parent.name].fullmatch(path.name) or path.name.startswith(UNFINISHED)
    if not named or ((path.is_symlink() or path.exists()) and not is_regular(path)):
        yield finding("file-foreign", f"{path.parent.name}/{path.name}", "this is no file of rigd")
