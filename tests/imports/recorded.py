"""Where what lies among the recordings, and what the timekeeper's own files say."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from rigclient.imports.discovery import KNOWN
from rigclient.imports.text import cells
from rigclient.imports.text.sheet import RefusedLine, Sheet
from rigclient.imports.timing import charts
from rigclient.imports.timing.charts import ChartLap

SAMPLE = "barber/Samples/R1_barber_telemetry_data_sample.csv"
SAMPLE_CHART = "barber/Samples/23_AnalysisEnduranceWithSections_Race_1_sample.CSV"

Chart = tuple[list[ChartLap], list[RefusedLine]]
"""Laps, and rows that are none."""
Best = tuple[str, int, int]
"""Car, milliseconds, lap."""


def all_charts(recordings: Path) -> list[Path]:
    """The fourteen official ones."""
    found = [path for path in sorted(recordings.rglob("23_*")) if "sample" not in path.name]
    assert len(found) == 14
    return found


def chart(recordings: Path, track: str, race: int) -> Path:
    """One of them; `track` is part of its path."""
    (found,) = (path for path in all_charts(recordings) if track in str(path) and f"Race {race}" in path.name)
    return found


def sheet(data: bytes, name: str = "chart.CSV") -> Sheet:
    return Sheet(name, io.BytesIO(data), KNOWN)


def read(data: bytes) -> Chart:
    """A chart."""
    rows = list(charts.laps(sheet(data)))
    return [row for row in rows if isinstance(row, ChartLap)], [
        row for row in rows if isinstance(row, RefusedLine)
    ]


def companions(path: Path, number: str) -> Iterator[Path]:
    """Files of a kind, 99_ or 03_, of the same race as the chart."""
    race = re.findall(r"Race (\d)", path.name)[-1]
    others = [one for one in sorted(path.parent.glob(f"{number}*")) if "Class" not in one.name]
    yield from (one for one in others if f"Race {race}" in one.name or f"Race {race}" == path.parent.name)


def table(path: Path) -> list[dict[str, str]]:
    """A file of the timekeeper, by an independent reader."""
    text = path.read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def official_bests(path: Path) -> list[Best]:
    """Of every driver, from the best-lap file beside the chart."""
    (best_laps,) = companions(path, "99_")
    return _bests(table(best_laps), "BESTLAP_1", "BESTLAP_1_LAPNUM")


def result_bests(path: Path) -> list[Best]:
    """Of every car, from the result beside the chart."""
    result = list(companions(path, "00_")) or list(companions(path, "03_"))
    return _bests(table(result[0]), "FL_TIME", "FL_LAPNUM")


def _bests(rows: Iterable[dict[str, str]], time: str, lap: str) -> list[Best]:
    return sorted((row["NUMBER"], cells.time_ms(time, row[time]), int(row[lap])) for row in rows if row[time])
