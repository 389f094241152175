"""The catalog out of its file and into one: exports, imports, an empty one."""

# ruff: noqa: S608  what is put into statements are words of this program; values go beside them

import contextlib
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from rig.errors import BadRequest, RigError, Taken
from rig.v1 import catalog_pb2
from rigd.store.catalog import file, values
from rigd.store.catalog.actor import ADMIN, Actor
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.limits import PAGE_BYTES
from rigd.store.catalog.nouns import NOUNS, Noun, Resource, above, noun_of, user_of
from rigd.store.catalog.ownership import say_own
from rigd.store.catalog.rows import HEAD, resource_of


def export(path: Path, actor: Actor) -> Generator[catalog_pb2.ExportCatalogResponse]:
    """Yield what there is for the actor, as it is at one moment, in any thread. What another belongs or
    refers to comes before it. Raises Corrupt, Unavailable.
    """
    with contextlib.closing(file.connect(path, "ro")) as db:
        try:
            db.execute("BEGIN")
            yield from _messages(_resources(db, actor))
        except sqlite3.Error as error:
            raise file.meaning(error) from error


def _resources(db: sqlite3.Connection, actor: Actor) -> Iterator[Resource]:
    seen = actor.seen()
    for noun in NOUNS:
        statement = f"SELECT {HEAD} FROM resource WHERE kind = ? AND {seen} ORDER BY name"
        for head in db.execute(statement, (noun.kind, *seen.values)):
            yield resource_of(db, head)


def _messages(resources: Iterable[Resource]) -> Iterator[catalog_pb2.ExportCatalogResponse]:
    message, size = catalog_pb2.ExportCatalogResponse(), 0
    for resource in resources:
        message.resources.append(resource)
        size += resource.ByteSize()
        if size > PAGE_BYTES:
            yield message
            message, size = catalog_pb2.ExportCatalogResponse(), 0
    yield message


def take(
    catalog: Catalog, resources: Iterable[Resource], *, replace: bool
) -> catalog_pb2.ImportCatalogResponse:
    """Take all of what was exported, or nothing. Raises Taken for what is there and different, unless it is
    to be replaced; NotFound, BadRequest, Exhausted.
    """
    answer = catalog_pb2.ImportCatalogResponse()
    with catalog.turn():
        for resource in resources:
            try:
                _take(catalog, resource, replace, answer)
            except RigError as error:
                words = f"{resource.name[:200]!r}: {error.message}"
                raise type(error)(words, hint=error.hint, name=resource.name[:200]) from error
    return answer


def _take(
    catalog: Catalog, given: Resource, replace: bool, answer: catalog_pb2.ImportCatalogResponse
) -> None:
    noun = noun_of(given.name)
    if given.WhichOneof("body") != noun.kind:
        raise BadRequest(
            f"its body is {given.WhichOneof('body') or 'absent'}", hint=f"it is to be {noun.kind}"
        )
    resource = _prepared(catalog, noun, given)
    there = _there(catalog, given.name)
    if there is None:
        catalog.insert(noun, resource)
        answer.added += 1
    elif _said(there) == _said(resource):
        answer.same += 1
    elif replace:
        catalog.replace(noun, resource)
        answer.replaced += 1
    else:
        raise Taken("it is there and says something else", hint="replace it: `rig catalog import --replace`")


def _prepared(catalog: Catalog, noun: Noun, given: Resource) -> Resource:
    """Return a resource that may be written. Raises BadRequest, NotFound."""
    resource = Resource()
    resource.CopyFrom(given)
    now_ns = catalog.now_ns()
    resource.create_time_ns = resource.create_time_ns or now_ns
    resource.update_time_ns = resource.update_time_ns or now_ns
    if noun.above:
        over = catalog.find(above(resource.name), ADMIN)
        say_own(resource, over)
    elif noun.kind == "user":
        resource.owner = user_of(resource.name)
        del resource.shared_with[:]
    else:
        # Whoever exported it may not have seen them.
        catalog.add_users([resource.owner, *(user for user in resource.shared_with if user != "*")])
    values.complete(noun, resource, now_ns)
    values.check(noun, resource)
    values.check_times(resource, now_ns)
    catalog.check_references(noun, resource, ADMIN)
    return resource


def _there(catalog: Catalog, name: str) -> Resource | None:
    row = catalog.db.execute(f"SELECT {HEAD} FROM resource WHERE name = ?", (name,)).fetchone()
    return resource_of(catalog.db, row) if row else None


def _said(resource: Resource) -> Resource:
    """Return what is compared: not when it was said."""
    said = Resource()
    said.CopyFrom(resource)
    for field in ("etag", "create_time_ns", "update_time_ns"):
        said.ClearField(field)
    shared = sorted(said.shared_with)
    del said.shared_with[:]
    said.shared_with.extend(shared)
    return said


def reset(catalog: Catalog, users: Iterable[str]) -> catalog_pb2.ResetCatalogResponse:
    """Clear the catalog but for these users, once a backup is written. Raises OSError where it cannot be."""
    with catalog.reading():
        kept = file.backup(catalog.db, catalog.path, "before-reset")
    with catalog.turn():
        (count,) = catalog.db.execute("SELECT count(*) FROM resource").fetchone()
        catalog.db.execute("PRAGMA defer_foreign_keys = ON")
        for noun in NOUNS:
            catalog.db.execute(f"DELETE FROM {noun.kind}")
        catalog.db.execute("DELETE FROM resource")
        catalog.add_users(users)
    return catalog_pb2.ResetCatalogResponse(backup=str(kept), deleted=count)
