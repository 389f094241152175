"""`make bench`: run the measurements, print them, write `build/bench.json`.

python -m tests.bench [--only PART...]

Figures of several programs side by side have dots in their names; `sheets.py` shows them.
"""

import argparse
import json

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests import guard
from tests.bench.parts import AT_LEAST, BUILD, PARTS, TARGETS, Figures
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
    sheets = [sheet.rich(figures) for sheet in SHEETS if sheet.measured(figures)]
    single = {name: value for name, value in figures.items() if "." not in name}
    return sheets + ([_aims(single)] if single else [])


def _aims(figures: Figures) -> Table:
    out = Table("figure", "value", "target")
    for name, value in figures.items():
        target = TARGETS.get(name)
        if target is None:
            out.add_row(name, f"{value:.3g}", "", style="dim")
            continue
        good = value >= target if name in AT_LEAST else value <= target
        sign = "≥" if name in AT_LEAST else "≤"
        out.add_row(name, f"{value:.3g}", f"{sign} {target:g}", style="green" if good else "red")
    return out


def joined(before: Figures, figures: Figures) -> Figures:
    """Old figures and new ones. A comparison is replaced as a whole: who was absent may be there now."""
    anew = {name.split(".")[0] for name in figures if "." in name}
    kept = {name: value for name, value in before.items() if name.split(".")[0] not in anew}
    return kept | {name: round(value, 4) for name, value in figures.items()}


def main() -> None:
    """Entry of the command line."""
    guard.post()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS), nargs="+", help="run these parts")
    only = parser.parse_args().only
    BUILD.mkdir(exist_ok=True)
    console = Console()
    figures = measured(only or list(PARTS), console)
    kept = BUILD / "bench.json"
    before = json.loads(kept.read_text()) if only and kept.exists() else {}
    kept.write_text(json.dumps(joined(before, figures), indent=2))
    for table in tables(figures):
        console.print(table)
    console.print(f"written to {kept}; `python -m tests.bench.table` gives the comparisons as Markdown")


if __name__ == "__main__":
    main()
