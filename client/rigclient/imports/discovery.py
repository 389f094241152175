"""Files of other programs: found, recognised by their header, and told apart by their checksum.

A file that is to be a table and cannot be read as one is odd, as is one that has most of the columns of a
table that can be loaded: it is reported with its reason. What is sound and something else is left alone, by
name.
"""

import hashlib
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import BadRequest, NotFound
from rigclient.imports import beacons, charts, longform
from rigclient.imports.sheet import Sheet, SheetRow

CHART: Final = "chart"
TELEMETRY: Final = "telemetry"
BEACONS: Final = "beacons"

KINDS: Final[dict[str, tuple[str, ...]]] = {
    CHART: charts.NEEDED,
    TELEMETRY: longform.NEEDED,
    BEACONS: beacons.NEEDED,
}
"""What a file is whose header has these columns; the first that fits."""
KNOWN: Final = frozenset(charts.COLUMNS).union(longform.NEEDED, beacons.NEEDED)
"""Names of columns that are read."""

_LOOKS_LIKE: Final = 0.6
"""Of the columns of a kind: a table with more is to be one of it; results and weather have three of ten."""
_SHAPES: Final = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}
_HINT: Final = "its first lines name none of their columns, such as LAP_NUMBER;LAP_TIME or telemetry_name"


class Found(NamedTuple):
    """A file that can be loaded."""

    path: Path
    kind: str
    sha256: str
    bytes: int
    first: SheetRow | None
    """Its first sound row."""


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
    for path, named in _expanded(paths):
        try:
            found = recognised(path)
        except (BadRequest, OSError) as error:
            odd[path] = Odd(path, _reason(error))
            continue
        if found is not None:
            files[path] = found
        elif named:
            odd[path] = Odd(path, f"it is no lap chart, telemetry in long form or lap beacons ({_HINT})")
        else:
            others[path] = None
    kinds = list(KINDS)
    found_files = sorted(files.values(), key=lambda found: kinds.index(found.kind))
    return Search(found_files, list(odd.values()), list(others))


def recognised(path: Path) -> Found | None:
    """Return the file, None where it is a table of another kind. Raises BadRequest where it is no table, or
    where it lacks but a few columns of a kind; OSError.
    """
    _check_shape(path)
    with path.open("rb") as file:
        if not file.read(1):
            raise BadRequest("it is empty")
        sheet = Sheet("it", file, KNOWN)
        kind = _kind(sheet.columns)
        if kind is None:
            return None
        first = next((row for row in sheet.rows() if isinstance(row, SheetRow)), None)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Found(path, kind, sha256, file.tell(), first)


def _check_shape(path: Path) -> None:
    """Raise BadRequest for what is no regular file: a pipe that is opened may never end."""
    mode = path.stat().st_mode
    for test, what in _SHAPES.items():
        if test(mode):
            raise BadRequest(f"it is {what}, no file")


def _kind(columns: Sequence[str]) -> str | None:
    kind = next((kind for kind, needed in KINDS.items() if set(needed) <= set(columns)), None)
    if kind is None:
        for like, needed in KINDS.items():
            missing = [name for name in needed if name not in columns]
            if 1 - len(missing) / len(needed) > _LOOKS_LIKE:
                raise BadRequest(f"it looks like {like}, and has no column {', '.join(missing)}")
    return kind


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
            yield from ((one, False) for one in sorted(path.rglob("*")) if one.suffix.lower() == ".csv")
        else:
            yield path, True
