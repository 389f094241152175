"""What all commands of `rig` share: how they end, how they print, how they show that they are busy."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import click
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from rig.errors import RigError
from rigclient.commands.records import numbers
from rigclient.laps import Progress

_INTERRUPTED: Final = 130
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Failure(click.ClickException):
    """An error of the tree as one sentence and a hint, on standard error."""

    def __init__(self, error: RigError) -> None:
        super().__init__(error.message)
        self.hint = error.hint

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        click.secho(f"error: {self.message}", fg="red", err=True, file=file)
        if self.hint:
            click.secho(f"hint: {self.hint}", fg="yellow", err=True, file=file)


class Commands(click.Group):
    """A group whose commands end quietly: errors in one sentence, Ctrl-C without a word."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RigError as error:
            raise Failure(error) from error
        except OSError as error:
            if error.filename is None:
                raise  # not about a file: a closed pipe, which click ends quietly
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
    if value[-1] in _UNITS_S and value[:-1].isdecimal():
        return time.time() - int(value[:-1]) * _UNITS_S[value[-1]]
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither 20m (ago) nor 2026-11-20T13:45") from None


def console() -> Console:
    """Standard output, coloured where it is a terminal."""
    return Console(highlight=False)


def show_json(messages: Message | Sequence[Message]) -> None:
    """Print a message, or a list of them, with the contract's names."""
    if isinstance(messages, Message):
        click.echo(json_text(numbers(messages)))
    else:
        click.echo(json_text([numbers(one) for one in messages]))


def show_files(files: Sequence[Path], as_json: bool) -> None:
    """Print what was written, one a line, or as a list."""
    paths = [str(path) for path in files]
    click.echo(json_text(paths) if as_json else "\n".join(paths))


def json_text(plain: Any) -> str:
    """On one line, with the letters as they are."""
    return json.dumps(plain, ensure_ascii=False, allow_nan=False)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A bar on standard error while something is read, only where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total or None)


@contextlib.contextmanager
def busy(what: str) -> Iterator[None]:
    """A spinner on standard error while something is made, only where that is a terminal."""
    if sys.stderr.isatty():
        with Console(stderr=True).status(what):
            yield
    else:
        yield
