"""Resources of the catalog: found by what people call them, shown, added, changed, deleted."""

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
from rich.table import Table as Grid

from rig.errors import BadRequest, InUse, NotFound
from rig.v1 import catalog_pb2
from rigclient.blocking import connect
from rigclient.catalogdocument import Body, body_of
from rigclient.cli.commands import shell
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Text
from riglap.names import session_id

if TYPE_CHECKING:
    from rigclient.catalog import Catalog

PAGE: Final = 1000
"""Resources asked for at a time."""
_SEVERAL: Final = 5
"""That an error names."""
_NOTHING: Final = "-"
_TITLES: Final = ("title", "channel", "vehicle", "text")
"""Fields that have what people call a resource."""

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class Collection(NamedTuple):
    """Resources of one kind."""

    parent: str
    """vehicles, or vehicles/-/setups."""
    word: str
    """One of them, as people say it."""
    listed: str
    """Command that lists them."""

    def below(self, parent: str) -> "Collection":
        """Return those of one resource: vehicles/gt3/setups."""
        return self._replace(parent=f"{parent}/{self.parent.rpartition('/')[2]}")


EVENTS: Final = Collection("events", "event", "rig event list")
VEHICLES: Final = Collection("vehicles", "vehicle", "rig vehicle list")
CONFIGURATIONS: Final = Collection("vehicles/-/configurations", "configuration", "rig vehicle config list")
SETUPS: Final = Collection("vehicles/-/setups", "setup", "rig setup list")
NOTES: Final = Collection("notes", "note", "rig note list")
LAYOUTS: Final = Collection("layouts", "layout", "rig layout list")
FORMULAS: Final = Collection("channels", "formula", "rig formula list")
CARS: Final = Collection("cars", "car", "rig car list")
USERS: Final = Collection("users", "user", "rig user list")


class Sharing(NamedTuple):
    """Whose a resource is to be, and who sees it; None: as it is."""

    owner: str | None
    shared_with: tuple[str, ...] | None


def sharing(command: Command) -> Command:
    """Give a command --owner and --share; it gets them as `sharing`."""

    @click.option("--owner", metavar="USER", help="Whose it is; default: yours.")
    @click.option(
        "--share", metavar="USER,USER", help="Who sees it besides; '*': everybody, '': nobody else."
    )
    @functools.wraps(command)
    def with_sharing(*args: Any, owner: str | None, share: str | None, **more: Any) -> Any:
        with_whom = None if share is None else shell.names(None, None, share)  # type: ignore[arg-type]
        return command(*args, sharing=Sharing(owner, with_whom), **more)

    return with_sharing


class FieldOption(NamedTuple):
    """What a command takes of a resource, as an option."""

    flag: str
    metavar: str
    help: str


def fields(*more: Decorator, **of: FieldOption) -> Decorator:
    """Give a command options for fields of a resource, what `more` gives, and --owner and --share. What was
    given of the fields it gets as `fields`.
    """
    options: list[Decorator] = [
        click.option(one.flag, name, metavar=one.metavar, help=one.help) for name, one in of.items()
    ]

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def with_fields(*args: Any, **more: Any) -> Any:
            taken = given({name: more.pop(name) for name in of})
            return command(*args, fields=taken, **more)

        made: Command = with_fields
        for add in reversed((*options, *more, sharing)):
            made = add(made)
        return made

    return decorated


def short(name: str) -> str:
    """Return the identifiers in a name: gt3/sprint of vehicles/gt3/setups/sprint."""
    return "/".join(name.split("/")[1::2])


def target_text(target: str) -> str:
    """Return a lap or session as commands take it: 5f3a-2/car012-0003, or the session's whole name."""
    session, _, lap = target.removeprefix("sessions/").partition("/laps/")
    return f"{session_id(session)}/{lap}" if lap else session


def title(found: catalog_pb2.Resource) -> str:
    """Return what people call a resource."""
    body = body_of(found)
    named = (getattr(body, field, "") for field in _TITLES)
    return next(filter(None, named), short(found.name))


def find(catalog: "Catalog", of: Collection, wanted: str) -> catalog_pb2.Resource:
    """Return the resource of an identifier, a title, or a part of one of them in any case. Raises NotFound
    with the nearest, BadRequest for several.
    """
    known = list(catalog.list(of.parent, page_size=PAGE))
    for fits in (_is_identifier, _is_title, _has_part):
        found = [one for one in known if fits(one, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            few = ", ".join(short(one.name) for one in found[:_SEVERAL])
            more = ", ..." if len(found) > _SEVERAL else ""
            raise BadRequest(f"{wanted!r} may be {few}{more}", hint="give more of the name")
    raise _none(of, wanted, known)


def _is_identifier(one: catalog_pb2.Resource, wanted: str) -> bool:
    return wanted in (one.name, short(one.name), one.name.rpartition("/")[2])


def _is_title(one: catalog_pb2.Resource, wanted: str) -> bool:
    return title(one).casefold() == wanted.casefold()


def _has_part(one: catalog_pb2.Resource, wanted: str) -> bool:
    part = wanted.casefold()
    return bool(part) and any(part in name.casefold() for name in (title(one), short(one.name)))


def _none(of: Collection, wanted: str, known: Sequence[catalog_pb2.Resource]) -> NotFound:
    if not known:
        return NotFound(f"there is no {of.word} yet", hint=f"see `{of.listed.rpartition(' ')[0]} --help`")
    names = {name.casefold(): name for one in known for name in (short(one.name), title(one))}
    near = difflib.get_close_matches(wanted.casefold(), names, 1)
    hint = f"did you mean {names[near[0]]!r}? " if near else ""
    return NotFound(f"no {of.word} is named {wanted!r}", hint=f"{hint}`{of.listed}` lists what there is")


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a command line has said something about."""
    return {name: value for name, value in fields.items() if value is not None}


def create(catalog: "Catalog", parent: str, body: Body, whose: Sharing, **more: Any) -> catalog_pb2.Resource:
    """Add a resource. Raises as `Catalog.create`."""
    return catalog.create(parent, body, owner=whose.owner or "", shared_with=whose.shared_with or (), **more)


def change(
    catalog: "Catalog",
    found: catalog_pb2.Resource,
    fields: Mapping[str, Any],
    whose: Sharing | None = None,
) -> catalog_pb2.Resource:
    """Change fields of a resource that nobody else has changed since it was found. Raises BadRequest where
    nothing is given, and as `Catalog.update`.
    """
    whose = whose or Sharing(None, None)
    if not fields and whose == Sharing(None, None):
        raise BadRequest("there is nothing to change", hint="--help lists what can be changed")
    body = type(body_of(found))(**fields) if fields else None
    return catalog.update(
        found.name, body, fields, owner=whose.owner, shared_with=whose.shared_with, etag=found.etag
    )


def delete(catalog: "Catalog", found: catalog_pb2.Resource, yes: bool, force: bool = False) -> int:
    """Delete a resource once that is confirmed, with `force` also what belongs to it. Returns how many went,
    0 where it was not confirmed.
    """
    if not (yes or shell.confirmed(f"delete {title(found)} ({short(found.name)}) for good?")):
        return 0
    try:
        return catalog.delete(found.name, etag=found.etag, force=force)
    except InUse as error:
        raise InUse(
            f"{title(found)} is in use: {error.message}", hint="--force deletes all the same"
        ) from None


def delete_named(
    address: str, of: Collection, name: str, *, yes: bool, as_json: bool, force: bool = False
) -> None:
    """Find a resource, delete it as `delete` does, and print what went. Raises as both."""
    with connect(address) as rig:
        found = find(rig.catalog, of, name)
        gone = delete(rig.catalog, found, yes, force)
    told_gone(found, gone, as_json)


def told(found: catalog_pb2.Resource, what: str, as_json: bool) -> None:
    """Print what became of a resource, `what` as in "added"."""
    if as_json:
        shell.show_json(found)
    else:
        say(f"{_called(found)} is {what}")


def told_gone(found: catalog_pb2.Resource, gone: int, as_json: bool) -> None:
    """Print that a resource was deleted, or how many with it."""
    if as_json:
        click.echo(shell.json_text({"deleted": gone}))
    elif gone:
        more = f", and {gone - 1} that belonged to it" if gone > 1 else ""
        say(f"{_called(found)} is deleted{more}")


def _called(found: catalog_pb2.Resource) -> str:
    own, told = short(found.name), title(found)
    return told if own == told else f"{own}: {told}"


def show(
    found: Sequence[catalog_pb2.Resource],
    heads: Sequence[tuple[str, Any]],
    row: Callable[[catalog_pb2.Resource], Sequence[Text]],
    as_json: bool,
    nothing: str,
) -> None:
    """Print resources as a table, or as JSON; `nothing` where there are none."""
    if as_json:
        shell.show_json(found)
        return
    console = shell.console()
    if not found:
        console.print(Text(nothing, DIM))
        return
    whose = any(one.owner for one in found if not one.HasField("user"))
    rows = [(*row(one), *[Text(_whose(one), DIM)] * whose) for one in found]
    console.print(_table((*heads, *[("whose", "default")] * whose), rows, console.width))


def _table(heads: Sequence[tuple[str, Any]], rows: Sequence[Sequence[Text]], width: int) -> Grid:
    """Return a table without the columns that say nothing."""
    kept = [at for at in range(len(heads)) if any(row[at].plain != _NOTHING for row in rows)]
    return table([heads[at] for at in kept], ([row[at] for at in kept] for row in rows), width)


def _whose(one: catalog_pb2.Resource) -> str:
    shared = ", ".join("all" if user == "*" else user for user in one.shared_with)
    return f"{one.owner or _NOTHING} (+ {shared})" if shared else one.owner or _NOTHING


def identifier(found: catalog_pb2.Resource) -> Text:
    """Return the cell that says what to type for a resource."""
    return Text(short(found.name), STRONG)


def cells(*texts: str) -> tuple[Text, ...]:
    """Return cells of a table, a dash for nothing."""
    return tuple(Text(text, TEXT) if text else Text(_NOTHING, DIM) for text in texts)


def when(time_ns: int) -> str:
    """Return a local date, with the time for one of this year."""
    then = datetime.fromtimestamp(time_ns / 1e9).astimezone()
    return f"{then:%d %b %H:%M}" if then.year == datetime.now().year else f"{then:%d %b %Y}"
