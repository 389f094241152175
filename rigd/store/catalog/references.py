"""What refers to a resource, what uses it, and what means nothing without it."""

# ruff: noqa: S608  what is put into statements are names of `nouns.py`; values go beside them

from collections.abc import Iterator

from rigd.store.catalog.nouns import BY_KIND, NOUNS, Noun, noun_of
from rigd.store.catalog.rows import Db


def referring(name: str) -> Iterator[tuple[Noun, str]]:
    """Yield the kinds that refer to the kind of a resource, with the field."""
    for one in NOUNS:
        for field, kind in one.references:
            if kind == noun_of(name).kind:
                yield one, field


def referrers(db: Db, noun: Noun, field: str, name: str) -> list[str]:
    """Return the resources of a kind that refer to a resource in that field."""
    rows = db.execute(f"SELECT resource FROM {noun.kind} WHERE {field} = ?", (name,))
    return [one for (one,) in rows.fetchall()]


def using(db: Db, name: str) -> str:
    """Return what belongs or refers to a resource, in words; empty: nothing."""
    counts = dict.fromkeys([noun.kind for noun in NOUNS], 0)
    for kind, number in db.execute(
        "SELECT kind, count(*) FROM resource WHERE (parent = ? OR owner = ?) AND name <> ? GROUP BY kind",
        (name, name, name),
    ):
        counts[kind] += number
    for noun, field in referring(name):
        counts[noun.kind] += len(referrers(db, noun, field, name))
    words = (f"{number} {_plural(kind, number)}" for kind, number in counts.items() if number)
    return ", ".join(words)


def with_what_goes(db: Db, names: list[str]) -> list[str]:
    """Return resources and what goes with them; what refers to another comes after it."""
    found = list(names)
    for one in found:  # grows on the way
        for noun, field in referring(one):
            if field == noun.goes_with:
                found += referrers(db, noun, field, one)
        found += [row for (row,) in db.execute("SELECT name FROM resource WHERE parent = ?", (one,))]
    order = [noun.kind for noun in NOUNS]
    return sorted(dict.fromkeys(found), key=lambda one: order.index(noun_of(one).kind))


def _plural(kind: str, number: int) -> str:
    word = BY_KIND[kind].collection.rpartition("/")[2]
    return word if number > 1 else word.removesuffix("s")
