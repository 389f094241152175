"""Formulas against numpy, and everything that a formula must not be able to do."""

import contextlib
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest, MissingChannel
from riglap.formulas import evaluate, parse, with_formulas
from riglap.formulas.parser import MOST_CHARACTERS
from riglap.lap import Lap
from tests.riglap import driven

Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(scope="module")
def lap() -> Lap:
    return driven.lap()


def told(lap: Lap, text: str) -> tuple[Array, str]:
    column = evaluate(lap, text)
    return column.values, column.unit


def test_arithmetic_is_numpys(lap: Lap) -> None:
    v, t, b = (lap[name].astype(float) for name in ("speed", "throttle", "brake"))
    for text, expected in [
        ("speed", v),
        ("-speed + 2 * speed", v),
        ("2 + 3 * 4 ^ 2 ^ 0.5", np.full(len(v), 2 + 3 * 4 ** (2**0.5))),
        ("-2 ^ 2", np.full(len(v), -4.0)),
        ("2 ** -1", np.full(len(v), 0.5)),
        ("(throttle - brake) * 100", (t - b) * 100),
        ("throttle > 0.5 && brake < 0.1", ((t > 0.5) & (b < 0.1)).astype(float)),
        ("not (throttle > 0.5) or brake > 0.2", (~(t > 0.5) | (b > 0.2)).astype(float)),
        ("if(throttle > 0.5, speed, 0)", np.where(t > 0.5, v, 0)),
        ("choose(throttle > 0.5, 1, 2)", np.where(t > 0.5, 1, 2)),
        ("min(throttle, brake, 0.1)", np.minimum(np.minimum(t, b), 0.1)),
        ("max(speed, 30)", np.maximum(v, 30)),
        ("abs(throttle - 1)", np.abs(t - 1)),
        ("sqrt(speed ^ 2)", np.sqrt(v**2)),
        ("gear % 2", lap["gear"].astype(float) % 2),
        ("stat_max(speed) - stat_min(speed)", np.full(len(v), v.max() - v.min())),
        ("stat_mean(throttle)", np.full(len(v), t.mean())),
        ("sin(steering) ^ 2 + cos(steering) ^ 2", np.ones(len(v))),
        ("speed == speed", np.ones(len(v))),
        ("1e3 + .5", np.full(len(v), 1000.5)),
    ]:
        assert np.allclose(told(lap, text)[0], expected, rtol=1e-9), text


def test_units_follow(lap: Lap) -> None:
    v = lap["speed"].astype(float)
    for text, unit, expected in [
        ("speed", "m/s", v),
        ("speed [km/h]", "km/h", v * 3.6),
        ("'Ground Speed' [km/h]", "km/h", v * 3.6),
        ("'ground speed'", "km/h", v * 3.6),
        ("'Ground Speed' - speed", "km/h", np.zeros(len(v))),
        ("'Throttle Pos'", "%", 100 * lap["throttle"].astype(float)),
        ("speed * lap_time", "m", v * lap["lap_time"]),
        ("distance / lap_time [km/h]", None, None),
        ("speed ^ 2", "m^2·s^-2", v**2),
        ("sqrt(speed ^ 2)", "m/s", v),
        ("derivative(speed)", "m/s²", None),
        ("derivative(speed) [G]", "G", None),
        ("integrate(speed)", "m", None),
        ("speed > 100 [km/h]", "", (v > 100 / 3.6).astype(float)),
        ("speed - 10", "m/s", v - 10),
        ("tyre_temp[0] [°F]", "°F", lap["tyre_temp"][:, 0].astype(float) * 1.8 + 32),
        ("tyre_temp[0] [K]", "K", lap["tyre_temp"][:, 0].astype(float) + 273.15),
        ("tyre_pressure[fr] [bar]", "bar", lap["tyre_pressure"][:, 1].astype(float) / 100),
        ("tyre_pressure_rl", "kPa", lap["tyre_pressure"][:, 2].astype(float)),
    ]:
        if unit is None:
            with pytest.raises(BadRequest):  # the unit is of lap_time
                told(lap, text)
            continue
        values, name = told(lap, text)
        assert name == unit, text
        if expected is not None:
            assert np.allclose(values, expected, rtol=1e-6, atol=1e-9), text


def test_time_has_no_edge(lap: Lap) -> None:
    v, t = lap["speed"].astype(float), lap["lap_time"]
    assert np.allclose(told(lap, "derivative(speed)")[0], np.gradient(v, t), rtol=1e-3, atol=1e-6)
    assert np.allclose(told(lap, "derivative(integrate(speed))")[0][2:-2], v[2:-2], rtol=0.01)
    assert np.allclose(told(lap, "integrate(1 [m/s])")[0], t - t[0])
    assert np.allclose(told(lap, "smooth(throttle * 0 + 3, 1.5)")[0], 3)
    smoothed = told(lap, "smooth(speed, 0.5)")[0]
    assert smoothed[1000] == pytest.approx(v[(t >= t[1000] - 0.25) & (t <= t[1000] + 0.25)].mean())
    shifted = told(lap, "shift(speed, 2)")[0]
    assert np.isnan(shifted[:99]).all()
    assert shifted[1000] == pytest.approx(v[900], rel=1e-6)
    assert told(lap, "shift(speed, -2 [s])")[0][1000] == pytest.approx(v[1100], rel=1e-6)


def test_what_is_missing_stays_missing() -> None:
    columns = driven.samples()
    columns["tyre_load"] = np.zeros((len(columns["speed"]), 4), "<f4")
    columns["throttle"][7] = np.nan
    lap = driven.lap(columns=columns)
    assert np.isnan(told(lap, "tyre_load[0]")[0]).all()
    assert np.isnan(told(lap, "tyre_load[0] > 0")[0]).all()
    assert np.isnan(told(lap, "if(tyre_load[0] > 0, 1, 2)")[0]).all()
    assert np.isnan(told(lap, "stat_max(tyre_load[0])")[0]).all()
    assert np.isnan(told(lap, "throttle + 1")[0]).sum() == 1
    assert np.isfinite(told(lap, "stat_max(throttle)")[0]).all()
    assert np.isnan(told(lap, "sqrt(0 - 1)")[0]).all()
    assert np.isinf(told(lap, "1 / 0 + throttle * 0")[0][0])


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "formula ends"),
        ("speed +", 8, "formula ends"),
        ("speed + * 3", 9, "where a value should be"),
        ("(speed", 7, "')' is missing"),
        ("min(speed, 3", 13, "')' is missing"),
        ("speed 3", 7, "too much"),
        ("speed ; 3", 7, "means nothing"),
        ("speed + throttle", 7, "m/s"),
        ("speed [bananas]", 8, "no unit"),
        ("speed [kPa]", 8, "cannot be told"),
        ("sin(speed)", 1, "plain number"),
        ("nothing(speed)", 1, "no function"),
        ("sqrt(speed, speed)", 1, "takes 1"),
        ("if(speed)", 1, "takes 3"),
        ("min()", 1, "takes 1"),
        ("tyre_pressure", 1, "has 4 values"),
        ("tyre_pressure[4]", 1, "no [4]"),
        ("1 + tyre_temp", 5, "has 12 values"),
        ("smooth(speed, 1000)", 1, "0 to 60"),
        ("smooth(speed, -1)", 1, "0 to 60"),
        ("smooth(speed, throttle)", 1, "one number"),
        ("speed ^ throttle", 7, "plain number"),
        ("speed ^ 999", 7, "plain number"),
        ("__import__(1)", 1, "no function"),
    ],
)
def test_an_error_points_at_its_column(lap: Lap, text: str, column: int, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        told(lap, text)
    assert words in str(caught.value)
    assert caught.value.facts["column"] == str(column)


def test_a_channel_that_is_not_there_is_named(lap: Lap) -> None:
    with pytest.raises(MissingChannel, match="column 5: there is no channel 'sped'"):
        told(lap, "1 + sped")
    with pytest.raises(MissingChannel, match="column 2"):
        told(lap, "'Nonsense Speed'")


@pytest.mark.parametrize(
    "text",
    [
        "9^9^9^9^9",
        "(" * 5000,
        "-" * 5000,
        "1" + "+1" * 1999,
        "min(" + "1," * 1990 + "1)",
        "x" * (MOST_CHARACTERS + 1),
    ],
)
def test_no_formula_takes_long(lap: Lap, text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(BadRequest):
        evaluate(lap, text)
    assert time.process_time() - began < 1


def test_formulas_use_formulas_but_not_themselves(lap: Lap) -> None:
    chain = {"kmh": "speed [km/h]", "fast": "kmh > 150 [km/h]", "twice": "fast * 2"}
    more = with_formulas(lap, chain)
    assert more.unit("kmh") == "km/h"
    assert np.allclose(more["twice"], 2 * (lap["speed"] * 3.6 > 150))
    assert "kmh" in more.channels
    assert next(more.flat(["kmh"])).description == "speed [km/h]"
    with pytest.raises(BadRequest, match="a uses b uses a"):
        evaluate(lap, "a", {"a": "b + 1", "b": "a + 1"})
    with pytest.raises(BadRequest, match="20 deep"):
        evaluate(lap, "f0", {f"f{at}": f"f{at + 1}" for at in range(50)})
    with pytest.raises(BadRequest, match="in bad: column 4"):
        evaluate(lap, "bad + 1", {"bad": "1 +"})
    for name in ("speed", "two words", ""):
        with pytest.raises(BadRequest, match="called"):
            with_formulas(lap, {name: "1"})


@given(st.text(max_size=60))
def test_any_text_is_a_formula_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(BadRequest):
        parse(text)


@given(st.text(alphabet="speedthrol_ 0123456789.+-*/^%<>=!&|()[]',fr", max_size=40))
def test_any_likely_text_is_evaluated_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(BadRequest, MissingChannel):
        assert evaluate(_LAP, text).values.shape == (len(_LAP),)


_LAP = driven.lap()
