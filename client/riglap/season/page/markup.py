"""Pieces of HTML. Whatever somebody else chose, names above all, goes through `text`."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final, NamedTuple, TypeVar

from rig.signs import visible
from rig.v1 import season_pb2
from riglap.season.fields import grouped

Classed = TypeVar("Classed", season_pb2.SeasonDriver, season_pb2.Standing)


def text(value: object) -> str:
    """Return a value as text of a page: no markup, and no sign that hides."""
    return escape(visible(str(value)))


def tag(name: str, *inside: str, **attributes: object) -> str:
    """Return an element around markup. Attributes are text; an underscore ends those that are words of
    Python, the others become hyphens. None leaves an attribute out.
    """
    told = "".join(
        f' {key.strip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{told}>{''.join(inside)}</{name}>"


NONE: Final = "\N{EN DASH}"
"""In place of a figure that is not known."""


class PageColumn(NamedTuple):
    """A column of a table: of numbers, unless it says that it is of text."""

    title: str
    about: str = ""
    """What it is, shown when pointed at."""
    of_text: bool = False


def names(title: str) -> PageColumn:
    """Return a column of text."""
    return PageColumn(title, of_text=True)


def table(
    about: str, columns: Sequence[PageColumn], rows: Iterable[Sequence[str]], drivers: Sequence[str]
) -> str:
    """Return a table that scrolls in its own box; the first cell of a row is its name. `drivers` are whose
    rows they are, one each.
    """
    heads = [
        tag("th", text(one.title), scope="col", class_=_side(one), title=one.about or None) for one in columns
    ]
    body = [_row(columns, cells, driver) for cells, driver in zip(rows, drivers, strict=True)]
    made = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))
    return tag("div", made, class_="scroll", tabindex="0", role="region", aria_label=about)


def _row(columns: Sequence[PageColumn], cells: Sequence[str], driver: str) -> str:
    name, *others = cells
    rest = [tag("td", cell, class_=_side(one)) for one, cell in zip(columns[1:], others, strict=True)]
    return tag("tr", tag("th", name, scope="row"), *rest, data_driver=driver or None)


def _side(column: PageColumn) -> str | None:
    return "t" if column.of_text else None


def bar(score: float | None) -> str:
    """Return a score from 0 to 100 with a bar; a dash where there is none."""
    if score is None:
        return NONE
    filled = tag("i", style=f"width:{score:.0f}%")
    return tag("span", tag("b", f"{score:.0f}"), tag("span", filled, class_="groove"), class_="score")


def count(number: int, word: str) -> str:
    """Return a number of things, in words."""
    return f"{number} {word}{'s' * (number != 1)}"


def figure(one: season_pb2.SeasonDriver, name: str, digits: int) -> str:
    """Return a figure of a driver; a dash where it is not known."""
    known = one.HasField(name)  # type: ignore[arg-type]
    return f"{getattr(one, name):.{digits}f}" if known else NONE


def utc(one: season_pb2.SeasonRound) -> datetime:
    """Return when a session began."""
    return datetime.fromtimestamp(one.start_time_ns / 1e9, UTC)


def date(one: season_pb2.SeasonRound) -> str:
    """Return the day of a session; empty where it is not known."""
    return f"{utc(one):%d %b %Y}" if one.start_time_ns else ""


def classes(rows: Iterable[Classed]) -> Iterator[tuple[str, str, list[Classed]]]:
    """Yield each class with its heading, which is empty where there is one class alone, and its rows."""
    fields = grouped(rows, lambda one: one.vehicle_class)
    for name, field in fields.items():
        yield name, tag("h3", text(name or "no class")) if len(fields) > 1 else "", field
