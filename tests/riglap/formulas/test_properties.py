"""Formulas that nobody would write: printed and read back, and against a plain reading of the same tree."""

# ruff: noqa: RUF001  what word processors make of signs is what this tries

import math
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import BadRequest, MissingChannel
from riglap.formulas import evaluate, parse, read_formulas, with_formulas
from riglap.formulas.functions import FUNCTIONS
from riglap.formulas.nodes import ChannelNode, Converted, Node, NumberNode, Operation, written
from riglap.lap import ChannelRows, ColumnSource, Lap
from tests.riglap import driven

Value = float | None

_CHANNELS = ("throttle", "brake", "steering", "gear")
_NUMBERS = st.one_of(
    st.integers(0, 9).map(float), st.floats(0, 1e9, allow_nan=False), st.sampled_from([0.0, 1.0, 0.5, 1e300])
)
_LEAVES: st.SearchStrategy[Node] = st.one_of(
    _NUMBERS.map(lambda value: NumberNode(1, value)),
    st.sampled_from(_CHANNELS).map(lambda name: ChannelNode(1, name)),
    st.just(Operation(1, "invalid", ())),
)
_TWO = ("+", "-", "*", "/", "^", "%", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "min", "max")
_ONE = ("negative", "positive", "!", "abs", "sqrt", "sqr", "sign", "floor", "ceil", "trunc")


def _grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(lambda name, a: Operation(1, name, (a,)), st.sampled_from(_ONE), inner),
        st.builds(lambda name, a, b: Operation(1, name, (a, b)), st.sampled_from(_TWO), inner, inner),
        st.builds(lambda a, b, c: Operation(1, "choose", (a, b, c)), inner, inner, inner),
    )


TREES = st.recursive(_LEAVES, _grown, max_leaves=15)


def _named(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    calls = st.sampled_from(sorted(FUNCTIONS - {"mod"}))
    return st.one_of(
        _grown(inner),
        st.builds(
            lambda a, unit: Converted(1, a, unit), inner.filter(_whole), st.sampled_from(["km/h", "", "°C"])
        ),
        st.builds(lambda name, some: Operation(1, name, tuple(some)), calls, st.lists(inner, max_size=4)),
    )


def _whole(node: Node) -> bool:
    return not isinstance(node, ChannelNode)


_ANY_LEAVES: st.SearchStrategy[Node] = st.one_of(
    _LEAVES,
    st.builds(
        lambda name, quoted, part: ChannelNode(1, name, quoted, part),
        st.sampled_from(["speed", "tyre_temp"]),
        st.booleans(),
        st.sampled_from(["", "0", "11", "fl"]),
    ),
    st.just(ChannelNode(1, "Ground Speed", True)),
)


@given(st.recursive(_ANY_LEAVES, _named, max_leaves=15))
def test_what_is_printed_is_read_back(tree: Node) -> None:
    assert parse(written(tree)).node == tree


@pytest.fixture(scope="module")
def lap() -> Lap:
    columns = {name: values[:40] for name, values in driven.samples().items()}
    columns["throttle"][::7] = np.nan
    columns["brake"][3:20] = 0.0
    return driven.lap(columns=columns)


@given(tree=TREES)
@settings(deadline=None)
def test_numbers_are_those_of_a_plain_reading(lap: Lap, tree: Node) -> None:
    found = evaluate(lap, written(tree)).values
    for row in (0, 1, 5, 14, 39):
        expected = plain(tree, lap, row)
        assert found[row] == pytest.approx(
            math.nan if expected is None else expected, nan_ok=True, rel=1e-9
        ), written(tree)


def plain(node: Node, lap: Lap, row: int) -> Value:
    """What a tree comes to in one row, without numpy; None is missing."""
    if isinstance(node, NumberNode):
        return node.value
    if isinstance(node, ChannelNode):
        value = float(lap[node.name][row])
        return None if math.isnan(value) else value
    assert isinstance(node, Operation)
    operands = [plain(one, lap, row) for one in node.operands]
    if node.name == "choose":
        test, yes, no = operands
        return None if test is None else yes if test else no
    if not operands or None in operands:
        return None
    return _known(_of(node.name, *operands))


def _known(value: float) -> Value:
    return None if math.isnan(value) else value


def _of(name: str, *operands: Any) -> float:
    with np.errstate(all="ignore"):
        a, b = (np.float64(operands[0]), np.float64(operands[-1]))
        acts: dict[str, Any] = {
            "+": lambda: a + b,
            "-": lambda: a - b,
            "*": lambda: a * b,
            "/": lambda: a / b,
            "^": lambda: a**b,
            "%": lambda: np.mod(a, b),
            "<": lambda: a < b,
            "<=": lambda: a <= b,
            ">": lambda: a > b,
            ">=": lambda: a >= b,
            "==": lambda: a == b,
            "!=": lambda: a != b,
            "&&": lambda: bool(a) and bool(b),
            "||": lambda: bool(a) or bool(b),
            "min": lambda: min(a, b),
            "max": lambda: max(a, b),
            "negative": lambda: -a,
            "positive": lambda: a,
            "!": lambda: not a,
            "abs": lambda: abs(a),
            "sqrt": lambda: np.sqrt(a),
            "sqr": lambda: a * a,
            "sign": lambda: np.sign(a),
            "floor": lambda: np.floor(a),
            "ceil": lambda: np.ceil(a),
            "trunc": lambda: np.trunc(a),
        }
        return float(acts[name]())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speed + " * 130_000, "characters"),
        ("speed\0", "means nothing"),
        ("\0" * 10, "means nothing"),
        ("(" * 3000, "nested deeper"),
        ("speed ^ (0/0)", "plain number"),
        ("(speed ^ 60) ^ 60", "beyond all measure"),
        ("(speed [km/h] ^ 64 * speed [km/h] ^ 64) ^ 64", "beyond all measure"),
        ("speed" + " * speed" * 80, "beyond all measure"),
        ("mod(speed)", "takes 2"),
        ("min(" + "1," * 99 + "1)", "takes 1 to 99"),
        ("'Ground Speed", "not closed by a '"),
        ("1 + speed [km", "not closed by a ]"),
        ("invalid(1)", "takes 0"),
        ('range_change("Outings:Laps")', "has one lap"),
        ("time_shift(speed, 1)", "shift(x, seconds)"),
        ("filter_lp(speed, 1)", "smooth"),
        ("deriv(speed)", "did you mean derivative"),
        ("speed * lap_time [km]", "(...) [unit]"),
    ],
)
def test_what_must_not_be_is_refused(lap: Lap, text: str, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        evaluate(lap, text)
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "text", ["9^9^9^9", "1e999 - 1e999", "9" * 3000, "1" + "+1" * 249, "speed" + "+speed" * 249]
)
def test_huge_and_long_ones_end(lap: Lap, text: str) -> None:
    chain = {"a": text} | {f"a{at}": f"a{at - 1 or ''}" + " + 0" * 240 for at in range(1, 19)}
    assert len(evaluate(lap, "a18", chain).values) == len(lap)


def test_what_was_typed_elsewhere_is_understood(lap: Lap) -> None:
    kmh = lap["speed"] * 3.6
    temp = evaluate(lap, "tyre_temp_fr[2]")
    assert np.allclose(temp.values, lap["tyre_temp"][:, 5])
    for text in (
        "‘Ground Speed’ [km/h]",
        "'Corr Speed' [km/h] // of the wheels",
        "'Ground Speed'\n  − 0\n",
        "'Vehicle Speed' × 1 ÷ 1",
        "if('Ground Speed' [km/h] >= 0, 'ground speed', invalid())",
        "Choose(1, 'Ground Speed', 0)",
    ):
        assert np.allclose(evaluate(lap, text).values, kmh), text
    assert np.allclose(evaluate(lap, "sgn(mod('Gear' [], 2) – 0.5)").values, np.sign(lap["gear"] % 2 - 0.5))
    force = evaluate(lap, "'G Force Lat' [G]").values
    assert np.allclose(force, -lap["local_acceleration"][:, 0] / 9.80665, atol=1e-6)
    speed = lap["speed"].astype(float)
    for name, expected in (
        ("stat_std_dev", speed.std()),
        ("stat_start", speed[0]),
        ("stat_end", speed[-1]),
        ("stat_change", speed[-1] - speed[0]),
        ("stat_sum", speed.sum()),
    ):
        assert evaluate(lap, f"{name}(speed)").values[5] == pytest.approx(expected)


def test_the_examples_of_the_page_are_formulas(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/guide/formulas.md").read_text()
    (block,) = re.findall(r"^```formulas\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "formulas.txt"
    file.write_text(block)
    formulas = read_formulas(file)
    assert len(formulas) > 10
    more = with_formulas(driven.lap(), formulas)
    assert not more.unavailable(formulas)
    assert [more.unit(name) for name in ("kmh", "push", "coasted", "share", "way")] == [
        "km/h",
        "G",
        "s",
        "%",
        "ft",
    ]
    named = {name for name in FUNCTIONS if re.search(rf"\b{name}\b", page)}
    assert named == FUNCTIONS


def test_a_long_formula_holds_few_columns(lap: Lap) -> None:
    """Ten columns at a time, not one for each of its 490 parts."""
    rows = 50_000
    speed = ColumnSource("m/s", "", lambda: np.ones(rows))
    long = ChannelRows({"speed": speed, "lap_time": speed}, rows)
    long["speed"]
    text = "+".join(f"speed * {at}" for at in range(120))
    tracemalloc.start()
    try:
        assert evaluate(long, text).values[-1] == sum(range(120))
        assert tracemalloc.get_traced_memory()[1] < 10 * 8 * rows
    finally:
        tracemalloc.stop()


def test_plans_are_kept_for_laps_that_are_alike() -> None:
    """A lap with other units, or without a channel, is planned anew."""
    columns = driven.samples()
    first, text = driven.lap(columns=columns), "speed + 0 * speed * gear"
    assert np.allclose(evaluate(first, text).values, columns["speed"])
    other = driven.lap(columns={**columns, "speed": columns["speed"] * 2})
    assert np.allclose(evaluate(other, text).values, columns["speed"] * 2)
    del columns["gear"]
    with pytest.raises(MissingChannel, match="column 21"):
        evaluate(driven.lap(columns=columns), text)
    metric = first.with_columns({"x": ColumnSource("m/s", "", lambda: np.full(len(first), 10.0))})
    imperial = first.with_columns({"x": ColumnSource("mph", "", lambda: np.full(len(first), 10.0))})
    assert evaluate(metric, "x [km/h]").values[0] == pytest.approx(36)
    assert evaluate(imperial, "x [km/h]").values[0] == pytest.approx(16.09344)


def test_no_number_comes_of_what_is_not_there() -> None:
    columns = driven.samples()
    columns["tyre_load"] = np.zeros((len(columns["speed"]), 4), "<f4")
    absent = driven.lap(columns=columns)
    for text in (
        "integrate(tyre_load[0])",
        "tyre_load[0] ^ 0",
        "1 ^ (tyre_load[0] / 1 [N])",
        "tyre_load[0] == 0",
        "!tyre_load[0]",
        "tyre_load[0] > 0 || 1",
        "stat_sum(tyre_load[0])",
        "smooth(tyre_load[0], 1)",
        "min(tyre_load[0], 1 [N])",
        "derivative(tyre_load_fl)",
        "'Tyre Load FL' [kN]",
        "atan2(tyre_load[0], tyre_load[1])",
    ):
        more = absent.with_formulas(f"x = {text}")
        assert np.isnan(more["x"]).all(), text
        assert not more.available("x")
