"""Formulas over the channels of a lap: parsed once, evaluated node by node, operands first.

What costs time is passing over columns, some 2 µs each for a lap of 4,600 samples: truths stay bytes until a
number is made of them, and whether a value is missing is asked once of a column.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

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
from riglap.lap import Array, ChannelRows, ColumnSource, FlatColumn, Lap

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
_PARSED: Final = 256
"""Formulas that stay parsed: an analysis has a few, of up to 4,000 characters each."""

Truths = npt.NDArray[np.bool_]
Values: TypeAlias = npt.NDArray[np.floating[Any]] | Truths | float


class Formula(NamedTuple):
    """A parsed formula, and its nodes in the order in which they are evaluated."""

    text: str
    node: Node
    nodes: tuple[Node, ...]


class _Value(NamedTuple):
    """A column or one number; `free` numbers take the unit of what they stand beside. Truths have no missing
    values.
    """

    values: Values
    unit: Unit
    free: bool = False


@functools.lru_cache(_PARSED)
def parse(text: str) -> Formula:
    """Return a formula. Raises BadRequest, which points at the column of the text."""
    node = parsed(text)
    return Formula(text, node, in_order(node))


def evaluate(lap: ChannelRows, formula: Formula | str, others: Mapping[str, str] | None = None) -> FlatColumn:
    """Return the column of a formula over the rows of a lap, float64, NaN where a channel is not available.

    `others` are formulas by name, which it may use. Raises BadRequest for what the formula says and
    MissingChannel for a channel that the lap does not have; both point at the column.
    """
    made = parse(formula) if isinstance(formula, str) else formula
    with np.errstate(all="ignore"):
        found = _Evaluation(lap, others or {}).value(made)
    values = np.asarray(found.values, np.float64)
    if values.ndim == 0:
        values = np.full(len(lap), values)
    return FlatColumn(made.text, found.unit.name, made.text, values)


def with_formulas(lap: Lap, formulas: Mapping[str, str]) -> Lap:
    """Return the lap with a channel per formula, by its name, wherever a channel's name is taken. Raises as
    `evaluate`, and BadRequest for a name that the lap has already.
    """
    return lap.with_columns(columns_of(lap, formulas))


def columns_of(lap: ChannelRows, formulas: Mapping[str, str]) -> dict[str, ColumnSource]:
    """Return the columns of formulas over the rows of a lap, by name. Raises as `with_formulas`."""
    sources = {}
    with np.errstate(all="ignore"):
        evaluation = _Evaluation(lap, formulas)
        for name, text in formulas.items():
            if not name.isidentifier() or name in lap:
                taken = (
                    "the lap has a channel of this name" if name in lap else "a name is letters, digits and _"
                )
                raise BadRequest(f"no formula can be called {name!r}", hint=taken)
            found = evaluation.named(name)
            sources[name] = ColumnSource(found.unit.name, text, _reader(evaluation.rows(found)))
    return sources


class _Evaluation:
    """One walk over one lap."""

    def __init__(self, lap: ChannelRows, formulas: Mapping[str, str]) -> None:
        self._lap, self._formulas = lap, formulas
        self._made: dict[str, _Value] = {}
        self._read: dict[str, _Value] = {}
        self._chain: list[str] = []
        self._clock: Floats | None = None

    def value(self, formula: Formula) -> _Value:
        """Return what a formula comes to."""
        done: dict[int, _Value] = {}
        for node in formula.nodes:
            done[id(node)] = self._node(node, [done[id(one)] for one in operands_of(node)])
        return done[id(formula.node)]

    def named(self, name: str, column: int = 1) -> _Value:
        """Return what one of the formulas comes to, which `column` of another asks for."""
        if name in self._chain:
            raise wrong(column, " uses ".join([*self._chain, name]), "a formula cannot use itself")
        if len(self._chain) >= MOST_CHAIN:
            raise wrong(column, f"formulas use each other {MOST_CHAIN} deep")
        if name not in self._made:
            self._chain.append(name)
            try:
                self._made[name] = self.value(parse(self._formulas[name]))
            except (BadRequest, MissingChannel) as error:
                inner = error.message if error.message.startswith("in ") else f"in {name}: {error.message}"
                raise type(error)(inner, hint=error.hint, **error.facts) from None
            self._chain.pop()
        return self._made[name]

    def rows(self, value: _Value) -> Floats:
        """Return a value for every row."""
        return np.broadcast_to(np.asarray(value.values, np.float64), (len(self._lap),))

    def _node(self, node: Node, operands: Sequence[_Value]) -> _Value:
        if isinstance(node, NumberNode):
            return _Value(node.value, NONE, free=True)
        if isinstance(node, ChannelNode):
            return self._channel(node)
        if isinstance(node, Converted):
            return _converted(node, operands[0])
        return self._operation(node, operands)

    def _channel(self, node: ChannelNode) -> _Value:
        if node.name in self._formulas and not node.part:
            return self.named(node.name, node.column)
        alias = ALIASES.get(node.name.lower()) if node.quoted else None
        if alias is None:
            return self._column(node, node.name)
        found = self._column(node, alias.column)
        return (
            found
            if found.unit == alias.unit and alias.factor == 1
            else _Value(found.values * alias.factor, alias.unit)
        )

    def _column(self, node: ChannelNode, name: str) -> _Value:
        lap, column = self._lap, name + (f"_{node.part}" if node.part else "")
        if column in self._read:
            return self._read[column]
        channel, at = COMPONENTS.get(name, (name, -1)) if name not in lap else (name, -1)
        if channel in lap and not node.part and (at >= 0 or lap[channel].ndim == 1):
            values = lap[channel] if at < 0 else lap[channel][:, at]
            known_values = _floats(values) if lap.available(channel) else np.full(len(lap), np.nan)
            return self._read.setdefault(column, _Value(known_values, known(lap.unit(channel)) or NONE))
        return self._read.setdefault(column, self._part(node, name))

    def _part(self, node: ChannelNode, name: str) -> _Value:
        """Return one value of several: of a wheel, or by its number."""
        wanted = name + (f"_{node.part}" if node.part in WHEELS else "")
        try:
            parts = list(self._lap.flat([wanted]))
        except MissingChannel as error:
            hint = error.hint if len(error.hint) < 200 else "`rig channels` lists them"
            raise MissingChannel(
                f"column {node.column}: {error.message}", hint=hint, column=node.column
            ) from None
        at = int(node.part) if node.part.isdecimal() else 0
        if len(parts) > 1 and not node.part.isdecimal():
            names = ", ".join(part.name for part in parts[:4])
            raise wrong(
                node.column, f"{wanted} has {len(parts)} values", f"choose one: {wanted}[0], or {names}"
            )
        if at >= len(parts):
            raise wrong(node.column, f"{name} has {len(parts)} values, no [{at}]", "they count from 0")
        return _Value(_floats(parts[at].values), known(parts[at].unit) or NONE)

    def _operation(self, node: Operation, operands: Sequence[_Value]) -> _Value:
        name = node.name
        if name in ("+", "-", "min", "max", *_COMPARE):
            return _together(node, operands)
        if name in ("*", "/", "^", "%"):
            return _product(node, operands)
        if name in ("&&", "||", "!"):
            return _logic(node, operands)
        if name == "choose":
            return _choose(node, operands)
        if name in ELEMENTWISE:
            return _elementwise(node, operands)
        if name in STATISTICS:
            return _statistic(node, operands)
        if name in _MORE:
            return _MORE[name](node, operands)
        return self._over_time(node, operands)

    def _over_time(self, node: Operation, operands: Sequence[_Value]) -> _Value:
        name = node.name
        if name in ("derivative", "integrate"):
            _count(node, operands, 1, 1)
            act = functions.derivative if name == "derivative" else functions.integrate
            unit = operands[0].unit.times(SECOND.power(-1) if name == "derivative" else SECOND)
            return _checked(node, _Value(act(self.rows(operands[0]), self._time(node)), unit))
        _count(node, operands, 2, 2)
        act_on = functions.smooth if name == "smooth" else functions.shift
        seconds = _seconds(node, operands[1])
        return _Value(act_on(self.rows(operands[0]), self._time(node), seconds), operands[0].unit)

    def _time(self, node: Node) -> Floats:
        if self._clock is None:
            if "lap_time" not in self._lap:
                raise MissingChannel(
                    f"column {node.column}: the lap came without lap_time, which this takes",
                    column=node.column,
                )
            self._clock = np.maximum.accumulate(self._lap["lap_time"].astype(np.float64))
        return self._clock


def _count(node: Operation, operands: Sequence[_Value], least: int, most: int) -> None:
    if not least <= len(operands) <= most:
        wanted = str(least) if least == most else f"{least} or more"
        raise wrong(node.column, f"{node.name} takes {wanted} values, not {len(operands)}")


def _converted(node: Converted, found: _Value) -> _Value:
    unit = known(node.unit)
    if unit is None:
        raise wrong(node.column, f"there is no unit [{node.unit}]")
    if found.free:
        return _Value(found.values, unit)
    if not found.unit.like(unit):
        hint = "a unit belongs to what stands before it; (...) [unit] is that of the whole"
        raise wrong(node.column, f"[{found.unit.name or 'no unit'}] cannot be told in [{node.unit}]", hint)
    return _Value(_to(found, unit), unit)


def _together(node: Operation, operands: Sequence[_Value]) -> _Value:
    """Return what needs operands of one unit."""
    many = node.name in ("min", "max")
    _count(node, operands, 1 if many else 2, 99 if many else 2)
    unit = _common(node, operands)
    values = [_to(one, unit) for one in operands]
    if node.name in _COMPARE:
        return _Value(_truth(_COMPARE[node.name](values[0], values[1]), *values), NONE)
    free = all(one.free for one in operands)
    values = [_number(one) for one in values]
    if node.name in ("+", "-"):
        total = values[0] + values[1] if node.name == "+" else values[0] - values[1]
        return _Value(total, unit, free)
    return _Value(functools.reduce(np.minimum if node.name == "min" else np.maximum, values), unit, free)


def _choose(node: Operation, operands: Sequence[_Value]) -> _Value:
    _count(node, operands, 3, 3)
    unit = _common(node, operands[1:])
    test, yes, no = operands[0].values, *(_to(one, unit) for one in operands[1:])
    chosen: Values = np.where(_true(test), _number(yes), _number(no))
    if _missing_somewhere(test):
        chosen = np.where(np.isnan(test), np.nan, chosen)
    return _Value(chosen, unit, all(one.free for one in operands[1:]))


def _statistic(node: Operation, operands: Sequence[_Value]) -> _Value:
    _count(node, operands, 1, 1)
    there = np.atleast_1d(np.asarray(operands[0].values, np.float64))
    there = there[np.isfinite(there)]
    return _Value(STATISTICS[node.name](there) if len(there) else math.nan, operands[0].unit)


def _sqrt(node: Operation, operands: Sequence[_Value]) -> _Value:
    _count(node, operands, 1, 1)
    return _Value(np.sqrt(_number(operands[0].values)), operands[0].unit.power(0.5), operands[0].free)


def _square(node: Operation, operands: Sequence[_Value]) -> _Value:
    _count(node, operands, 1, 1)
    return _product(Operation(node.column, "*", ()), [operands[0], operands[0]])


def _angle(node: Operation, operands: Sequence[_Value]) -> _Value:
    _count(node, operands, 2, 2)
    unit = _common(node, operands)
    return _Value(np.arctan2(*(_number(_to(one, unit)) for one in operands)), NONE)


def _invalid(node: Operation, operands: Sequence[_Value]) -> _Value:
    _count(node, operands, 0, 0)
    return _Value(math.nan, NONE, free=True)


_MORE: Final = {"sqrt": _sqrt, "sqr": _square, "atan2": _angle, "invalid": _invalid}


def _common(node: Operation, operands: Sequence[_Value]) -> Unit:
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
    if value.free or own is unit or (own.scale == unit.scale and own.offset == unit.offset):
        return value.values
    factor = own.scale / unit.scale
    moved: Values = _number(value.values) * factor
    return moved if own.offset == unit.offset else moved + (own.offset - unit.offset) / unit.scale


def _product(node: Operation, operands: Sequence[_Value]) -> _Value:
    if node.name == "%":
        _count(node, operands, 2, 2)
        unit = _common(node, operands)
        values = np.mod(*(_number(_to(one, unit)) for one in operands))
        return _Value(values, unit, all(one.free for one in operands))
    if node.name == "^":
        return _power(node, *operands)
    left, right = operands
    values = [_number(one.values) for one in operands]
    if node.name == "*":
        made = _Value(values[0] * values[1], left.unit.times(right.unit), left.free and right.free)
    else:
        unit = left.unit.times(right.unit.power(-1))
        made = _Value(np.divide(*values), unit, left.free and right.free)
    return _checked(node, made)


def _power(node: Operation, left: _Value, right: _Value) -> _Value:
    base, exponent = _number(left.values), _number(right.values)
    if not (left.unit.plain and right.unit.plain):
        if not isinstance(exponent, float) or not right.unit.plain or not abs(exponent) <= _MOST_EXPONENT:
            raise wrong(
                node.column, f"a power of [{left.unit.name}] takes a plain number", f"up to {_MOST_EXPONENT}"
            )
        return _checked(node, _Value(_raised(base, exponent), _unit_power(node, left.unit, exponent)))
    left_plain, right_plain = _number(_to(left, NONE)), _number(_to(right, NONE))
    if left.unit.scale == 1:
        return _Value(_raised(left_plain, right_plain), NONE, left.free)
    return _Value(_raised(left_plain, right_plain), NONE)


def _unit_power(node: Operation, unit: Unit, exponent: float) -> Unit:
    try:
        return unit.power(exponent)
    except OverflowError:
        raise wrong(
            node.column, f"[{unit.name}] to the power of {exponent:g} is beyond all measure"
        ) from None


def _raised(base: Values, exponent: Values) -> Values:
    """Return a power. What is missing stays so: for numpy NaN ^ 0 and 1 ^ NaN are 1."""
    raised: Values = (
        np.square(base) if isinstance(exponent, float) and exponent == 2 else np.power(base, exponent)
    )
    for one in (base, exponent):
        if _missing_somewhere(one):
            raised = np.where(np.isnan(one), np.nan, raised)
    return raised


def _checked(node: Node, value: _Value) -> _Value:
    if not value.unit.usable:
        raise wrong(node.column, "the unit of this is beyond all measure", "[m^64] and the like are no units")
    return value


def _logic(node: Operation, operands: Sequence[_Value]) -> _Value:
    _count(node, operands, 1 if node.name == "!" else 2, 1 if node.name == "!" else 2)
    values = [one.values for one in operands]
    if node.name == "!":
        return _Value(_truth(np.logical_not(_true(values[0])), values[0]), NONE)
    act = np.logical_and if node.name == "&&" else np.logical_or
    return _Value(_truth(act(*map(_true, values)), *values), NONE)


def _true(values: Values) -> Any:
    """Return which values are not 0."""
    return values if _truths(values) else np.not_equal(values, 0)


def _truth(truth: Any, *of: Values) -> Values:
    """Return truths; where an operand is missing numbers, with NaN there."""
    found: Values = truth
    for one in of:
        if _missing_somewhere(one):
            found = np.where(np.isnan(one), np.nan, found)
    return found


def _missing_somewhere(values: Values) -> bool:
    """Return whether a value is NaN. The least is, where one of them is: one pass without a column of its
    own.
    """
    if _truths(values):
        return False
    return (
        math.isnan(np.minimum.reduce(values))
        if np.ndim(values) and np.size(values)
        else bool(np.any(np.isnan(values)))
    )


def _number(values: Values) -> Any:
    """Return values to reckon with: of truths 1 and 0, of a number float."""
    if isinstance(values, float):
        return values
    if values.ndim == 0:
        return float(values)
    return values.astype(np.float64) if _truths(values) else values


def _truths(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "b"


def _elementwise(node: Operation, operands: Sequence[_Value]) -> _Value:
    function = ELEMENTWISE[node.name]
    _count(node, operands, function.operands, function.operands)
    one = operands[0]
    if function.units in ("angle", "plain"):
        if not one.unit.plain:
            raise wrong(
                node.column, f"{node.name} of [{one.unit.name}]", "it takes a plain number or an angle"
            )
        return _Value(function.act(_number(_to(one, NONE))), NONE, one.free)
    unit = NONE if function.units == "sign" else one.unit
    return _Value(function.act(_number(one.values)), unit, one.free)


def _floats(values: Array) -> Floats:
    """Return values as float64, what is masked as NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    return values.astype(np.float64)


def _seconds(node: Operation, value: _Value) -> float:
    """Return a window: one number, in seconds."""
    if np.ndim(value.values) or not (value.free or value.unit.like(SECOND)):
        raise wrong(node.column, f"{node.name} takes one number of seconds")
    seconds = float(_number(_to(value, SECOND)))
    least = 0.0 if node.name == "smooth" else -MOST_WINDOW_S
    if not least <= seconds <= MOST_WINDOW_S:
        raise wrong(node.column, f"{node.name} over {seconds:g} s", f"{least:g} to {MOST_WINDOW_S:g} s")
    return seconds


def _reader(values: Floats) -> Callable[[], Array]:
    return lambda: values
