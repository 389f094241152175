"""Reference lines, their corners and their files, against what the simulated circuits are made of."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rig.errors import BadRequest, Corrupt, Newer, NotFound, RigError, Unavailable
from rigd.demo import circuit as simulated
from riglap.circuits.circuit import Circuit, circuit_of, read, write
from riglap.circuits.corners import find_corners
from riglap.circuits.driven import driven
from riglap.circuits.line import ReferenceLine, even, smooth
from riglap.circuits.shelf import Shelf, same_layout
from riglap.circuits.survey import Updates, survey, updates_of
from riglap.lap import Lap
from tests.riglap.raced import Raced

LAYOUTS = pytest.mark.parametrize("short", [False, True], ids=["grand", "short"])


def true_line(short: bool) -> ReferenceLine:
    made = simulated.build(short)
    return even(made.x, made.y, made.z)


def placed(short: bool) -> list[float]:
    """Middles of the arcs that the generator laid out, m from the line."""
    corners = simulated._PLANS[short].corners
    legs, _, arcs, cuts = simulated._rounded(corners)
    straights = legs - np.roll(cuts, 1) - cuts
    begins = corners[0][1] - cuts[0] + np.concatenate(([0.0], np.cumsum(arcs + np.roll(straights, -1))[:-1]))
    whole = float(np.sum(arcs + straights))
    return [float(middle) for middle in (begins + arcs / 2) * simulated.build(short).length / whole]


def updates(short: bool, count: int = 3000, noise_m: float = 0.0, sign: float = 1.0) -> Updates:
    """Cars all over the road at exactly known places."""
    made, rng = simulated.build(short), np.random.default_rng(5)
    metres = rng.uniform(0, made.length, count)
    lateral = rng.uniform(-4, 4, count)
    closed = np.arange(len(made.x) + 1.0)
    heading = np.interp(metres, closed, np.append(made.heading, made.heading[0] + made.turning))
    x, y, z = (np.interp(metres, closed, np.append(c, c[0])) for c in (made.x, made.y, made.z))
    yaw = heading + rng.normal(0, 0.03, count)
    told = sign * (lateral + rng.normal(0, noise_m, count))
    half = np.interp(metres, closed, np.append(made.width, made.width[0])) / 2
    return Updates(
        x + lateral * np.cos(heading),
        y,
        z - lateral * np.sin(heading),
        np.stack((-np.sin(yaw), -np.cos(yaw))),
        metres,
        told,
        np.copysign(half, told),
        rng.integers(0, 8, count),
    )


@LAYOUTS
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["left", "right"])
def test_a_survey_finds_the_centre_whichever_side_the_game_counts_from(short: bool, sign: float) -> None:
    made = simulated.build(short)
    found = survey(updates(short, sign=sign), made.length)
    metres = np.linspace(0, found.line.length, len(made.x), endpoint=False)
    off = found.line.project(made.x, made.z, metres)
    assert np.sqrt(np.mean(off.lateral**2)) < 0.02
    assert np.abs(off.s - metres).max() < 0.2
    assert found.good
    assert found.coverage > 0.99
    assert np.nanmax(np.abs(found.left - np.roll(made.width, 0)[: found.line.cells] / 2)) < 0.2


def test_noise_is_stated_and_smoothed_away() -> None:
    made = simulated.build()
    found = survey(updates(False, noise_m=0.2), made.length)
    off = found.line.project(made.x, made.z, np.linspace(0, found.line.length, len(made.x), endpoint=False))
    assert 0.15 < found.residual_m < 0.3
    assert np.sqrt(np.mean(off.lateral**2)) < 0.12


def test_what_is_not_covered_is_not_good() -> None:
    many = updates(False)
    half = many.picked(np.flatnonzero(many.distance < 3000))
    found = survey(half, simulated.build().length)
    assert 0.5 < found.coverage < 0.7
    assert not found.good


def test_too_few_updates_and_impossible_lengths_are_refused() -> None:
    with pytest.raises(Unavailable, match="scoring updates"):
        survey(updates(False, 20), simulated.build().length)
    with pytest.raises(BadRequest):
        survey(updates(False), 1e9)


@LAYOUTS
def test_corners_are_where_the_generator_placed_them(short: bool) -> None:
    truth = placed(short)
    for line in (true_line(short), survey(updates(short), simulated.build(short).length).line):
        found = find_corners(line)
        assert [corner.number for corner in found] == list(range(1, len(truth) + 1))
        assert np.abs(np.array([corner.apex for corner in found]) - truth).max() < 10


def test_a_corner_across_the_line_is_one_corner() -> None:
    whole = true_line(False)
    turned = 540  # the line in the middle of the first corner
    x, y, z = (np.roll(column, -turned) for column in (whole.x, whole.y, whole.z))
    line = ReferenceLine(x, y, z, whole.length)
    found = find_corners(line)
    assert len(found) == len(find_corners(whole))
    (across,) = [corner for corner in found if corner.end > line.length or corner.begin < 0]
    assert across.begin < across.apex < across.end
    assert abs(across.end - line.length - (594 - turned)) < 6


def test_a_straight_line_and_a_circle() -> None:
    turn = np.linspace(0, 2 * np.pi, 700, endpoint=False)
    (corner,) = find_corners(even(100 * np.cos(turn), 0 * turn, 100 * np.sin(turn)))
    assert corner.radius_m == pytest.approx(100, rel=0.02)


def test_projection_finds_exact_feet() -> None:
    line, rng = true_line(False), np.random.default_rng(3)
    s, lateral = rng.uniform(0, line.length, 4000), rng.uniform(-6, 6, 4000)
    x, z, to_x, to_z = line.at(s, line.x, line.z, *line.tangent)
    size = np.hypot(to_x, to_z)
    found = line.project(x - lateral * to_z / size, z + lateral * to_x / size, s + rng.uniform(-15, 15, 4000))
    assert np.abs(found.s - s).max() < 0.005
    assert np.abs(found.lateral - lateral).max() < 0.005
    assert not found.sharp.any()


def test_smoothing_keeps_what_is_smooth() -> None:
    turn = 2 * np.pi * np.arange(900) / 900
    weights = np.zeros(900)
    weights[::7] = 1.0
    wave = 30 * np.sin(3 * turn)
    assert np.abs(smooth(wave * (weights > 0), weights, 20.0) - wave).max() < 0.05


def made(short: bool = False) -> Circuit:
    length = simulated.build(short).length
    name = "Meander Valley"
    return circuit_of(name, length, survey(updates(short), length))


def test_a_file_keeps_all_of_it(tmp_path: Path) -> None:
    circuit = dataclasses.replace(made(), splits=(1413.3, 3054.5))
    write(circuit, tmp_path / "c.json")
    found = read(tmp_path / "c.json")
    for field in dataclasses.fields(Circuit):
        ours, theirs = getattr(circuit, field.name), getattr(found, field.name)
        if isinstance(ours, np.ndarray):
            assert np.array_equal(ours, theirs, equal_nan=True)
        elif field.name == "line":
            assert np.array_equal(ours.x, theirs.x)
            assert ours.length == theirs.length
        else:
            assert ours == theirs, field.name
    assert find_corners(found.line) == circuit.corners


@pytest.mark.parametrize(
    ("error", "spoil"),
    [
        (Corrupt, lambda c: c["grid"]["x"].__setitem__(7, 0.0)),
        (Corrupt, lambda c: c["corners"][0].__setitem__("begin", 1e6)),
        (Corrupt, lambda c: c.__setitem__("length", -3.0)),
        (Corrupt, lambda c: c.__setitem__("track_length", 1e12)),
        (Corrupt, lambda c: c.__setitem__("thresholds", {"nonsense": 3})),
        (Corrupt, lambda c: c.pop("grid")),
        (Newer, lambda c: c.__setitem__("format", 2)),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, error: type[RigError], spoil: Callable[[dict[str, object]], None]
) -> None:
    path = tmp_path / "c.json"
    write(made(True), path)
    plain = json.loads(path.read_text())
    spoil(plain)
    path.write_text(json.dumps(plain))
    with pytest.raises(error):
        read(path)


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"format": "x"}', "[" * 100_000])
def test_a_file_that_is_no_circuit_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(Corrupt):
        read(path)


def test_versions_stay_and_layouts_of_one_name_are_told_apart(tmp_path: Path) -> None:
    shelf, grand, short = Shelf(tmp_path / "circuits"), made(), made(True)
    first = shelf.add(grand)
    second = shelf.add(dataclasses.replace(first, splits=(1000.0, 3000.0)))
    other = shelf.add(short)
    assert (first.name, second.name) == ("meander-valley-4559m/1", "meander-valley-4559m/2")
    assert shelf.version(first.layout, 1).splits == ()
    assert shelf.newest(first.layout).splits == (1000.0, 3000.0)
    assert shelf.layouts() == sorted([first.layout, other.layout])
    mirrored = dataclasses.replace(grand, line=dataclasses.replace(grand.line, x=-grand.line.x), layout="")
    assert shelf.add(mirrored).layout == "meander-valley-4559m-b"
    for circuit in (grand, short, mirrored):
        line = circuit.line
        places = np.stack((line.x, line.y, line.z), axis=1)[::50]
        found = shelf.find("Meander Valley", circuit.track_length, places, line.s[::50])
        assert found is not None
        assert np.array_equal(found.line.x, line.x)
    assert shelf.find("Elsewhere", grand.track_length, places, line.s[::50]) is None
    assert not same_layout(grand, grand.track_length + 40, places, line.s[::50])
    with pytest.raises(NotFound, match="meander-valley-4559m"):
        shelf.newest("nowhere")


def test_corners_that_people_change_are_checked_and_numbered() -> None:
    circuit = made()
    first, second, *rest = circuit.corners
    renamed = dataclasses.replace(second, name="Hairpin")
    changed = circuit.with_corners([renamed, first, *rest])
    assert changed.corners[1].title == "T2 Hairpin"
    assert [corner.number for corner in circuit.with_corners(rest).corners] == list(range(1, len(rest) + 1))
    with pytest.raises(BadRequest, match="ends behind"):
        circuit.with_corners([dataclasses.replace(first, end=second.apex), second])
    with pytest.raises(BadRequest, match="rise"):
        circuit.with_corners([dataclasses.replace(first, end=first.begin)])


def test_real_recordings_give_the_same_corners_to_every_car(race: Raced, laps: list[Lap]) -> None:
    length, truth = laps[0].info.track_length, placed(False)
    cars = sorted({lap.info.car for lap in laps})
    whole = circuit_of("M", length, survey(updates_of(laps), length))
    assert whole.frozen
    assert whole.residual_m < 0.05
    for chosen in (cars[:2], cars[2:]):
        part = [lap for lap in laps if lap.info.car in chosen]
        circuit = circuit_of("M", length, survey(updates_of(part), length))
        assert np.abs(np.array([corner.apex for corner in circuit.corners]) - truth).max() < 10


def test_the_way_of_one_car_is_a_line_too(laps: list[Lap]) -> None:
    circuit = driven(laps)
    assert len(circuit.corners) == len(placed(False))
    assert not circuit.centre
    assert abs(circuit.length / circuit.track_length - 1) < 0.03
    with pytest.raises(Unavailable):
        driven([])
