"""Conditions of a statement: words of the program; what a caller says goes beside them, as a value."""

from dataclasses import dataclass, field

Value = int | float | str


@dataclass
class Where:
    """Conditions that hold together, with their values."""

    terms: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def add(self, term: str, *values: Value) -> None:
        """Add a condition."""
        self.terms.append(term)
        self.values += values

    def also(self, other: "Where") -> None:
        """Add all conditions of another."""
        self.terms += other.terms
        self.values += other.values

    def part(self, column: str, text: str) -> None:
        """Ask that the column, which is in lower case, contains `text` in any case; empty: anything."""
        if text:
            self.add(f"instr({column}, ?)", text.casefold())

    def __str__(self) -> str:
        return " AND ".join(self.terms) or "1"
