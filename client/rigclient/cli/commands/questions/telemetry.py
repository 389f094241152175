"""`rig warehouse telemetry`: samples of laps, ordered by car, lap and distance, as a file or as lines."""

import contextlib
import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from rig.errors import BadRequest
from rig.signs import visible
from rigclient.cli.commands import shell
from rigclient.cli.commands.destination import which_warehouse
from rigclient.cli.commands.questions.selection import (
    asked_alone,
    choice_of,
    chosen,
    nothing,
    table,
    warn_of_unknown_green,
)
from rigclient.cli.terminal.palette import DIM, TEXT
from rigclient.cli.terminal.text import Text
from riglap.atomic import atomic_write
from riglap.extras import need

_SHOWN: Final = 40
_PLACES: Final = 3


@click.command()
@which_warehouse
@chosen()
@click.option(
    "--channels", metavar="A,B", default="speed,throttle,brake,gear", show_default=True, callback=shell.names
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="All of them into a .csv or .parquet file; else the first are shown.",
)
@shell.formulas
@shell.as_json
def telemetry(
    where: str | None,
    channels: tuple[str, ...],
    out: Path | None,
    formulas: shell.Formulas,
    as_json: bool,
    **words: Any,
) -> None:
    """Get samples of laps, ordered by car, lap and distance.

    --json prints a line for each.

    \b
    Example:
      rig warehouse telemetry --track meander --race 1 --car 3,12 --green --out race.parquet
      rig warehouse telemetry --driver birch --channels speed,tyre_temp --json | head
      rig warehouse telemetry --driver birch --channels "speed,push = derivative(speed) [G]"
    """
    from rigclient.warehouse.questions import samples

    write = _writer(out)
    choice = choice_of(words, telemetry=True)
    with asked_alone(where) as destination:
        found = iter(samples.samples(destination, choice, formulas.named(channels)))
        first = next(found, None)
        warn_of_unknown_green(destination, choice)
        if first is None:
            raise nothing(destination, choice)
        batches = chain([first], found)
        if as_json:
            _print_lines(batches)
        elif write is None or out is None:
            _show(batches)
        else:
            write(out, batches)
            shell.show_files([out], as_json=False)


def _writer(out: Path | None) -> Callable[[Path, Iterable[Any]], None] | None:
    if out is None:
        return None
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    if out.suffix.lower() not in writers:
        raise BadRequest(f"{out} has no known ending", hint=f"there are {', '.join(writers)}")
    return writers[out.suffix.lower()]


def _rows(batches: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        columns = zip(batch.schema.names, batch.columns, strict=True)
        yield from zip(*(_values(name, column) for name, column in columns), strict=True)


def _values(name: str, column: Any) -> list[Any]:
    """Return the values; those of a float32 as short as they read back."""
    from rigclient.warehouse import tables

    values: list[Any] = column.to_pylist()
    if tables.SAMPLES.type_of(name) != tables.REAL32:
        return values
    texts = np.array([np.nan if value is None else value for value in values], np.float32).astype(str)
    return [None if value is None else float(text) for value, text in zip(values, texts, strict=True)]


def _names(batch: Any) -> list[str]:
    return [name.lower() for name in batch.schema.names]


def _print_lines(batches: Iterable[Any]) -> None:
    for batch in batches:
        names = _names(batch)
        for row in _rows([batch]):
            sys.stdout.write(shell.json_text(dict(zip(names, row, strict=True))) + "\n")


def _write_csv(path: Path, batches: Iterable[Any]) -> None:
    with (
        atomic_write(path) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
        _counted(path) as add_rows,
    ):
        writer = csv.writer(file)
        for at_row, batch in enumerate(batches):
            if not at_row:
                writer.writerow(_names(batch))
            writer.writerows(_rows([batch]))
            add_rows(batch.num_rows)


def _write_parquet(path: Path, batches: Iterable[Any]) -> None:
    parquet = need("pyarrow.parquet", "warehouse")
    with contextlib.ExitStack() as stack:
        partial = stack.enter_context(atomic_write(path))
        file = stack.enter_context(partial.open("wb"))
        add_rows = stack.enter_context(_counted(path))
        writer: Any = None
        for batch in batches:
            named = batch.rename_columns(_names(batch))
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(file, named.schema, compression="zstd"))
            writer.write_batch(named)
            add_rows(batch.num_rows)


@contextlib.contextmanager
def _counted(path: Path) -> Iterator[Callable[[int], None]]:
    """Show on a terminal's standard error how many rows there are so far."""
    count = 0

    def add_rows(rows: int) -> None:
        nonlocal count
        count += rows
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{visible(path.name)}: {count:,} samples")
            sys.stderr.flush()

    yield add_rows
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")


def _show(batches: Iterable[Any]) -> None:
    """Print the first rows. The session is named once."""
    found = iter(batches)
    first = next(found)
    names = _names(first)
    rows = list(islice(_rows(chain([first], found)), _SHOWN + 1))
    shown = [name for name in names if name not in ("session", "car", "lap_index")]
    at_name = [names.index(name) for name in shown]
    console = shell.console()
    # The lap's own time is another thing than the time into the lap at a sample.
    heads = ["time into lap" if name == "lap_time" else name for name in shown]
    columns = {name: "left" if name == "lap" else "right" for name in heads}
    console.print(
        table(columns.items(), ([_cell(row[at]) for at in at_name] for row in rows[:_SHOWN]), console.width)
    )
    if len(rows) > _SHOWN:
        console.print(Text(f"the first {_SHOWN} samples; --out FILE or --json gives all", DIM))


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", DIM)
    return Text(f"{value:.{_PLACES}f}" if isinstance(value, float) else str(value), TEXT)
