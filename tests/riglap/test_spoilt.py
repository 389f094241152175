"""Laps with anything wrong in them: an answer that holds together, or one of our errors; never another."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import RigError
from riglap.circuits.circuit import Circuit
from riglap.compare import compare
from riglap.cornering import cornering
from riglap.findings import findings, tips
from riglap.lap import Lap
from tests.riglap.test_compare import remade

Array = np.ndarray[Any, np.dtype[Any]]

SPOILT = ("position", "distance", "speed", "lap_time", "throttle", "brake", "steering", "local_velocity")
VALUES = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e30, 5000.0)


@st.composite
def harms(draw: st.DrawFn) -> list[tuple[str, str, float, float, float]]:
    """Some columns, each with what is done to a stretch of it."""
    one = st.tuples(
        st.sampled_from(("set", "shift", "drop", "swap", "freeze")),
        st.sampled_from(SPOILT),
        st.floats(0, 1),
        st.floats(0, 0.3),
        st.sampled_from(VALUES),
    )
    return draw(st.lists(one, min_size=1, max_size=4))


def spoil(columns: dict[str, Array], harm: tuple[str, str, float, float, float]) -> None:
    act, name, at, share, value = harm
    count = len(columns["speed"])
    begin = int(at * (count - 1))
    part = slice(begin, min(begin + max(int(share * count), 1), count))
    with np.errstate(all="ignore"):
        if act == "set":
            columns[name][part] = value
        elif act == "shift":
            columns[name][part] += value
        elif act == "swap":
            columns[name][part] = columns[name][part][::-1].copy()
        elif act == "freeze":
            columns[name][part] = columns[name][begin]
        else:
            kept = np.ones(count, bool)
            kept[part] = False
            for other in columns:
                columns[other] = columns[other][kept]


@given(harms=harms())
def test_spoilt_laps(
    laps: list[Lap], circuit: Circuit, harms: list[tuple[str, str, float, float, float]]
) -> None:
    check(laps[1], circuit, harms)


def check(lap: Lap, circuit: Circuit, harms: list[tuple[str, str, float, float, float]]) -> None:

    def change(columns: dict[str, Array]) -> None:
        for harm in harms:
            spoil(columns, harm)

    try:
        found = compare([lap, remade(lap, change)], circuit)
    except RigError:
        return
    aligned = found.others[0].aligned
    assert aligned is not None
    assert np.all(np.diff(aligned.s) > 0)
    assert np.all(np.diff(aligned.time) > 0)
    told = sum(part.lost_s for part in found.parts() if part.compared) + found.uncompared()
    assert abs(told - found.lost()) < 1e-6
    cornering(aligned, circuit)
    for tip in tips(findings(found)):
        assert "nan" not in tip.text
        assert 0 < tip.finding.lost_s < 100
