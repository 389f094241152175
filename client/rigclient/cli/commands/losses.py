"""`rig gaps`: what a session was to bring, and what of it is missing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.table import Table as Grid

from rig.v1 import event_pb2, rig_pb2, session_pb2
from rigclient.blocking import connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.gaps import reason_text
from rigclient.cli.terminal.palette import DIM, GOOD, STRONG, TEXT, TITLE, YELLOW
from rigclient.cli.terminal.text import Text, stacked
from rigclient.queries import words

_STREAMS: Final = tuple(words(event_pb2.Stream))

_FACTS: Final = (
    ("stream", "left"),
    ("numbers", "left"),
    ("missing", "right"),
    ("from", "left"),
    ("to", "left"),
)
_REASONS_FROM: Final = 110
"""Cells from which a gap's reason has room beside its numbers."""

_LAPS: Final = {
    rig_pb2.LAP_LOSS_EVICTED: "the ring let go of it before it was archived",
    rig_pb2.LAP_LOSS_TOO_LONG: "longer than a lap file holds",
    rig_pb2.LAP_LOSS_RETENTION: "deleted to make room",
    rig_pb2.LAP_LOSS_FORCED: "deleted though someone wanted it",
    rig_pb2.LAP_LOSS_DELETED: "deleted on request",
    rig_pb2.LAP_LOSS_DAMAGED: "its file was damaged and set aside",
}


@click.command("gaps")
@click.argument("session", default="")
@click.option("--stream", type=click.Choice(_STREAMS), default=None, help="Only this stream.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Gaps shown; 0: all."
)
@shell.as_json
@click.pass_obj
def gaps(address: str, session: str, stream: str | None, limit: int, as_json: bool) -> None:
    """Show what is missing of a session, and why.

    SESSION is a part of its name; default: the newest.

    Every record that the session was to bring is either received or declared missing, with the reason.

    \b
    Example:
      rig gaps
      rig gaps 5f3a-2 --stream physics --json | jq .streams
    """
    with connect(address) as rig:
        losses = rig.losses(rig.find_session(session), stream or "")
    if as_json:
        shell.show_json(losses)
    else:
        console = shell.console()
        console.print(_report(losses, limit, console.width))


def _report(losses: rig_pb2.GetLossesResponse, limit: int, width: int) -> RenderableType:
    """Return sums by stream and reason, then every gap, then laps."""
    recording = losses.status == session_pb2.SESSION_STATUS_RECORDING
    title = Text(losses.session.removeprefix("sessions/"), GOOD if recording else STRONG)
    parts: list[RenderableType] = [title.append("  recording" if recording else "", GOOD)]
    parts += [Text(), _sums(losses), Text()]
    if not (losses.laps or any(stream.reasons for stream in losses.streams)):
        return Group(*parts, Text("nothing is missing", GOOD))
    if losses.gaps:
        parts += [_gaps(losses.gaps[: limit or None], width), Text()]
    if limit and len(losses.gaps) > limit:
        parts += [shell.more(limit, "gaps"), Text()]
    if losses.laps:
        parts += [_laps(losses), Text()]
    return Group(*parts[:-1])


def _grid(*columns: tuple[str, str]) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=TITLE)
    for name, justify in columns:
        grid.add_column(name, justify="right" if justify == "right" else "left", no_wrap=name != "why")
    return grid


def _sums(losses: rig_pb2.GetLossesResponse) -> Grid:
    grid = _grid(
        ("stream", "left"),
        ("expected", "right"),
        ("received", "right"),
        ("missing", "right"),
        ("why", "left"),
    )
    for stream in losses.streams:
        uncounted = any(reason.uncounted for reason in stream.reasons)
        missing = f"{stream.missing:,}" + (" + ?" if uncounted else "")
        grid.add_row(
            _stream(stream.stream),
            f"{stream.expected:,}",
            Text(f"{stream.received:,}", TEXT),
            Text(missing, YELLOW if stream.reasons else GOOD),
            stacked(_reason(reason) for reason in stream.reasons),
        )
    return grid


def _reason(reason: rig_pb2.ReasonLosses) -> Text:
    """Return a reason in words: 12 in 2 gaps, and 1 gap without a count: the recorder was not running."""
    counted = reason.gaps - reason.uncounted
    known = f"{reason.missing:,} in {_gaps_of(counted)}" if counted else ""
    unknown = f"{_gaps_of(reason.uncounted)} without a count" if reason.uncounted else ""
    how = ", and ".join(part for part in (known, unknown) if part)
    return Text.assemble((f"{how}: ", TEXT), (reason_text(reason.reason), YELLOW))


def _gaps_of(count: int) -> str:
    return f"{count:,} gap{'s' * (count != 1)}"


def _gaps(found: Sequence[event_pb2.Gap], width: int) -> RenderableType:
    """Return a row per gap with its reason; in a narrow terminal the reason is above those that it is of."""
    rows = [(*_facts(gap), _why(gap)) for gap in found]
    if width >= _REASONS_FROM:
        return _table([*_FACTS, ("why", "left")], rows)
    widths = [max(len(str(row[at])) for row in [[name for name, _ in _FACTS], *rows]) for at in range(5)]
    parts: list[RenderableType] = []
    for why, of_it in groupby(rows, key=lambda row: row[-1]):
        parts += [why, _table(_FACTS, [row[:-1] for row in of_it], widths)]
    return Group(*parts)


def _table(
    names: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], widths: Sequence[int] = ()
) -> Grid:
    grid = _grid(*names)
    for column, cells in zip(grid.columns, widths, strict=False):
        column.min_width = cells
    for row in rows:
        grid.add_row(*row)
    return grid


def _facts(gap: event_pb2.Gap) -> tuple[Any, ...]:
    count = f"{gap.count:,}" if gap.HasField("count") else "?"
    return _stream(gap.stream), _numbers(gap), Text(count, YELLOW), *_times(gap)


def _why(gap: event_pb2.Gap) -> Text:
    return Text(reason_text(gap.reason), TEXT).append(f" ({gap.detail})" if gap.detail else "", DIM)


def _numbers(gap: event_pb2.Gap) -> str:
    """Return the numbers of a gap: 101 to 112; what has no numbers came after one."""
    if gap.last_seq < gap.first_seq:
        return f"after {gap.last_seq}"
    return f"{gap.first_seq}" if gap.first_seq == gap.last_seq else f"{gap.first_seq} to {gap.last_seq}"


def _times(gap: event_pb2.Gap) -> tuple[Text, Text]:
    """Return the clock of the last record before and of the first one after, by the rig's wall clock."""
    begin, end = (_local(ns) if ns else None for ns in (gap.begin_time_ns, gap.end_time_ns))
    day = "%d %b " if begin and end and begin.date() != end.date() else ""
    return tuple(Text(_clock(at, day) if at else "-", DIM) for at in (begin, end))  # type: ignore[return-value]


def _local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9).astimezone()


def _clock(at: datetime, day: str) -> str:
    return f"{at:{day}%H:%M:%S}.{at.microsecond // 1000:03}"


def _laps(losses: rig_pb2.GetLossesResponse) -> Grid:
    grid = _grid(("lap", "left"), ("at", "left"), ("why", "left"))
    for lap in losses.laps:
        what = Text(_LAPS.get(lap.loss, "lost in a way this version does not know"), YELLOW)
        detail = f" ({lap.detail})" if lap.detail and lap.detail != what.plain else ""
        when = Text(f"{_local(lap.time_ns):%d %b %H:%M:%S}" if lap.time_ns else "-", DIM)
        grid.add_row(Text(lap.name.rpartition("/")[2], STRONG), when, what.append(detail, DIM))
    return grid


def _stream(stream: int) -> str:
    known = {number: word for word, number in words(event_pb2.Stream).items()}
    return known.get(stream, str(stream))
