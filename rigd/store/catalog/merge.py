"""A resource with some of its fields changed, by a mask."""

from collections.abc import Iterable
from typing import Any

from rig.errors import BadRequest
from rigd.store.catalog.nouns import Noun, Resource


def merged(noun: Noun, before: Resource, given: Resource, paths: Iterable[str]) -> Resource:
    """Return what a resource becomes where the fields that `paths` name are as in `given`; no paths: those
    that are set there. Raises BadRequest for a path that is no field, and for another kind's body.
    """
    body = given.WhichOneof("body")
    if body not in (None, noun.kind):
        raise BadRequest(f"the body is {body}", hint=f"{before.name} has {noun.kind}")
    after = Resource()
    after.CopyFrom(before)
    for path in paths or _set(given):
        _change(noun, after, given, path)
    return after


def _set(given: Resource) -> list[str]:
    names = [field.name for field, _ in given.ListFields()]
    return [name for name in names if name not in ("name", "etag", "create_time_ns", "update_time_ns")]


def _change(noun: Noun, after: Resource, given: Resource, path: str) -> None:
    first, _, rest = path.partition(".")
    if first in ("owner", "shared_with") and not rest:
        _copy(after, given, first)
    elif path == noun.kind:
        noun.body(after).CopyFrom(noun.body(_with_body(noun, given)))
    elif first == noun.kind and rest in noun.descriptor.fields_by_name:
        _copy(noun.body(after), noun.body(_with_body(noun, given)), rest)
    else:
        raise BadRequest(f"update_mask has {path[:200]!r}", hint=f"there are {', '.join(_paths(noun))}")


def _with_body(noun: Noun, given: Resource) -> Resource:
    """Return what is given; without a body it is one that says nothing."""
    if given.HasField(noun.kind):  # type: ignore[arg-type]
        return given
    empty = Resource()
    noun.body(empty).SetInParent()
    return empty


def _copy(after: Any, given: Any, name: str) -> None:
    field = after.DESCRIPTOR.fields_by_name[name]
    after.ClearField(name)
    if field.is_repeated:
        getattr(after, name).extend(getattr(given, name))
    elif not field.has_presence or given.HasField(name):
        setattr(after, name, getattr(given, name))


def _paths(noun: Noun) -> list[str]:
    fields = [f"{noun.kind}.{name}" for name in noun.descriptor.fields_by_name]
    return [*fields, noun.kind, "owner", "shared_with"]
