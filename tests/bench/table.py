"""Writes docs/figures.md and tests/bench/PEERS.md: the words are in templates, the figures in figures.json.

    python -m tests.bench.table

In a template, `{name}` is a figure with as many digits as it is worth, `{name:.1f}` one with so many,
`{aim name}` what it should be, `{sheet name}` a comparison. What `make bench` measured here goes into
figures.json first.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.bench.figures import KEPT, MEASURED, joined, load, store
from tests.bench.parts import aim
from tests.bench.sheets import SHEETS, shown

_HERE: Final = Path(__file__).resolve().parent
PAGES: Final = {
    _HERE / "templates/figures.md": _HERE.parents[1] / "docs/figures.md",
    _HERE / "templates/peers.md": _HERE / "PEERS.md",
}
"""Template -> page."""

_HOLE: Final = re.compile(r"\{(?:(aim|sheet) )?([a-z0-9_.]+)(?::([^}]+))?\}")


def page(template: str, figures: Mapping[str, float]) -> str:
    """A page. Raises KeyError for a figure, an aim or a sheet that does not exist."""

    def fill(hole: re.Match[str]) -> str:
        kind, name, digits = hole.groups()
        if kind == "sheet":
            return SHEETS[name].markdown(figures)
        if kind == "aim":
            return aim(name)
        return format(figures[name], digits) if digits else shown(figures[name])

    return _HOLE.sub(fill, template)


def main() -> None:
    """Take in what was measured and write the pages."""
    figures = joined(load(KEPT), load(MEASURED))
    store(figures, KEPT)
    for template, path in PAGES.items():
        path.write_text(page(template.read_text(), figures))


if __name__ == "__main__":
    main()
