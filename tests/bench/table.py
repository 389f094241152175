"""The sheets of `build/bench.json` as Markdown, for `docs/figures.md`.

python -m tests.bench.table
"""

import json
import sys

from tests.bench.parts import BUILD
from tests.bench.sheets import SHEETS


def main() -> None:
    """Print every sheet that was measured."""
    kept = BUILD / "bench.json"
    if not kept.exists():
        sys.exit(f"there is no {kept}: run `make bench` first")
    figures = json.loads(kept.read_text())
    print("In brackets: how many times ours it is; of two figures, the first.\n")
    print("\n\n".join(sheet.markdown(figures) for sheet in SHEETS if sheet.measured(figures)))


if __name__ == "__main__":
    main()
