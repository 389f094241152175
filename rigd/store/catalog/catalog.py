"""The catalog, for the one who writes it: resources got, listed, added, changed and deleted.

Calls take turns in one thread. Every change is one transaction, on the disk when it returns.
"""

# ruff: noqa: S608  what is put into statements are names of `nouns.py`; values go beside them

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from rig.errors import BadRequest, InUse, NotFound, Raced, Taken
from rig.v1 import catalog_pb2
from rigd.store.catalog import file, values
from rigd.store.catalog.actor import ADMIN, Actor
from rigd.store.catalog.alike import alike, check_unique
from rigd.store.catalog.listing import Listing
from rigd.store.catalog.merge import merged
from rigd.store.catalog.nouns import (
    BY_KIND,
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
from rigd.store.catalog.ownership import check_change, check_own, say_own
from rigd.store.catalog.references import referrers, referring, using, with_what_goes
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
        _check_place(noun, over, request, actor)
        with self.turn():
            self._own(noun, resource, over, request.id, actor)
            identifier = request.id or self._identifier(noun, resource, request.parent)
            resource.name = f"{request.parent}/{identifier}"
            resource.create_time_ns = resource.update_time_ns = now_ns = self.now_ns()
            self._complete(noun, resource, now_ns, actor, known)
            self.insert(noun, resource)
            return self.find(resource.name, ADMIN)

    def _own(self, noun: Noun, resource: Resource, over: str, identifier: str, actor: Actor) -> None:
        """Say whose a new resource is."""
        if over:
            parent = self.find(over, actor)
            actor.check_owns(over, user_name(parent.owner) or None)
            check_own(noun, resource, parent)
            say_own(resource, parent)
        elif noun.kind == "user":
            user = identifier or resource.user.title
            check_id(noun, user)
            check_own(noun, resource, Resource(owner=user))
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
            check_change(noun, before, after, actor)
            self._complete(noun, after, self.now_ns(), actor, known, before)
            after.update_time_ns = self.now_ns()
            self.replace(noun, after)
            return self.find(after.name, ADMIN)

    def _complete(
        self,
        noun: Noun,
        resource: Resource,
        now_ns: int,
        actor: Actor,
        known: Known,
        before: Resource | None = None,
    ) -> None:
        """Fill in what is not said, and check what is. Raises BadRequest, NotFound."""
        values.complete(noun, resource, now_ns)
        values.check(noun, resource)
        self._check_targets(noun, resource, known, before)
        self.check_references(noun, resource, actor, before)

    def insert(self, noun: Noun, resource: Resource) -> None:
        """Write a resource that is checked and was not there, within a turn. Raises Taken."""
        if self._there(resource.name):
            raise Taken(
                f"there is a {resource.name!r} already", hint="choose another name", name=resource.name
            )
        self._check_users(resource)
        check_unique(self.db, noun, resource)
        row = (*_row(noun, resource), resource.create_time_ns)
        self.db.execute(
            "INSERT INTO resource (owner, everyone, alike, update_ns, name, kind, parent, root, create_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        self._put(noun, resource)

    def replace(self, noun: Noun, resource: Resource) -> None:
        """Write a resource that is checked over what it was, within a turn. Raises Taken."""
        self._check_users(resource)
        check_unique(self.db, noun, resource)
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
            name = user_name(user)
            if user not in ("", _EVERYBODY) and name != resource.name and not self._there(name):
                raise missing(name)

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
            if not request.force and (used := using(self.db, request.name)):
                raise InUse(f"{request.name} has {used}", hint="delete those first, or with force")
            return self._remove(request.name)

    def _remove(self, name: str) -> int:
        """Delete a resource with what is below it and what means nothing without it."""
        doomed = [name]
        if noun_of(name).kind == "user":
            doomed += self._leave(name)
        doomed = with_what_goes(self.db, doomed)
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
        for noun, field in referring(name):
            if field != noun.goes_with:
                for one in referrers(self.db, noun, field, name):
                    self.db.execute(f"UPDATE {noun.kind} SET {field} = NULL WHERE resource = ?", (one,))
                    self._touch(one)

    def _touch(self, name: str) -> None:
        """Have the etag say that a resource has changed."""
        self.db.execute("UPDATE resource SET update_ns = ? WHERE name = ?", (self.now_ns(), name))

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


def _check_place(noun: Noun, over: str, request: catalog_pb2.CreateResourceRequest, actor: Actor) -> None:
    """Raise BadRequest, Denied where nothing can be added under what the request says."""
    if bool(noun.above) != bool(over):
        raise BadRequest(f"{request.parent} is all of them", hint="name the one that it is to be below")
    if request.id:
        check_id(noun, request.id)
    if noun.kind == "user":
        actor.check_admin("add users")


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
        alike(noun, resource),
        resource.update_time_ns,
        name,
        noun.kind,
        above(name) or None,
        root(name),
    )
