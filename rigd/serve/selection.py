"""Selections: what a subscriber wants of each record, cut out once and shared by all who want the same."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from rig.channels import PHYSICS, Channel, Table, formula_columns
from rig.columns import Bytes, Cut, Head, Layout, Layouts, column, field
from rig.errors import UnknownChannel
from rigd.serve.derived import Derived
from rigd.serve.formulas import TickFormulas
from rigd.serve.recent import Tick
from riglap.circuits.line import Floats

SHARED: Final = 128
"""Responses kept for others with the same selection; as many as the feed keeps records."""

_TICKS_FIELD: Final = 2

Prepare = Callable[[Sequence[Tick]], Awaitable[None]]
"""Makes what ticks need that is not recorded."""


class Cars(NamedTuple):
    """Which rows: all (neither), some ids, the local player's, or that alone if it is one of the ids."""

    ids: tuple[int, ...] = ()
    player: bool = False


class Asked(NamedTuple):
    """What is asked for of each record."""

    channels: tuple[Channel, ...]
    """Those that are recorded."""
    cars: Cars
    derived: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()


class Selection:
    """Channels and cars of one table. Called, it gives a record as the `ticks` field of a response."""

    def __init__(
        self,
        table: Table,
        wanted: Asked,
        layouts: Layouts,
        cursor_field: Callable[[int], bytes],
        derived: Derived | None = None,
    ) -> None:
        self.table = table
        self.wanted, self.derived = wanted, derived
        self.channels, self.cars = wanted.channels, wanted.cars
        self.prepare: Prepare | None = derived.prepare if derived else None
        self._formulas = TickFormulas(formula_columns(wanted.formulas)) if wanted.formulas else None
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
        if self._formulas is None and self.derived is None:
            return field(_TICKS_FIELD, b"".join(cut(tick.data)))
        parts = cut(tick.data)
        at = len(parts) - (len(tick.data) > layout.end)
        return field(_TICKS_FIELD, b"".join((*parts[:at], *self._made(tick, rows), *parts[at:])))

    def _made(self, tick: Tick, rows: tuple[int, ...] | None) -> list[bytes]:
        """Return the columns that are not recorded."""
        found: dict[Channel, Floats] = {}
        if self.derived is not None:
            made = self.derived.columns(tick)
            found |= {self.table.derived[name]: made[name] for name in self.wanted.derived}
        if self._formulas is not None:
            found |= self._formulas.columns(tick)
        chosen = slice(None) if rows is None else list(rows)
        return [column(channel, values[chosen]) for channel, values in found.items()]

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
        self._used: dict[tuple[Asked, Derived | None], tuple[Selection, int]] = {}

    def read(self, names: Sequence[str], cars: Cars) -> Asked:
        """Return what is asked for. Raises UnknownChannel, and BadRequest for formulas that cannot be."""
        formulas = tuple(dict.fromkeys(name for name in names if "=" in name))
        derived = tuple(name for name in self.table.derived if name in names)
        if formulas and self.table is not PHYSICS:
            raise UnknownChannel(f"{self.table.name} has no formulas", hint="physics has")
        rest = set(names) - set(formulas) - set(derived)
        if len(names) and not rest:
            rest = {"id"}
        return Asked(self.table.pick(rest), cars, derived, formulas)

    def take(self, wanted: Asked, derived: Derived | None = None) -> Selection:
        """Return the selection of what is asked for. Raises BadRequest for formulas that cannot be.
        Give it back with `release`.
        """
        key = (wanted, derived)
        selection, users = self._used.get(key) or (self._make(wanted, derived), 0)
        self._used[key] = (selection, users + 1)
        return selection

    def _make(self, wanted: Asked, derived: Derived | None) -> Selection:
        return Selection(self.table, wanted, self._layouts, self._cursor_field, derived)

    def release(self, selection: Selection) -> None:
        """Note one user less."""
        key = (selection.wanted, selection.derived)
        kept, users = self._used[key]
        if users > 1:
            self._used[key] = (kept, users - 1)
        else:
            del self._used[key]
