"""Who is first in what, at the head of the page."""

from collections.abc import Iterator, Sequence

from rig.v1 import season_pb2
from riglap.season.drivers import honours
from riglap.season.fields import grouped
from riglap.season.page.markup import count, tag, text


def cards(season: season_pb2.Season) -> str:
    """Return a card for each."""
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


def _first(
    season: season_pb2.Season, name: str, field: Sequence[season_pb2.SeasonDriver]
) -> Iterator[tuple[str, str, str]]:
    """Yield who is first in what in a class, and with which figure."""
    leader = next((one for one in season.standings if one.vehicle_class in ("", name)), None)
    if leader is not None:
        yield "leader", leader.driver, f"{leader.points:g} points"
    winner = max(field, key=lambda one: honours(one).wins)
    if wins := honours(winner).wins:
        yield "most wins", winner.driver, count(wins, "win")
    for at, title in enumerate(("fastest", "most even", "best racecraft")):
        known = [one for one in field if one.factors[at].HasField("score")]
        if known:
            best = max(known, key=lambda one: one.factors[at].score)
            yield title, best.driver, f"{best.factors[at].name} {best.factors[at].score:.0f}"
