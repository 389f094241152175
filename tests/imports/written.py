"""Charts that tests write, row by row."""

from collections.abc import Mapping
from pathlib import Path

HEAD = (
    "NUMBER; DRIVER_NUMBER; LAP_NUMBER; LAP_TIME; LAP_IMPROVEMENT; CROSSING_FINISH_LINE_IN_PIT; S1; S2; S3;"
    " KPH; ELAPSED; HOUR;TOP_SPEED;PIT_TIME;CLASS;FLAG_AT_FL;IM1a_time;IM1a_elapsed;FL_time;FL_elapsed"
)
START_MS = 13 * 3_600_000


def spelled(ms: int) -> str:
    return f"{ms // 60_000}:{ms % 60_000 / 1000:06.3f}"


def row(
    number: str = "7",
    lap: int = 1,
    ms: int = 100_000,
    total: int | None = None,
    cells: Mapping[str, str] | None = None,
    **more: str,
) -> str:
    """A sound row; `total` is when the lap ended, since the start."""
    total = ms * lap if total is None else total
    hour = START_MS + total
    plain = {
        "NUMBER": number,
        "DRIVER_NUMBER": "1",
        "LAP_NUMBER": str(lap),
        "LAP_TIME": spelled(ms),
        "LAP_IMPROVEMENT": "0",
        "S1": "30.000",
        "S2": "30.000",
        "S3": f"{(ms - 60_000) / 1000:.3f}",
        "KPH": "130.0",
        "ELAPSED": spelled(total),
        "HOUR": f"{hour // 3_600_000}:{hour // 60_000 % 60:02}:{hour % 60_000 / 1000:06.3f}",
        "FLAG_AT_FL": "GF",
        "IM1a_time": "20.000",
        "IM1a_elapsed": "20.000",
    }
    filled = {**plain, **(cells or {}), **more}
    return ";".join(filled.get(name.strip(), "") for name in HEAD.split(";"))


def table(*rows: str) -> bytes:
    return "\n".join([HEAD, *rows, ""]).encode()


def race(
    *laps: tuple[str, int, int], flags: Mapping[tuple[str, int], str] | None = None, **more: str
) -> bytes:
    """A chart of laps, each with its car's number and its time; laps of a car stand together.

    `flags` are those that are not green, by car and lap.
    """
    totals: dict[str, int] = {}
    rows = []
    for number, lap, ms in laps:
        totals[number] = totals.get(number, 0) + ms
        found = {"FLAG_AT_FL": (flags or {}).get((number, lap), "GF"), **more}
        rows.append(row(number, lap, ms, totals[number], found))
    return table(*rows)


def write(path: Path, data: bytes) -> Path:
    """A file in folders of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
