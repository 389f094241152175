"""A season as one page for browsers: static, light and dark, without a network."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rig.v1 import season_pb2
from riglap.atomic import atomic_write
from riglap.season.page.cards import cards
from riglap.season.page.championship import championship
from riglap.season.page.drivers import drivers
from riglap.season.page.factors import factors
from riglap.season.page.forecast import forecast
from riglap.season.page.markup import NONE, count, tag, text, utc
from riglap.season.page.rounds import rounds
from riglap.season.page.trend import trend

Part = Callable[[season_pb2.Season], Iterator[str]]

_HERE: Final = Path(__file__)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_DARK: Final = "(prefers-color-scheme: dark)"
_PARTS: Final[tuple[tuple[str, Part], ...]] = (
    ("Championship", championship),
    ("Rounds", rounds),
    ("Drivers", drivers),
    ("Factors", factors),
    ("Trend", trend),
    ("Forecast", forecast),
)


def write(path: Path, season: season_pb2.Season) -> None:
    """Write the page. Raises OSError."""
    made = page(season)
    with atomic_write(path) as partial:
        partial.write_text(made, encoding="utf-8")


def page(season: season_pb2.Season, theme: str = "") -> str:
    """Return the page, in the `theme` light or dark; "": as the browser likes it."""
    body = [
        tag(
            "header",
            tag("h1", text(_title(season))),
            tag("p", text(_facts(season))),
            *(tag("p", text(note)) for note in season.notes),
            _navigation(list(dict.fromkeys(one.driver for one in season.drivers))),
        ),
        cards(season),
        *(tag("section", tag("h2", title), *part(season), id=title.lower()) for title, part in _PARTS),
        tag("script", _HERE.with_name("page.js").read_text(encoding="utf-8")),
    ]
    style = _HERE.with_name("page.css").read_text(encoding="utf-8")
    head = [
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        tag("title", text(_title(season))),
        tag("style", style.replace(_DARK, {"dark": "all", "light": "not all"}.get(theme, _DARK))),
    ]
    whole = tag("html", tag("head", *head), tag("body", *body), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _title(season: season_pb2.Season) -> str:
    years = sorted({utc(one).year for one in season.rounds if one.start_time_ns})
    return f"Season {NONE.join(map(str, dict.fromkeys((years[0], years[-1]))))}" if years else "Season"


def _facts(season: season_pb2.Season) -> str:
    tracks = len({one.track_name for one in season.rounds})
    facts = [
        count(len(season.rounds), "round"),
        count(tracks, "track"),
        count(len(season.drivers), "driver"),
        f"{season.laps} laps",
        f"{season.points.name} points" if season.standings else "",
    ]
    return " · ".join(filter(None, facts))


def _navigation(everybody: Sequence[str]) -> str:
    links = [tag("a", title, href=f"#{title.lower()}") for title, _ in _PARTS]
    options = [tag("option", "nobody", value="")] + [
        tag("option", text(name), value=name) for name in everybody
    ]
    choice = tag("label", "mark ", tag("select", *options, id="driver"))
    return tag("nav", *links, choice, aria_label="Parts of the page")
