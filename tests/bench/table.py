"""The sheets of `build/bench.json` as Markdown, for the README.

python -m tests.bench.table
"""

import json

from tests.bench.parts import BUILD
from tests.bench.sheets import SHEETS


def main() -> None:
    """Print every sheet that was measured."""
    figures = json.loads((BUILD / "bench.json").read_text())
    print("\n\n".join(sheet.markdown(figures) for sheet in SHEETS if sheet.measured(figures)))


if __name__ == "__main__":
    main()
