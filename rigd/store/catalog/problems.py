"""What is wrong in the catalog: damage, rows that belong to nothing, references to what is gone."""

# ruff: noqa: S608  what is put into statements are names of `nouns.py`; values go beside them

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

from rig.errors import RigError
from rig.v1 import catalog_pb2
from rigd.store.catalog import values
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.limits import MAX_PROBLEMS
from rigd.store.catalog.nouns import NOUNS, Noun, noun_of
from rigd.store.catalog.rows import HEAD, Db, resource_of

Problem = catalog_pb2.CatalogProblem

_RESTORE: Final = "export what can be read, reset the catalog, and import it"
_BY_HAND: Final = "delete it; somebody has changed the file by hand"


def problems(
    catalog: Catalog, there: Callable[[str], bool], drivers: Mapping[str, str]
) -> catalog_pb2.CheckCatalogResponse:
    """Return what is wrong. `there` says whether there is a lap or session of a name; `drivers` are the users
    of the configuration by the names of their drivers. Raises Unavailable.
    """
    with catalog.reading():
        found = list(islice(_problems(catalog.db, there, drivers), MAX_PROBLEMS))
        (checked,) = catalog.db.execute("SELECT count(*) FROM resource").fetchone()
    return catalog_pb2.CheckCatalogResponse(problems=found, checked=checked)


def _problems(db: Db, there: Callable[[str], bool], drivers: Mapping[str, str]) -> Iterator[Problem]:
    yield from _damage(db)
    yield from _orphans(db)
    yield from _contents(db)
    yield from _targets(db, there)
    yield from _drivers(db, drivers)


def _damage(db: Db) -> Iterator[Problem]:
    for (what,) in db.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})"):
        if what != "ok":
            yield Problem(what=f"the file is damaged: {what}", hint=_RESTORE)


def _orphans(db: Db) -> Iterator[Problem]:
    """Rows that belong or refer to what is not there."""
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check").fetchall():
        column = "name" if table == "resource" else "resource"
        found = db.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
        name = found[0] if found else ""
        yield Problem(
            resource=name, what=f"its {table} refers to a {parent} that is not there", hint=_BY_HAND
        )


def _contents(db: Db) -> Iterator[Problem]:
    """Resources that cannot be read, or say what they may not."""
    for head in db.execute(f"SELECT {HEAD} FROM resource ORDER BY name"):
        try:
            noun = noun_of(head[0])
            resource = resource_of(db, head)
            values.check(noun, resource)
        except RigError as error:
            yield Problem(resource=head[0], what=error.message, hint=error.hint or _BY_HAND)
        except (ValueError, TypeError) as error:  # a value that its field does not take
            yield Problem(resource=head[0], what=f"it cannot be read: {error}", hint=_BY_HAND)


def _targets(db: Db, there: Callable[[str], bool]) -> Iterator[Problem]:
    for noun in NOUNS:
        if noun.target:
            yield from _gone(db, noun, there)


def _gone(db: Db, noun: Noun, there: Callable[[str], bool]) -> Iterator[Problem]:
    query = f"SELECT resource, {noun.target} FROM {noun.kind} WHERE {noun.target} <> '' ORDER BY resource"
    for name, target in db.execute(query):
        if not there(target):
            what = "lap" if "/laps/" in target else "session"
            hint = f"delete it, or leave it where the {what} is to come back"
            yield Problem(resource=name, what=f"the {what} {target} is gone", hint=hint)


def _drivers(db: Db, drivers: Mapping[str, str]) -> Iterator[Problem]:
    """Drivers who are another user's in the configuration."""
    for driver, user in db.execute("SELECT value, resource FROM user_drivers ORDER BY value"):
        said = drivers.get(driver)
        if said and f"users/{said}" != user:
            words = json.dumps(driver, ensure_ascii=False)
            yield Problem(
                resource=user,
                what=f"its driver {words} is {said} in the configuration, which does not count",
                hint=f"take it out of [users.{said}], or out of {user}",
            )
