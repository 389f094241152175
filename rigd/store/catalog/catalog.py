"""The catalog, for the one who writes it: resources got, listed, added, changed and deleted.

Calls take turns in one thread. Every change is one transaction, on the disk when it returns.
"""

# ruff: noqa: S608  what is put into statements are names of `nouns.py`; values go beside them

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from rig.errors import BadRequest, Exhausted, InUse, NotFound, Raced, Taken
from rig.v1 import catalog_pb2
from rigd.drivers import MAX_DRIVERS
from rigd.store.catalog import file, values
from rigd.store.catalog.actor import ADMIN, Actor
from rigd.store.catalog.listing import Listing
from rigd.store.catalog.merge import merged
from rigd.store.catalog.nouns import (
    BY_KIND,
    NOUNS,
    TIMED,
    Noun,
    Resource,
    above,
    check_id,
    missing,
    noun_of,
    parent_of,
    root,
    slug,
    user_name,
)
from rigd.store.catalog.rows import HEAD, put_body, put_shared, resource_of

Known = Callable[[str], bool]
"""Says whether there is a lap or a session of that name for who calls."""

_EVERYBODY: Final = "*"
_MOST_ALIKE: Final = 1000
"""Names made of one title."""


class Catalog:
    """An open catalog. All of it raises Corrupt and Unavailable as the file has it, Exhausted where it is
    full, NotFound for what is not there for the actor.
    """

    def __init__(self, path: Path) -> None:
        """Open it, made where there is none. Raises Newer, Corrupt, Unavailable, OSError."""
        self.path: Final = path
        self.db: Final = file.opened(path)
        self.db.create_function("casefold", 1, _casefold, deterministic=True)
        (last_ns,) = self.db.execute("SELECT coalesce(max(update_ns), 0) FROM resource").fetchone()
        self._last_ns = int(last_ns)

    def close(self) -> None:
        """Release the file."""
        self.db.close()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Do all that is inside, or nothing; it sees one state of the file."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.rollback()
                raise
        except sqlite3.Error as error:
            raise file.meaning(error) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read what is inside. Nobody writes meanwhile: calls take turns."""
        try:
            yield
        except sqlite3.Error as error:
            raise file.meaning(error) from error

    def now_ns(self) -> int:
        """Return the time, later than any that was returned: times tell states of a resource apart."""
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        return self._last_ns

    # Finding.

    def get(self, name: str, actor: Actor) -> Resource:
        """Return the resource of that name. Raises BadRequest for what is no name."""
        noun_of(name)
        with self.reading():
            return self.find(name, actor)

    def find(self, name: str, actor: Actor) -> Resource:
        """Return the resource of that name, within a turn."""
        seen = actor.seen()
        row = self.db.execute(
            f"SELECT {HEAD} FROM resource WHERE name = ? AND {seen}", (name, *seen.values)
        ).fetchone()
        if row is None:
            raise missing(name)
        return resource_of(self.db, row)

    def page(
        self, request: catalog_pb2.ListResourcesRequest, actor: Actor
    ) -> catalog_pb2.ListResourcesResponse:
        """Return a page of a collection. Raises BadRequest, MalformedToken."""
        listing = Listing(request, actor)
        with self.reading():
            if listing.parent.above:
                self.find(listing.parent.above, actor)
            return listing.page(self.db)

    # Changing.

    def create(self, request: catalog_pb2.CreateResourceRequest, actor: Actor, known: Known) -> Resource:
        """Add a resource. Raises Taken, BadRequest, Denied."""
        noun, over = parent_of(request.parent)
        resource = _given(noun, request.resource)
        if bool(noun.above) != bool(over):
            raise BadRequest(f"{request.parent} is all of them", hint="name the one that it is to be below")
        if request.id:
            check_id(noun, request.id)
        if noun.kind == "user":
            actor.check_admin("add users")
        with self.turn():
            self._own(noun, resource, over, request.id, actor)
            resource.name = (
                f"{request.parent}/{request.id or self._identifier(noun, resource, request.parent)}"
            )
            resource.create_time_ns = resource.update_time_ns = self.now_ns()
            values.complete(noun, resource, resource.create_time_ns)
            values.check(noun, resource)
            self._check_targets(noun, resource, known)
            self.check_references(noun, resource, actor)
            self.insert(noun, resource)
            return self.find(resource.name, ADMIN)

    def _own(self, noun: Noun, resource: Resource, over: str, identifier: str, actor: Actor) -> None:
        """Say whose a new resource is."""
        if over:
            parent = self.find(over, actor)
            actor.check_owns(over, user_name(parent.owner) or None)
            _check_own(noun, resource, parent)
            say_own(resource, parent)
        elif noun.kind == "user":
            user = identifier or resource.user.title
            check_id(noun, user)
            _check_own(noun, resource, Resource(owner=user))
            resource.owner = user
        else:
            if resource.owner not in ("", actor.user):
                actor.check_admin("add what is another's")
            resource.owner = resource.owner or actor.user
            self.add_users([actor.user])

    def _identifier(self, noun: Noun, resource: Resource, parent: str) -> str:
        """Return a last part of a name that is free."""
        if noun.kind == "user":
            return resource.owner
        words = "" if noun.kind in TIMED else slug(getattr(noun.body(resource), noun.text))
        for number in range(1, _MOST_ALIKE if words else 1):
            identifier = words if number == 1 else f"{words}-{number}"
            if not self._there(f"{parent}/{identifier}"):
                return identifier
        return f"{self.now_ns():016x}"

    def _there(self, name: str) -> bool:
        return bool(self.db.execute("SELECT 1 FROM resource WHERE name = ?", (name,)).fetchone())

    def update(self, request: catalog_pb2.UpdateResourceRequest, actor: Actor, known: Known) -> Resource:
        """Change a resource. Raises Raced for another etag, Taken, BadRequest, Denied."""
        given, noun = request.resource, noun_of(request.resource.name)
        with self.turn():
            before = self.find(given.name, actor)
            actor.check_owns(given.name, user_name(before.owner) or None)
            _check_etag(before, given.etag)
            after = merged(noun, before, given, request.update_mask.paths)
            _check_change(noun, before, after, actor)
            values.complete(noun, after, self.now_ns())
            values.check(noun, after)
            self._check_targets(noun, after, known, before)
            self.check_references(noun, after, actor, before)
            after.update_time_ns = self.now_ns()
            self.replace(noun, after)
            return self.find(after.name, ADMIN)

    def insert(self, noun: Noun, resource: Resource) -> None:
        """Write a resource that is checked and was not there, within a turn. Raises Taken."""
        if self._there(resource.name):
            raise Taken(
                f"there is a {resource.name!r} already", hint="choose another name", name=resource.name
            )
        self.check_unique(noun, resource)
        row = (*_row(noun, resource), resource.create_time_ns)
        self.db.execute(
            "INSERT INTO resource (owner, everyone, alike, update_ns, name, kind, parent, root, create_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self._put(noun, resource)

    def replace(self, noun: Noun, resource: Resource) -> None:
        """Write a resource that is checked over what it was, within a turn. Raises Taken."""
        self.check_unique(noun, resource)
        owner, everyone, alike, update_ns, name, *_ = _row(noun, resource)
        self.db.execute(
            "UPDATE resource SET owner = ?, everyone = ?, alike = ?, update_ns = ? WHERE name = ?",
            (owner, everyone, alike, update_ns, name),
        )
        self.db.execute("UPDATE resource SET owner = ?, everyone = ? WHERE root = ?", (owner, everyone, name))
        self._put(noun, resource)

    def _put(self, noun: Noun, resource: Resource) -> None:
        put_body(self.db, noun, resource)
        if not noun.above:
            self._check_users(resource)
            put_shared(self.db, resource)
        if noun.kind == "layout" and resource.layout.is_default:
            self._only_default(resource)

    def _only_default(self, resource: Resource) -> None:
        """Make a layout the only default one of its kind and owner."""
        others = (
            "SELECT name FROM resource JOIN layout ON layout.resource = name "
            "WHERE layout.is_default AND layout.kind = ? AND owner IS ? AND name <> ?"
        )
        found = self.db.execute(
            others, (resource.layout.kind, user_name(resource.owner) or None, resource.name)
        )
        for (name,) in found.fetchall():
            self.db.execute("UPDATE layout SET is_default = 0 WHERE resource = ?", (name,))
            self._touch(name)

    # Checking.

    def _check_users(self, resource: Resource) -> None:
        """Raise NotFound for an owner or somebody it is shared with who is no user."""
        for user in (resource.owner, *resource.shared_with):
            if user and user != _EVERYBODY and not self._there(user_name(user)):
                raise missing(user_name(user))

    def _check_targets(
        self, noun: Noun, resource: Resource, known: Known, before: Resource | None = None
    ) -> None:
        """Raise NotFound where it is about a lap or session that is not there; it may go later."""
        target = getattr(noun.body(resource), noun.target) if noun.target else ""
        was = getattr(noun.body(before), noun.target) if noun.target and before is not None else ""
        if target and target != was and not known(target):
            raise NotFound(f"there is no {target!r}", hint="`rig laps` lists them", name=target)

    def check_references(
        self, noun: Noun, resource: Resource, actor: Actor, before: Resource | None = None
    ) -> None:
        """Raise NotFound where it refers to what is not there for the actor, BadRequest to what cannot be;
        within a turn.
        """
        for field, kind in noun.references:
            name = getattr(noun.body(resource), field)
            was = getattr(noun.body(before), field) if before is not None else ""
            if not name or name == was:
                continue
            place = f"{noun.kind}.{field}"
            if noun_of(name).kind != kind:
                raise BadRequest(f"{place} is {name!r}", hint=f"a name in {BY_KIND[kind].collection}")
            if noun.above and BY_KIND[kind].above == noun.above and root(name) != root(resource.name):
                raise BadRequest(f"{place} is {name!r}", hint=f"one of {root(resource.name)}")
            self.find(name, actor)

    def check_unique(self, noun: Noun, resource: Resource) -> None:
        """Raise Taken where another resource says the same."""
        alike = self.db.execute(
            "SELECT name FROM resource WHERE kind = ? AND ifnull(owner, '') = ? AND alike = ? AND name <> ?",
            (noun.kind, user_name(resource.owner), _alike(noun, resource), resource.name),
        ).fetchone()
        if alike:
            fields = " and ".join(noun.unique)
            raise Taken(f"{alike[0]} has the same {fields}", hint="change that one", name=alike[0])
        if noun.kind == "user":
            self._check_drivers(resource)

    def _check_drivers(self, resource: Resource) -> None:
        """Raise Taken for a driver of another user, Exhausted for too many."""
        (others,) = self.db.execute(
            "SELECT count(*) FROM user_drivers WHERE resource <> ?", (resource.name,)
        ).fetchone()
        if others + len(resource.user.drivers) > MAX_DRIVERS:
            raise Exhausted(f"more than {MAX_DRIVERS} drivers, which is the limit", limit=MAX_DRIVERS)
        for driver in resource.user.drivers:
            row = self.db.execute(
                "SELECT resource FROM user_drivers WHERE value = ? AND resource <> ?", (driver, resource.name)
            ).fetchone()
            if row:
                raise Taken(f"{driver!r} is a driver of {row[0]}", hint="a driver is one user", name=row[0])

    # Deleting.

    def delete(self, request: catalog_pb2.DeleteResourceRequest, actor: Actor) -> int:
        """Delete a resource. Returns how many went. Raises InUse, Raced for another etag, Denied."""
        noun = noun_of(request.name)
        if noun.kind == "user":
            actor.check_admin("delete users")
        with self.turn():
            found = self.find(request.name, actor)
            actor.check_owns(request.name, user_name(found.owner) or None)
            _check_etag(found, request.etag)
            if not request.force and (using := self._using(request.name)):
                raise InUse(f"{request.name} has {using}", hint="delete those first, or with force")
            return self._remove(request.name)

    def _using(self, name: str) -> str:
        """Return what belongs or refers to a resource, in words; empty: nothing."""
        counts = dict.fromkeys([noun.kind for noun in NOUNS], 0)
        for kind, number in self.db.execute(
            "SELECT kind, count(*) FROM resource WHERE (parent = ? OR owner = ?) AND name <> ? GROUP BY kind",
            (name, name, name),
        ):
            counts[kind] += number
        for noun, field in _referring(noun_of(name)):
            query = f"SELECT count(*) FROM {noun.kind} WHERE {field} = ?"
            counts[noun.kind] += self.db.execute(query, (name,)).fetchone()[0]
        words = (f"{number} {_plural(kind, number)}" for kind, number in counts.items() if number)
        return ", ".join(words)

    def _remove(self, name: str) -> int:
        """Delete a resource with what is below it and what means nothing without it."""
        doomed = [name]
        if noun_of(name).kind == "user":
            doomed += self._leave(name)
        doomed = self._with_doomed(doomed)
        for one in doomed:
            self._forget(one)
        for one in reversed(doomed):
            self.db.execute("DELETE FROM resource WHERE name = ?", (one,))
        return len(doomed)

    def _leave(self, user: str) -> list[str]:
        """Make what a user owns the rig's. Returns what stays the user's: the rig has the same of it."""
        self.db.execute(
            "UPDATE OR IGNORE resource SET owner = NULL WHERE owner = ? AND name <> ?", (user, user)
        )
        rows = self.db.execute("SELECT name FROM resource WHERE owner = ? AND name <> ?", (user, user))
        return [name for (name,) in rows]

    def _forget(self, name: str) -> None:
        """Empty what refers to a resource, but for what goes with it."""
        for noun, field in _referring(noun_of(name)):
            if field != noun.goes_with:
                rows = self.db.execute(f"SELECT resource FROM {noun.kind} WHERE {field} = ?", (name,))
                for (one,) in rows.fetchall():
                    self.db.execute(f"UPDATE {noun.kind} SET {field} = NULL WHERE resource = ?", (one,))
                    self._touch(one)

    def _touch(self, name: str) -> None:
        """Have the etag say that a resource has changed."""
        self.db.execute("UPDATE resource SET update_ns = ? WHERE name = ?", (self.now_ns(), name))

    def _with_doomed(self, names: list[str]) -> list[str]:
        """Return resources and what goes with them; what refers to another comes after it."""
        found = list(names)
        for one in found:  # grows on the way
            for noun, field in _referring(noun_of(one)):
                if field == noun.goes_with:
                    rows = self.db.execute(f"SELECT resource FROM {noun.kind} WHERE {field} = ?", (one,))
                    found += [row for (row,) in rows]
            found += [row for (row,) in self.db.execute("SELECT name FROM resource WHERE parent = ?", (one,))]
        order = [noun.kind for noun in NOUNS]
        return sorted(dict.fromkeys(found), key=lambda one: order.index(noun_of(one).kind))

    # Users.

    def add_users(self, users: Iterable[str]) -> None:
        """Add users that are not there, within a turn; "" is nobody."""
        for user in dict.fromkeys(users):
            if user and not self._there(user_name(user)):
                now_ns = self.now_ns()
                made = Resource(
                    name=user_name(user), owner=user, create_time_ns=now_ns, update_time_ns=now_ns
                )
                made.user.SetInParent()
                self.insert(BY_KIND["user"], made)

    def ensure_users(self, users: Iterable[str]) -> None:
        """Add users that are not there."""
        with self.turn():
            self.add_users(users)

    def drivers(self) -> dict[str, str]:
        """Return the users by the names of their drivers in the game."""
        with self.reading():
            rows = self.db.execute("SELECT value, resource FROM user_drivers").fetchall()
        return {driver: name.removeprefix("users/") for driver, name in rows}


def _casefold(text: str | None) -> str:
    return (text or "").casefold()


def _given(noun: Noun, given: Resource) -> Resource:
    """Return a copy of what is to be added. Raises BadRequest where its body is another collection's."""
    if given.WhichOneof("body") != noun.kind:
        raise BadRequest(
            f"the body is {given.WhichOneof('body') or 'absent'}", hint=f"{noun.collection} take {noun.kind}"
        )
    resource = Resource()
    resource.CopyFrom(given)
    return resource


def _check_own(noun: Noun, given: Resource, there: Resource) -> None:
    """Raise BadRequest where it is given another owner or other users than are said by what is there."""
    owner, shared = given.owner or there.owner, list(given.shared_with) or list(there.shared_with)
    if (owner, shared) != (there.owner, list(there.shared_with)):
        what = above(there.name) or there.name if noun.above else "its user"
        raise BadRequest(f"{noun.collection} have no owner of their own", hint=f"{what} says whose they are")


def say_own(resource: Resource, there: Resource) -> None:
    """Have a resource say the owner and the users that another says."""
    resource.owner = there.owner
    del resource.shared_with[:]
    resource.shared_with.extend(there.shared_with)


def _check_change(noun: Noun, before: Resource, after: Resource, actor: Actor) -> None:
    """Raise Denied, BadRequest for changes of owner and drivers that cannot be."""
    if noun.above or noun.kind == "user":
        _check_own(noun, after, before)
        say_own(after, before)
    if before.owner != after.owner:
        actor.check_admin("give away what is yours")
    if noun.kind == "user" and list(before.user.drivers) != list(after.user.drivers):
        actor.check_admin("say who your drivers are")  # it would give you their laps


def _check_etag(found: Resource, etag: str) -> None:
    if etag and etag != found.etag:
        raise Raced(
            f"{found.name} has changed since: its etag is {found.etag}, not {etag[:64]}", hint="get it again"
        )


def _row(noun: Noun, resource: Resource) -> tuple[Any, ...]:
    name = resource.name
    return (
        user_name(resource.owner) or None,
        _EVERYBODY in resource.shared_with,
        _alike(noun, resource),
        resource.update_time_ns,
        name,
        noun.kind,
        above(name) or None,
        root(name),
    )


def _alike(noun: Noun, resource: Resource) -> str | None:
    """Return what no other of its kind and owner has the same of."""
    body = noun.body(resource)
    same = [above(resource.name), *(getattr(body, field) for field in noun.unique)]
    return json.dumps(same, ensure_ascii=False) if noun.unique else None


def _referring(noun: Noun) -> Iterator[tuple[Noun, str]]:
    """Yield the kinds that refer to a kind, with the field."""
    for one in NOUNS:
        for field, kind in one.references:
            if kind == noun.kind:
                yield one, field


def _plural(kind: str, number: int) -> str:
    word = BY_KIND[kind].collection.rpartition("/")[2]
    return word if number > 1 else word.removesuffix("s")
