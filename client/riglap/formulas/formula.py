"""Formulas over the channels of a lap: parsed once, evaluated by walking the tree."""

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from rig.channels import WHEELS
from rig.errors import BadRequest, MissingChannel
from riglap.export.signals import motec_names
from riglap.formulas import functions
from riglap.formulas.functions import ELEMENTWISE, MOST_WINDOW_S, STATISTICS, Floats
from riglap.formulas.nodes import ChannelNode, Converted, Node, NumberNode, Operation, wrong
from riglap.formulas.parser import parsed
from riglap.formulas.units import NONE, SECOND, Unit, known
from riglap.lap import Array, ColumnSource, FlatColumn, Lap

MOST_CHAIN: Final = 20
"""Formulas that use formulas."""
_COMPARE: Final = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_MOST_EXPONENT: Final = 64

Values: TypeAlias = Floats | float


class Formula(NamedTuple):
    """A parsed formula."""

    text: str
    node: Node


class _Value(NamedTuple):
    """A column or one number; `free` numbers take the unit of what they stand beside."""

    values: Values
    unit: Unit
    free: bool = False


def parse(text: str) -> Formula:
    """Return a formula. Raises BadRequest, which points at the column of the text."""
    return Formula(text, parsed(text))


def evaluate(lap: Lap, formula: Formula | str, others: Mapping[str, str] | None = None) -> FlatColumn:
    """Return the column of a formula over the rows of a lap, float64, NaN where a channel is not available.

    `others` are formulas by name, which it may use. Raises BadRequest for what the formula says and
    MissingChannel for a channel that the lap does not have; both point at the column.
    """
    made = parse(formula) if isinstance(formula, str) else formula
    with np.errstate(all="ignore"):
        found = _Evaluation(lap, others or {}).value(made.node)
    values = np.asarray(found.values, np.float64)
    if values.ndim == 0:
        values = np.full(len(lap), values)
    return FlatColumn(made.text, found.unit.name, made.text, values)


def with_formulas(lap: Lap, formulas: Mapping[str, str]) -> Lap:
    """Return the lap with a channel per formula, by its name, wherever a channel's name is taken. Raises as
    `evaluate`, and BadRequest for a name that the lap has already.
    """
    sources = {}
    for name, text in formulas.items():
        if not name.isidentifier() or name in lap:
            taken = "the lap has a channel of this name" if name in lap else "a name is letters, digits and _"
            raise BadRequest(f"no formula can be called {name!r}", hint=taken)
        column = evaluate(lap, text, {other: told for other, told in formulas.items() if other != name})
        sources[name] = ColumnSource(column.unit, text, _reader(column.values))
    return lap.with_columns(sources)


class _Evaluation:
    """One walk over one lap."""

    def __init__(self, lap: Lap, formulas: Mapping[str, str]) -> None:
        self._lap, self._formulas = lap, formulas
        self._made: dict[str, _Value] = {}
        self._read: dict[str, _Value] = {}
        self._chain: list[str] = []
        self._clock: Floats | None = None

    def value(self, node: Node) -> _Value:
        """Return what a node comes to."""
        if isinstance(node, NumberNode):
            return _Value(node.value, NONE, free=True)
        if isinstance(node, ChannelNode):
            return self._channel(node)
        if isinstance(node, Converted):
            return self._converted(node)
        return self._operation(node)

    def _channel(self, node: ChannelNode) -> _Value:
        if node.quoted:
            return self._motec(node)
        if node.name in self._formulas and not node.part:
            return self._formula(node)
        return self._column(node, node.name)

    def _motec(self, node: ChannelNode) -> _Value:
        """Return a channel by MoTeC's name, in MoTeC's unit; a name of ours may be quoted too."""
        for name, (column, unit, factor) in motec_names().items():
            if name.lower() == node.name.lower():
                found = self._column(node, column)
                return _Value(found.values * factor, known(unit) or found.unit)
        return self._column(node, node.name)

    def _column(self, node: ChannelNode, name: str) -> _Value:
        lap, column = self._lap, name + (f"_{node.part}" if node.part in WHEELS else "")
        if column in self._read:
            return self._read[column]
        if not node.part and name in lap and lap[name].ndim == 1:  # most are
            unit = known(lap.unit(name)) or NONE
            values = _floats(lap[name]) if lap.available(name) else np.full(len(lap), np.nan)
            return self._read.setdefault(column, _Value(values, unit))
        try:
            parts = list(lap.flat([column]))
        except MissingChannel as error:
            hint = error.hint if len(error.hint) < 200 else "`rig channels` lists them"
            raise MissingChannel(
                f"column {node.column}: {error.message}", hint=hint, column=node.column
            ) from None
        at = int(node.part) if node.part.isdecimal() else 0
        if len(parts) > 1 and not node.part.isdecimal():
            names = ", ".join(part.name for part in parts[:4])
            raise wrong(
                node.column, f"{column} has {len(parts)} values", f"choose one: {column}[0], or {names}"
            )
        if at >= len(parts):
            raise wrong(node.column, f"{name} has {len(parts)} values, no [{at}]", "they count from 0")
        return _Value(_floats(parts[at].values), known(parts[at].unit) or NONE)

    def _formula(self, node: ChannelNode) -> _Value:
        name = node.name
        if name in self._chain:
            raise wrong(node.column, f"{' uses '.join([*self._chain, name])}", "a formula cannot use itself")
        if len(self._chain) >= MOST_CHAIN:
            raise wrong(node.column, f"formulas use each other {MOST_CHAIN} deep")
        if name not in self._made:
            self._chain.append(name)
            try:
                self._made[name] = self.value(parsed(self._formulas[name]))
            except BadRequest as error:
                raise BadRequest(f"in {name}: {error.message}", hint=error.hint, **error.facts) from None
            self._chain.pop()
        return self._made[name]

    def _converted(self, node: Converted) -> _Value:
        unit, found = known(node.unit), self.value(node.of)
        if unit is None:
            raise wrong(node.column, f"there is no unit [{node.unit}]")
        if found.free:
            return _Value(found.values, unit)
        if not found.unit.like(unit):
            raise wrong(node.column, f"[{found.unit.name or 'no unit'}] cannot be told in [{node.unit}]")
        return _Value(_to(found, unit), unit)

    def _operation(self, node: Operation) -> _Value:
        operands = [self.value(one) for one in node.operands]
        name = node.name
        if name in ("+", "-", "min", "max", *_COMPARE):
            return self._together(node, operands)
        if name in ("*", "/", "^", "%"):
            return _product(node, operands)
        if name in ("&&", "||", "!"):
            return _logic(node, operands)
        if name == "choose":
            return self._choose(node, operands)
        if name in ELEMENTWISE:
            return _elementwise(node, operands)
        return self._over_time(node, operands)

    def _together(self, node: Operation, operands: list[_Value]) -> _Value:
        """Return what needs operands of one unit."""
        _count(
            node,
            operands,
            1 if node.name in ("min", "max") else 2,
            2 if node.name not in ("min", "max") else 99,
        )
        unit = _common(node, operands)
        values = [_to(one, unit) for one in operands]
        if node.name in _COMPARE:
            return _Value(_truth(_COMPARE[node.name](values[0], values[1]), *values), NONE)
        free = all(one.free for one in operands)
        if node.name in ("+", "-"):
            total = values[0] + values[1] if node.name == "+" else values[0] - values[1]
            return _Value(total, unit, free)
        act = np.minimum if node.name == "min" else np.maximum
        least: Values = values[0]
        for other in values[1:]:
            least = act(least, other)
        return _Value(least, unit, free)

    def _choose(self, node: Operation, operands: list[_Value]) -> _Value:
        _count(node, operands, 3, 3)
        unit = _common(node, operands[1:])
        test, yes, no = operands[0].values, *(_to(one, unit) for one in operands[1:])
        chosen = np.where(np.asarray(test) != 0, yes, no)
        missing = np.isnan(test)
        chosen = np.where(missing, np.nan, chosen) if np.any(missing) else chosen
        return _Value(chosen, unit, all(one.free for one in operands[1:]))

    def _over_time(self, node: Operation, operands: list[_Value]) -> _Value:
        name = node.name
        if name == "sqrt":
            _count(node, operands, 1, 1)
            return _Value(np.sqrt(operands[0].values), operands[0].unit.power(0.5), operands[0].free)
        if name == "atan2":
            _count(node, operands, 2, 2)
            unit = _common(node, operands)
            return _Value(np.arctan2(_to(operands[0], unit), _to(operands[1], unit)), NONE)
        if name in STATISTICS:
            _count(node, operands, 1, 1)
            there = np.atleast_1d(operands[0].values)
            there = there[np.isfinite(there)]
            return _Value(STATISTICS[name](there) if len(there) else math.nan, operands[0].unit)
        if name in ("derivative", "integrate"):
            _count(node, operands, 1, 1)
            act = functions.derivative if name == "derivative" else functions.integrate
            per = SECOND.power(-1) if name == "derivative" else SECOND
            return _Value(act(self._rows(operands[0]), self._time()), operands[0].unit.times(per))
        if name in ("smooth", "shift"):
            _count(node, operands, 2, 2)
            act_on = functions.smooth if name == "smooth" else functions.shift
            seconds = _seconds(node, operands[1])
            return _Value(act_on(self._rows(operands[0]), self._time(), seconds), operands[0].unit)
        raise wrong(node.column, f"there is no function {name!r}", ", ".join(sorted(_NAMES)))

    def _rows(self, value: _Value) -> Floats:
        return np.broadcast_to(np.asarray(value.values, np.float64), (len(self._lap),))

    def _time(self) -> Floats:
        if self._clock is None:
            if "lap_time" not in self._lap:
                raise MissingChannel("the lap came without lap_time, which this takes")
            self._clock = np.maximum.accumulate(self._lap["lap_time"].astype(np.float64))
        return self._clock


_NAMES: Final = {
    *(name for name in ELEMENTWISE if name not in ("negative", "positive")),
    *STATISTICS,
    *("sqrt", "atan2", "min", "max", "if", "choose", "derivative", "integrate", "smooth", "shift"),
}


def _count(node: Operation, operands: list[_Value], least: int, most: int) -> None:
    if not least <= len(operands) <= most:
        wanted = str(least) if least == most else f"{least} or more"
        raise wrong(node.column, f"{node.name} takes {wanted} values, not {len(operands)}")


def _common(node: Operation, operands: list[_Value]) -> Unit:
    """Return the unit of the first operand that has one; raise where another's cannot be made that."""
    tied = [one.unit for one in operands if not one.free]
    if not tied:
        return NONE
    for unit in tied[1:]:
        if not unit.like(tied[0]):
            told = f"[{tied[0].name or 'no unit'}] and [{unit.name or 'no unit'}]"
            raise wrong(node.column, f"{node.name} of {told}", "a unit in brackets makes one the other")
    return tied[0]


def _to(value: _Value, unit: Unit) -> Values:
    """Return values in another unit of the same kind."""
    own = value.unit
    if value.free or (own.scale == unit.scale and own.offset == unit.offset):
        return value.values
    return (value.values * own.scale + own.offset - unit.offset) / unit.scale


def _product(node: Operation, operands: list[_Value]) -> _Value:
    left, right = operands
    free = left.free and right.free
    if node.name == "*":
        return _Value(left.values * right.values, left.unit.times(right.unit), free)
    if node.name == "/":
        unit = left.unit.times(right.unit.power(-1))
        return _Value(np.divide(left.values, right.values), unit, free)
    if node.name == "%":
        unit = _common(node, operands)
        return _Value(np.mod(_to(left, unit), _to(right, unit)), unit, free)
    return _power(node, left, right)


def _power(node: Operation, left: _Value, right: _Value) -> _Value:
    if left.unit.plain and right.unit.plain:
        return _Value(np.asarray(left.values, np.float64) ** right.values, left.unit, left.free)
    exponent = right.values
    if not isinstance(exponent, float) or not right.unit.plain or abs(exponent) > _MOST_EXPONENT:
        raise wrong(
            node.column, f"a power of [{left.unit.name}] takes a plain number", f"up to {_MOST_EXPONENT}"
        )
    unit = left.unit.power(exponent)
    return _Value(np.asarray(left.values, np.float64) ** exponent, unit)


def _logic(node: Operation, operands: list[_Value]) -> _Value:
    values = [one.values for one in operands]
    if node.name == "!":
        return _Value(_truth(np.equal(values[0], 0), values[0]), NONE)
    act = np.logical_and if node.name == "&&" else np.logical_or
    return _Value(_truth(act(values[0], values[1]), *values), NONE)


def _truth(truth: object, *of: Values) -> Values:
    """Return 1 for true and 0 for false; NaN where an operand is missing."""
    missing = np.isnan(of[0]) if len(of) == 1 else np.isnan(of[0]) | np.isnan(of[1])
    found = np.asarray(truth, np.float64)
    return np.where(missing, np.nan, found) if np.any(missing) else found


def _elementwise(node: Operation, operands: list[_Value]) -> _Value:
    function = ELEMENTWISE[node.name]
    _count(node, operands, function.operands, function.operands)
    one = operands[0]
    if function.units in ("angle", "plain"):
        if not one.unit.plain:
            raise wrong(
                node.column, f"{node.name} of [{one.unit.name}]", "it takes a plain number or an angle"
            )
        return _Value(function.act(_to(one, NONE)), NONE, one.free)
    unit = NONE if function.units == "sign" else one.unit
    return _Value(function.act(one.values), unit, one.free)


def _floats(values: Array) -> Floats:
    """Return values as float64, what is masked as NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    return values.astype(np.float64)


def _seconds(node: Operation, value: _Value) -> float:
    """Return a window: one number, in seconds."""
    if np.ndim(value.values) or not (value.free or value.unit.like(SECOND)):
        raise wrong(node.column, f"{node.name} takes one number of seconds")
    seconds = float(_to(value, SECOND))
    least = 0.0 if node.name == "smooth" else -MOST_WINDOW_S
    if not least <= seconds <= MOST_WINDOW_S:
        raise wrong(node.column, f"{node.name} over {seconds:g} s", f"{least:g} to {MOST_WINDOW_S:g} s")
    return seconds


def _reader(values: Floats) -> Callable[[], Array]:
    return lambda: values
