"""From nodes to a list of calls: units are checked once, then every lap only passes over its columns.

A pass over a lap of 4,600 samples takes some 2 µs, as much as walking one node. So truths stay bytes until a
number is made of them, a value that is needed twice is computed once, and plans are kept.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from rig.channels import WHEELS
from rig.errors import BadRequest, MissingChannel
from riglap.formulas import functions
from riglap.formulas.aliases import ALIASES, COMPONENTS
from riglap.formulas.functions import ELEMENTWISE, MOST_WINDOW_S, STATISTICS, Floats
from riglap.formulas.nodes import (
    ChannelNode,
    Converted,
    Node,
    NumberNode,
    Operation,
    in_order,
    operands_of,
    wrong,
)
from riglap.formulas.parser import parsed
from riglap.formulas.units import NONE, SECOND, Unit, known
from riglap.rows import Array, ChannelRows

MOST_CHAIN: Final = 20
"""Formulas that use formulas."""
_MOST_EXPONENT: Final = 64
_PARSED: Final = 256
"""Formulas that stay parsed: an analysis has a few, of up to 4,000 characters each."""

Values: TypeAlias = Any
"""float64 or truths of shape (rows,), or one float."""


class Formula(NamedTuple):
    """A parsed formula, and its nodes in the order in which they are evaluated."""

    text: str
    node: Node
    nodes: tuple[Node, ...]


@functools.lru_cache(_PARSED)
def parse(text: str) -> Formula:
    """Return a formula. Raises BadRequest, which points at the column of the text."""
    node = parsed(text)
    return Formula(text, node, in_order(node))


class Term(NamedTuple):
    """What a node comes to: the place of its values among those of the plan, or one number."""

    place: int
    unit: Unit
    free: bool = False
    """A number of the text: it takes the unit of what it stands beside."""
    number: float | None = None
    """Known before any row is read."""
    truth: bool = False
    """Values may be truths, which a number has to be made of."""


class Input(NamedTuple):
    """A column that a plan reads."""

    channel: str
    at: int
    """Which of several values; -1: the channel has one."""
    unit: str

    def fits(self, lap: ChannelRows) -> bool:
        """Return whether a lap has it as the plan takes it."""
        if self.channel not in lap or lap.unit(self.channel) != self.unit:
            return False
        values = lap[self.channel]
        return values.ndim == 1 if self.at < 0 else values.ndim == 2 and values.shape[1] > self.at

    def read(self, lap: ChannelRows) -> Floats:
        """Return it as float64, NaN where it is not available."""
        if not lap.available(self.channel):
            return np.full(len(lap), np.nan)
        values = lap[self.channel]
        return _floats(values if self.at < 0 else values[:, self.at])


class FormulaPlan:
    """Calls in their order: each takes values of those before, by their places."""

    def __init__(self) -> None:
        self.inputs: dict[Input, int] = {}
        self.results: dict[str, Term] = {}
        self._calls: list[tuple[Callable[..., Values], tuple[int, ...]]] = []
        self._over: list[list[int]] = []
        self._first: list[Values] = []
        self._clock = -1

    def fits(self, lap: ChannelRows) -> bool:
        """Return whether it can be run on a lap."""
        return all(one.fits(lap) for one in self.inputs) and (self._clock < 0 or "lap_time" in lap)

    def run(self, lap: ChannelRows) -> dict[str, Floats]:
        """Return the results by name, float64 of shape (rows,)."""
        values = self._first.copy()
        for one, place in self.inputs.items():
            values[place] = one.read(lap)
        if self._clock >= 0:
            values[self._clock] = np.maximum.accumulate(lap["lap_time"].astype(np.float64))
        with np.errstate(all="ignore"):
            for (call, places), over in zip(self._calls, self._over, strict=True):
                values[places[0]] = call(*[values[place] for place in places[1:]])
                for place in over:
                    values[place] = None
        return {name: _rows(values[value.place], len(lap)) for name, value in self.results.items()}

    def finish(self) -> None:
        """Note after which call a column is not needed any more: 500 of a long lap would be gigabytes."""
        last = {place: at for at, (_, places) in enumerate(self._calls) for place in places}
        kept = {value.place for value in self.results.values()}
        self._over = [[] for _ in self._calls]
        for place, at in last.items():
            if place not in kept:
                self._over[at].append(place)

    def read(self, wanted: Input) -> int:
        """Return the place of a column."""
        if wanted not in self.inputs:
            self.inputs[wanted] = self._place(None)
        return self.inputs[wanted]

    def clock(self) -> int:
        """Return the place of the time into the lap [s], never falling."""
        if self._clock < 0:
            self._clock = self._place(None)
        return self._clock

    def number(self, number: float, unit: Unit = NONE, *, free: bool = True) -> Term:
        """Return a number."""
        return Term(self._place(number), unit, free, number)

    def call(
        self,
        act: Callable[..., Values],
        of: Sequence[Term],
        unit: Unit,
        *,
        free: bool = False,
        truth: bool = False,
    ) -> Term:
        """Return what a call comes to; of numbers alone, at once."""
        if all(one.number is not None for one in of):
            with np.errstate(all="ignore"):
                return self.number(float(act(*(one.number for one in of))), unit, free=free)
        return Term(self.later(act, [one.place for one in of]), unit, free, None, truth)

    def later(self, act: Callable[..., Values], places: Sequence[int]) -> int:
        """Return the place of what a call comes to."""
        place = self._place(None)
        self._calls.append((act, (place, *places)))
        return place

    def _place(self, value: Values) -> int:
        self._first.append(value)
        return len(self._first) - 1


class Planner:
    """Makes the plan of formulas over the rows of one lap, and of all that are like it."""

    def __init__(self, lap: ChannelRows, formulas: Mapping[str, str]) -> None:
        self.plan: Final = FormulaPlan()
        self._lap, self._formulas = lap, formulas
        self._chain: list[str] = []

    def value(self, formula: Formula) -> Term:
        """Return what a formula comes to."""
        done: dict[int, Term] = {}
        for node in formula.nodes:
            done[id(node)] = self._node(node, [done[id(one)] for one in operands_of(node)])
        return done[id(formula.node)]

    def named(self, name: str, column: int = 1) -> Term:
        """Return what one of the formulas comes to, which `column` of another asks for."""
        if name in self._chain:
            raise wrong(column, " uses ".join([*self._chain, name]), "a formula cannot use itself")
        if len(self._chain) >= MOST_CHAIN:
            raise wrong(column, f"formulas use each other {MOST_CHAIN} deep")
        if name not in self.plan.results:
            self._chain.append(name)
            try:
                self.plan.results[name] = self.value(parse(self._formulas[name]))
            except (BadRequest, MissingChannel) as error:
                inner = error.message if error.message.startswith("in ") else f"in {name}: {error.message}"
                raise type(error)(inner, hint=error.hint, **error.facts) from None
            self._chain.pop()
        return self.plan.results[name]

    def _node(self, node: Node, operands: list[Term]) -> Term:
        if isinstance(node, NumberNode):
            return self.plan.number(node.value)
        if isinstance(node, ChannelNode):
            return self._channel(node)
        if isinstance(node, Converted):
            return self._converted(node, operands[0])
        least, most = _counts(node.name)
        if not least <= len(operands) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise wrong(node.column, f"{node.name} takes {wanted} values, not {len(operands)}")
        made = self._operation(node, operands)
        if not made.unit.usable:
            raise wrong(
                node.column, "the unit of this is beyond all measure", "[m^64] and the like are no units"
            )
        return made

    def _channel(self, node: ChannelNode) -> Term:
        if node.name in self._formulas and not node.part:
            return self.named(node.name, node.column)
        alias = ALIASES.get(node.name.lower()) if node.quoted else None
        found = self._column(node, alias.column if alias else node.name)
        if alias is None or (alias.unit == found.unit and alias.factor == 1):
            return found
        return self.plan.call(functools.partial(np.multiply, alias.factor), [found], alias.unit)

    def _column(self, node: ChannelNode, name: str) -> Term:
        lap = self._lap
        channel, at = COMPONENTS.get(name, (name, -1)) if name not in lap else (name, -1)
        if channel not in lap or node.part or (at < 0 and lap[channel].ndim > 1):
            channel, at = self._part(node, name)
        unit = lap.unit(channel)
        return Term(self.plan.read(Input(channel, at, unit)), known(unit) or NONE)

    def _part(self, node: ChannelNode, name: str) -> tuple[str, int]:
        """Return which channel, and which of its values: of a wheel, or by its number."""
        wanted = name + (f"_{node.part}" if node.part in WHEELS else "")
        try:
            channel = self._lap.channel(wanted)
            columns = [column.name for column in self._lap.columns(wanted)]
        except MissingChannel as error:
            hint = error.hint if len(error.hint) < 200 else "`rig channels` lists them"
            raise MissingChannel(
                f"column {node.column}: {error.message}", hint=hint, column=node.column
            ) from None
        at = int(node.part) if node.part.isdecimal() else 0
        if len(columns) > 1 and not node.part.isdecimal():
            several = f"{wanted} has {len(columns)} values"
            raise wrong(node.column, several, f"choose one: {wanted}[0], or {', '.join(columns[:4])}")
        if at >= len(columns):
            raise wrong(node.column, f"{name} has {len(columns)} values, no [{at}]", "they count from 0")
        whole = [column.name for column in self._lap.columns(channel)]
        return channel, whole.index(columns[at]) if self._lap[channel].ndim > 1 else -1

    def _converted(self, node: Converted, found: Term) -> Term:
        unit = known(node.unit)
        if unit is None:
            raise wrong(node.column, f"there is no unit [{node.unit}]")
        if found.free:
            return found._replace(unit=unit, free=False)
        if not found.unit.like(unit):
            hint = "a unit belongs to what stands before it; (...) [unit] is that of the whole"
            told = f"[{found.unit.name or 'no unit'}] cannot be told in [{node.unit}]"
            raise wrong(node.column, told, hint)
        return self._to(found, unit)

    def _to(self, value: Term, unit: Unit) -> Term:
        """Return a value in another unit of the same kind, as a number to reckon with."""
        own = value.unit
        value = self._number(value)
        if value.free or (own.scale == unit.scale and own.offset == unit.offset):
            return value
        factor = own.scale / unit.scale
        if own.offset == unit.offset:
            return self.plan.call(functools.partial(np.multiply, factor), [value], unit)
        more = (own.offset - unit.offset) / unit.scale
        return self.plan.call(lambda values: values * factor + more, [value], unit)

    def _number(self, value: Term) -> Term:
        """Return 1 and 0 in place of truths."""
        return self.plan.call(_number, [value], value.unit) if value.truth else value

    def _operation(self, node: Operation, operands: list[Term]) -> Term:
        name, call = node.name, self.plan.call
        if name in _COMPARE:
            return call(_COMPARE[name], self._alike(node, operands)[0], NONE, truth=True)
        if name in _LOGIC:
            return call(_LOGIC[name], operands, NONE, truth=True)
        if name in _TOGETHER:
            values, unit, free = self._alike(node, operands)
            return call(_TOGETHER[name], values, unit, free=free)
        if name == "choose":
            values, unit, free = self._alike(node, operands[1:])
            return call(_choose, [operands[0], *values], unit, free=free)
        if name in STATISTICS:
            return call(functools.partial(_statistic, STATISTICS[name]), operands, operands[0].unit)
        if name == "invalid":
            return self.plan.number(math.nan)
        if name in ("derivative", "integrate", "smooth", "shift"):
            return self._over_time(node, operands)
        return self._arithmetic(node, list(map(self._number, operands)))

    def _alike(self, node: Operation, operands: Sequence[Term]) -> tuple[list[Term], Unit, bool]:
        """Return operands in the unit of the first that has one, that unit, and whether none has one."""
        tied = [one.unit for one in operands if not one.free]
        for unit in tied[1:]:
            if not unit.like(tied[0]):
                told = f"[{tied[0].name or 'no unit'}] and [{unit.name or 'no unit'}]"
                raise wrong(node.column, f"{node.name} of {told}", "a unit in brackets makes one the other")
        unit = tied[0] if tied else NONE
        return [self._to(one, unit) for one in operands], unit, not tied

    def _arithmetic(self, node: Operation, operands: list[Term]) -> Term:
        name, call, first = node.name, self.plan.call, operands[0]
        free = all(one.free for one in operands)
        if name == "*":
            return call(np.multiply, operands, first.unit.times(operands[1].unit), free=free)
        if name == "/":
            return call(np.divide, operands, first.unit.times(operands[1].unit.power(-1)), free=free)
        if name == "^":
            return self._power(node, *operands)
        if name == "sqr":
            return call(np.square, operands, first.unit.times(first.unit), free=free)
        if name == "sqrt":
            return call(np.sqrt, operands, first.unit.power(0.5), free=free)
        if name == "atan2":
            return call(np.arctan2, self._alike(node, operands)[0], NONE)
        return self._elementwise(node, first)

    def _elementwise(self, node: Operation, one: Term) -> Term:
        function = ELEMENTWISE[node.name]
        if function.units in ("angle", "plain"):
            if not one.unit.plain:
                raise wrong(
                    node.column, f"{node.name} of [{one.unit.name}]", "it takes a plain number or an angle"
                )
            return self.plan.call(function.act, [self._to(one, NONE)], NONE, free=one.free)
        unit = NONE if function.units == "sign" else one.unit
        return self.plan.call(function.act, [one], unit, free=one.free)

    def _power(self, node: Operation, base: Term, exponent: Term) -> Term:
        if not exponent.unit.plain:
            raise wrong(node.column, f"an exponent takes a plain number, not [{exponent.unit.name}]")
        exponent = self._to(exponent, NONE)
        act = np.square if exponent.number == 2 else _raised
        of = [base] if act is np.square else [base, exponent]
        if base.unit.plain:
            return self.plan.call(act, [self._to(base, NONE), *of[1:]], NONE, free=base.free)
        number = exponent.number
        if number is None or not abs(number) <= _MOST_EXPONENT:
            told = f"a power of [{base.unit.name}] takes a plain number"
            raise wrong(node.column, told, f"up to {_MOST_EXPONENT}")
        try:
            return self.plan.call(act, of, base.unit.power(number))
        except OverflowError:
            raise wrong(node.column, "the unit of this is beyond all measure") from None

    def _over_time(self, node: Operation, operands: list[Term]) -> Term:
        if "lap_time" not in self._lap:
            lacking = f"column {node.column}: the lap came without lap_time, which {node.name} takes"
            raise MissingChannel(lacking, column=node.column)
        value, unit = self._number(operands[0]), operands[0].unit
        if node.name in ("derivative", "integrate"):
            act = functions.derivative if node.name == "derivative" else functions.integrate
            unit = unit.times(SECOND.power(-1) if node.name == "derivative" else SECOND)
        else:
            over = functions.smooth if node.name == "smooth" else functions.shift
            act = functools.partial(over, seconds=self._seconds(node, operands[1]))
        clock = self.plan.clock()
        return Term(
            self.plan.later(lambda x, time: act(_rows(x, len(time)), time), [value.place, clock]), unit
        )

    def _seconds(self, node: Operation, value: Term) -> float:
        """Return a window: one number, in seconds."""
        if value.number is None or not (value.free or value.unit.like(SECOND)):
            raise wrong(node.column, f"{node.name} takes one number of seconds")
        seconds = self._to(value, SECOND).number or 0.0
        least = 0.0 if node.name == "smooth" else -MOST_WINDOW_S
        if not least <= seconds <= MOST_WINDOW_S:
            raise wrong(node.column, f"{node.name} over {seconds:g} s", f"{least:g} to {MOST_WINDOW_S:g} s")
        return seconds


def _counts(name: str) -> tuple[int, int]:
    """Return fewest and most operands."""
    if name in ("min", "max"):
        return 1, 99
    if name in ELEMENTWISE or name in STATISTICS or name in ("!", "sqrt", "sqr", "derivative", "integrate"):
        return 1, 1
    return {"choose": (3, 3), "invalid": (0, 0)}.get(name, (2, 2))


def _comparing(act: Callable[..., Values]) -> Callable[..., Values]:
    return lambda a, b: _known(act(a, b), a, b)


def _true(values: Values) -> Values:
    """Return which values are not 0."""
    return values if _truths(values) else np.not_equal(values, 0)


def _least(*values: Values) -> Values:
    return functools.reduce(np.minimum, values)


def _greatest(*values: Values) -> Values:
    return functools.reduce(np.maximum, values)


_COMPARE: Final = {
    "<": _comparing(np.less),
    "<=": _comparing(np.less_equal),
    ">": _comparing(np.greater),
    ">=": _comparing(np.greater_equal),
    "==": _comparing(np.equal),
    "!=": _comparing(np.not_equal),
}
_LOGIC: Final[Mapping[str, Callable[..., Values]]] = {
    "&&": lambda a, b: _known(np.logical_and(_true(a), _true(b)), a, b),
    "||": lambda a, b: _known(np.logical_or(_true(a), _true(b)), a, b),
    "!": lambda a: _known(np.logical_not(_true(a)), a),
}
_TOGETHER: Final[Mapping[str, Callable[..., Values]]] = {
    "+": np.add,
    "-": np.subtract,
    "%": np.mod,
    "min": _least,
    "max": _greatest,
}


def _choose(test: Values, yes: Values, no: Values) -> Values:
    return _known(np.where(_true(test), yes, no), test)


def _statistic(act: Callable[[Floats], float], x: Values) -> float:
    there = np.atleast_1d(np.asarray(x, np.float64))
    there = there[np.isfinite(there)]
    return act(there) if len(there) else math.nan


def _raised(base: Values, exponent: Values) -> Values:
    """Return a power. What is missing stays so: for numpy NaN ^ 0 and 1 ^ NaN are 1."""
    return _known(np.power(base, exponent), base, exponent)


def _known(found: Values, *of: Values) -> Values:
    """Return what was found, NaN where an operand is missing."""
    for one in of:
        if _missing_somewhere(one):
            found = np.where(np.isnan(one), np.nan, found)
    return found


def _missing_somewhere(values: Values) -> bool:
    """Return whether a value is NaN. The least is, where one of them is: one pass without a column of its
    own.
    """
    if isinstance(values, float):
        return math.isnan(values)
    if _truths(values) or not values.size:
        return False
    return math.isnan(np.minimum.reduce(values))


def _truths(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "b"


def _number(values: Values) -> Values:
    """Return 1 and 0 for truths."""
    return values.astype(np.float64) if _truths(values) else values


def _rows(values: Values, rows: int) -> Floats:
    """Return a value for every row."""
    found = np.asarray(values, np.float64)
    return found if found.ndim else np.full(rows, found)


def _floats(values: Array) -> Floats:
    """Return values as float64, what is masked as NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    return values.astype(np.float64)
