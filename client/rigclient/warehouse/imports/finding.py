"""Files of other programs: found, recognised by their header, and told apart by their checksum."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import BadRequest, NotFound
from rigclient.warehouse.imports import beacons, charts, longform
from rigclient.warehouse.imports.sheet import Row, Sheet

CHART: Final = "chart"
TELEMETRY: Final = "telemetry"
BEACONS: Final = "beacons"

_KINDS: Final = ((CHART, charts.NEEDED), (TELEMETRY, longform.NEEDED), (BEACONS, beacons.NEEDED))
"""What a file is whose header has these columns; the first that fits."""


class Found(NamedTuple):
    """A file that can be loaded."""

    path: Path
    kind: str
    sha256: str
    bytes: int
    first: Row | None
    """Its first sound row."""


class Search(NamedTuple):
    """What there is to load, in the order in which it is."""

    files: list[Found]
    others: int
    """Tables in the folders that are none of ours."""


def search(paths: Sequence[Path]) -> Search:
    """The files named, and those in the folders named. Raises NotFound, BadRequest."""
    files: dict[Path, Found] = {}
    others = 0
    for path, named in _expanded(paths):
        found = recognised(path)
        if found is not None:
            files[path] = found
        elif named:
            raise BadRequest(f"{path} is no lap chart, telemetry in long form or lap beacons", hint=_HINT)
        else:
            others += 1
    return Search(sorted(files.values(), key=lambda found: _ORDER.index(found.kind)), others)


_HINT: Final = "its first line names none of their columns, such as LAP_NUMBER;LAP_TIME or telemetry_name"
_ORDER: Final = [kind for kind, _ in _KINDS]


def recognised(path: Path) -> Found | None:
    """The file, None where its header is none of ours."""
    with path.open("rb") as file:
        try:
            sheet = Sheet(str(path), file)
        except BadRequest:
            return None
        kind = next((kind for kind, needed in _KINDS if set(needed) <= set(sheet.columns)), None)
        if kind is None:
            return None
        first = next((row for row in sheet.rows() if isinstance(row, Row)), None)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Found(path, kind, sha256, file.tell(), first)


def _expanded(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Every file, and whether it was named itself."""
    for path in paths:
        if not path.exists():
            raise NotFound(f"there is no file {path}", hint="name files, or folders to search")
        if path.is_dir():
            yield from ((one, False) for one in sorted(path.rglob("*")) if one.suffix.lower() == ".csv")
        else:
            yield path, True
