"""What all commands of `rig` share: how they end, how they print, how they show that they are busy."""

import contextlib
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click
from google.protobuf.message import Message
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from rig.errors import RigError
from rig.signs import visible
from rigclient.cli.commands.records import numbers
from rigclient.cli.terminal.palette import DIM
from rigclient.cli.terminal.streams import Words
from rigclient.cli.terminal.text import Console, Text, say
from rigclient.cli.terminal.text import json_text as json_text
from rigclient.queries import Progress
from rigclient.requests import CLOCK_END_S

_INTERRUPTED: Final = 130
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

T = TypeVar("T")


class Failure(click.ClickException):
    """An error of the tree as one sentence and a hint, on standard error."""

    def __init__(self, error: RigError) -> None:
        super().__init__(error.message)
        self.hint = error.hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        say(f"error: {self.message}", fg="red", err=True, file=file)
        if self.hint:
            say(f"hint: {self.hint}", fg="yellow", err=True, file=file)


class Commands(Words):
    """A group whose commands end quietly: errors in one sentence, Ctrl-C without a word."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RigError as error:
            raise Failure(error) from error
        except OSError as error:
            if error.filename is None:
                raise  # not about a file: standard output is full or closed
            raise click.FileError(str(error.filename), error.strerror) from error
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)


as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


def names(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    """The parts of an option that takes names separated by commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def slots(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[int, ...]:
    """The parts of an option that takes slot ids separated by commas."""
    try:
        return tuple(int(part) for part in value.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{value!r} is not slot ids such as 3,7") from None


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float:
    """An option that takes a moment, as unix seconds: 90s, 20m, 2h or 3d ago, or a local date and time."""
    if not value:
        return 0.0
    try:
        seconds = _unix(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither 20m (ago) nor 2026-11-20T13:45") from None
    if not 0 < seconds < CLOCK_END_S:
        word = "late" if seconds > 0 else "early"
        raise click.BadParameter(f"{value!r} is too {word}: clocks here go from 1970 to 2554")
    return seconds


def _unix(text: str) -> float:
    """Unix seconds, infinite where a datetime has none. Raises ValueError for words that are no moment."""
    if text[-1] in _UNITS_S and text[:-1].isdecimal():
        return time.time() - float(text[:-1]) * _UNITS_S[text[-1]]
    when = datetime.fromisoformat(text)
    # The zone may lead out of what a datetime holds, from the year 1 to 9999.
    return when.timestamp() if 1 < when.year < 9999 else math.copysign(math.inf, when.year - 2)


def file(_ctx: click.Context, _param: click.Parameter, value: Path) -> Path:
    """An option that takes a path."""
    if str(value) == "-":
        raise click.BadParameter("laps do not go to standard output; name a file")
    return value


def first(found: Iterable[T], limit: int) -> tuple[list[T], bool]:
    """The first `limit` of them, all for 0, and whether there are more."""
    kept = list(islice(found, min(limit + 1, sys.maxsize) if limit else None))
    return kept[: limit or None], bool(limit) and len(kept) > limit


def more(shown: int, what: str) -> Text:
    """That a limit has cut a table short."""
    return Text(f"{shown} {what} shown, there are more; --limit 0 shows all", DIM)


def warn(text: str) -> None:
    """Say on standard error what does not keep a command from its work."""
    say(f"warning: {text}", fg="yellow", err=True)


def console() -> Console:
    """Standard output, coloured where it is a terminal."""
    return Console()


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
def progress(what: str) -> Iterator[Progress]:
    """A bar on standard error while something is read, only where that is a terminal."""
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
    """A spinner on standard error while something is made, only where that is a terminal."""
    if sys.stderr.isatty():
        with Console(stderr=True).status(Text(what)):
            yield
    else:
        yield
