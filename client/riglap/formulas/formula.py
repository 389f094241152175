"""Formulas over the channels of a lap: parsed once, planned once for laps that are alike, run on each."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final

from rig.errors import BadRequest
from riglap.formulas.parser import Formula, parse
from riglap.formulas.plan import FormulaPlan
from riglap.formulas.planner import Planner
from riglap.lap import Lap
from riglap.rows import Array, ChannelRows, ColumnSource, FlatColumn

_PLANS: Final = 64
"""That stay: a stint of 40 cars asks the same few of every lap."""
_plans: Final[OrderedDict[tuple[object, ...], FormulaPlan]] = OrderedDict()
_lock: Final = Lock()


def evaluate(lap: ChannelRows, formula: Formula | str, others: Mapping[str, str] | None = None) -> FlatColumn:
    """Return the column of a formula over the rows of a lap, float64, NaN where a channel is not available.

    `others` are formulas by name, which it may use. Raises BadRequest for what the formula says and
    MissingChannel for a channel that the lap does not have; both point at the column.
    """
    text = formula if isinstance(formula, str) else formula.text
    known = others or {}

    def make() -> FormulaPlan:
        planner = Planner(lap, known)
        planner.plan.results = {_ALONE: planner.value(parse(text))}
        return planner.plan

    plan = _planned(lap, (text, *known.items()), make)
    return FlatColumn(text, plan.results[_ALONE].unit.name, text, plan.run(lap)[_ALONE])


_ALONE: Final = ""


def with_formulas(lap: Lap, formulas: Mapping[str, str]) -> Lap:
    """Return the lap with a channel per formula, by its name, wherever a channel's name is taken. Raises as
    `evaluate`, and BadRequest for a name that the lap has already.
    """
    return lap.with_columns(columns_of(lap, formulas))


def columns_of(lap: ChannelRows, formulas: Mapping[str, str]) -> dict[str, ColumnSource]:
    """Return the columns of formulas over the rows of a lap, by name. Raises as `with_formulas`."""
    for name in formulas:
        if not name.isidentifier() or name in lap:
            taken = "the lap has a channel of this name" if name in lap else "a name is letters, digits and _"
            raise BadRequest(f"no formula can be called {name!r}", hint=taken)

    def make() -> FormulaPlan:
        planner = Planner(lap, formulas)
        for name in formulas:
            planner.named(name)
        return planner.plan

    plan = _planned(lap, ("columns", *formulas.items()), make)
    return {
        name: ColumnSource(plan.results[name].unit.name, formulas[name], _reader(values))
        for name, values in plan.run(lap).items()
    }


def _planned(lap: ChannelRows, key: tuple[object, ...], make: Callable[[], FormulaPlan]) -> FormulaPlan:
    """Return the plan that was kept, where it fits the lap, else a new one."""
    with _lock:
        plan = _plans.get(key)
        if plan is not None:
            _plans.move_to_end(key)
    if plan is None or not plan.fits(lap):
        plan = make()
        plan.finish()
        with _lock:
            _plans[key] = plan
            if len(_plans) > _PLANS:
                _plans.popitem(last=False)
    return plan


def _reader(values: Array) -> Callable[[], Array]:
    return lambda: values
