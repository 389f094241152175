"""Bodies of resources as rows: every field is a column, and every field that repeats a table."""

# ruff: noqa: S608  what is put into statements are names of the contract; values go beside them

import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from rig.errors import Corrupt
from rigd.store.catalog.nouns import BY_KIND, NOUNS, Noun, Resource, user_name, user_of

Db = sqlite3.Connection

HEAD: Final = "name, kind, owner, everyone, create_ns, update_ns"
"""Columns that `resource_of` reads, of the table resource."""

_VALUE: Final = "value"
"""Column of a field that repeats and is no message."""


class _Table(NamedTuple):
    """Where a message is, or one of its fields that repeats."""

    name: str
    fields: tuple[FieldDescriptor, ...]
    """The message's own that do not repeat; none: its rows are single values."""
    references: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields) or (_VALUE,)

    def row(self, said: Any) -> list[Any]:
        """Return what a message, or a value, says as columns."""
        return [self._cell(field, said) for field in self.fields] or [said]

    def _cell(self, field: FieldDescriptor, said: Any) -> Any:
        value = getattr(said, field.name)
        if field.enum_type is not None:
            return words_of(field.enum_type)[value]
        if field.name in self.references:
            return value or None
        return None if field.has_presence and not said.HasField(field.name) else value

    def members(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """Return fields of a message by their names, without those that say nothing. Raises Corrupt."""
        found = {}
        for field, value in zip(self.fields, row, strict=True):
            if value is not None:
                found[field.name] = _numbered(field.enum_type, value) if field.enum_type else value
        return found


def _numbered(kind: EnumDescriptor, word: str) -> int:
    for number, known in words_of(kind).items():
        if word == known:
            return number
    raise Corrupt(f"the catalog has {word!r}, which is no {kind.name}", hint="`rig catalog check` says more")


@cache
def words_of(kind: EnumDescriptor) -> dict[int, str]:
    """Return the words of an enum as the tables have them, by number."""
    prefix = kind.values[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix).lower() for value in kind.values}


@cache
def _table(kind: str) -> _Table:
    noun = BY_KIND[kind]
    return _Table(kind, _single(noun.descriptor), frozenset(name for name, _ in noun.references))


@cache
def _repeated(kind: str) -> dict[str, _Table]:
    """The fields of a noun that repeat, by their names."""
    return {
        one.name: _Table(f"{kind}_{one.name}", _single(one.message_type), frozenset())
        for one in BY_KIND[kind].descriptor.fields
        if one.is_repeated
    }


def _single(message: Descriptor | None) -> tuple[FieldDescriptor, ...]:
    return tuple(one for one in message.fields if not one.is_repeated) if message else ()


def tables() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the tables that the contract asks for, with their columns, but those that all nouns have."""
    for noun in NOUNS:
        for table in (_table(noun.kind), *_repeated(noun.kind).values()):
            yield table.name, table.columns


def put_body(db: Db, noun: Noun, resource: Resource) -> None:
    """Write a body over whatever there was. The resource's own row is there."""
    body, table = noun.body(resource), _table(noun.kind)
    columns = ", ".join(table.columns)
    marks = ", ".join("?" * len(table.columns))
    changed = ", ".join(f"{column} = excluded.{column}" for column in table.columns)
    db.execute(
        f"INSERT INTO {table.name} (resource, {columns}) VALUES (?, {marks}) "
        f"ON CONFLICT (resource) DO UPDATE SET {changed}",
        (resource.name, *table.row(body)),
    )
    for field, rows in _repeated(noun.kind).items():
        _put_rows(db, rows, resource.name, getattr(body, field))


def _put_rows(db: Db, table: _Table, name: str, said: Any) -> None:
    db.execute(f"DELETE FROM {table.name} WHERE resource = ?", (name,))
    columns = ", ".join(table.columns)
    marks = ", ".join("?" * len(table.columns))
    db.executemany(
        f"INSERT INTO {table.name} (resource, position, {columns}) VALUES (?, ?, {marks})",
        ((name, position, *table.row(one)) for position, one in enumerate(said)),
    )


def resource_of(db: Db, head: tuple[Any, ...]) -> Resource:
    """Return the resource whose row begins with the columns of HEAD. Raises Corrupt where it has no body."""
    name, kind, owner, everyone, create_ns, update_ns = head
    body: dict[str, Any] = {kind: _body(db, kind, name)}
    return Resource(
        name=name,
        etag=etag_of(update_ns),
        owner=user_of(owner),
        shared_with=_shared(db, name, everyone),
        create_time_ns=create_ns,
        update_time_ns=update_ns,
        **body,
    )


def etag_of(update_ns: int) -> str:
    """Return the etag of a resource that was changed last at that time: no two states have one time."""
    return f"{update_ns:016x}"


def _body(db: Db, kind: str, name: str) -> dict[str, Any]:
    """Return the fields of a body."""
    table = _table(kind)
    row = db.execute(
        f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE resource = ?", (name,)
    ).fetchone()
    if row is None:
        raise Corrupt(f"the catalog has lost what {name} says", hint="`rig catalog check` says more")
    members = table.members(row)
    for field, rows in _repeated(kind).items():
        members[field] = _rows(db, rows, name)
    return members


def _rows(db: Db, table: _Table, name: str) -> list[Any]:
    rows = db.execute(
        f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE resource = ? ORDER BY position", (name,)
    )
    return [table.members(row) for row in rows] if table.fields else [value for (value,) in rows]


def _shared(db: Db, name: str, everyone: int) -> list[str]:
    """Return the users who see a resource, `*` for all."""
    rows = db.execute(
        "SELECT user FROM share WHERE resource = (SELECT root FROM resource WHERE name = ?) ORDER BY user",
        (name,),
    )
    return (["*"] if everyone else []) + [user_of(user) for (user,) in rows]


def put_shared(db: Db, resource: Resource) -> None:
    """Write who sees a resource that is below no other."""
    db.execute("DELETE FROM share WHERE resource = ?", (resource.name,))
    db.executemany(
        "INSERT INTO share (resource, user) VALUES (?, ?)",
        ((resource.name, user_name(user)) for user in dict.fromkeys(resource.shared_with) if user != "*"),
    )
