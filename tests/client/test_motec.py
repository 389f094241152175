"""MoTeC logs, read by a parser of their own: channels on one grid, laps end to end, beacons at their ends."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rig.channels import LAP, PHYSICS
from rig.errors import BadRequest
from rigclient.export import motec
from rigclient.export.signals import signals
from tests.client import driven, ld_reader


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
    file.info.ClearField("lap_time")
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
