"""The formats of what is kept: what lies on the disk, and what this version would write."""

import contextlib
import enum
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rig import lapfile
from rig.errors import Corrupt, RigError
from rig.regular import open_regular, read_regular
from rigclient.warehouse import schema, tables
from rigclient.warehouse.url import parse_url
from rigd.ring import RingReader
from rigd.ring.tables import FORMAT
from rigd.serve import cursor
from rigd.store import index
from rigd.store.catalog import file as catalog
from rigd.store.catalog.schema import STEPS
from rigd.store.checksummed import load_json

UNREADABLE: Final = "unreadable"
_UNVERSIONED: Final = "1"
"""Of files that carry no number, as their lines and messages only grow."""


_MOST_TOKENS: Final = 4 << 20
"""Bytes."""


class State(enum.StrEnum):
    """What an upgrade to this version means for a kind of data."""

    ABSENT = "absent"
    SAME = "same"
    OLDER = "older"
    NEWER = "newer"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Format:
    """A kind of data."""

    name: str
    found: tuple[str, ...]
    """The versions on the disk, oldest first; none where there is nothing."""
    writes: str
    change: str
    """What becomes of older ones, and whether the older version can still read what this one writes."""
    newer: str
    """What this version does with newer ones."""
    absent: str = "nothing there yet"

    @property
    def state(self) -> State:
        """What it means."""
        if not self.found:
            return State.ABSENT
        if UNREADABLE in self.found:
            return State.UNKNOWN
        if int(self.found[-1]) > int(self.writes):
            return State.NEWER
        return State.SAME if self.found == (self.writes,) else State.OLDER

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        return {
            State.ABSENT: self.absent,
            State.SAME: "stays as it is",
            State.OLDER: self.change,
            State.NEWER: self.newer,
            State.UNKNOWN: "cannot be read; `rigd verify` says more",
        }[self.state]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        facts = {"name": self.name, "found": list(self.found), "writes": self.writes}
        return {**facts, "state": str(self.state), "sentence": self.sentence}


def formats(data: Path) -> list[Format]:
    """Return every kind of data, those that are kept in `data` and those that programs keep of it."""
    return [
        Format(
            "ring",
            _ring(data / "ring"),
            FORMAT.decode(),
            "is set aside, and a new one begins: the older version cannot read that, laps are not concerned",
            "is set aside by this version, and a new one begins",
        ),
        Format(
            "lap files",
            _versions(data.glob("laps/*/[!.]*.lap"), _lap),
            str(lapfile.VERSION),
            "are read as they are; the older version names new ones and leaves them alone",
            "are named and left alone",
        ),
        Format(
            "index",
            _versions([data / "index.sqlite"], _index),
            str(index.VERSION),
            "is made anew from the laps at the first start; before going back to the older version remove it",
            "the archiver does not start: move it away, and it is made anew from the laps",
        ),
        *(
            Format(name, _any(data.glob(pattern)), _UNVERSIONED, "", "")
            for name, pattern in (("marks", "marks/*.json"), ("loss journals", "laps/*/losses*"))
        ),
        Format(
            "catalog",
            _versions([catalog.catalog_path(data)], catalog.version_of),
            str(len(STEPS)),
            "is changed by the server when it starts, which keeps a copy; going back takes that copy",
            "is kept, and cannot be used until rigd is updated; all else goes on",
        ),
        Format(
            "tokens",
            _versions([data / "tokens.json"], _tokens),
            _UNVERSIONED,
            "are written anew; the older version refuses them, and clients pair again",
            "are refused: upgrade rigd, or remove them and pair again",
        ),
        Format("cursors", (), str(cursor._VERSION), "", "", "programs keep them"),
        Format(
            "warehouse",
            _warehouse(),
            str(tables.VERSION),
            "is not loaded into until `rig warehouse init` has made new tables in another one",
            "is not loaded into: update rigd here",
        ),
    ]


def _versions(paths: Iterable[Path], version: Callable[[Path], int]) -> tuple[str, ...]:
    """Return the versions of files, oldest first."""
    found = set[int]()
    for path in paths:
        try:
            found.add(version(path))
        except FileNotFoundError:
            continue
        except (OSError, RigError, sqlite3.Error, ValueError, TypeError, KeyError):
            return (UNREADABLE,)
    return tuple(map(str, sorted(found)))


def _any(paths: Iterable[Path]) -> tuple[str, ...]:
    return (_UNVERSIONED,) if any(True for _ in paths) else ()


def _ring(folder: Path) -> tuple[str, ...]:
    if not (folder / "data.mdb").exists():
        return ()
    with contextlib.suppress(RigError), contextlib.closing(RingReader(folder)) as ring:
        version = (ring.meta(b"format") or b"").decode(errors="replace")
        if version.isdecimal():
            return (version,)
    return (UNREADABLE,)


def _lap(path: Path) -> int:
    with open(open_regular(path), "rb") as file:
        return lapfile.version_of(file.read(lapfile.START_BYTES))


def _index(path: Path) -> int:
    os.stat(path)
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
    if not version:
        raise Corrupt(f"{path} is no index")
    return int(version)


def _tokens(path: Path) -> int:
    return int(load_json(read_regular(path, _MOST_TOKENS))["version"])


def _warehouse() -> tuple[str, ...]:
    """Of the user's file of DuckDB; an account is asked by `rig warehouse check`."""
    url = parse_url()
    if url.scheme != "duckdb" or not Path(url.location).exists():
        return ()
    try:
        with url.open(read_only=True) as warehouse:
            return tuple(map(str, sorted(schema.versions(warehouse))))
    except RigError:
        return (UNREADABLE,)
