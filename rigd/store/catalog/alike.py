"""What no two resources may say: the same text of one owner, the same driver of two users."""

import json

from rig.errors import Exhausted, Taken
from rigd.drivers import MAX_DRIVERS
from rigd.store.catalog.nouns import Noun, Resource, above, user_name
from rigd.store.catalog.rows import Db


def alike(noun: Noun, resource: Resource) -> str | None:
    """Return what no other of its kind and owner has the same of."""
    body = noun.body(resource)
    same = [above(resource.name), *(getattr(body, field) for field in noun.unique)]
    return json.dumps(same, ensure_ascii=False) if noun.unique else None


def check_unique(db: Db, noun: Noun, resource: Resource) -> None:
    """Raise Taken where another resource says the same."""
    taken = db.execute(
        "SELECT name FROM resource WHERE kind = ? AND ifnull(owner, '') = ? AND alike = ? AND name <> ?",
        (noun.kind, user_name(resource.owner), alike(noun, resource), resource.name),
    ).fetchone()
    if taken:
        fields = " and ".join(noun.unique)
        raise Taken(f"{taken[0]} has the same {fields}", hint="change that one", name=taken[0])
    if noun.kind == "user":
        _check_drivers(db, resource)


def _check_drivers(db: Db, resource: Resource) -> None:
    """Raise Taken for a driver of another user, Exhausted for too many."""
    (others,) = db.execute(
        "SELECT count(*) FROM user_drivers WHERE resource <> ?", (resource.name,)
    ).fetchone()
    if others + len(resource.user.drivers) > MAX_DRIVERS:
        raise Exhausted(f"more than {MAX_DRIVERS} drivers, which is the limit", limit=MAX_DRIVERS)
    for driver in resource.user.drivers:
        row = db.execute(
            "SELECT resource FROM user_drivers WHERE value = ? AND resource <> ?", (driver, resource.name)
        ).fetchone()
        if row:
            raise Taken(f"{driver!r} is a driver of {row[0]}", hint="a driver is one user", name=row[0])
