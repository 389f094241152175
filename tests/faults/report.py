"""The report of the last long campaign, as the table of `docs/faults.md`: `python -m tests.faults.report`."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from tests.faults.campaign import REPORT

_HEAD = ("fault", "tried", "survived", "lost", "declared")


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"| {' | '.join(_HEAD)} | works again after |"
    yield "|---" * (len(_HEAD) + 1) + "|"
    for row in rows:
        tried, survived, lost, declared = (f"{row[name]:,}" for name in _HEAD[1:])
        yield f"| {row['fault']} | {tried} | {survived} | {lost} {row['unit']} | {declared} | {_again(row)} |"
    yield ""
    yield f"{sum(row['seconds'] for row in rows) / 60:.0f} minutes."


def _again(row: dict[str, Any]) -> str:
    seconds = row.get("again_s")
    return "" if seconds is None else f"{seconds:.1f} s"


if __name__ == "__main__":
    if not REPORT.exists():
        sys.exit("there is no report yet: `make soak` writes it")
    print("\n".join(table([json.loads(line) for line in REPORT.read_text().splitlines()])))
