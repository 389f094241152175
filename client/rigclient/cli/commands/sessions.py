"""`rig sessions`: what was recorded."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import click
from rich.filesize import decimal as size
from rich.table import Table as Grid

from rig.v1 import session_pb2
from rigclient import queries as laps
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.moments import FORMS, moment
from rigclient.cli.terminal.palette import DIM, GOOD, STRONG, TEXT, TITLE
from rigclient.cli.terminal.text import Text
from riglap.times import lap_time, span

WIDE_FROM: Final = 120
"""Columns of a terminal from which tables show everything."""

_LEFT: Final = ("session", "track", "kind", "began", "from")


@click.command()
@click.option("--track", default="", help="Part of the track's name.")
@click.option("--kind", type=click.Choice(list(laps.words(session_pb2.SessionKind))), default=None)
@click.option("--source", type=click.Choice(list(laps.words(session_pb2.SessionSource))), default=None)
@click.option("--since", callback=moment, metavar="WHEN", help=f"Began since: {FORMS}.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="0: all.")
@shell.as_json
@click.pass_obj
def sessions(
    address: str, /, kind: str | None, source: str | None, limit: int, as_json: bool, **filters: Any
) -> None:
    """List sessions, newest first.

    \b
    Example:
      rig sessions --track meander --since 3d
    """
    with connect(address) as rig:
        found = rig.sessions(kind=kind or "", source=source or "", **filters)  # type: ignore[arg-type]
        kept, more = shell.first((session.message for session in found), limit)
    if as_json:
        shell.show_json(kept)
        return
    console = shell.console()
    console.print(table(kept, console.width >= WIDE_FROM) if kept else Text("no session was found", DIM))
    if more:
        console.print(shell.more(len(kept), "sessions"))


def table(found: Sequence[session_pb2.Session], wide: bool) -> Grid:
    """Return a table, a row per session; on narrow terminals its name has to tell track, kind and start."""
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for row, session in enumerate(found):
        cells = dict(_cells(session, wide))
        if not row:
            for name in cells:
                justify: Any = "left" if name in _LEFT else "right"
                grid.add_column(name, justify=justify, no_wrap=name != "session", overflow="fold")
        grid.add_row(*cells.values())
    return grid


def _cells(session: session_pb2.Session, wide: bool) -> Iterator[tuple[str, Text]]:
    growing = session.status == session_pb2.SESSION_STATUS_RECORDING
    yield "session", Text(session.name.removeprefix("sessions/"), GOOD if growing else STRONG)
    if wide:
        yield "track", Text(session.track_name, TEXT)
        yield "kind", Text(_word(session_pb2.SessionKind, session.kind), TEXT)
        yield "from", Text(_word(session_pb2.SessionSource, session.source), DIM)
        yield "began", Text(f"{_local(session.start_time_ns):%d %b %H:%M}", TEXT)
        yield "lasted", Text("recording", GOOD) if growing else Text(_length(session), TEXT)
    yield "laps", Text(str(session.laps), TEXT)
    yield "cars", Text(str(session.cars), TEXT)
    yield "best", Text(lap_time(session.best_lap_time), STRONG)
    yield "size", Text(size(session.bytes), DIM)


def _word(enum: Any, number: int) -> str:
    """Return the contract's word, blanks for underscores; nothing for what is not said."""
    known = {value: word for word, value in laps.words(enum).items()}
    return known.get(number, "").replace("_", " ")


def _local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9).astimezone()


def _length(session: session_pb2.Session) -> str:
    return span((session.end_time_ns - session.start_time_ns) / 1e9) if session.end_time_ns else ""
