"""Tombstones: a line (gone.jsonl) for each lap of a session that was removed or never kept, and why."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Final

from rig.errors import Corrupt
from rig.regular import is_regular, read_regular
from rigd.durable import append, rename, replace
from rigd.store.checksummed import dump_json, load_json

Facts = dict[str, Any]

MOST_BYTES: Final = 1 << 28
"""Of the file: a million laps."""


class Tombstones:
    """The file of one session. Each line has a checksum: a damaged one must not remove another lap."""

    def __init__(self, path: Path, session: str) -> None:
        self._path, self._laps = path, f"{session}/laps/"

    def add(self, lap: str, facts: Facts) -> None:
        """Write a line, for good."""
        # On a line of its own, also after one that a crash cut.
        append(self._path, b"\n" + dump_json(json.dumps({"lap": lap, **facts})) + b"\n")

    def read(self) -> dict[str, Facts]:
        """Return all lines, by the lap's name. One that was cut by a crash is passed over: the deletion that
        it announced did not happen.
        """
        return {facts["lap"]: facts for line in self._lines() if (facts := self._read(line)) is not None}

    def forget(self, lap: str) -> None:
        """Take the lines of a lap out, for good: it comes back."""
        if lap in self.read():
            kept = [line for line in self._lines() if (facts := self._read(line)) and facts["lap"] != lap]
            replace(self._path, b"".join(line + b"\n" for line in kept))

    def mend(self, aside: Path) -> None:
        """Keep the lines that can be read. If there are others, all of it as it was is kept at `aside`; so is
        what has the file's name and is none.
        """
        if os.path.lexists(self._path) and not is_regular(self._path):
            rename(self._path, aside)
        lines = self._lines()
        sound = [line for line in lines if self._read(line) is not None]
        if len(sound) < len(lines):
            replace(aside, read_regular(self._path, MOST_BYTES))
            replace(self._path, b"".join(line + b"\n" for line in sound))

    def _lines(self) -> list[bytes]:
        with contextlib.suppress(FileNotFoundError, Corrupt):
            return [line for line in read_regular(self._path, MOST_BYTES).split(b"\n") if line]
        return []

    def _read(self, line: bytes) -> Facts | None:
        with contextlib.suppress(Corrupt):
            facts = load_json(line)
            if str(facts.get("lap")).startswith(self._laps):
                return facts
        return None
