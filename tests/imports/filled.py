"""Files that a warehouse is filled with, sound ones and others, and what became of them."""

from pathlib import Path
from typing import Final, NamedTuple

from rigclient.imports import import_file
from rigclient.imports.refusals import RefusedRow
from rigclient.warehouse import Destination
from tests.imports.recorded import SAMPLE, SAMPLE_CHART, chart


class Filled(NamedTuple):
    destination: Destination
    reports: dict[str, import_file.ImportReport]
    """By the file's folder and name."""
    found: list[RefusedRow]


SPOILT: Final = {5: "wrong number of cells", 10: "no time", 21: "not UTF-8"}
"""Rows of a chart by their line, and why they are refused."""
CARS: Final = ("3", "7", "46")


def spoilt(data: bytes) -> bytes:
    """The chart with these three rows."""
    lines = data.splitlines(keepends=True)
    lines[4] = lines[4].replace(b";", b"", 1)
    lines[9] = lines[9].replace(b";1:3", b";1x3", 1)
    lines.insert(20, b"\xff\xfe\n")
    return b"".join(lines)


def some_cars(data: bytes) -> bytes:
    """The chart with a few of its cars."""
    head, *lines = data.splitlines(keepends=True)
    return b"".join([head, *(line for line in lines if line.split(b";")[0].decode() in CARS)])


def files(folder: Path, recordings: Path) -> list[Path]:
    """A race at Austin, a spoilt one at Barber thrice, a telemetry table in two parts and whole."""
    piece = spoilt((recordings / SAMPLE_CHART).read_bytes())
    head, *lines = (recordings / SAMPLE).read_text().splitlines()
    parts = {
        f"lap{lap}.csv": "\n".join([head, *(line for line in lines if line.startswith(f",{lap},"))])
        for lap in (2, 3)
    }
    made = {
        "Austin/chart Race 1.csv": some_cars(chart(recordings, "COTA", 1).read_bytes()),
        "Barber/chart Race 1.csv": piece,
        "Barber/same Race 1.csv": piece,
        "Barber/other Race 1.csv": piece + b"\n",
        **{f"Barber/{name}": text.encode() for name, text in parts.items()},
        "Barber/whole.csv": (recordings / SAMPLE).read_bytes(),
    }
    for name, data in made.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return [folder / name for name in made]
