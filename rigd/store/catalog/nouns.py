"""What there is in the catalog: the one table of kinds of resources, which tables and rules come from."""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor

from rig.errors import BadRequest, NotFound
from rig.v1 import catalog_pb2
from rigd.seat import check_user

Resource = catalog_pb2.Resource

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_USERS: Final = "users/"
_ALL: Final = "-"


@dataclass(frozen=True)
class Noun:
    """A kind of resource. The word is that of its body's field in a resource, and of its table."""

    kind: str
    collection: str
    """Without names: `vehicles/setups` are below `vehicles`."""
    required: tuple[str, ...] = ("title",)
    """Fields that must say something."""
    text: str = "title"
    """Field that a name is made of and that is searched; empty: its names are times."""
    target: str = ""
    """Field that names a lap or a session."""
    references: tuple[tuple[str, str], ...] = ()
    """Fields that name a resource, with the kind of that."""
    goes_with: str = ""
    """The reference without which it means nothing."""
    unique: tuple[str, ...] = ()
    """Fields that no other of the same owner and parent has the same of."""

    @property
    def above(self) -> str:
        """The collection of what it is below; empty: nothing."""
        return self.collection.rpartition("/")[0]

    @property
    def descriptor(self) -> Descriptor:
        """Of its body."""
        found = Resource.DESCRIPTOR.fields_by_name[self.kind].message_type
        assert found is not None
        return found

    def body(self, resource: Resource) -> Any:
        """Return its body in a resource, made where there is none."""
        return getattr(resource, self.kind)


NOUNS: Final = (
    Noun("user", "users", required=()),
    Noun("car", "cars", required=("vehicle", "title"), unique=("vehicle",)),
    Noun("vehicle", "vehicles", references=(("car", "car"),)),
    Noun("configuration", "vehicles/configurations"),
    Noun("setup", "vehicles/setups", references=(("configuration", "configuration"),)),
    Noun("event", "events"),
    Noun("event_session", "events/sessions", ("session",), target="session", unique=("session",)),
    Noun(
        "assignment",
        "assignments",
        ("lap", "setup"),
        text="",
        target="lap",
        references=(("setup", "setup"),),
        goes_with="setup",
        unique=("lap",),
    ),
    Noun("note", "notes", ("target", "text"), text="text", target="target"),
    Noun("tag", "tags", ("target", "text"), text="text", target="target", unique=("target", "text")),
    Noun("layout", "layouts", ("title", "kind", "document")),
    Noun("channel", "channels", ("channel", "expression"), text="channel", unique=("channel",)),
    Noun("conversation", "conversations", target="lap"),
    Noun("message", "conversations/messages", ("role", "text"), text="text"),
    Noun("plan", "plans", references=(("conversation", "conversation"),)),
)
"""What another belongs or refers to comes before it."""

BY_KIND: Final = {noun.kind: noun for noun in NOUNS}
BY_COLLECTION: Final = {noun.collection: noun for noun in NOUNS}
TIMED: Final = ("assignment", "note", "message")
"""Their names are the times they came at: they have no titles, or long ones."""


class Parent(NamedTuple):
    """A collection, as a caller names it."""

    noun: Noun
    above: str
    """Name of what it is below; empty: nothing, or all."""


def user_name(user: str) -> str:
    """Return the name of a user's resource; empty for nobody."""
    return f"{_USERS}{user}" if user else ""


def user_of(name: str | None) -> str:
    """Return the user of a resource's name; empty for none."""
    return (name or "").removeprefix(_USERS)


def noun_of(name: str) -> Noun:
    """Return the kind of a resource by its name. Raises BadRequest."""
    if name.startswith(_USERS):
        check_id(BY_KIND["user"], user_of(name))
        return BY_KIND["user"]
    words = name.split("/")
    noun = BY_COLLECTION.get("/".join(words[::2]))
    if len(words) % 2 or noun is None or not all(map(_ID.fullmatch, words[1::2])):
        raise BadRequest(f"{name[:200]!r} is no name of a resource", hint=_collections())
    return noun


def parent_of(collection: str) -> Parent:
    """Return the collection of that name. Raises BadRequest."""
    words = collection.split("/")
    noun = BY_COLLECTION.get("/".join(words[::2]))
    if not len(words) % 2 or noun is None:
        raise BadRequest(f"{collection[:200]!r} is no collection of the catalog", hint=_collections())
    above = collection.rpartition("/")[0]
    if above and above.rpartition("/")[2] == _ALL:
        return Parent(noun, "")
    if above:
        noun_of(above)
    return Parent(noun, above)


def above(name: str) -> str:
    """Return the name of what a resource is below; empty: nothing."""
    noun = noun_of(name)
    return name.rsplit("/", 2)[0] if noun.above else ""


def root(name: str) -> str:
    """Return the name of the resource that has the owner of another: itself, or what it is below."""
    return above(name) or name


def check_id(noun: Noun, identifier: str) -> None:
    """Raise BadRequest for what cannot be the last part of a name."""
    if noun.kind == "user":
        check_user(identifier)
        if identifier:
            return
    elif _ID.fullmatch(identifier):
        return
    raise BadRequest(
        f"{identifier[:200]!r} is no end of a name",
        hint="1 to 63 of a-z, 0-9, - and _, the first a letter or a digit",
    )


def slug(text: str) -> str:
    """Return an end of a name made of words, empty where nothing of them can be in one."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()[:200]).strip("-")[:48].strip("-")


def missing(name: str) -> NotFound:
    """Return the error for a resource that is not there, or not for the caller."""
    collection = name.rpartition("/")[0][:200]
    return NotFound(f"there is no {name[:200]!r}", hint=f"list {collection} to see which", name=name[:200])


def _collections() -> str:
    return f"there are {', '.join(BY_COLLECTION)}, with a name after each"
