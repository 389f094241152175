"""`rig tail`: a stream, record by record, and the cursor of each message kept when it has been shown."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from rig.channels import PHYSICS, SCORING, Channel
from rigclient import requests
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import records, shell
from rigclient.cli.commands.bookmark import Bookmark, cursor_of
from rigclient.cli.commands.moments import FORMS, unix_s
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.text import Console
from rigclient.connection import Stream
from rigclient.frames import Frame

_STARTS: Final = ("now", "earliest", "running_lap")

TABLES: Final = {"physics": PHYSICS, "scoring": SCORING}

DEFAULT_CHANNELS: Final = {
    "physics": ("gear", "speed", "engine_rpm", "throttle", "brake", "steering", "lap_number"),
    "scoring": ("place", "laps", "sector", "lap_distance", "last_lap_time", "best_lap_time", "in_pits"),
}
"""Shown when no channels are asked for."""


@dataclass(frozen=True)
class TailOptions:
    """What to follow."""

    stream: str = "physics"
    """physics, scoring or events."""
    channels: tuple[str, ...] = ()
    cars: requests.Cars = "player"
    max_rate_hz: float = 0.0
    start: requests.Start = "now"
    durable_only: bool = False
    count: int | None = None
    """Records after which to end; None: never."""


def _cars(_ctx: click.Context, _param: click.Parameter, value: str) -> requests.Cars:
    if value in ("all", "player"):
        return value  # type: ignore[return-value]
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not all, player, or slot ids such as 3,7") from None


def _start(_ctx: click.Context, _param: click.Parameter, value: str) -> requests.Start:
    if value in _STARTS:
        return value  # type: ignore[return-value]
    with contextlib.suppress(ValueError):
        return unix_s(value)
    return cursor_of(value)


@click.command()
@click.option(
    "--channels",
    metavar="A,B",
    default="",
    callback=shell.names,
    help="Channels, or all; see `rig channels`.",
)
@click.option(
    "--cars", default="player", show_default=True, callback=_cars, help="all, player, or slot ids: 3,7."
)
@click.option(
    "--rate",
    "max_rate_hz",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="HZ",
    help="At most so many records a second of the session clock.",
)
@click.option(
    "--stream",
    type=click.Choice(["physics", "scoring", "events"]),
    default="physics",
    show_default=True,
    help="What to follow.",
)
@click.option(
    "--start",
    default="now",
    show_default=True,
    callback=_start,
    help=f"now, earliest, running_lap, {FORMS}, or a cursor.",
)
@click.option(
    "--durable-only",
    is_flag=True,
    help="Only what is on the rig's disk, for who copies it elsewhere: no power cut takes it back.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many records.")
@click.option(
    "--cursor-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on where this file says, and keep it up to date.",
)
@shell.as_json
@click.pass_obj
def tail(address: str, /, cursor_file: Path | None, as_json: bool, **wanted_options: Any) -> None:
    """Follow a stream, one line per record and car.

    What is missing is said where it is missing.

    \b
    Example:
      rig tail --channels speed,gear --rate 10
      rig tail --stream events --json --cursor-file seen.cursor
    """
    wanted = TailOptions(**wanted_options)
    shown = channels_of(wanted)
    form: records.Form = records.Json(shown) if as_json else records.Columns(shown)
    show = _show_plain if as_json else _show_colours(shell.console())
    bookmark = Bookmark(cursor_file) if cursor_file else None
    with connect(address) as connection:
        follow(connection, wanted, form, show, bookmark)


def _show_plain(lines: Iterable[Line]) -> None:
    for line in lines:
        sys.stdout.write(line.text + "\n")
    sys.stdout.flush()


def _show_colours(console: Console) -> Any:
    def show(lines: Iterable[Line]) -> None:
        for line in lines:
            console.print(line, end="", soft_wrap=True)
        console.file.flush()

    return show


def channels_of(wanted: TailOptions) -> tuple[Channel, ...]:
    """Return the channels shown, in the order asked for; `all` are all of them. Raises UnknownChannel."""
    if wanted.stream not in TABLES:
        return ()
    names = wanted.channels or DEFAULT_CHANNELS[wanted.stream]
    if "all" in names:
        return TABLES[wanted.stream].channels
    found = {channel.name: channel for channel in TABLES[wanted.stream].pick(names)}
    return tuple(found[name] for name in dict.fromkeys(names))


def follow(
    rig: Rig,
    wanted: TailOptions,
    form: records.Form,
    show: Callable[[Iterable[Line]], None],
    bookmark: Bookmark | None = None,
) -> None:
    """Show records until `wanted.count`.

    With a bookmark the stream begins there, and a cursor is stored after all of its message was shown.
    """
    start = (bookmark.read() if bookmark else None) or wanted.start
    stream = _open(rig, wanted, start)
    stored = b""
    for record in _first(stream, wanted.count):
        show(form.frame(record) if isinstance(record, Frame) else form.event(record))
        if bookmark is not None and stream.cursor != stored:
            bookmark.store(stream.cursor)
            stored = stream.cursor
    stream.close()


def _open(rig: Rig, wanted: TailOptions, start: requests.Start) -> Stream[Any]:
    if wanted.stream == "events":
        return rig.events(start, durable_only=wanted.durable_only)
    names = [channel.name for channel in channels_of(wanted)]
    begin: Callable[..., Stream[Any]] = rig.physics if wanted.stream == "physics" else rig.scoring
    return begin(
        names, wanted.cars, max_rate_hz=wanted.max_rate_hz, start=start, durable_only=wanted.durable_only
    )


def _first(stream: Stream[Any], count: int | None) -> Iterator[Any]:
    for number, record in enumerate(stream, start=1):
        yield record
        if number == count:
            return
