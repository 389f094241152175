"""From nodes to a plan: units are checked once, for all laps that are alike."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from rig.channels import WHEELS
from rig.errors import BadRequest, MissingChannel
from riglap.formulas import calls, functions
from riglap.formulas.aliases import ALIASES, COMPONENTS
from riglap.formulas.functions import ELEMENTWISE, MOST_WINDOW_S, STATISTICS
from riglap.formulas.nodes import ChannelNode, Converted, Node, NumberNode, Operation, operands_of, wrong
from riglap.formulas.parser import Formula, parse
from riglap.formulas.plan import FormulaPlan, Input, Term
from riglap.formulas.units import NONE, SECOND, Unit, known
from riglap.rows import ChannelRows

MOST_CHAIN: Final = 20
"""Formulas that use formulas."""
_MOST_EXPONENT: Final = 64


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
        return self.plan.call(calls.as_number, [value], value.unit) if value.truth else value

    def _operation(self, node: Operation, operands: list[Term]) -> Term:
        name, call = node.name, self.plan.call
        if name in calls.COMPARE:
            return call(calls.COMPARE[name], self._alike(node, operands)[0], NONE, truth=True)
        if name in calls.LOGIC:
            return call(calls.LOGIC[name], operands, NONE, truth=True)
        if name in calls.TOGETHER:
            values, unit, free = self._alike(node, operands)
            return call(calls.TOGETHER[name], values, unit, free=free)
        if name == "choose":
            values, unit, free = self._alike(node, operands[1:])
            return call(calls.choose, [operands[0], *values], unit, free=free)
        if name in STATISTICS:
            return call(functools.partial(calls.statistic, STATISTICS[name]), operands, operands[0].unit)
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
        act = np.square if exponent.number == 2 else calls.raised
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
        places = [value.place, self.plan.clock()]
        return Term(self.plan.later(lambda x, time: act(calls.rows_of(x, len(time)), time), places), unit)

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
