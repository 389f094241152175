"""Selections: what a subscriber wants of each record, cut out once and shared by all who want the same."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from rig.channels import Channel, Table
from rig.columns import Bytes, Cut, Head, Layout, Layouts, field
from rigd.serve.feed import Tick

SHARED: Final = 128
"""Responses kept for others with the same selection; as many as the feed keeps records."""

_TICKS_FIELD: Final = 2


class Cars(NamedTuple):
    """Which rows: all (neither), some ids, the local player's, or that alone if it is one of the ids."""

    ids: tuple[int, ...] = ()
    player: bool = False


class Selection:
    """Channels and cars of one table. Called, it gives a record as the `ticks` field of a response."""

    def __init__(
        self,
        table: Table,
        channels: Sequence[Channel],
        cars: Cars,
        layouts: Layouts,
        cursor_field: Callable[[int], bytes],
    ) -> None:
        self.table = table
        self.channels = tuple(channels)
        self.cars = cars
        self._layouts = layouts
        self._cursor_field = cursor_field
        self._cuts: dict[tuple[Layout, tuple[int, ...] | None], Cut] = {}
        self._rows: dict[tuple[bytes, int], tuple[int, ...]] = {}
        self._shared: OrderedDict[int, bytes] = OrderedDict()

    def __call__(self, tick: Tick) -> bytes:
        """Return the selected part of a record, with its field header."""
        return self._make(tick)

    def message(self, tick: Tick) -> bytes:
        """Return a whole response with this record alone, made once for everyone with the same selection."""
        found = self._shared.get(tick.seq)
        if found is None:
            found = self._shared[tick.seq] = self._cursor_field(tick.seq) + self._make(tick)
            if len(self._shared) > SHARED:
                self._shared.popitem(last=False)
        return found

    def rest(self) -> None:
        """Release what is kept for others: up to 5 MB with all channels of 40 cars."""
        self._shared.clear()

    def _make(self, tick: Tick) -> bytes:
        """Return the wanted channels of the wanted cars, as the `ticks` field of a response."""
        assert tick.head is not None
        layout = self._layouts.of(tick.head, tick.data, 0, len(tick.data))
        rows = self._wanted_rows(layout, tick.head, tick.data)
        cut = self._cuts.get((layout, rows))
        if cut is None:
            cut = self._cuts[layout, rows] = Cut(layout, self.channels, rows)
        return field(_TICKS_FIELD, b"".join(cut(tick.data)))

    def _wanted_rows(self, layout: Layout, head: Head, data: Bytes) -> tuple[int, ...] | None:
        """Return row numbers of the wanted cars; None: all. The order of rows changes rarely."""
        if not self.cars.ids and not self.cars.player:
            return None
        ids = layout.view(data, 0)["id"]
        key = (ids.tobytes(), head.player)
        rows = self._rows.get(key)
        if rows is None:
            chosen = np.isin(ids, self.cars.ids) if self.cars.ids else np.ones(len(ids), bool)
            if self.cars.player:
                chosen &= ids == head.player
            rows = self._rows[key] = tuple(np.flatnonzero(chosen).tolist())
        return rows


class Selections:
    """The selections in use, one object per distinct one, as long as somebody uses it."""

    def __init__(self, table: Table, cursor_field: Callable[[int], bytes]) -> None:
        self.table = table
        self._layouts = Layouts(table, whole=True)
        self._cursor_field = cursor_field
        self._used: dict[tuple[tuple[Channel, ...], Cars], tuple[Selection, int]] = {}

    def take(self, channels: Sequence[str], cars: Cars) -> Selection:
        """Return the selection for these channels and cars. Raises UnknownChannel. Give it back with
        `release`.
        """
        picked = self.table.pick(channels)
        key = (picked, cars)
        selection, users = self._used.get(key) or (self._make(picked, cars), 0)
        self._used[key] = (selection, users + 1)
        return selection

    def _make(self, channels: tuple[Channel, ...], cars: Cars) -> Selection:
        return Selection(self.table, channels, cars, self._layouts, self._cursor_field)

    def release(self, selection: Selection) -> None:
        """Note one user less."""
        key = (selection.channels, selection.cars)
        kept, users = self._used[key]
        if users > 1:
            self._used[key] = (kept, users - 1)
        else:
            del self._used[key]
