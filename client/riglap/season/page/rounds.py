"""The results of each session."""

from collections.abc import Iterator

from rig.v1 import season_pb2
from riglap.season.page.markup import PageColumn, count, date, names, table, tag, text
from riglap.times import clock, gap, lap_time


def round_title(one: season_pb2.SeasonRound) -> str:
    """Return the track, and which race there it was."""
    nth = one.number - 9 if 10 <= one.number <= 13 else 0
    return f"{one.track_name} {nth or ''}".strip()


def rounds(season: season_pb2.Season) -> Iterator[str]:
    """Yield the part."""
    for one in season.rounds:
        winner = one.results[0].driver if one.results else ""
        told = f"{one.round}. {round_title(one)}"
        facts = " · ".join(filter(None, [winner, date(one)]))
        yield tag(
            "details",
            tag("summary", tag("b", text(told)), tag("span", text(f" {facts}"), class_="dim")),
            _results(one),
        )


def _results(one: season_pb2.SeasonRound) -> str:
    columns = [
        names("driver"),
        PageColumn("P"),
        names("class"),
        PageColumn("laps"),
        PageColumn("gap"),
        PageColumn("best lap"),
        PageColumn("grid"),
        PageColumn("led"),
        PageColumn("pit time"),
    ]
    best = min((car.best for car in one.results if car.HasField("best")), default=0.0)
    cells = [
        [
            text(" / ".join(car.drivers)),
            str(car.place),
            text(f"{car.vehicle_class} {car.class_place or ''}"),
            str(car.laps),
            _gap(car),
            tag("span", lap_time(car.best), class_="win" if car.best == best else None),
            str(car.grid or ""),
            str(car.laps_led or ""),
            clock(car.pit_time) if car.pit_time else "",
        ]
        for car in one.results
    ]
    return table(round_title(one), columns, cells, [car.driver for car in one.results])


def _gap(car: season_pb2.SessionResult) -> str:
    if car.status == season_pb2.RESULT_STATUS_RETIRED:
        return tag("span", "retired", class_="bad")
    if not car.HasField("gap"):
        return count(car.laps_down, "lap") if car.laps_down else ""
    return gap(car.gap) if car.gap else ""
