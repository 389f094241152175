"""`make bench`: run the measurements, print them, write `build/bench.json`.

python -m tests.bench [--only PART...]

`make figures` then writes the pages.
"""

import argparse

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests import guard
from tests.bench.figures import MEASURED, Figures, joined, load, store
from tests.bench.parts import PARTS, aim, met
from tests.bench.sheets import SHEETS


def measured(names: list[str], console: Console) -> Figures:
    """Run the parts one after another: nothing else may run beside a measurement."""
    figures: Figures = {}
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        for name in names:
            task = progress.add_task(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", total=1)
            figures |= PARTS[name]()
            progress.advance(task)
    ratios = [value for name, value in figures.items() if name.startswith("server_cpu_vs_echo_")]
    return figures | ({"server_cpu_vs_echo": max(ratios)} if ratios else {})


def tables(figures: Figures) -> list[Table]:
    """Ours beside others', and the other figures beside what they should be."""
    sheets = [sheet.rich(figures) for sheet in SHEETS.values() if sheet.measured(figures)]
    single = {name: value for name, value in figures.items() if "." not in name}
    return sheets + ([_aims(single)] if single else [])


def _aims(figures: Figures) -> Table:
    out = Table("figure", "value", "target")
    styles = {None: "dim", True: "green", False: "red"}
    for name, value in figures.items():
        good = met(name, value)
        out.add_row(name, f"{value:.3g}", "" if good is None else aim(name), style=styles[good])
    return out


def main() -> None:
    """Entry of the command line."""
    guard.post()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS), nargs="+", help="run these parts")
    only = parser.parse_args().only
    console = Console()
    figures = measured(only or list(PARTS), console)
    store(joined(load(MEASURED) if only else {}, figures), MEASURED)
    for table in tables(figures):
        console.print(table)
    console.print(f"written to {MEASURED}; `make figures` puts them into the pages")


if __name__ == "__main__":
    main()
