"""Writes the table of docs/metrics.md anew, from rigd/metrics.py."""

from pathlib import Path
from typing import Final

from rigd import metrics

PAGE: Final = Path(__file__).resolve().parent / "metrics.md"
BEGIN: Final = "| metric | kind | labels | |\n|---|---|---|---|\n"


def table() -> str:
    """Return the table."""
    rows = (
        f"| `{name}` | {kind} | {labels} | {meaning} |\n" for name, kind, labels, meaning in metrics.rows()
    )
    return BEGIN + "".join(rows)


def written(page: str) -> str:
    """Return the page with the table in the place of the one that is there."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition("\n\n")[2]
    return f"{before}{table()}\n{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
