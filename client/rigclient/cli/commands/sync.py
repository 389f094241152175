"""`rig sync`: laps, scoring, sessions, events and gaps of rigs into a warehouse."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from rig.errors import Busy, Exhausted, Raced, RigError, Unavailable
from rig.signs import visible
from rigclient.cli.commands import exits, shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Console, Text
from riglap.times import span

if TYPE_CHECKING:
    from rigclient.warehouse.sync import Outcome, Progress, Sync
    from rigclient.warehouse.url import WarehouseURL

_EVERY_S: Final = 30.0
"""Between two looks: a load has the laps of that time, some megabytes of a full grid."""
_CLOSING_S: Final = 12.0
"""A lap is closed up to ten seconds after its line, then archived."""
_PASSING: Final = (Unavailable, Busy, Raced, Exhausted)
"""What is better later."""


@click.command()
@click.argument("rigs", metavar="[RIG]...", nargs=-1)
@which_warehouse
@click.option("--once", "watch", flag_value=False, default=False, help="Load what is there, then end.")
@click.option("--watch", "watch", flag_value=True, help="Go on, and load laps as they are driven.")
@click.option(
    "--every",
    type=click.FloatRange(min=1),
    default=_EVERY_S,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks of --watch.",
)
@click.option(
    "--load-rows",
    type=click.IntRange(min=1),
    metavar="N",
    help="Samples of a load; default: 250000, some 60 MB.",
)
@shell.as_json
@click.pass_obj
def sync(
    address: str,
    rigs: tuple[str, ...],
    where: str | None,
    watch: bool,
    every: float,
    load_rows: int | None,
    as_json: bool,
) -> None:
    """Load what the warehouse has not got yet from one or more rigs.

    Default: from that of --rig. Laps with their samples and scoring updates, sessions, events and
    declared gaps arrive exactly once, however often this runs, is killed, or runs at the same time
    elsewhere.

    \b
    Example:
      rig sync
      rig sync rig demo --to snowflake --watch
    """
    from rigclient.warehouse.url import parse_url

    jobs = [_Job(one, parse_url(where), load_rows, as_json) for one in dict.fromkeys(rigs or (address,))]
    with contextlib.ExitStack() as stack:
        for job in jobs:
            stack.callback(job.close)
        if watch:
            _follow(jobs, every, as_json)
        else:
            ends = [job.attempt() for job in jobs]
            _finish([error for end in ends for error in end])


def _follow(jobs: list["_Job"], every: float, as_json: bool) -> None:
    """Look again and again. Laps that stay behind are said, and what is better later is tried later; anything
    else ends it.
    """
    if not as_json:
        delay = f"{every:g} s: a lap arrives up to {every + _CLOSING_S:.0f} s after its line"
        say(f"looking every {delay}, and the time of its load", err=True)
    while True:
        for job in jobs:
            job.attempt()
            _finish([job.trouble] if job.trouble and not isinstance(job.trouble, _PASSING) else [])
        time.sleep(every)


def _finish(errors: list[RigError]) -> None:
    """End with the code of the first; all have been shown."""
    if errors:
        raise click.exceptions.Exit(exits.code_of(errors[0]))


class _Job:
    """One rig and its way into the warehouse, connected when it is needed."""

    def __init__(self, address: str, url: "WarehouseURL", load_rows: int | None, as_json: bool) -> None:
        self._address, self._url = address, url
        self._load_rows, self._as_json = load_rows, as_json
        self._open = contextlib.ExitStack()
        self._sync: Sync | None = None
        self._said: set[str] = set()
        self._idle = False
        """There was nothing new, and that was said."""
        self.trouble: RigError | None = None
        """What kept the last attempt from its work."""

    def attempt(self) -> list[RigError]:
        """Load what is missing; what kept it from that, or stays behind, is shown and returned."""
        began, self.trouble = time.monotonic(), None
        try:
            job = self._sync or self._connected()
            with _bar(self._address) as progress:
                outcome = job.run(progress)
        except RigError as error:
            self.trouble = error
            self.close()
            self._say([error], [])
            return [error]
        self._say(outcome.refused, outcome.warnings)
        self._tell(outcome, time.monotonic() - began)
        return outcome.refused

    def _connected(self) -> "Sync":
        from rigclient.warehouse.load_builder import LOAD_ROWS
        from rigclient.warehouse.rig_reader import RigReader
        from rigclient.warehouse.sync import Sync
        from rigclient.warehouse.sync_lock import SyncLock

        rig = self._open.enter_context(RigReader(self._address))
        destination = self._open.enter_context(self._url.open())
        lock = self._open.enter_context(SyncLock(rig.rig_id, destination.name))
        self._sync = Sync(rig, destination, lock.folder, self._load_rows or LOAD_ROWS)
        return self._sync

    def _say(self, errors: list[RigError], warnings: list[str]) -> None:
        """Say it on standard error, and not again as long as it stays so."""
        said, self._said = self._said, {*map(str, errors), *warnings}
        for error in errors:
            if str(error) not in said:
                exits.Failure(error).show()
        for warning in warnings:
            if warning not in said:
                shell.warn(warning)

    def _tell(self, outcome: "Outcome", seconds: float) -> None:
        delay_s = time.time() - outcome.newest_ns / 1e9 if outcome.newest_ns else None
        if self._as_json:
            report: dict[str, Any] = {
                "rig": self._address,
                "warehouse": str(self._url),
                "loads": outcome.loads,
                "laps": outcome.laps,
                "events": outcome.events,
                "rows": outcome.rows,
                "seconds": round(seconds, 3),
                "behind_s": None if delay_s is None else round(delay_s, 1),
                "refused": [str(error) for error in outcome.refused],
                "warnings": outcome.warnings,
            }
            click.echo(shell.json_text(report))
        elif outcome.loads or not self._idle:
            began = f"{time.strftime('%H:%M:%S')}  {self._address}"
            say(f"{began}  {_summary(outcome, str(self._url), seconds, delay_s)}")
        sys.stdout.flush()
        self._idle = not outcome.loads

    def close(self) -> None:
        """Release the rig, the warehouse and the lock."""
        self._open.close()
        self._sync = None


def _summary(outcome: "Outcome", where: str, seconds: float, delay_s: float | None) -> str:
    if not outcome.loads:
        return f"nothing new for {where}"
    parts = ((outcome.laps, "lap"), (outcome.events, "event"))
    what = ", ".join(_counted(*part) for part in parts if part[0]) or "sessions"
    pace = f"{outcome.rows:,} rows in {seconds:.1f} s, {outcome.rows / seconds:,.0f} rows/s"
    behind = f", {span(delay_s)} after the newest lap ended" if delay_s is not None else ""
    return f"{what} into {where}: {pace}{behind}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


class _Rows(ProgressColumn):
    """Rows a second and what is left."""

    def render(self, task: Task) -> Text:
        """Return one cell."""
        if not task.total:
            return Text("")
        pace = f"{task.speed:,.0f} rows/s, " if task.speed else ""
        return Text(f"{pace}{task.total - task.completed:,.0f} rows left")


@contextlib.contextmanager
def _bar(rig: str) -> Iterator["Progress"]:
    """Show a bar on standard error, only where that is a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _Rows(),
        TimeRemainingColumn(compact=True),
    )
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task(visible(rig), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total or None)
