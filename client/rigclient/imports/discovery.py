"""Files of other programs: found, recognised by their content, and told apart by their checksum.

A file that is to be a table and cannot be read as one is odd, as is one that has most of the columns of a
table that can be loaded: it is reported with its reason. What is sound and something else is left alone, by
name.
"""

import contextlib
import hashlib
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import BadRequest, NotFound
from rigclient.imports.dialects import all_dialects, dialect_of
from rigclient.imports.recording import Dialect, Head
from rigclient.imports.text import encoding
from rigclient.imports.text.sheet import Sheet, SheetRow
from rigclient.imports.timing import beacons, charts, longform

CHART: Final = "chart"
TELEMETRY: Final = "telemetry"
BEACONS: Final = "beacons"

_KINDS: Final = {"endurance chart": CHART, "GR Cup telemetry": TELEMETRY}
"""What files of these dialects are called in tables and reports; all others by their dialect."""
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    CHART: charts.NEEDED,
    TELEMETRY: longform.NEEDED,
    BEACONS: beacons.NEEDED,
}
"""Columns by which a table looks like one of a kind."""
KNOWN: Final = frozenset(charts.COLUMNS).union(longform.NEEDED, beacons.NEEDED)
"""Names of columns that are read."""
HEAD_BYTES: Final = 1 << 16
"""Of a file, by which it is recognised."""

_LOOKS_LIKE: Final = 0.6
"""Of the columns of a kind: a table with more is to be one of it; results and weather have three of ten."""
_SHAPES: Final = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_CHUNK: Final = 1 << 20
_TABLE: Final = ".csv"
"""A file in a folder that ends so is to be a table; any other is taken where it is recognised."""


class Found(NamedTuple):
    """A file that can be loaded."""

    path: Path
    kind: str
    sha256: str
    bytes: int
    first: SheetRow | None
    """First sound row of beacons."""
    dialect: Dialect | None
    """None for beacons, which date charts and have no laps of their own."""
    together: tuple[Path, ...] = ()
    """All files that make the recording, where that is more than one; checksum and size are of them all."""


class Odd(NamedTuple):
    """A file that is not loaded, and why."""

    path: Path
    why: str


class Search(NamedTuple):
    """What there is to load, in the order in which it is, and what is not."""

    files: list[Found]
    odd: list[Odd]
    """To be tables, and not to be read as such."""
    others: list[Path]
    """Sound tables in the folders that are none of ours."""


def search(paths: Sequence[Path]) -> Search:
    """Return the files named, and those in the folders named. Raises NotFound for what is not there."""
    files: dict[Path, Found] = {}
    odd: dict[Path, Odd] = {}
    others: dict[Path, None] = {}
    taken: set[Path] = set()
    for path, named in _expanded(paths):
        if path in taken:
            continue
        is_table = named or path.suffix.lower() == _TABLE
        try:
            found = recognised(path) if is_table else _of_a_dialect(path)
        except (BadRequest, OSError) as error:
            if is_table:
                odd[path] = Odd(path, _reason(error))
            continue
        if found is not None:
            files[found.path] = found
            taken.update(found.together)
        elif named:
            odd[path] = Odd(path, _unknown())
        elif is_table:
            others[path] = None
    kinds = [*_NEEDED, *(dialect.name for dialect in all_dialects())]
    found_files = sorted(files.values(), key=lambda found: kinds.index(found.kind))
    return Search(found_files, list(odd.values()), list(others))


def recognised(path: Path) -> Found | None:
    """Return the file, None where it is a table of another kind. Raises BadRequest where it is no table, or
    where it lacks but a few columns of a kind; OSError.
    """
    found = _of_a_dialect(path)
    if found is not None:
        return found
    with path.open("rb") as file:
        sheet = Sheet("it", file, KNOWN)
        if not _is_beacons(sheet.columns):
            return None
        first = next((row for row in sheet.rows() if isinstance(row, SheetRow)), None)
        return Found(path, BEACONS, *_checksum(path), first, None)


def _of_a_dialect(path: Path) -> Found | None:
    """Return the file where a dialect recognises it. Raises BadRequest for what is no file, or empty."""
    _check_shape(path)
    head = _head(path)
    if not head.first:
        raise BadRequest("it is empty")
    dialect = dialect_of(head)
    if dialect is None:
        return None
    together = _together(dialect, path)
    kind = _KINDS.get(dialect.name, dialect.name)
    others = tuple(together) if len(together) > 1 else ()
    return Found(together[0], kind, *_checksum(*together), None, dialect, others)


def _head(path: Path) -> Head:
    with path.open("rb") as file:
        first = file.read(HEAD_BYTES)
        text = ""
        with contextlib.suppress(BadRequest, UnicodeError):
            file.seek(0)
            text = encoding.opened(file).read(HEAD_BYTES).lstrip(encoding.PADDING)
    return Head(path, first, text)


def _together(dialect: Dialect, path: Path) -> list[Path]:
    """Return the files that make one recording with this one, the first of them first."""
    together = getattr(dialect, "together", None)
    return list(together(path)) if together is not None else [path]


def _checksum(*paths: Path) -> tuple[str, int]:
    """Return checksum and size of files, one after the other."""
    digest, size = hashlib.sha256(), 0
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    return digest.hexdigest(), size


def _check_shape(path: Path) -> None:
    """Raise BadRequest for what is no regular file: a pipe that is opened may never end."""
    mode = path.stat().st_mode
    for test, what in _SHAPES.items():
        if test(mode):
            raise BadRequest(f"it is {what}, no file")


def _is_beacons(columns: Sequence[str]) -> bool:
    """Return whether a table holds beacons. Raises BadRequest where it lacks but a few columns of a kind."""
    if set(beacons.NEEDED) <= set(columns):
        return True
    for like, needed in _NEEDED.items():
        missing = [name for name in needed if name not in columns]
        if missing and 1 - len(missing) / len(needed) > _LOOKS_LIKE:
            raise BadRequest(f"it looks like {like}, and has no column {', '.join(missing)}")
    return False


def _unknown() -> str:
    known = ", ".join(dialect.name for dialect in all_dialects())
    return f"it is no lap chart, no recording and no lap beacons of a program that is known ({known})"


def _reason(error: BadRequest | OSError) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read: {(error.strerror or str(error)).lower()}"
    return str(error)


def _expanded(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield every file, and whether it was named itself."""
    for path in paths:
        if not path.exists():
            raise NotFound(f"there is no file {path}", hint="name files, or folders to search")
        if path.is_dir():
            yield from ((one, False) for one in sorted(path.rglob("*")) if _may_be_recording(one))
        elif not _is_beside(path):
            yield path, True


def _is_beside(path: Path) -> bool:
    """Return whether the file belongs to a log, which is read with it: the beacons of MoTeC's."""
    return path.suffix.lower() == ".ldx" and path.with_suffix(".ld").is_file()


def _may_be_recording(path: Path) -> bool:
    return path.suffix.lower() == _TABLE or path.is_file()
