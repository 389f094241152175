"""What each driver is good at, and what that is made of."""

from collections.abc import Iterator
from typing import Final

from rig.v1 import season_pb2
from riglap.season.page.markup import NONE, PageColumn, bar, classes, names, table, tag, text

_ABOUT: Final = (
    "A factor says how much of the field of the class a driver beats in one respect: 80 is better than four"
    " of five. Pace: laps at pace and best laps against the best of the class. Consistency: how close the "
    "laps at pace lie together. Racecraft: places better than the pace, places gained after lap 3, laps "
    "lost. Tyre care: how little lap times grow within a stint. Starts: places gained in the first three "
    "laps."
)


def factors(season: season_pb2.Season) -> Iterator[str]:
    """Yield the part."""
    yield tag("p", _ABOUT, class_="dim")
    for name, heading, field in classes(season.drivers):
        yield heading
        columns = [names("driver"), *(names(one.name) for one in field[0].factors)]
        cells = [[text(one.driver), *(bar(_score(factor)) for factor in one.factors)] for one in field]
        yield table(f"Factors {name}", columns, cells, [one.driver for one in field])
        yield tag("details", tag("summary", "What they are made of"), *map(_breakdown, field))


def _breakdown(one: season_pb2.SeasonDriver) -> str:
    columns = [
        names("part"),
        PageColumn("figure"),
        names("unit"),
        names("score"),
        PageColumn("weight"),
        PageColumn("brings"),
    ]
    parts = [(factor, part) for factor in one.factors for part in factor.parts]
    cells = [
        [
            text(f"{factor.name}: {part.name}"),
            f"{part.value:.3f}" if part.HasField("value") else NONE,
            text(part.unit),
            bar(_score(part)),
            f"{part.weight:.2f}",
            f"{part.brings:.1f}",
        ]
        for factor, part in parts
    ]
    whole = table(f"Factors of {one.driver}", columns, cells, [""] * len(cells))
    return tag("details", tag("summary", text(one.driver)), whole)


def _score(factor: season_pb2.Factor | season_pb2.FactorPart) -> float | None:
    return factor.score if factor.HasField("score") else None
