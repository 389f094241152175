"""`rig note`: what is to be remembered of laps and sessions."""

import contextlib
from collections.abc import Sequence
from typing import Final

import click

from rig.errors import BadRequest, NotFound
from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.longtext import LongText
from rigclient.cli.commands.garage.resources import NOTES, cells
from rigclient.cli.commands.garage.target import on_session, target_name
from rigclient.cli.commands.sessions import WIDE_FROM
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Text

_HEADS: Final = (
    ("note", "default"),
    ("on", "default"),
    ("at, m", "right"),
    ("text", "left"),
    ("written", "default"),
)
_editor = click.option("--editor", is_flag=True, help="Write it in $EDITOR.")
_place = click.option(
    "--at", "place", type=click.FloatRange(min=0), metavar="METRES", help="Where on the lap, from the line."
)


@click.command()
@click.argument("name", metavar="LAP")
@click.argument("text", required=False)
@_place
@_editor
@on_session
@shell.as_json
@click.pass_obj
def add(
    address: str,
    name: str,
    text: str | None,
    place: float | None,
    editor: bool,
    of_session: bool,
    as_json: bool,
) -> None:
    """Add a note to a lap or session.

    LAP is what `rig lap` takes. With - the text is read from standard input.

    \b
    Example:
      rig note add best 'lift before the crest' --at 1840
      rig note add --session 5f3a-2 'track was damp until lap 6'
    """
    written = LongText(text, editor).read()
    if not written:
        raise BadRequest("a note needs a text", hint="give it behind LAP, - for standard input, or --editor")
    with connect(address) as rig:
        body = catalog_pb2.Note(target=target_name(rig, name, of_session), text=written, place=place)
        _check_place(rig, body.target, place)
        made = rig.catalog.create("notes", body)
    if as_json:
        shell.show_json(made)
    else:
        say(f"note {resources.short(made.name)} on {resources.target_text(made.note.target)}")


def _check_place(rig: Rig, target: str, place: float | None) -> None:
    """Raise BadRequest for a place beyond the end of a track, where its length is known."""
    if place is None:
        return
    with contextlib.suppress(NotFound):  # what a note is on may be gone by now
        on = rig.lap_info(target) if "/laps/" in target else rig.session(target)
        if 0 < on.track_length < place:
            raise BadRequest(
                f"{place:g} m is beyond the lap: the track has {on.track_length:.0f} m",
                hint="--at takes metres from the line",
            )


@click.command("list")
@click.argument("name", metavar="[LAP]", default="")
@click.option("--text", metavar="PART", default="", help="Only those with this in them.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="0: all.")
@on_session
@shell.as_json
@click.pass_obj
def list_(address: str, name: str, text: str, limit: int, of_session: bool, as_json: bool) -> None:
    """List notes, the newest first.

    \b
    Example:
      rig note list
      rig note list best
    """
    with connect(address) as rig:
        target = target_name(rig, name, of_session) if name else ""
        listed = rig.catalog.list("notes", target=target, text=text, order_by="create_time desc")
        found, more = shell.first(listed, limit)
    without = {"on"} if name else set()
    without |= set() if shell.console().width >= WIDE_FROM else {"written"}
    heads = [head for head in _HEADS if head[0] not in without]

    def row(one: catalog_pb2.Resource) -> Sequence[Text]:
        told = _row(one)
        return [told[word] for word, _ in heads]

    resources.show(found, heads, row, as_json, "no note is there; see `rig note add`")
    if more and not as_json:
        shell.console().print(shell.more(len(found), "notes"))


def _row(one: catalog_pb2.Resource) -> dict[str, Text]:
    note = one.note
    place = f"{note.place:.0f}" if note.HasField("place") else ""
    text = " ".join(note.text.split())
    told = cells(resources.target_text(note.target), place, text, resources.when(one.create_time_ns))
    return dict(zip((word for word, _ in _HEADS), (resources.identifier(one), *told), strict=True))


@click.command()
@click.argument("name", metavar="NOTE")
@click.argument("text", required=False)
@_place
@_editor
@shell.as_json
@click.pass_obj
def edit(address: str, name: str, text: str | None, place: float | None, editor: bool, as_json: bool) -> None:
    """Change a note.

    NOTE is its name, as `rig note list` shows it, or a part of its text.

    \b
    Example:
      rig note edit crest 'lift at the crest' --at 1850
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, NOTES, name)
        _check_place(rig, found.note.target, place)
        fields = {"text": LongText(text, editor).read(found.note.text), "place": place}
        changed = resources.change(rig.catalog, found, resources.given(fields))
    if as_json:
        shell.show_json(changed)
    else:
        say(f"note {resources.short(changed.name)} is changed")


@click.command()
@click.argument("names", metavar="NOTE...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@shell.as_json
@click.pass_obj
def delete(address: str, names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete notes.

    NOTE is its name, as `rig note list` shows it, or a part of its text.

    \b
    Example:
      rig note delete crest --yes
    """
    with connect(address) as rig:
        found = [resources.find(rig.catalog, NOTES, name) for name in names]
        gone = [one for one in found if resources.delete(rig.catalog, one, yes)]
    if as_json:
        click.echo(shell.json_text([one.name for one in gone]))
        return
    for one in gone:
        say(f"note {resources.short(one.name)} is deleted")
