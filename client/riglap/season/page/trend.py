"""Pace and places from round to round."""

from collections.abc import Iterator

from rig.v1 import season_pb2
from riglap.season.page import drawings
from riglap.season.page.markup import NONE, PageColumn, classes, figure, names, table, tag, text

Driver = season_pb2.SeasonDriver


def trend(season: season_pb2.Season) -> Iterator[str]:
    """Yield the part."""
    yield tag(
        "p",
        "Pace: how much of the class was slower, round by round. Place: how much of it finished behind. The"
        " last column is by how much the gap to the best grows from round to round, in percent of the lap "
        "time; below zero is faster.",
        class_="dim",
    )
    columns = [
        names("driver"),
        names("pace"),
        names("place"),
        PageColumn("pace %"),
        PageColumn("a round"),
    ]
    for name, heading, field in classes(season.drivers):
        yield heading
        cells = [_trend_row(season, one) for one in field]
        yield table(f"Trend {name}", columns, cells, [one.driver for one in field])


def _trend_row(season: season_pb2.Season, one: Driver) -> list[str]:
    driven = {told.round: told for told in one.rounds}
    rounds = [driven.get(told.round) for told in season.rounds]
    paces = [told.pace_score / 100 if told and told.HasField("pace_score") else None for told in rounds]
    places = [_place_share(season, one, told) for told in rounds]
    return [
        text(one.driver),
        drawings.spark(paces, f"pace of {one.driver}"),
        drawings.spark(places, f"places of {one.driver}"),
        figure(one, "pace_gap", 2),
        f"{one.trend:+.2f}" if one.HasField("trend") else NONE,
    ]


def _place_share(season: season_pb2.Season, one: Driver, told: season_pb2.DriverRound | None) -> float | None:
    """Return the share of the class that finished behind."""
    if told is None:
        return None
    cars = season.rounds[told.round - 1].results
    field = sum(car.vehicle_class == one.vehicle_class for car in cars)
    return 1.0 - ((told.class_place or told.place) - 1) / max(field - 1, 1)
