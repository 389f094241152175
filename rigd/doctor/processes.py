"""The daemons that run on this machine, whoever started them, by their command lines in /proc."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

DAEMONS: Final = frozenset({"record", "archive", "serve"})
_MOST_BYTES: Final = 64 << 10


class Process(NamedTuple):
    """A daemon that runs."""

    pid: int
    daemon: str
    """record, archive or serve."""
    program: str
    """How it was called."""
    data: str
    """Its --data; empty when it was not given."""


def running(proc: Path = Path("/proc")) -> list[Process]:
    """Return the daemons that this user can see."""
    return sorted(found for entry in _numbers(proc) if (found := _daemon(entry)))


def of_data(processes: list[Process], data: Path) -> list[Process]:
    """Return those that may work on a data directory: theirs by name, or nobody's."""
    return [one for one in processes if not one.data or Path(one.data).absolute() == data.absolute()]


def _numbers(proc: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (entry for entry in proc.iterdir() if entry.name.isdigit())


def _daemon(entry: Path) -> Process | None:
    words = _words(entry / "cmdline")
    for at, word in enumerate(words[:4]):
        module = word == "rigd" and at > 0 and words[at - 1] == "-m"
        if (module or os.path.basename(word) == "rigd") and words[at + 1 : at + 2]:
            daemon, rest = words[at + 1], words[at + 2 :]
            if daemon in DAEMONS:
                return Process(
                    int(entry.name), daemon, word if not module else words[0], _option(rest, "--data")
                )
    return None


def _words(path: Path) -> list[str]:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(_MOST_BYTES).decode(errors="replace").rstrip("\0").split("\0")
    return []


def _option(words: list[str], name: str) -> str:
    for at, word in enumerate(words):
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
        if word == name:
            return next(iter(words[at + 1 : at + 2]), "")
    return ""
