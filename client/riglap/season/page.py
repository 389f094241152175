"""A season as one page for browsers: static, light and dark, without a network."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rig.v1 import season_pb2
from riglap.atomic import atomic_write
from riglap.season import drawings
from riglap.season.drivers import honours
from riglap.season.fields import grouped
from riglap.season.markup import NONE, PageColumn, bar, names, table, tag, text
from riglap.times import clock, gap, lap_time

_HERE: Final = Path(__file__)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_DARK: Final = "(prefers-color-scheme: dark)"
_PARTS: Final = (
    ("championship", "Championship"),
    ("rounds", "Rounds"),
    ("drivers", "Drivers"),
    ("factors", "Factors"),
    ("trend", "Trend"),
    ("forecast", "Forecast"),
)
_FACTORS: Final = (
    "A factor says how much of the field of the class a driver beats in one respect: 80 is better than four"
    " of five. Pace: laps at pace and best laps against the best of the class. Consistency: how close the "
    "laps at pace lie together. Racecraft: places better than the pace, places gained after lap 3, laps "
    "lost. Tyre care: how little lap times grow within a stint. Starts: places gained in the first three "
    "laps."
)

Driver = season_pb2.SeasonDriver


def write(path: Path, season: season_pb2.Season) -> None:
    """Write the page. Raises OSError."""
    made = page(season)
    with atomic_write(path) as partial:
        partial.write_text(made, encoding="utf-8")


def page(season: season_pb2.Season, theme: str = "") -> str:
    """Return the page, in the `theme` light or dark; "": as the browser likes it."""
    drivers = list(dict.fromkeys(one.driver for one in season.drivers))
    body = [
        tag(
            "header",
            tag("h1", text(_title(season))),
            tag("p", text(_facts(season))),
            *(tag("p", text(note)) for note in season.notes),
            _navigation(drivers),
        ),
        _cards(season),
        *(_section(name, title, season) for name, title in _PARTS),
        tag("script", _HERE.with_suffix(".js").read_text(encoding="utf-8")),
    ]
    style = _HERE.with_suffix(".css").read_text(encoding="utf-8")
    head = [
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        tag("title", text(_title(season))),
        tag("style", style.replace(_DARK, {"dark": "all", "light": "not all"}.get(theme, _DARK))),
    ]
    whole = tag("html", tag("head", *head), tag("body", *body), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _title(season: season_pb2.Season) -> str:
    years = sorted({_utc(one).year for one in season.rounds if one.start_time_ns})
    return f"Season {NONE.join(map(str, dict.fromkeys((years[0], years[-1]))))}" if years else "Season"


def _utc(one: season_pb2.SeasonRound) -> datetime:
    return datetime.fromtimestamp(one.start_time_ns / 1e9, UTC)


def _date(one: season_pb2.SeasonRound) -> str:
    return f"{_utc(one):%d %b %Y}" if one.start_time_ns else ""


def _facts(season: season_pb2.Season) -> str:
    tracks = len({one.track_name for one in season.rounds})
    facts = [
        _count(len(season.rounds), "round"),
        _count(tracks, "track"),
        _count(len(season.drivers), "driver"),
        f"{season.laps} laps",
        f"{season.points.name} points" if season.standings else "",
    ]
    return " · ".join(filter(None, facts))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _navigation(drivers: Sequence[str]) -> str:
    links = [tag("a", title, href=f"#{name}") for name, title in _PARTS]
    options = [tag("option", "nobody", value="")] + [
        tag("option", text(name), value=name) for name in drivers
    ]
    choice = tag("label", "mark ", tag("select", *options, id="driver"))
    return tag("nav", *links, choice, aria_label="Parts of the page")


def _cards(season: season_pb2.Season) -> str:
    fields = grouped(season.drivers, lambda one: one.vehicle_class)
    several = len(fields) > 1
    made = [
        _card(f"{name} {title}" if several else title, driver, figure)
        for name, field in fields.items()
        for title, driver, figure in _first(season, name, field)
    ]
    return tag("div", *made, class_="cards")


def _card(title: str, driver: str, figure: str) -> str:
    return tag("div", tag("span", text(title)), tag("b", text(driver)), tag("span", text(figure)))


def _first(season: season_pb2.Season, name: str, field: Sequence[Driver]) -> Iterator[tuple[str, str, str]]:
    """Yield who is first in what in a class, and with which figure."""
    leader = next((one for one in season.standings if one.vehicle_class in ("", name)), None)
    if leader is not None:
        yield "leader", leader.driver, f"{leader.points:g} points"
    winner = max(field, key=lambda one: honours(one).wins)
    if wins := honours(winner).wins:
        yield "most wins", winner.driver, _count(wins, "win")
    for at, title in enumerate(("fastest", "most even", "best racecraft")):
        known = [one for one in field if one.factors[at].HasField("score")]
        if known:
            best = max(known, key=lambda one: one.factors[at].score)
            yield title, best.driver, f"{best.factors[at].name} {best.factors[at].score:.0f}"


def _section(name: str, title: str, season: season_pb2.Season) -> str:
    inside = {
        "championship": _championship,
        "rounds": _rounds,
        "drivers": _drivers,
        "factors": _factors,
        "trend": _trend,
        "forecast": _forecast,
    }[name]
    return tag("section", tag("h2", title), *inside(season), id=name)


def _classed(name: str, several: bool) -> str:
    return tag("h3", text(name or "no class")) if several else ""


def _championship(season: season_pb2.Season) -> Iterator[str]:
    tables = grouped(season.standings, lambda one: one.vehicle_class)
    if not tables:
        yield tag("p", "There are no points for these sessions.")
    for name, rows in tables.items():
        yield _classed(name, len(tables) > 1)
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
        *(PageColumn(str(one.round), _round_title(one)) for one in season.rounds),
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


def _round_title(one: season_pb2.SeasonRound) -> str:
    nth = one.number - 9 if 10 <= one.number <= 13 else 0
    return f"{one.track_name} {nth or ''}".strip()


def _rounds(season: season_pb2.Season) -> Iterator[str]:
    for one in season.rounds:
        winner = one.results[0].driver if one.results else ""
        told = f"{one.round}. {_round_title(one)}"
        facts = " · ".join(filter(None, [winner, _date(one)]))
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
    return table(_round_title(one), columns, cells, [car.driver for car in one.results])


def _gap(car: season_pb2.SessionResult) -> str:
    if car.status == season_pb2.RESULT_STATUS_RETIRED:
        return tag("span", "retired", class_="bad")
    if not car.HasField("gap"):
        return _count(car.laps_down, "lap") if car.laps_down else ""
    return gap(car.gap) if car.gap else ""


def _drivers(season: season_pb2.Season) -> Iterator[str]:
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
    fields = grouped(season.drivers, lambda one: one.vehicle_class)
    for name, field in fields.items():
        yield _classed(name, len(fields) > 1)
        yield table(f"Drivers {name}", columns, map(_driver, field), [one.driver for one in field])


def _driver(one: Driver) -> list[str]:
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
        _figure(one, "pace_gap", 2),
        _figure(one, "best_gap", 2),
        _figure(one, "spread", 3),
        tag("span", f"{one.places_gained:+d}" if one.places_gained else "0", class_=gained),
        str(one.incidents or ""),
        str(one.retirements or ""),
        clock(one.pit_time) if one.pit_time else "",
    ]


def _figure(one: Driver, name: str, digits: int) -> str:
    known = one.HasField(name)  # type: ignore[arg-type]
    return f"{getattr(one, name):.{digits}f}" if known else NONE


def _score(factor: season_pb2.Factor | season_pb2.FactorPart) -> float | None:
    return factor.score if factor.HasField("score") else None


def _factors(season: season_pb2.Season) -> Iterator[str]:
    yield tag("p", _FACTORS, class_="dim")
    fields = grouped(season.drivers, lambda one: one.vehicle_class)
    for name, field in fields.items():
        yield _classed(name, len(fields) > 1)
        columns = [names("driver"), *(names(one.name) for one in field[0].factors)]
        cells = [[text(one.driver), *(bar(_score(factor)) for factor in one.factors)] for one in field]
        yield table(f"Factors {name}", columns, cells, [one.driver for one in field])
        yield tag("details", tag("summary", "What they are made of"), *map(_breakdown, field))


def _breakdown(one: Driver) -> str:
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


def _trend(season: season_pb2.Season) -> Iterator[str]:
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
    fields = grouped(season.drivers, lambda one: one.vehicle_class)
    for name, field in fields.items():
        yield _classed(name, len(fields) > 1)
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
        _figure(one, "pace_gap", 2),
        f"{one.trend:+.2f}" if one.HasField("trend") else NONE,
    ]


def _place_share(season: season_pb2.Season, one: Driver, told: season_pb2.DriverRound | None) -> float | None:
    """Return the share of the class that finished behind."""
    if told is None:
        return None
    cars = season.rounds[told.round - 1].results
    field = sum(car.vehicle_class == one.vehicle_class for car in cars)
    return 1.0 - ((told.class_place or told.place) - 1) / max(field - 1, 1)


def _forecast(season: season_pb2.Season) -> Iterator[str]:
    if not season.forecasts:
        yield tag(
            "p", "A forecast takes three sessions and three drivers of a class with five laps at pace each."
        )
    else:
        yield tag(
            "p",
            "Pace is the mean of the laps at pace. It lies between from and to in four of five cases; the "
            "gap to the field is surer than the time, since weather and rubber are the same for all.",
            class_="dim",
        )
    yield from (tag("p", text(line), class_="dim") for line in quality(season))
    for one in season.forecasts:
        told = f" {one.vehicle_class} · {_count(one.sessions, 'session')} here"
        summary = tag("summary", tag("b", text(one.track_name)), tag("span", text(told), class_="dim"))
        yield tag("details", summary, _circuit(one))


def quality(season: season_pb2.Season) -> Iterator[str]:
    """Yield how good the forecasts were, in sentences."""
    if not season.HasField("quality"):
        yield "Too few sessions to tell how good forecasts are: it takes four."
        return
    told = season.quality
    yield (
        f"Tried on {told.sessions} sessions, each forecast from all others: the gap to the field was wrong "
        f"by {told.gap_error:.2f} % on average ({told.naive_gap_error:.2f} % with that of the session "
        f"before), and within its interval {100 * told.gap_coverage:.0f} of 100 times; 80 are meant."
    )
    if told.forecasts:
        yield (
            f"The lap time itself was wrong by {told.error:.2f} % ({told.naive_error:.2f} % with the mean of"
            f" other sessions there), and within its interval {100 * told.coverage:.0f} of 100 times."
        )


def _circuit(one: season_pb2.CircuitForecast) -> str:
    columns = [
        names("driver"),
        PageColumn("pace"),
        PageColumn("from"),
        PageColumn("to"),
        PageColumn("to the field %"),
        names(""),
        PageColumn("driven", "sessions of the driver in the season"),
        PageColumn("here", "those on this circuit"),
    ]
    low = min((each.gap - each.gap_error for each in one.drivers), default=0.0)
    high = max((each.gap + each.gap_error for each in one.drivers), default=0.0)
    cells = [
        [
            text(each.driver),
            tag("b", lap_time(each.pace)),
            lap_time(each.low),
            lap_time(each.high),
            f"{each.gap:+.2f} ± {each.gap_error:.2f}",
            drawings.interval(each.gap - each.gap_error, each.gap, each.gap + each.gap_error, (low, high)),
            str(each.sessions),
            str(each.sessions_here or ""),
        ]
        for each in one.drivers
    ]
    return table(f"Forecast {one.track_name}", columns, cells, [each.driver for each in one.drivers])
