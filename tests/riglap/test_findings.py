"""Mistakes that were planted in the simulated drivers are found, where they were made and with their cost."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from riglap.circuits.circuit import Circuit
from riglap.compare import compare
from riglap.findings import Finding, findings, tips
from riglap.findings.find import inconsistent, variation
from riglap.lap import Lap
from tests.faults.campaign import SEED, SOAK, campaign, tries
from tests.once import once
from tests.riglap.conftest import surveyed
from tests.riglap.planted import MISTAKES, Planted, make, planted


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """With what real recordings hold and no more."""

    def drive(folder: Path) -> None:
        make(folder)

    return planted(once(tmp_path_factory, "planted", drive))


@pytest.fixture(scope="module")
def short(mistakes: Planted) -> Circuit:
    return surveyed(mistakes.right.laps())


@pytest.mark.parametrize("car", [car for car, mistake in enumerate(MISTAKES) if mistake.rules])
def test_a_planted_mistake_is_found_with_what_it_costs(mistakes: Planted, short: Circuit, car: int) -> None:
    wrong, reference, cost = mistakes.laps(car)
    mistake = MISTAKES[car]
    found = findings(compare([reference, wrong], short))
    (named,) = [one for one in found if one.corner == mistake.corner and one.rule in mistake.rules]
    assert named.lost_s == pytest.approx(cost, rel=0.2)
    assert named == found[0]
    first = tips(found)[0]
    assert first.id == named.id
    assert named.place in first.text
    assert f"{named.lost_s:+.3f} s" in first.text


def test_an_unchanged_driver_gets_no_tip(mistakes: Planted, short: Circuit) -> None:
    car = next(car for car, mistake in enumerate(MISTAKES) if not mistake.rules)
    wrong, reference, cost = mistakes.laps(car)
    assert cost == 0
    assert tips(findings(compare([reference, wrong], short))) == []


def missed(mistakes: Planted, circuit: Circuit) -> list[int]:
    """Cars whose mistake is not found at its corner with what it costs. Who makes none must get no tip."""
    found: list[int] = []
    for car, mistake in enumerate(MISTAKES):
        wrong, reference, cost = mistakes.laps(car)
        every = findings(compare([reference, wrong], circuit))
        named = [one for one in every if one.corner == mistake.corner and one.rule in mistake.rules]
        if not mistake.rules:
            assert tips(every) == []
        elif not any(one.lost_s == pytest.approx(cost, rel=0.2) for one in named):
            found.append(car)
    return found


@pytest.mark.skipif(not SOAK, reason="`make soak` drives twenty seeds; the others here are the short form")
@pytest.mark.parametrize("real", [False, True], ids=["all-channels", "real-values"])
def test_mistakes_of_any_seed_are_found(tmp_path: Path, real: bool) -> None:
    """Of every kind 19 in 20."""
    seeds = tries(1, 20)
    values = "what real recordings hold" if real else "all channels"
    kinds: Counter[int] = Counter()
    with campaign(f"mistakes of drivers, with {values}", seeds, "mistakes") as running:
        for number in running.rounds():
            folder = tmp_path / str(number)
            folder.mkdir()
            made = make(folder, SEED + number, real=real)
            lost = missed(made, surveyed(made.right.laps()))
            shutil.rmtree(folder)
            kinds.update(lost)
            running.lose(len(lost), len(lost))  # for the report: how many may be is said here
            assert max(kinds.values(), default=0) <= max(1, seeds // 20), kinds


def test_findings_are_the_same_every_time(mistakes: Planted, short: Circuit) -> None:
    wrong, reference, _ = mistakes.laps(0)
    once_more = [findings(compare([reference, wrong], short)) for _ in range(2)]
    assert once_more[0] == once_more[1]
    assert wrong.findings(reference, short) == once_more[0]


def told(rule: str, corner: int, lost_s: float, confidence: float = 1.0) -> Finding:
    evidence = {"earlier_m": 12.0, "brake_m": 100.0, "reference_brake_m": 112.0}
    return Finding(rule, corner, f"T{corner}", lost_s, "the best lap", confidence, evidence, 90.0, 200.0)


def test_tips_are_few_sure_and_not_repeated() -> None:
    many = [told("brakes_early", corner, 0.1 + corner / 100) for corner in range(1, 12)]
    assert [tip.id for tip in tips(many)] == [f"brakes_early:{corner}" for corner in (11, 10, 9, 8, 7)]
    assert [tip.id for tip in tips(many, given=["brakes_early:11", "brakes_early:9"], most=2)] == [
        "brakes_early:10",
        "brakes_early:8",
    ]
    assert len(tips(many, most=99)) == 5
    assert tips([told("brakes_early", 1, 9.0, confidence=0.1)]) == []
    assert len(tips([told("brakes_early", 1, 0.2), told("coasts", 1, 0.1)])) == 1


def test_what_a_driver_varies_by(laps: list[Lap], circuit: Circuit) -> None:
    car = laps[0].info.car
    own = [lap for lap in laps if lap.info.car == car and lap.info.number]
    told_of = variation(compare([own[0], *own, *own], circuit))
    assert set(told_of) == {corner.number for corner in circuit.corners}
    assert all(0 < spread < 0.2 for spread in told_of.values())
    assert list(inconsistent(compare([own[0], *own], circuit))) == []


def test_no_findings_where_there_is_doubt_or_no_place(laps: list[Lap], circuit: Circuit) -> None:
    from tests.riglap.test_compare import _placeless, remade

    a, b = (remade(lap, _placeless) for lap in laps[1:3])
    assert findings(compare([a, b], circuit)) == []
