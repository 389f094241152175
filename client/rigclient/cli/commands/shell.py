"""What commands of `rig` share: options, and how they print and show that they are busy."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click
from google.protobuf.message import Message

from rig.signs import visible
from rigclient.cli.commands.messages import numbers
from rigclient.cli.terminal.palette import DIM
from rigclient.cli.terminal.plain import json_text as json_text
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Console, Text

if TYPE_CHECKING:
    from rigclient.queries import Progress
    from riglap.formulas import Chosen
    from riglap.lap import Lap

_UNCUT: Final = 10_000
"""Cells of a line that no terminal shows: tables take what they need of them."""

T = TypeVar("T")


Command = Callable[..., Any]

as_json: Callable[[Command], Command] = click.option("--json", "as_json", is_flag=True, help="For machines.")


def names(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the parts of an option that takes names separated by commas; those in brackets are a
    formula's.
    """
    parts, depth = [""], 0
    for sign in value:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return tuple(part.strip() for part in parts if part.strip())


def formulas(command: Command) -> Command:
    """Give a command formulas: `--formula` and `--formulas`, as `formulas` by their names."""

    @click.option(
        "--formula",
        "own_formulas",
        multiple=True,
        metavar="NAME=EXPRESSION",
        help='A channel of your own, such as "kmh = speed [km/h]"; as often as needed.',
    )
    @click.option(
        "--formulas",
        "formulas_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Formulas to choose from with --channels: one a line, # begins a comment.",
    )
    @functools.wraps(command)
    def with_formulas(
        *args: Any, own_formulas: Sequence[str], formulas_file: Path | None, **more: Any
    ) -> Any:
        return command(*args, formulas=Formulas(tuple(own_formulas), formulas_file), **more)

    return with_formulas


class Formulas(NamedTuple):
    """What a command was given of formulas."""

    own: tuple[str, ...]
    file: Path | None

    def named(self, channels: Iterable[str]) -> tuple[str, ...]:
        """Return the channels with the formulas as `name = expression`, for calls that take both. Raises
        BadRequest.
        """
        wanted = self.chosen(channels)
        if wanted is None:
            return tuple(channels)
        plain = [name for name in wanted.channels if name not in wanted.formulas]
        return (*plain, *(f"{name} = {expression}" for name, expression in wanted.formulas.items()))

    def chosen(self, channels: Iterable[str], address: str | None = None) -> "Chosen | None":
        """Return the channels with the formulas: all of --formula, of a file and of those saved on the rig at
        `address` those that are named. None where there are none. Raises BadRequest.
        """
        from rigclient.cli.commands.garage.formula import saved_formulas

        names = tuple(channels)
        saved = {} if address is None else saved_formulas(address, names)
        if not self.own and self.file is None and not saved and not any("=" in name for name in names):
            return None
        from riglap.formulas import chosen, defined, read_formulas

        own = [f"{name} = {expression}" for name, expression in map(defined, self.own)]
        return chosen((*names, *own), saved | (read_formulas(self.file) if self.file else {}))


def slots(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[int, ...]:
    """Return the parts of an option that takes slot ids separated by commas."""
    try:
        return tuple(int(part) for part in value.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{value!r} is not slot ids such as 3,7") from None


def file(_ctx: click.Context, _param: click.Parameter, value: Path) -> Path:
    """Return an option that takes a path."""
    if str(value) == "-":
        raise click.BadParameter("laps do not go to standard output; name a file")
    return value


def first(found: Iterable[T], limit: int) -> tuple[list[T], bool]:
    """Return the first `limit` of them, all for 0, and whether there are more."""
    kept = list(islice(found, min(limit + 1, sys.maxsize) if limit else None))
    return kept[: limit or None], bool(limit) and len(kept) > limit


def more(shown: int, what: str) -> Text:
    """Say that a limit has cut a table short."""
    return Text(f"{shown} {what} shown, there are more; --limit 0 shows all", DIM)


def warn(text: str) -> None:
    """Say on standard error what does not keep a command from its work."""
    say(f"warning: {text}", fg="yellow", err=True)


def console() -> Console:
    """Return standard output, coloured where it is a terminal, and where it is none wide enough that nothing
    is cut.
    """
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _UNCUT)


def confirmed(question: str) -> bool:
    """Return what somebody answers to a question on standard error. Raises click's error where nobody is
    there to ask.
    """
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("there is nobody to ask; --yes goes on without asking") from None


def show_json(messages: Message | Sequence[Message]) -> None:
    """Print a message, or a list of them, with the contract's names."""
    if isinstance(messages, Message):
        click.echo(json_text(numbers(messages)))
    else:
        click.echo(json_text([numbers(one) for one in messages]))


def show_files(files: Sequence[Path], as_json: bool) -> None:
    """Print what was written, one a line, or as a list."""
    paths = [str(path) for path in files]
    if as_json:
        click.echo(json_text(paths))
    else:
        for path in paths:
            say(path)


@contextlib.contextmanager
def progress(what: str) -> "Iterator[Progress]":
    """Show a bar on standard error while something is read, only where that is a terminal."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Bars(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bars:
        task = bars.add_task(visible(what), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total or None)


@contextlib.contextmanager
def busy(what: str) -> Iterator[None]:
    """Show a spinner on standard error while something is made, only where that is a terminal."""
    if sys.stderr.isatty():
        with Console(stderr=True).status(Text(what)):
            yield
    else:
        yield


def extended(lap: "Lap", wanted: "Chosen | None") -> "Lap":
    """Return the lap with a channel per formula. Raises BadRequest, MissingChannel."""
    if wanted is None or not wanted.formulas:
        return lap
    from riglap.formulas import with_formulas

    return with_formulas(lap, wanted.formulas)
