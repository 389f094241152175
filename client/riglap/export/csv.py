"""A lap as CSV: comment lines that describe the lap, a line of names, then a line per sample."""

import csv
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from riglap.atomic import atomic_write
from riglap.export.line import one_line
from riglap.lap import Lap
from riglap.rows import Array, FlatColumn

_SECOND_NS: Final = 1_000_000_000
_FORMULA: Final = re.compile(r"([,;]) *(?=[=+@-])")
"""What a spreadsheet, which knows no comments, would take for a cell with a formula."""


def write(lap: Lap, path: Path, channels: Iterable[str] = ()) -> None:
    """Write the columns of `Lap.flat` in UTF-8, below comment lines about the lap. Raises MissingChannel.

    Numbers have the fewest digits that read back as the same float32 or float64; missing ones are empty.
    Programs skip the comments when told that # begins one. Raises BadRequest for a lap without samples.
    """
    lap.check_samples()
    asked = tuple(channels)
    columns = list(lap.flat(asked))
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in _comments(lap, asked, columns))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        writer.writerows(zip(*(_texts(column.values) for column in columns), strict=True))


def _comments(lap: Lap, asked: tuple[str, ...], columns: list[FlatColumn]) -> Iterator[str]:
    """Yield lines of name and value; what is not known has none."""
    for name, value in _named(lap).items():
        if value:
            yield f"{name}: " + _FORMULA.sub(r"\1 '", one_line(value))
    absent = lap.unavailable(asked)
    if absent:
        yield f"not available: {', '.join(absent)}"
    for description, names in _numbered(columns).items():
        yield f"{names[0]} to {names[-1]}: {description}"
    if any(column.name == "lap_time" for column in columns):
        yield "lap_time: the time into the lap at each sample"
    units = [f"{column.name} [{column.unit}]" for column in columns if column.unit]
    if units:
        yield f"units: {', '.join(units)}"


def _numbered(columns: list[FlatColumn]) -> dict[str, list[str]]:
    """Return columns whose names end in a number, by their description."""
    found: dict[str, list[str]] = {}
    for column in columns:
        if column.name[-1].isdigit() and column.description:
            found.setdefault(column.description, []).append(column.name)
    return found


def _named(lap: Lap) -> dict[str, str]:
    info, session = lap.info, lap.session
    sectors = [one for one in (info.sector1, info.sector2, info.sector3) if one is not None]
    return {
        "lap": info.name,
        "driver": info.driver,
        "user": info.user,
        "vehicle": info.vehicle,
        "class": info.vehicle_class,
        "team": info.team,
        "track": info.track_name or session.track_name,
        "session": session.kind,
        "start (UTC)": _utc(info.start_time_ns),
        "lap number": "" if info.kind == "excerpt" else str(info.number + 1),
        "official lap time [s]": f"{info.lap_time:.3f}" if info.lap_time is not None else "",
        "sectors [s]": ", ".join(f"{sector:.3f}" for sector in sectors),
        "valid": "yes" if info.valid else "no",
        "samples": f"{len(lap)}, {info.missing} missing",
    }


def _utc(time_ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_ns // _SECOND_NS)) if time_ns else ""


def _texts(values: Array) -> list[str]:
    # numpy's own text: a float32 is not spelled out as a double.
    texts = [str(value) for value in np.ma.getdata(values)]
    for row in np.flatnonzero(_missing(values)):
        texts[row] = ""
    return texts


def _missing(values: Array) -> Array:
    absent = np.ma.getmaskarray(values)
    return absent | np.isnan(np.ma.getdata(values)) if values.dtype.kind == "f" else absent
