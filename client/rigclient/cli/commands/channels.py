"""`rig channels`: the channel registry of a rig that answers, else the installed one."""

import fnmatch
import itertools
from dataclasses import asdict, dataclass
from typing import Any, Final

import click
import numpy as np
from rich.table import Table as Grid

from rig.channels import PHYSICS, SCORING, Channel
from rig.errors import NotFound, Unavailable
from rig.v1 import event_pb2, rig_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.terminal.palette import DIM, GOOD, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Text

_WIDE_FROM: Final = 120
_ABSENT: Final = " 0 throughout: not available."
_TABLES: Final = {"physics": PHYSICS, "scoring": SCORING}


@click.command()
@click.argument("pattern", default="")
@click.option("--stream", type=click.Choice(["physics", "scoring"]), help="Only channels of this stream.")
@shell.as_json
@click.pass_obj
def channels(address: str, pattern: str, stream: str | None, as_json: bool) -> None:
    """List the channels: names, units, fields of the game.

    Only those whose name, or whose field in the game, holds PATTERN.

    \b
    Example:
      rig channels temp
      rig channels 'tyre_*' --stream physics
    """
    found = registry(address).matching(pattern, stream)
    if not found.entries:
        raise NotFound(f"no channel matches {pattern!r}", hint="`rig channels` lists them all")
    if as_json:
        click.echo(shell.json_text(found.plain()))
        return
    console = shell.console()
    console.print(found.table(console.width))
    console.print(f"{len(found.entries)} channels, from {found.origin}", style="dim", highlight=False)


@dataclass(frozen=True)
class Entry:
    """One channel."""

    name: str
    stream: str
    unit: str
    per_car: int
    dtype: str
    description: str
    source: str
    zeros_absent: bool
    """Zeros throughout a lap mean that it is not available."""


@dataclass(frozen=True)
class Registry:
    """Channels, and where the list comes from."""

    origin: str
    entries: tuple[Entry, ...]

    def matching(self, pattern: str, stream: str | None) -> "Registry":
        """Return the channels whose name or game field holds `pattern` (or matches it, with * and ?), of one
        stream.
        """
        wanted = pattern.lower() if any(sign in pattern for sign in "*?[") else f"*{pattern.lower()}*"
        kept = (
            entry
            for entry in self.entries
            if stream in (None, entry.stream)
            and any(fnmatch.fnmatchcase(name.lower(), wanted) for name in (entry.name, entry.source))
        )
        return Registry(self.origin, tuple(kept))

    def plain(self) -> dict[str, Any]:
        """Return plain values for machines."""
        return {"origin": self.origin, "channels": [asdict(entry) for entry in self.entries]}

    def table(self, width: int) -> Grid:
        """Return a table for people, in `width` cells; on narrow terminals the game's field follows the
        meaning.
        """
        wide = width >= _WIDE_FROM
        table = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
        for name in ("channel", "unit", "per car", "type"):
            table.add_column(name, justify="right" if name == "per car" else "left", no_wrap=True)
        for name in ("meaning", "the game's field") if wide else ("meaning, the game's field",):
            table.add_column(name, no_wrap=name == "the game's field")
        for stream, entries in itertools.groupby(self.entries, lambda entry: entry.stream):
            table.add_row(Text(stream, GOOD))
            for entry in entries:
                table.add_row(*_cells(entry, wide))
        return table


def _cells(entry: Entry, wide: bool) -> list[Text]:
    facts = [Text(entry.name, STRONG), Text(entry.unit), Text(str(entry.per_car)), Text(entry.dtype, DIM)]
    meaning = entry.description + (_ABSENT if entry.zeros_absent else "")
    if wide:
        return [*facts, Text(meaning, TEXT), Text(entry.source, DIM)]
    return [*facts, Text.assemble((meaning, TEXT), " ", (entry.source, DIM))]


def registry(address: str) -> Registry:
    """Return the registry of the rig at `address`; without an answer that of the installed program."""
    try:
        with connect(address) as rig:
            return Registry(f"the rig at {address}", tuple(_from_rig(one) for one in rig.channels()))
    except Unavailable:
        return Registry(f"the installed registry; no rig answers at {address}", _installed())


def _from_rig(info: rig_pb2.ChannelInfo) -> Entry:
    stream = event_pb2.Stream.Name(info.stream).removeprefix("STREAM_").lower()
    return Entry(info.name, stream, info.unit, info.width, _type(info.dtype), *_meaning(info))


def _installed() -> tuple[Entry, ...]:
    return tuple(
        Entry(c.name, stream, c.unit, c.width, c.dtype.name, *_meaning(c))
        for stream, table in _TABLES.items()
        for c in table.columns.values()
    )


def _meaning(channel: Channel | rig_pb2.ChannelInfo) -> tuple[str, str, bool]:
    return channel.description, channel.source, channel.zeros_absent


def _type(dtype: str) -> str:
    """Return the name of a type: float32 for <f4."""
    return np.dtype(dtype).name
