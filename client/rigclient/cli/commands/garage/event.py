"""`rig event`: race weekends and test days, and the sessions that belong to them."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click
from rich.console import RenderableType

from rig.errors import NotFound, Taken
from rig.v1 import catalog_pb2, session_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.longtext import LongText, description
from rigclient.cli.commands.garage.resources import EVENTS, FieldOption, Sharing, cells
from rigclient.cli.commands.messages import numbers
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, TITLE
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Text
from riglap.times import lap_time

_HEADS: Final = (
    ("event", "default"),
    ("title", "left"),
    ("dates", "default"),
    ("location", "left"),
    ("sessions", "right"),
)

_SESSION_HEADS: Final = (
    ("session", "left"),
    ("title", "left"),
    ("laps", "right"),
    ("best", "right"),
    ("tags", "left"),
)


_fields = resources.fields(
    description,
    location=FieldOption("--location", "TEXT", "Where it is."),
    start_date=FieldOption("--from", "DATE", "First day: 2026-11-28."),
    end_date=FieldOption("--to", "DATE", "Last day."),
)


@click.command("list")
@click.option("--text", metavar="PART", default="", help="Only those with this in their title.")
@shell.as_json
@click.pass_obj
def list_(address: str, text: str, as_json: bool) -> None:
    """List events, the newest first.

    \b
    Example:
      rig event list
      rig event list --text meander
    """
    with connect(address) as rig:
        found = list(rig.catalog.list("events", text=text))
        sessions = [] if as_json else list(rig.catalog.list("events/-/sessions"))
    found.sort(key=lambda one: one.event.start_date, reverse=True)
    held = [one.name.split("/")[1] for one in sessions]
    nothing = "no event is there yet; see `rig event add`"

    def row(one: catalog_pb2.Resource) -> Sequence[Text]:
        event = one.event
        count = str(held.count(resources.short(one.name)))
        return (resources.identifier(one), *cells(event.title, dates(event), event.location, count))

    resources.show(found, _HEADS, row, as_json, nothing)


def dates(event: catalog_pb2.RacingEvent) -> str:
    """Return the days of an event, such as 2026-11-28 to 2026-11-29."""
    days = dict.fromkeys(filter(None, (event.start_date, event.end_date)))
    return " to ".join(days)


@click.command()
@click.argument("name", metavar="EVENT")
@shell.as_json
@click.pass_obj
def show(address: str, name: str, as_json: bool) -> None:
    """Show an event with its sessions and their notes.

    \b
    Example:
      rig event show meander
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, EVENTS, name)
        sessions = list(rig.catalog.list(f"{found.name}/sessions"))
        notes = [
            note for one in sessions for note in rig.catalog.list("notes", target=one.event_session.session)
        ]
        recorded = _recorded(rig, sessions)
    if as_json:
        plain = {"sessions": [numbers(one) for one in sessions], "notes": [numbers(one) for one in notes]}
        click.echo(shell.json_text(numbers(found) | plain))
        return
    console = shell.console()
    for part in (*_head(found), *_sessions(sessions, recorded, console.width), *_notes(notes, sessions)):
        console.print(part)


def _recorded(rig: Rig, sessions: Sequence[catalog_pb2.Resource]) -> dict[str, session_pb2.Session]:
    """Return what the rig has of the sessions, by name; some may be gone."""
    found = {}
    for one in sessions:
        with contextlib.suppress(NotFound):
            found[one.event_session.session] = rig.session(one.event_session.session).message
    return found


def _head(found: catalog_pb2.Resource) -> Iterator[Text]:
    event = found.event
    facts = ", ".join(filter(None, (event.location, dates(event))))
    yield Text("  ").join(
        [Text(event.title, TITLE), Text(resources.short(found.name), DIM), Text(facts, TEXT)]
    )
    for line in event.description.splitlines():
        yield Text(line, TEXT)


def _sessions(
    sessions: Sequence[catalog_pb2.Resource], recorded: dict[str, session_pb2.Session], width: int
) -> Iterator[RenderableType]:
    if sessions:
        yield table(_SESSION_HEADS, (_session(one.event_session, recorded) for one in sessions), width)


def _session(of: catalog_pb2.EventSession, recorded: dict[str, session_pb2.Session]) -> Sequence[Text]:
    known = recorded.get(of.session)
    told = (str(known.laps), lap_time(known.best_lap_time)) if known else ("gone", "")
    name = Text(resources.target_text(of.session), STRONG if known else DIM)
    return (name, *cells(of.title, *told, ", ".join(of.tags)))


def _notes(notes: Sequence[catalog_pb2.Resource], sessions: Sequence[catalog_pb2.Resource]) -> Iterator[Text]:
    titles = {one.event_session.session: one.event_session.title for one in sessions}
    for one in notes:
        where = titles[one.note.target] or resources.target_text(one.note.target)
        yield Text.assemble((f"{where}: ", DIM), (" ".join(one.note.text.split()), TEXT))


@click.command()
@click.argument("title")
@_fields
@shell.as_json
@click.pass_obj
def add(
    address: str, title: str, fields: dict[str, Any], description: LongText, sharing: Sharing, as_json: bool
) -> None:
    """Add an event: a race weekend, a test day.

    \b
    Example:
      rig event add 'Meander 6 h' --location Meander --from 2026-11-28 --to 2026-11-29
    """
    body = catalog_pb2.RacingEvent(title=title, description=description.read() or "", **fields)
    with connect(address) as rig:
        made = resources.create(rig.catalog, "events", body, sharing)
    resources.told(made, "added", as_json)


@click.command()
@click.argument("name", metavar="EVENT")
@click.option("--title", metavar="TEXT", help="What to call it.")
@_fields
@shell.as_json
@click.pass_obj
def edit(
    address: str,
    name: str,
    title: str | None,
    fields: dict[str, Any],
    description: LongText,
    sharing: Sharing,
    as_json: bool,
) -> None:
    """Change an event.

    \b
    Example:
      rig event edit meander --to 2026-11-30
      rig event edit meander --editor
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, EVENTS, name)
        fields |= resources.given({"title": title, "description": description.read(found.event.description)})
        changed = resources.change(rig.catalog, found, fields, sharing)
    resources.told(changed, "changed", as_json)


@click.command()
@click.argument("name", metavar="EVENT")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, name: str, yes: bool, as_json: bool) -> None:
    """Delete an event; its sessions stay.

    \b
    Example:
      rig event delete meander-6-h --yes
    """
    resources.delete_named(address, EVENTS, name, yes=yes, as_json=as_json, force=True)


@click.command("add-session")
@click.argument("name", metavar="EVENT")
@click.argument("sessions", metavar="SESSION...", nargs=-1, required=True)
@click.option("--title", metavar="TEXT", default="", help="What to call it in the event.")
@click.option(
    "--tag", "tags", metavar="WORD", multiple=True, help="A word to find it by; as often as needed."
)
@shell.as_json
@click.pass_obj
def add_session(
    address: str, name: str, sessions: tuple[str, ...], title: str, tags: tuple[str, ...], as_json: bool
) -> None:
    """Add recorded sessions to an event.

    SESSION is a part of its name, as `rig sessions` shows it.

    \b
    Example:
      rig event add-session meander 5f3a-2 --title 'race 1'
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, EVENTS, name)
        whole = dict.fromkeys(rig.session(session).name for session in sessions)
        there = {one.event_session.session for one in rig.catalog.list(f"{found.name}/sessions")}
        if taken := [session for session in whole if session in there]:
            told = f"{resources.title(found)} has {resources.target_text(taken[0])} already"
            raise Taken(told, hint="`rig event remove-session` takes it out")
        bodies = [catalog_pb2.EventSession(session=one, title=title, tags=tags) for one in whole]
        made = [rig.catalog.create(f"{found.name}/sessions", body) for body in bodies]
    _told(made, found, "in", as_json)


@click.command("remove-session")
@click.argument("name", metavar="EVENT")
@click.argument("sessions", metavar="SESSION...", nargs=-1, required=True)
@shell.as_json
@click.pass_obj
def remove_session(address: str, name: str, sessions: tuple[str, ...], as_json: bool) -> None:
    """Remove sessions from an event; they stay.

    \b
    Example:
      rig event remove-session meander 5f3a-2
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, EVENTS, name)
        of = resources.Collection("sessions", "session", f"rig event show {resources.short(found.name)}")
        of = of.below(found.name)
        held = [_held(rig, of, session) for session in sessions]
        for one in held:
            rig.catalog.delete(one.name, etag=one.etag)
    _told(held, found, "no longer in", as_json)


def _held(rig: Rig, of: resources.Collection, wanted: str) -> catalog_pb2.Resource:
    """Return a session of an event by a part of its name. Raises NotFound, BadRequest."""
    known = {one.event_session.session: one for one in rig.catalog.list(of.parent)}
    found = [one for session, one in known.items() if wanted in session]
    return found[0] if len(found) == 1 else resources.find(rig.catalog, of, wanted)


def _told(
    changed: Sequence[catalog_pb2.Resource], event: catalog_pb2.Resource, how: str, as_json: bool
) -> None:
    if as_json:
        shell.show_json(changed)
        return
    for one in changed:
        say(f"{resources.target_text(one.event_session.session)} is {how} {resources.title(event)}")
