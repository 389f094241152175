"""What two setups do not have in common."""

from collections.abc import Iterable
from dataclasses import dataclass

from riglap.setups.setup import Parameter


@dataclass(frozen=True)
class Difference:
    """A parameter that differs. One of `a` and `b` is None where only the other setup has it."""

    section: str
    key: str
    a: Parameter | None
    b: Parameter | None

    @property
    def change(self) -> float | None:
        """How much more b is than a, in their unit; None where they are no numbers of one unit."""
        if self.a is None or self.b is None or self.a.unit != self.b.unit:
            return None
        before, after = self.a.number, self.b.number
        return None if before is None or after is None else float(after - before)

    @property
    def unit(self) -> str:
        """The unit of both; empty where they have two."""
        units = {one.unit for one in (self.a, self.b) if one is not None}
        return units.pop() if len(units) == 1 else ""


def diff(a: Iterable[Parameter], b: Iterable[Parameter]) -> list[Difference]:
    """Return where two setups differ: in the order of `a`, then what `b` alone has.

    62 and 62.0 are the same number. Raises nothing: a parameter that is there twice counts by its last.
    """
    first, second = ({(one.section, one.key): one for one in side} for side in (a, b))
    return [
        Difference(*name, first.get(name), second.get(name))
        for name in dict.fromkeys((*first, *second))
        if not _same(first.get(name), second.get(name))
    ]


def _same(a: Parameter | None, b: Parameter | None) -> bool:
    if a is None or b is None:
        return a is b
    numbers = a.number, b.number
    return a.unit == b.unit and (a.value == b.value or (None not in numbers and numbers[0] == numbers[1]))
