"""`rig status`: how the rig is, in plain words, tables, bars."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

import click
from rich.console import Group, RenderableType
from rich.filesize import decimal as size
from rich.table import Table

from rig.errors import RigError
from rig.v1 import access_pb2, event_pb2, rig_pb2
from rigclient import paired
from rigclient.cli.commands import shell
from rigclient.cli.commands.bookmark import cursor_text
from rigclient.cli.commands.messages import numbers
from rigclient.cli.terminal import gauges
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import DIM, GOOD, RED, STRONG, TEXT, TITLE, WARNING, YELLOW
from rigclient.cli.terminal.text import Text
from rigclient.connection import Connection
from riglap.times import span

_BAR_CELLS: Final = 24
_SECOND_NS: Final = 1_000_000_000


@click.command()
@shell.as_json
@click.pass_obj
def status(address: str, as_json: bool) -> None:
    """Show how the rig is: game, seat, recorder, ring, laps, who reads.

    \b
    Example:
      rig status
      rig status --json | jq .recorder.physics_rate_hz
    """
    seat: access_pb2.GetSeatResponse | None = None
    with Connection(paired.resolve(address)) as connection:
        answer = connection.status()
        with contextlib.suppress(RigError):  # not for every token, and no rig of release 0.1 has one
            seat = connection.seat()
    if as_json:
        told = {"seat": numbers(seat)} if seat is not None else {}
        click.echo(shell.json_text(numbers(answer) | told))
    else:
        shell.console().print(report(address, answer, seat))


def report(
    address: str, status: rig_pb2.GetStatusResponse, seat: access_pb2.GetSeatResponse | None = None
) -> RenderableType:
    """Return everything in the answer, the game first. `seat`: who is in it, None where that is not told."""
    parts: list[RenderableType] = [
        Text.assemble(("rig ", STRONG), (address, STRONG), (f"  {status.version}", DIM))
    ]
    parts += _troubles(status)
    parts += [Text(), *_recorder(status), *_seat(seat)]
    parts += [Text(), *_ring(status), Text(), *_laps(status), Text()]
    parts += _followers(status)
    parts += [Text(), _processes(status)]
    return Group(*parts)


def _troubles(status: rig_pb2.GetStatusResponse) -> Iterator[RenderableType]:
    """Yield what keeps daemons from their work."""
    for one in status.troubles:
        lasts = span(max(status.time_ns - one.since_ns, 0) / _SECOND_NS)
        yield Text.assemble(
            (" TROUBLE ", WARNING), (f"  {one.daemon} for {lasts}: ", STRONG), (one.what, RED)
        )


def _recorder(status: rig_pb2.GetStatusResponse) -> Iterator[RenderableType]:
    if not status.HasField("recorder"):
        yield Text.assemble(
            (" NO RECORDER ", WARNING), "  it has been silent for three seconds; ", _HINT_RECORD
        )
        return
    recorder = status.recorder
    style = GOOD if recorder.source_state == "LIVE" else YELLOW
    yield Text.assemble(
        ("game      ", TITLE), (recorder.source_state, style), f"  {recorder.source_explanation}"
    )
    if recorder.disk_error:
        yield Text.assemble(("disk      ", TITLE), (recorder.disk_error, RED))
    if recorder.tail_error:
        yield Text.assemble(("live tail ", TITLE), (recorder.tail_error, RED), "; readers wait for the disk")
    yield _facts(recorder)
    yield Text()
    yield _latencies(recorder)


def _seat(seat: access_pb2.GetSeatResponse | None) -> Iterator[RenderableType]:
    if seat is None:
        return
    yield Text()
    if not seat.user:
        yield Text.assemble(("seat      ", TITLE), ("nobody", DIM), "; laps of the rig's car are nobody's")
        return
    since = datetime.fromtimestamp(seat.since_time_ns / _SECOND_NS).astimezone()
    why = ", by the name of the driver in the game" if seat.by_driver else ""
    yield Text.assemble(("seat      ", TITLE), (seat.user, STRONG), f", since {since:%d %b %H:%M:%S}{why}")


_HINT_RECORD: Final = "start `rigd record` or `rigd run`"


def _facts(recorder: rig_pb2.RecorderStatus) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in (*_flow(recorder), *_losses(recorder)):
        grid.add_row(Text(f"{name:<8}", TITLE), value)
    return grid


def _flow(recorder: rig_pb2.RecorderStatus) -> Iterator[tuple[str, str]]:
    """Yield what comes in and what is stored."""
    yield "rate", f"{recorder.physics_rate_hz:.1f} Hz telemetry, {recorder.scoring_rate_hz:.1f} Hz scoring"
    yield "scoring", "stored when something changed, else once a second"
    yield "cars", f"{recorder.cars} (records {recorder.cars_setting}), session {recorder.session}"
    pending = f"{recorder.pending} pending ({size(recorder.pending_bytes)})"
    yield "frames", f"{recorder.captured} captured, {recorder.committed} committed, {pending}"
    grouped = recorder.commit_every_s and not recorder.tail_error
    pace = f"every {recorder.commit_every_s:g} s" if grouped else "as soon as the disk allows"
    yield "durable", f"up to seq {recorder.durable_seq}; commits {pace}"
    yield "at risk", f"a power cut now would take {recorder.loss_window_ms:.0f} ms"


def _losses(recorder: rig_pb2.RecorderStatus) -> Iterator[tuple[str, RenderableType]]:
    """Yield what did not come as it should."""
    lossy = recorder.missed or recorder.torn_given_up or recorder.missed_updates or recorder.counter_jumps
    lost = f"{recorder.missed} missed, {recorder.torn_given_up} torn"
    if recorder.missed_updates:
        lost += f", {recorder.missed_updates} scoring updates"
    if recorder.counter_jumps:
        lost += f", {recorder.counter_jumps} jumps of a counter"
    yield "lost", Text(lost, YELLOW if lossy else GOOD)
    again = f"{recorder.torn_retries} read again, {recorder.duplicates} repeated"
    yield "odd", f"{again}, {recorder.rejected} refused, {recorder.fallbacks} taken car by car"


def _latencies(recorder: rig_pb2.RecorderStatus) -> Table:
    table = _table(("latency, ms", "left"), ("median", "right"), ("p99", "right"), ("longest", "right"))
    for name, latency in (
        ("tick work", recorder.tick_work),
        ("tick lateness", recorder.tick_lateness),
        ("durable commit", recorder.commit),
    ):
        table.add_row(name, *(f"{ms:.2f}" for ms in (latency.p50_ms, latency.p99_ms, latency.max_ms)))
    return table


def _ring(status: rig_pb2.GetStatusResponse) -> Iterator[RenderableType]:
    if not status.HasField("ring"):
        yield Text.assemble((" NO RING ", WARNING), "  nothing has been recorded yet; ", _HINT_RECORD)
        return
    ring = status.ring
    share = ring.bytes / ring.limit_bytes if ring.limit_bytes else 0.0
    used = Line("ring      ", TITLE).add(gauges.bar(share, _BAR_CELLS, GOOD))
    yield used.put(f" {size(ring.bytes)} of {size(ring.limit_bytes)}", TEXT)
    yield Text.assemble(("          ", TITLE), (ring.path, DIM))
    table = _table(
        ("stream", "left"),
        ("holds", "right"),
        ("from seq", "right"),
        ("to seq", "right"),
        ("durable cursor", "left"),
        gives="durable cursor",
    )
    for held in ring.spans:
        cursor = Text(cursor_text(held.cursor), DIM, no_wrap=True)
        table.add_row(_stream(held.stream), _held(held), str(held.first_seq), str(held.last_seq), cursor)
    yield table


def _held(held: rig_pb2.StreamSpan) -> str:
    return "nothing yet" if not held.last_seq else span((held.last_time_ns - held.first_time_ns) / _SECOND_NS)


def _laps(status: rig_pb2.GetStatusResponse) -> Iterator[RenderableType]:
    if not status.HasField("archiver"):
        yield Text.assemble((" NO ARCHIVER ", WARNING), "  laps stay in the ring; start `rigd archive`")
        return
    archiver = status.archiver
    events = "event" if archiver.behind == 1 else "events"
    behind = f", {archiver.behind} {events} behind" if archiver.behind else ""
    kept = (
        f"{archiver.laps} kept, {size(archiver.bytes)}; {size(archiver.free_bytes)} free on the disk{behind}"
    )
    yield Text.assemble(("laps      ", TITLE), kept)
    if archiver.urgency:
        next_lap = f"the next is {archiver.eviction:.0%} of its way out of the ring"
        work = f"archiver {archiver.urgency}, nice {archiver.nice}"
        yield Text.assemble(("          ", TITLE), f"{work}; {next_lap if archiver.behind else 'none waits'}")
    yield from _retention(archiver)
    if archiver.lost:
        yield Text.assemble(("          ", TITLE), (f"{archiver.lost} deleted that should have stayed", RED))


def _retention(archiver: rig_pb2.ArchiverStatus) -> Iterator[RenderableType]:
    """Yield what had to go, and what room there is."""
    for warning in archiver.warnings:
        yield Text.assemble(("          ", TITLE), (warning, YELLOW))
    if archiver.evicted_ever:
        gone = f"{archiver.evicted_ever} deleted to make room ({size(archiver.evicted_ever_bytes)})"
        now = f", {archiver.evicted} since the archiver started" if archiver.evicted else ""
        yield Text.assemble(("          ", TITLE), (f"{gone}{now}", YELLOW if now else TEXT))
    if archiver.marks_limit_bytes:
        taken = f"{size(archiver.marks_bytes)} of {size(archiver.marks_limit_bytes)}"
        waiting = f", {archiver.marks_pending} wait to be kept" if archiver.marks_pending else ""
        room = archiver.marks_room_bytes
        left = (f"room for {size(room)}", TEXT) if room else ("no room for more", YELLOW)
        yield Text.assemble(("marks     ", TITLE), f"{taken}{waiting}, ", left)


def _followers(status: rig_pb2.GetStatusResponse) -> Iterator[RenderableType]:
    if not status.followers:
        yield Text.assemble(("followers ", TITLE), ("nobody reads", DIM))
        return
    figures = ("seq", "behind", "sent", "data", "skipped", "missed", "channels", "since")
    right = ((name, "right") for name in figures)
    table = _table(("follower", "left"), ("stream", "left"), *right, gives="follower", padding=1)
    for one in status.followers:
        lag = f"{one.lag}, stopped" if one.stalled else str(one.lag)
        table.add_row(
            Text(one.peer, no_wrap=True),
            _stream(one.stream),
            str(one.seq),
            Text(lag, YELLOW if one.stalled or one.lag > 50 else TEXT),
            str(one.messages),
            size(one.bytes),
            str(one.skipped),
            Text(str(one.missed), YELLOW if one.missed else TEXT),
            str(one.channels or "all"),
            span(one.age_s),
        )
    yield table


def _processes(status: rig_pb2.GetStatusResponse) -> Table:
    table = _table(
        ("process", "left"), ("pid", "right"), ("up", "right"), ("cpu", "right"), ("memory", "right")
    )
    processes = [("server", status.process)]
    if status.HasField("recorder"):
        processes.insert(0, ("recorder", status.recorder.process))
    if status.HasField("archiver"):
        processes.append(("archiver", status.archiver.process))
    for name, process in processes:
        cost = f"{process.cpu_percent:.1f} %"
        table.add_row(name, str(process.pid), span(process.uptime_s), cost, size(process.rss_bytes))
    return table


def _stream(stream: "event_pb2.Stream.ValueType") -> str:
    return event_pb2.Stream.Name(stream).removeprefix("STREAM_").lower()


def _table(*columns: tuple[str, str], gives: str = "", padding: int = 2) -> Table:
    """Return a table of columns of which, on a narrow terminal, `gives` alone becomes narrower."""
    table = Table(box=None, pad_edge=False, padding=(0, padding, 0, 0), header_style=TITLE)
    for name, justify in columns:
        side: Literal["left", "right"] = "right" if justify == "right" else "left"
        table.add_column(name, justify=side, no_wrap=name != gives, overflow="ellipsis")
    return table
