"""A circuit: one layout of a track, its reference line, corners and timing lines; and its file."""

import dataclasses
import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest, Corrupt, Newer
from rig.regular import read_regular
from riglap.atomic import atomic_write
from riglap.circuits.corners import Corner, find_corners
from riglap.circuits.line import LEAST_M, MOST_M, Floats, ReferenceLine
from riglap.circuits.survey import Surveyed

FORMAT: Final = 1
FILE_LIMIT: Final = 16 << 20
"""60 km of line are 4 MB."""
MOST_CORNERS: Final = 500
_DECIMALS: Final = 5
"""Of a metre: rounded to millimetres, neighbours would bend by half of the loosest corner."""
_LONGEST_NAME: Final = 100


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Least speeds in a corner that make it medium and fast [m/s]."""

    medium_mps: float = 120 / 3.6
    fast_mps: float = 180 / 3.6

    def of(self, least_mps: float) -> str:
        """Return slow, medium or fast."""
        if least_mps < self.medium_mps:
            return "slow"
        return "medium" if least_mps < self.fast_mps else "fast"


@dataclasses.dataclass(frozen=True, eq=False)
class Circuit:
    """One layout of a track. A version never changes: a better line or other corners are the next version."""

    track_name: str
    track_length: float
    """m, as the game says."""
    line: ReferenceLine
    left: Floats
    """m from the line to the left edge, shape (cells,); NaN where it is not known."""
    right: Floats
    corners: tuple[Corner, ...]
    splits: tuple[float, ...] = ()
    """Ends of sectors 1 and 2, m from the line; none where they are not known."""
    layout: str = ""
    """Name of the layout, such as meander-valley-grand-4559m; empty for a line that no store keeps."""
    version: int = 0
    """From 1; 0 for a line that no store keeps."""
    centre: bool = True
    """The line is the centre of the track. False: it is the way of one car."""
    frozen: bool = False
    """Good enough to stay."""
    coverage: float = 0.0
    residual_m: float = math.nan
    updates: int = 0
    """Scoring updates that the line was made of."""
    thresholds: Thresholds = Thresholds()

    @property
    def length(self) -> float:
        """Metres around, along the line."""
        return self.line.length

    @property
    def name(self) -> str:
        """Layout and version, which name one line and one set of corners: meander-valley-grand-4559m/3."""
        return f"{self.layout}/{self.version}" if self.version else "(line of one lap)"

    @cached_property
    def edges(self) -> tuple[Floats, Floats]:
        """Metres to the left and right edge, without NaN: where they are not known those of a wide road."""
        return np.nan_to_num(self.left, nan=_WIDE_M), np.nan_to_num(self.right, nan=_WIDE_M)

    @cached_property
    def content(self) -> bytes:
        """Digest of what numbers of a lap in corners depend on: name, line, edges, corners, thresholds."""
        told = hashlib.blake2b(repr((self.name, self.track_length, self.length)).encode(), digest_size=16)
        for column in (self.line.x, self.line.y, self.line.z, self.left, self.right):
            told.update(column.astype("<f8").tobytes())
        told.update(repr((self.centre, self.thresholds, self.corners)).encode())
        return told.digest()

    def corner(self, number: int) -> Corner:
        """Return a corner. Raises BadRequest."""
        for corner in self.corners:
            if corner.number == number:
                return corner
        raise BadRequest(f"{self.name} has no corner {number}", hint=f"it has 1 to {len(self.corners)}")

    def with_corners(self, corners: Iterable[Corner], thresholds: Thresholds | None = None) -> "Circuit":
        """Return the circuit with other corners: checked, sorted and numbered. Raises BadRequest."""
        ordered = sorted(corners, key=lambda corner: corner.apex % self.length)
        numbered = tuple(dataclasses.replace(corner, number=at) for at, corner in enumerate(ordered, start=1))
        check_corners(numbered, self.length)
        return dataclasses.replace(self, corners=numbered, thresholds=thresholds or self.thresholds)


_WIDE_M: Final = 15.0


def circuit_of(track_name: str, track_length: float, surveyed: Surveyed) -> Circuit:
    """Return the circuit of a survey, with the corners of its line."""
    line = rounded(surveyed.line)
    return Circuit(
        track_name,
        track_length,
        line,
        np.round(surveyed.left, 2),
        np.round(surveyed.right, 2),
        find_corners(line),
        frozen=surveyed.good,
        coverage=round(surveyed.coverage, 4),
        residual_m=round(surveyed.residual_m, 3),
        updates=surveyed.updates,
    )


def rounded(line: ReferenceLine) -> ReferenceLine:
    """Return the line as a file keeps it, so that what follows from it is the same before and after."""
    x, y, z = (np.round(column, _DECIMALS) for column in (line.x, line.y, line.z))
    return ReferenceLine(x, y, z, round(line.length, 4))


def check_corners(corners: Iterable[Corner], length: float) -> None:
    """Raise BadRequest for corners that overlap, or lie outside the lap."""
    ordered = sorted(corners, key=lambda corner: corner.begin)
    for corner in ordered:
        places = (corner.begin, corner.apex, corner.end)
        if not (
            0 <= corner.begin < length and corner.begin < corner.apex < corner.end < corner.begin + length
        ):
            told = ", ".join(f"{place:.0f}" for place in places)
            raise BadRequest(
                f"{corner.title} lies at {told} m", hint="begin, apex and end rise, within a lap"
            )
    for before, after in zip(ordered, [*ordered[1:], *ordered[:1]], strict=True):
        begin = after.begin + (length if after is ordered[0] else 0.0)
        if before is not after and before.end > begin:
            raise BadRequest(f"{before.title} ends behind the beginning of {after.title}")


def write(circuit: Circuit, path: Path) -> None:
    """Write the file of a circuit. Raises OSError."""
    with atomic_write(path) as target:
        target.write_bytes(encoded(circuit))


def encoded(circuit: Circuit) -> bytes:
    """Return the bytes of the file of a circuit."""
    return (json.dumps(_plain(circuit), allow_nan=False) + "\n").encode()


def read(path: str | Path) -> Circuit:
    """Return the circuit in a file. Raises Corrupt, Newer, OSError."""
    return decoded(read_regular(path, FILE_LIMIT), str(path))


def decoded(data: bytes, name: str = "this") -> Circuit:
    """Return the circuit in the bytes of a file. Raises Corrupt, Newer."""
    try:
        return _circuit(json.loads(data))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, BadRequest) as error:
        raise Corrupt(f"{name} is no circuit: {error or type(error).__name__}") from error


def _plain(circuit: Circuit) -> dict[str, Any]:
    line = circuit.line
    grid = {
        "x": line.x.tolist(),
        "y": line.y.tolist(),
        "z": line.z.tolist(),
        "left": _told(circuit.left),
        "right": _told(circuit.right),
    }
    return {
        "format": FORMAT,
        "layout": circuit.layout,
        "version": circuit.version,
        "track_name": circuit.track_name,
        "track_length": circuit.track_length,
        "length": line.length,
        "centre": circuit.centre,
        "frozen": circuit.frozen,
        "coverage": circuit.coverage,
        "residual_m": _number(circuit.residual_m),
        "updates": circuit.updates,
        "splits": list(circuit.splits),
        "thresholds": dataclasses.asdict(circuit.thresholds),
        "corners": [dataclasses.asdict(corner) for corner in circuit.corners],
        "crc": _crc(grid),
        "grid": grid,
    }


def _circuit(plain: Mapping[str, Any]) -> Circuit:
    if int(plain["format"]) > FORMAT:
        raise Newer(f"a circuit of format {plain['format']}", hint=f"this version reads {FORMAT}")
    grid = plain["grid"]
    if _crc(grid) != plain["crc"]:
        raise ValueError("its grid is damaged")
    columns = {name: _column(grid[name]) for name in ("x", "y", "z", "left", "right")}
    line = ReferenceLine(columns["x"], columns["y"], columns["z"], float(plain["length"]))
    if len(columns["left"]) != line.cells or len(columns["right"]) != line.cells:
        raise ValueError("its columns differ in length")
    if not LEAST_M <= float(plain["track_length"]) <= MOST_M:
        raise ValueError(f"a track of {plain['track_length']} m")
    corners = tuple(corner_of(one) for one in plain["corners"][:MOST_CORNERS])
    check_corners(corners, line.length)
    splits = tuple(float(split) for split in plain["splits"])
    if len(splits) not in (0, 2) or not all(0 < split < line.length for split in splits):
        raise ValueError("its splits are outside the lap")
    residual = plain["residual_m"]
    return Circuit(
        str(plain["track_name"])[:_LONGEST_NAME],
        float(plain["track_length"]),
        line,
        columns["left"],
        columns["right"],
        corners,
        splits,
        str(plain["layout"])[:_LONGEST_NAME],
        int(plain["version"]),
        bool(plain["centre"]),
        bool(plain["frozen"]),
        float(plain["coverage"]),
        math.nan if residual is None else float(residual),
        int(plain["updates"]),
        Thresholds(**{name: float(value) for name, value in plain["thresholds"].items()}),
    )


def corner_of(plain: Mapping[str, Any]) -> Corner:
    """Return a corner out of its plain values. Raises KeyError, TypeError, ValueError."""
    numbers = {name: float(plain[name]) for name in ("begin", "apex", "end", "radius_m", "angle_rad")}
    if not all(map(math.isfinite, numbers.values())):
        raise ValueError("a corner has places that are no numbers")
    return Corner(
        int(plain["number"]),
        right=bool(plain["right"]),
        weak=bool(plain["weak"]),
        name=str(plain["name"])[:_LONGEST_NAME],
        **numbers,
    )


def _crc(grid: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(grid, sort_keys=True).encode())


def _told(column: Floats) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column.tolist()]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _column(values: Any) -> Floats:
    return np.array([math.nan if value is None else float(value) for value in values], np.float64)
