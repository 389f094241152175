"""Formulas of a stream: evaluated on the recorded channels of a tick, for all its cars at once.

A tick knows nothing of others, so functions over time are refused: they are for laps.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from rig.channels import PHYSICS, Channel, components
from rig.columns import Layouts
from rig.errors import MissingChannel
from rigd.serve.feed import Tick
from riglap.circuits.line import Floats
from riglap.formulas.formula import Formula, evaluate, parse
from riglap.formulas.functions import STATISTICS
from riglap.formulas.nodes import Converted, Node, Operation, wrong
from riglap.lap import FlatColumn, Lap

_OVER_TIME: Final = {"derivative", "integrate", "smooth", "shift", *STATISTICS}

_PARTS: Final = {part: one for one in PHYSICS.channels for part in components(one.name, one.width)}

Array = np.ndarray[Any, np.dtype[Any]]


class TickFormulas:
    """Formulas by their columns. Raises BadRequest and MissingChannel, which point into the text."""

    def __init__(self, columns: Mapping[Channel, str]) -> None:
        self._texts = {channel.name: text for channel, text in columns.items()}
        self._formulas: dict[Channel, Formula] = {}
        self._layouts = Layouts(PHYSICS, whole=True)
        nothing = _TickColumns(
            {one.name: np.ones((1, one.width)[: 1 + (one.width > 1)]) for one in PHYSICS.channels}
        )
        for channel, text in columns.items():
            self._formulas[channel] = parse(text)
            _check(self._formulas[channel].node)
        self._values(nothing)

    def columns(self, tick: Tick) -> dict[Channel, Floats]:
        """Return the columns of a tick, over its rows."""
        assert tick.head is not None
        view = self._layouts.of(tick.head, tick.data, 0, len(tick.data)).view(tick.data, 0)
        return self._values(_TickColumns(view))

    def _values(self, columns: "_TickColumns") -> dict[Channel, Floats]:
        return {
            channel: evaluate(cast(Lap, columns), formula, self._others(channel.name)).values
            for channel, formula in self._formulas.items()
        }

    def _others(self, name: str) -> dict[str, str]:
        return {other: text for other, text in self._texts.items() if other != name}


def _check(node: Node) -> None:
    """Raise BadRequest for what a single tick cannot tell."""
    if isinstance(node, Converted):
        _check(node.of)
    if not isinstance(node, Operation):
        return
    if node.name in _OVER_TIME:
        raise wrong(node.column, f"{node.name} looks at other ticks, a stream has one", "use it on a lap")
    for operand in node.operands:
        _check(operand)


class _TickColumns:
    """The channels of a tick as formulas read those of a lap."""

    def __init__(self, view: Any) -> None:
        self._view = view
        self._rows = len(view["id"])
        self._there = set(view if isinstance(view, dict) else view.dtype.names)

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: str) -> bool:
        return name in PHYSICS.by_name

    def __getitem__(self, name: str) -> Array:
        channel = PHYSICS.by_name[name]
        if name not in self._there:  # a record of an earlier version
            return np.full((self._rows, channel.width)[: 1 + (channel.width > 1)], np.nan)
        return cast(Array, self._view[name])

    def unit(self, name: str) -> str:
        """Return the unit of a channel."""
        return PHYSICS.by_name[name].unit

    def available(self, name: str) -> bool:
        """Return True: what the game does not fill can be seen of a lap, not of a tick."""
        return name in self

    def flat(self, names: Sequence[str]) -> Iterator[FlatColumn]:
        """Yield the values of channels, each by its component. Raises MissingChannel."""
        for name in names:
            yield from self._flat(name)

    def _flat(self, name: str) -> Iterator[FlatColumn]:
        channel = PHYSICS.by_name.get(name) or _PARTS.get(name)
        if channel is None:
            raise MissingChannel(f"no channel {name!r} is recorded", hint="`rig channels` lists them")
        values = self[channel.name].reshape(self._rows, channel.width)
        for at, part in enumerate(components(channel.name, channel.width)):
            if name in (channel.name, part):
                yield FlatColumn(part, channel.unit, channel.description, values[:, at])
