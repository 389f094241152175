"""Formulas of a stream: evaluated on the recorded channels of a tick, for all its cars at once.

A tick knows nothing of others, so functions over time are refused: they are for laps.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS, Channel
from rig.columns import Layouts
from rigd.serve.recent import Tick
from riglap.circuits.line import Floats
from riglap.formulas import Chosen, columns_of, parse
from riglap.formulas.functions import STATISTICS
from riglap.formulas.nodes import Operation, wrong
from riglap.lap import ChannelRows, ColumnSource

_OVER_TIME: Final = {"derivative", "integrate", "smooth", "shift", "invalid", *STATISTICS}

Array = np.ndarray[Any, np.dtype[Any]]


class TickFormulas:
    """Formulas by their columns. Raises BadRequest and MissingChannel, which point into the text."""

    def __init__(self, columns: Mapping[Channel, str]) -> None:
        self._columns = {channel.name: channel for channel in columns}
        self._formulas = {channel.name: text for channel, text in columns.items()}
        for text in self._formulas.values():
            _check(text)
        wanted = set(Chosen((), self._formulas).needed_here())
        self._channels = [one for one in PHYSICS.channels if one.name in wanted]
        self._layouts = Layouts(PHYSICS, whole=True)
        self._values(lambda channel: np.ones((1, channel.width)[: 1 + (channel.width > 1)]), 1)

    def columns(self, tick: Tick) -> dict[Channel, Floats]:
        """Return the columns of a tick, over its rows."""
        assert tick.head is not None
        layout = self._layouts.of(tick.head, tick.data, 0, len(tick.data))
        view = layout.view(tick.data, 0)

        def read(channel: Channel) -> Array:
            if channel.name in layout.spans:
                values: Array = view[channel.name]
                return values
            # A record of an earlier version.
            return np.full((layout.rows, channel.width)[: 1 + (channel.width > 1)], np.nan)

        return self._values(read, layout.rows)

    def _values(self, read: Callable[[Channel], Array], rows: int) -> dict[Channel, Floats]:
        # What the game does not fill can be seen of a lap, not of a tick: zeros are zeros here.
        sources = {
            one.name: ColumnSource(one.unit, one.description, _reader(read, one)) for one in self._channels
        }
        made = columns_of(ChannelRows(sources, rows), self._formulas)
        return {self._columns[name]: source.read() for name, source in made.items()}


def _reader(read: Callable[[Channel], Array], channel: Channel) -> Callable[[], Array]:
    return lambda: read(channel)


def _check(text: str) -> None:
    """Raise BadRequest for what a single tick cannot tell."""
    for node in parse(text).nodes:
        if isinstance(node, Operation) and node.name in _OVER_TIME:
            raise wrong(node.column, f"{node.name} looks at other ticks, a stream has one", "use it on a lap")
