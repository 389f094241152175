"""The folder of circuits: a folder per layout, in it a file per version. The files are the truth."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from rig.errors import NotFound, RigError
from riglap.circuits.circuit import Circuit, read, write
from riglap.circuits.line import Floats

_LENGTH_M: Final = 2.0
"""Lengths that the game tells of one layout differ by nothing; of two layouts by a chicane at least."""
_SHAPE_M: Final = 40.0
"""A car this far from a line, at the median of a lap, drives another layout. Pits and runoffs are shorter."""
_VERSION: Final = re.compile(r"v(\d{1,6})\.json")
_MOST_HELD: Final = 16
"""A megabyte each."""
_MOST_LAYOUTS: Final = 26
"""Of one name and one length."""


class Shelf:
    """All circuits in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[tuple[Path, int], Circuit] = {}
        """By file and its time: to read one takes 15 ms."""

    def layouts(self) -> list[str]:
        """Return the names of the layouts, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if _versions(path))

    def newest(self, layout: str) -> Circuit:
        """Return the newest version of a layout that can be read. Raises NotFound, Corrupt, Newer."""
        trouble: RigError | None = None
        for version in sorted(_versions(self.folder / layout), reverse=True):
            try:
                return self._read(self._path(layout, version))
            except RigError as error:
                trouble = trouble or error
        raise trouble or NotFound(
            f"there is no circuit {layout!r}", hint=", ".join(self.layouts()) or "none yet"
        )

    def version(self, layout: str, version: int) -> Circuit:
        """Return one version. Raises NotFound, Corrupt, Newer."""
        if version not in _versions(self.folder / layout):
            raise NotFound(f"there is no circuit {layout}/{version}")
        return self._read(self._path(layout, version))

    def find(self, track_name: str, track_length: float, places: Floats, distance: Floats) -> Circuit | None:
        """Return the newest version of the layout that somebody drives: same name, same length, and its line
        passes by the places, shape (n, 3), at these distances [m]. None where no layout is so.
        """
        for circuit in self.named(track_name):
            if same_layout(circuit, track_length, places, distance):
                return circuit
        return None

    def state(self) -> frozenset[tuple[Path, int]]:
        """Return a value that differs when a version came, went or was changed by hand."""
        return frozenset((path, path.stat().st_mtime_ns) for path in self.folder.glob("*/v*.json"))

    def add(self, circuit: Circuit) -> Circuit:
        """Write a circuit as the next version of its layout, or as the first of a new one; return it so."""
        layout = circuit.layout or self._new(circuit)
        version = max(_versions(self.folder / layout), default=0) + 1
        named = dataclasses.replace(circuit, layout=layout, version=version)
        (self.folder / layout).mkdir(parents=True, exist_ok=True, mode=0o700)
        write(named, self._path(layout, version))
        return named

    def named(self, track_name: str) -> Iterator[Circuit]:
        """Yield the newest version of every layout of a track. Raises Corrupt, Newer."""
        start = slug(track_name) + "-"
        for layout in self.layouts():
            if layout.startswith(start):
                circuit = self.newest(layout)
                if circuit.track_name == track_name:
                    yield circuit

    def _new(self, circuit: Circuit) -> str:
        stem = f"{slug(circuit.track_name)}-{circuit.track_length:.0f}m"
        taken = set(self.layouts())
        names = [stem, *(f"{stem}-{chr(ord('a') + at)}" for at in range(1, _MOST_LAYOUTS))]
        return next(name for name in names if name not in taken)

    def _read(self, path: Path) -> Circuit:
        key = (path, path.stat().st_mtime_ns)
        if key not in self._held:
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[key] = read(path)
        return self._held[key]

    def _path(self, layout: str, version: int) -> Path:
        return self.folder / layout / f"v{version:04}.json"


def same_layout(circuit: Circuit, track_length: float, places: Floats, distance: Floats) -> bool:
    """Return whether places, shape (n, 3), at distances from the line [m] are on this layout."""
    if abs(circuit.track_length - track_length) > _LENGTH_M:
        return False
    known = np.isfinite(places).all(axis=1) & np.isfinite(distance)
    if not known.any():
        return True
    on_x, on_z = circuit.line.at(
        distance[known] * (circuit.length / track_length), circuit.line.x, circuit.line.z
    )
    off = np.hypot(places[known, 0] - on_x, places[known, 2] - on_z)
    return bool(np.median(off) <= _SHAPE_M)


def slug(name: str) -> str:
    """Return a name for files: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "track"


def _versions(folder: Path) -> set[int]:
    if not folder.is_dir():
        return set()
    return {int(match[1]) for path in folder.iterdir() if (match := _VERSION.fullmatch(path.name))}
