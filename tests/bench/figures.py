"""Figures by name: those of this folder's last measurements, and the newest of all, which the pages show.

Figures of several programs side by side have dots in their names; `sheets.py` shows them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

Figures = dict[str, float]

BUILD: Final = Path("build")
MEASURED: Final = BUILD / "bench.json"
"""What `make bench` measured here."""
KEPT: Final = Path(__file__).with_suffix(".json")
"""The newest of every figure: what is in the pages."""


def load(path: Path) -> Figures:
    """The figures in a file; none when there is no file."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def store(figures: Mapping[str, float], path: Path) -> None:
    """Write figures to a file, with as many digits as they are worth."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=2) + "\n")


def joined(before: Mapping[str, float], figures: Mapping[str, float]) -> Figures:
    """Old figures and new ones. A comparison is replaced as a whole: who was absent may be there now."""
    anew = {name.split(".")[0] for name in figures if "." in name}
    return {name: value for name, value in before.items() if name.split(".")[0] not in anew} | dict(figures)
