"""Points and standings, a chart and a table for each class that has its own."""

from collections.abc import Iterator, Sequence

from rig.v1 import season_pb2
from riglap.season.page import drawings
from riglap.season.page.markup import PageColumn, classes, names, table, tag, text
from riglap.season.page.rounds import round_title


def championship(season: season_pb2.Season) -> Iterator[str]:
    """Yield the part."""
    if not season.standings:
        yield tag("p", "There are no points for these sessions.")
    for name, heading, rows in classes(season.standings):
        yield heading
        drawn = drawings.championship(season, rows)
        yield drawings.legend(rows)
        yield drawn
        yield _standings(season, name, rows)


def _standings(season: season_pb2.Season, name: str, rows: Sequence[season_pb2.Standing]) -> str:
    columns = [
        names("driver"),
        PageColumn("P"),
        PageColumn("points"),
        PageColumn("behind"),
        PageColumn("wins"),
        *(PageColumn(str(one.round), round_title(one)) for one in season.rounds),
    ]
    cells = [
        [
            text(row.driver),
            str(row.place),
            tag("b", f"{row.points:g}"),
            f"{-row.behind:g}" if row.behind else "",
            str(row.wins or ""),
            *_round_points(row, season),
        ]
        for row in rows
    ]
    return table(f"Championship {name}", columns, cells, [row.driver for row in rows])


def _round_points(row: season_pb2.Standing, season: season_pb2.Season) -> Iterator[str]:
    points = {one.round: one for one in row.rounds}
    for one in season.rounds:
        told = points.get(one.round)
        if told is None:
            yield ""
        elif told.dropped:
            yield tag("s", f"{told.points:g}", class_="dim")
        else:
            rank = "win" if told.place == 1 else None if told.points else "dim"
            yield tag("span", f"{told.points:g}", class_=rank)
