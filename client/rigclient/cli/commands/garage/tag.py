"""`rig tag`: words to find laps and sessions by."""

import collections
import contextlib
from collections.abc import Iterable, Sequence
from typing import Final

import click

from rig.errors import NotFound, Taken
from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.target import on_session, target_name
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Text

_HEADS: Final = (("tag", "left"), ("laps", "right"), ("sessions", "right"))


@click.command()
@click.argument("word")
@click.argument("names", metavar="LAP...", nargs=-1, required=True)
@on_session
@shell.as_json
@click.pass_obj
def add(address: str, word: str, names: tuple[str, ...], of_session: bool, as_json: bool) -> None:
    """Add a tag to laps or sessions.

    \b
    Example:
      rig tag add wet car012-0003 car012-0004
      rig tag add --session test 5f3a-2
    """
    with connect(address) as rig:
        targets = _targets(rig, names, of_session)
        for target in targets:
            with contextlib.suppress(Taken):  # it has it already
                rig.catalog.create("tags", catalog_pb2.Tag(target=target, text=word))
    _told(targets, word, "has", as_json)


@click.command()
@click.argument("word")
@click.argument("names", metavar="LAP...", nargs=-1, required=True)
@on_session
@shell.as_json
@click.pass_obj
def remove(address: str, word: str, names: tuple[str, ...], of_session: bool, as_json: bool) -> None:
    """Remove a tag from laps or sessions.

    \b
    Example:
      rig tag remove wet car012-0003
    """
    with connect(address) as rig:
        targets = _targets(rig, names, of_session)
        found = [one for target in targets for one in _tags(rig, word, target)]
        if not found:
            raise NotFound(
                f"none of them has the tag {word!r}", hint="`rig tag list LAP` shows what a lap has"
            )
        for one in found:
            rig.catalog.delete(one.name, etag=one.etag)
    _told([one.tag.target for one in found], word, "no longer has", as_json)


def _targets(rig: Rig, names: Iterable[str], of_session: bool) -> list[str]:
    return list(dict.fromkeys(target_name(rig, name, of_session) for name in names))


def _tags(rig: Rig, word: str, target: str = "") -> list[catalog_pb2.Resource]:
    """Return the tags of one word, in any case."""
    listed = rig.catalog.list("tags", target=target, text=word, page_size=resources.PAGE)
    return [one for one in listed if one.tag.text.casefold() == word.casefold()]


def tagged(rig: Rig, word: str) -> set[str]:
    """Return the names of laps and sessions that have a tag. Raises NotFound for a word that none has."""
    found = {one.tag.target for one in _tags(rig, word)}
    if not found:
        words = sorted({one.tag.text for one in rig.catalog.list("tags", page_size=resources.PAGE)})
        hint = f"there are {', '.join(words[:12])}" if words else "`rig tag add WORD LAP` adds one"
        raise NotFound(f"nothing has the tag {word!r}", hint=hint)
    return found


def _told(targets: Sequence[str], word: str, how: str, as_json: bool) -> None:
    if as_json:
        click.echo(shell.json_text({"tag": word, "targets": targets}))
        return
    for target in targets:
        say(f"{resources.target_text(target)} {how} the tag {word}")


@click.command("list")
@click.argument("name", metavar="[LAP]", default="")
@on_session
@shell.as_json
@click.pass_obj
def list_(address: str, name: str, of_session: bool, as_json: bool) -> None:
    """List tags, or those of a lap or session.

    \b
    Example:
      rig tag list
      rig tag list best
    """
    with connect(address) as rig:
        target = target_name(rig, name, of_session) if name else ""
        found = list(rig.catalog.list("tags", target=target, page_size=resources.PAGE))
    if as_json:
        shell.show_json(found)
        return
    console = shell.console()
    if not found:
        console.print(Text("no tag is there; see `rig tag add`", DIM))
    elif name:
        console.print(Text(", ".join(sorted({one.tag.text for one in found})), TEXT))
    else:
        console.print(table(_HEADS, _rows(found), console.width))


def _rows(found: Iterable[catalog_pb2.Resource]) -> list[Sequence[Text]]:
    counted: dict[str, collections.Counter[bool]] = collections.defaultdict(collections.Counter)
    for one in found:
        counted[one.tag.text]["/laps/" in one.tag.target] += 1
    return [
        (Text(word, STRONG), Text(str(counts[True]), TEXT), Text(str(counts[False]), TEXT))
        for word, counts in sorted(counted.items())
    ]
