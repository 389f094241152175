"""Figures of each driver over the season."""

from collections.abc import Iterator

from rig.v1 import season_pb2
from riglap.season.drivers import honours
from riglap.season.page.markup import PageColumn, classes, figure, names, table, tag, text
from riglap.times import clock


def drivers(season: season_pb2.Season) -> Iterator[str]:
    """Yield the part."""
    columns = [
        names("driver"),
        PageColumn("starts"),
        PageColumn("wins"),
        PageColumn("podiums"),
        PageColumn("best", "best place in the class"),
        PageColumn("mean", "mean place in the class"),
        PageColumn("laps"),
        PageColumn("pace %", "mean gap of laps at pace to the best of the class"),
        PageColumn("lap %", "mean gap of best laps to the best of the class"),
        PageColumn("spread s", "standard deviation of laps at pace"),
        PageColumn("places", "gained from the grid, or from the end of the first lap"),
        PageColumn("incidents", "laps that did not count or were lost"),
        PageColumn("out", "races not finished"),
        PageColumn("pit time"),
    ]
    for name, heading, field in classes(season.drivers):
        yield heading
        yield table(f"Drivers {name}", columns, map(_driver, field), [one.driver for one in field])


def _driver(one: season_pb2.SeasonDriver) -> list[str]:
    own = honours(one)
    gained = "good" if one.places_gained > 0 else "bad" if one.places_gained < 0 else None
    return [
        text(one.driver),
        str(one.starts),
        tag("span", str(own.wins or ""), class_="win"),
        str(own.podiums or ""),
        str(own.best),
        f"{own.mean:.1f}",
        str(one.laps),
        figure(one, "pace_gap", 2),
        figure(one, "best_gap", 2),
        figure(one, "spread", 3),
        tag("span", f"{one.places_gained:+d}" if one.places_gained else "0", class_=gained),
        str(one.incidents or ""),
        str(one.retirements or ""),
        clock(one.pit_time) if one.pit_time else "",
    ]
