"""A walk: steps that are counted, and what they find."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from rig.v1 import rig_pb2
from rigd.verify.finding import finding

Findings = Iterator[rig_pb2.Finding]
Progress = Callable[[str, int, int], None]
"""Called with the name of a walk, its steps done, and its steps in all."""

_SETTLE_S: Final = 1.0
"""After this an archiver is through with what it had begun: it writes a file, then its row."""

T = TypeVar("T")


def twice(
    name: str,
    things: Iterable[T],
    check: Callable[[T], Findings],
    progress: Progress,
    busy: bool,
) -> Findings:
    """Check every thing; when the archiver is `busy` with them, those that were found wrong once more."""
    every = list(things)
    doubtful = []
    for done, thing in enumerate(every):
        progress(name, done, len(every))
        if found := list(_checked(check, thing)):
            doubtful.append((thing, found))
    progress(name, len(every), len(every))
    if doubtful and busy:
        time.sleep(_SETTLE_S)
    for thing, found in doubtful:
        yield from _checked(check, thing) if busy else found


def _checked(check: Callable[[T], Findings], thing: T) -> Findings:
    """Check one thing; what cannot be read does not end the rest."""
    try:
        yield from check(thing)
    except OSError as error:
        yield finding("file-unreadable", error.filename or thing, error.strerror or str(error))
