"""MoTeC logs, read by a parser of their own: channels on one grid, laps end to end, beacons at their ends."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rig.channels import LAP, PHYSICS
from rig.errors import BadRequest
from riglap.export import motec
from riglap.export.signals import signals
from tests.riglap import driven, ld_reader


def written(tmp_path: Path, *laps: Any, channels: tuple[str, ...] = ()) -> ld_reader.Log:
    motec.write(laps, tmp_path / "run.ld", channels)
    return ld_reader.read((tmp_path / "run.ld").read_bytes())


def details(tmp_path: Path) -> tuple[list[float], dict[str, str]]:
    """Times of the beacons in seconds, and the facts beside them."""
    root = ET.parse(tmp_path / "run.ldx").getroot()
    beacons = root.findall("Layers/Layer/MarkerBlock/MarkerGroup[@Name='Beacons']/Marker[@ClassName='BCN']")
    facts = root.findall("Layers/Layer/Details/String")
    return [float(one.attrib["Time"]) / 1e6 for one in beacons], {
        one.attrib["Id"]: one.attrib["Value"] for one in facts
    }


def test_the_head_says_who_drove_what_where_and_when(tmp_path: Path) -> None:
    log = written(tmp_path, driven.lap())
    assert (log.marker, log.driver, log.vehicle) == (0x40, "A. Alder", "Copper Racing #12")
    assert (log.venue, log.date, log.time) == ("Meander Valley Grand", "20/11/2026", "13:06:40")


def test_channels_have_the_names_and_units_that_motec_knows(tmp_path: Path) -> None:
    lap = driven.lap()
    log = written(tmp_path, lap)
    units = {name: channel.unit for name, channel in log.channels.items()}
    assert {
        "Ground Speed": "km/h",
        "Throttle Pos": "%",
        "Steering Wheel Position": "deg",
    }.items() <= units.items()
    assert {"Lap Distance": "m", "Tyre Temp FL Outer": "C", "G Force Lat": "G"}.items() <= units.items()
    assert all((channel.rate, channel.type) == (50, (7, 4)) for channel in log.channels.values())
    rows = slice(0, 3)
    expected = {
        "Ground Speed": lap.speed * 3.6,
        "Steering Wheel Position": lap.steering * 270,
        "G Force Long": lap.local_acceleration[:, 2] / -9.80665,
        "Tyre Temp FL Outer": lap.tyre_temp[:, 0],
        "Tyre Temp FR Outer": lap.tyre_temp[:, 5],
        "Tyre Pressure RL": lap.tyre_pressure[:, 2],
        "Surface Type RR": lap.surface_type[:, 3],
        "Gear": lap.gear,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(log.channels[name].values[rows], values[rows], rtol=1e-6, err_msg=name)


def test_every_sample_is_the_nearest_in_time_also_where_some_are_missing(tmp_path: Path) -> None:
    columns = driven.samples()
    kept = np.ones(len(columns["lap_time"]), bool)
    kept[1000:1100] = False
    lap = driven.lap(columns={name: values[kept] for name, values in columns.items()})
    log = written(tmp_path, lap)
    rpm = log.channels["Engine RPM"].values
    assert len(rpm) == round(92.375 * 50)
    for at in (0, 7, 999, 1049, 1051, 1100, len(rpm) - 1):
        nearest = np.argmin(np.abs(lap.lap_time - at / 50))
        assert rpm[at] == lap.engine_rpm[nearest], at


def test_laps_stand_end_to_end_with_a_beacon_where_each_ends(tmp_path: Path) -> None:
    times = (92.375, 91.02, 93.4)
    laps = [driven.lap(driven.info(at, lap_time=time)) for at, time in enumerate(times, start=3)]
    log = written(tmp_path, *laps)
    beacons, facts = details(tmp_path)
    assert beacons == pytest.approx(np.cumsum(times), abs=1e-6)
    assert facts == {"Total Laps": "3", "Fastest Time": "1:31.020", "Fastest Lap": "2"}
    into = log.channels["Running Lap Time"].values
    assert len(into) == round(sum(times) * 50)
    second = round(times[0] * 50) + 50
    assert into[second] == pytest.approx(second / 50 - times[0], abs=0.011)


def test_a_piece_of_a_lap_is_as_long_as_it_was_driven_and_never_the_fastest(tmp_path: Path) -> None:
    piece = driven.info(4, lap_time=40.0)
    piece.complete = piece.valid = False
    file = driven.lap(piece)
    file._header.lap.ClearField("lap_time")
    written(tmp_path, file)
    beacons, facts = details(tmp_path)
    assert (beacons, facts) == ([40.0], {"Total Laps": "1"})


def test_channels_that_only_some_laps_have_are_left_out(tmp_path: Path) -> None:
    columns = driven.samples()
    del columns["steering"]
    log = written(tmp_path, driven.lap(), driven.lap(driven.info(4), columns=columns))
    assert "Steering Wheel Position" not in log.channels
    assert "Ground Speed" in log.channels


def test_chosen_channels_alone_are_written(tmp_path: Path) -> None:
    log = written(tmp_path, driven.lap(), channels=("speed", "tyre_pressure"))
    assert list(log.channels) == [
        "Ground Speed",
        *(f"Tyre Pressure {wheel}" for wheel in ("FL", "FR", "RL", "RR")),
    ]


def test_laps_of_two_cars_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="of 2 cars"):
        written(tmp_path, driven.lap(), driven.lap(driven.info(car=7)))
    assert not list(tmp_path.iterdir())


def test_a_lap_without_samples_is_refused(tmp_path: Path) -> None:
    nothing = {name: values[:0] for name, values in driven.samples().items()}
    with pytest.raises(BadRequest, match="car012-0004 has no samples"):
        written(tmp_path, driven.lap(), driven.lap(driven.info(4), columns=nothing))


def test_channels_of_64_bits_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="float32"):
        written(tmp_path, driven.lap(), channels=("seq",))


def test_names_of_all_channels_fit_and_differ() -> None:
    columns = {
        channel.name: np.zeros((1, channel.width) if channel.width > 1 else 1, channel.dtype)
        for channel in (*PHYSICS.channels, *LAP.channels)
    }
    made = signals(driven.lap(columns=columns))
    assert len({signal.short for signal in made}) == len(made)
    assert len({signal.name for signal in made}) == len(made)
    assert max(len(signal.name.encode("latin-1")) for signal in made) <= 31
    assert max(len(signal.short.encode("latin-1")) for signal in made) <= 7
    assert max(len(signal.unit.encode("latin-1")) for signal in made) <= 11


def test_names_that_latin_1_cannot_write_are_cut_and_marked(tmp_path: Path) -> None:
    log = written(tmp_path, driven.lap(driven.info(driver="Ž" + "ä" * 80)))
    assert log.driver == "?" + "ä" * 62


def ranges(physical: float, visual: float) -> dict[str, Any]:
    """A lap's columns with these ranges of the steering wheel, degrees lock to lock."""
    columns = driven.samples()
    rows = len(columns["lap_time"])
    degrees = {"physical_steering_range": physical, "visual_steering_range": visual}
    return {**columns, **{name: np.full(rows, np.radians(one), "<f4") for name, one in degrees.items()}}


@pytest.mark.parametrize(
    ("physical", "visual", "unit", "most"),
    [(540, 719, "deg", 270.0), (0, 719, "deg", 359.5), (0, 0, "ratio", 1.0)],
)
def test_the_steering_falls_back_to_the_wheel_on_screen_and_then_to_the_fraction(
    tmp_path: Path, physical: float, visual: float, unit: str, most: float
) -> None:
    log = written(tmp_path, driven.lap(columns=ranges(physical, visual)))
    steering = log.channels["Steering Wheel Position"]
    assert steering.unit == unit
    assert steering.values.max() == pytest.approx(
        most * np.sin(30 * np.linspace(0, 1, 10_000)).max(), rel=1e-4
    )


def test_the_steering_has_one_unit_over_all_laps(tmp_path: Path) -> None:
    laps = driven.lap(columns=ranges(540, 719)), driven.lap(driven.info(4), columns=ranges(0, 0))
    log = written(tmp_path, *laps)
    assert log.channels["Steering Wheel Position"].unit == "ratio"
    assert np.abs(log.channels["Steering Wheel Position"].values).max() <= 1


def test_what_is_missing_holds_the_nearest_that_is_known_and_the_comment_says_so(tmp_path: Path) -> None:
    columns = driven.samples()
    columns["tyre_temp"][:40, 0] = np.nan
    columns["tyre_temp"][1000:1010, 0] = np.inf
    columns["tyre_pressure"][:] = np.nan
    log = written(tmp_path, driven.lap(columns=columns))
    found, given = log.channels["Tyre Temp FL Outer"].values, columns["tyre_temp"][:, 0]
    assert np.isfinite(found).all()
    assert set(found[:40]) == {given[40]}
    assert found[1001:1009].tolist() == [given[999]] * 4 + [given[1010]] * 4
    assert not [name for name in log.channels if name.startswith("Tyre Pressure")]
    assert "NaN" in log.comment
    assert "Holes: 1; samples known to be missing in them: 2." in log.event_comment
    assert "Not available: tyre_pressure." in log.event_comment


def test_a_zero_is_a_zero_where_another_lap_has_more(tmp_path: Path) -> None:
    lit = driven.samples()
    rows = len(lit["lap_time"])
    dark = {**lit, "headlights": np.zeros(rows, bool), "clutch": np.zeros(rows, "<f4")}
    lit |= {"headlights": np.ones(rows, bool), "clutch": np.zeros(rows, "<f4")}
    log = written(tmp_path, driven.lap(columns=dark), driven.lap(driven.info(4), columns=lit))
    assert set(log.channels["Headlights"].values[:100]) == {0}
    assert set(log.channels["Headlights"].values[-100:]) == {1}
    assert "Clutch Pos" not in log.channels
    assert "Brake Pos" in log.channels


def test_channels_that_are_not_available_alone_are_refused_by_name(tmp_path: Path) -> None:
    columns = driven.samples()
    columns["clutch"] = np.zeros(len(columns["lap_time"]), "<f4")
    with pytest.raises(BadRequest) as caught:
        written(tmp_path, driven.lap(columns=columns), channels=("clutch",))
    assert caught.value.hint == "not available: clutch"


def test_a_beacon_marks_the_sample_in_which_a_lap_ends(tmp_path: Path) -> None:
    laps = [driven.lap(driven.info(at, lap_time=time)) for at, time in ((3, 20.01), (4, 21.0))]
    log = written(tmp_path, *laps)
    beacon = log.channels["Beacon"].values
    assert np.flatnonzero(beacon).tolist() == [1001, len(beacon) - 1]
    assert log.channels["Running Lap Time"].values[1001] < 0.02


def test_position_brings_a_map_around_no_place_on_earth(tmp_path: Path) -> None:
    columns = driven.samples()
    rows = len(columns["lap_time"])
    columns["position"] = np.stack(
        [np.full(rows, 1000.0), np.full(rows, 7.0), np.arange(rows) / 2], 1
    ).astype("<f4")
    log = written(tmp_path, driven.lap(columns=columns), channels=("position",))
    assert list(log.channels) == [
        *("Position X", "Position Y", "Position Z"),
        *("GPS Latitude", "GPS Longitude", "GPS Altitude"),
    ]
    assert log.channels["GPS Longitude"].values[0] == pytest.approx(1000 / 111_195, rel=1e-5)
    assert log.channels["GPS Latitude"].values[2000] == pytest.approx(1000 / 111_195, rel=1e-3)
    assert "no place on earth" in log.event_comment


def test_every_fraction_has_a_unit() -> None:
    fractions = [
        channel
        for channel in PHYSICS.channels
        if not channel.unit and channel.dtype.kind == "f" and channel.name != "last_impact_magnitude"
    ]
    columns = {c.name: np.ones((1, c.width) if c.width > 1 else 1, c.dtype) for c in fractions}
    made = signals(driven.lap(columns=columns))
    assert {signal.unit for signal in made} == {"%", "ratio"}
    assert len(made) == sum(channel.width for channel in fractions)


def test_control_characters_in_names_break_nothing(tmp_path: Path) -> None:
    log = written(
        tmp_path, driven.lap(driven.info(driver="A.\0Alder\n\x1b[31m", vehicle="\tCopper\x85Racing\r\n"))
    )
    assert (log.driver, log.vehicle) == ("A. Alder [31m", "Copper Racing")
