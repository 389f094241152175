"""Columns by name and unit, and the channels that they become."""

import numpy as np
import pytest

from rigclient.imports.channels import naming
from rigclient.imports.channels.column import To


def one(name: str, unit: str = "", own: dict[str, To] | None = None) -> tuple[str, int, float, float]:
    (found,) = naming.sources([(name, unit)], own)
    return found.channel.name, found.place, found.factor, found.offset


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("Ground Speed", "km/h", ("speed", 0, 1 / 3.6, 0)),
        ("GPS Speed", "mph", ("speed", 0, 0.44704, 0)),
        ("Speed (Km/h)", "km/h", ("speed", 0, 1 / 3.6, 0)),
        ("Engine RPM", "", ("engine_rpm", 0, 1, 0)),
        ("Throttle Pos", "%", ("throttle", 0, 0.01, 0)),
        ("Throttle Pos", "ratio", ("throttle", 0, 1, 0)),
        ("G Force Lat", "G", ("local_acceleration", 0, -9.80665, 0)),
        ("G Force Long", "m/s/s", ("local_acceleration", 2, -1, 0)),
        ("Camber RR", "deg", ("camber", 3, np.pi / 180, 0)),
        ("Tire Pressure FL", "psi", ("tyre_pressure", 0, 6.894757, 0)),
        ("Water Temp", "F", ("engine_water_temp", 0, 5 / 9, -160 / 9)),
        ("Brake Temp FR", "K", ("brake_temp", 1, 1, -273.15)),
        ("Susp Travel RL", "mm", ("suspension_deflection", 2, 0.001, 0)),
        ("Wheel Rot Speed FL", "rad/s", ("wheel_rotation", 0, -1, 0)),
        ("Front Ride Height", "m", ("front_ride_height", 0, 1, 0)),
        ("tyre_temp_11", "C", ("tyre_temp", 11, 1, 0)),
        ("Longitudinal Ground Velocity FL", "m/s", ("longitudinal_ground_velocity", 0, 1, 0)),
    ],
)
def test_a_name_and_a_unit_make_a_channel(
    name: str, unit: str, expected: tuple[str, int, float, float]
) -> None:
    channel, place, factor, offset = one(name, unit)
    assert (channel, place) == expected[:2]
    assert (factor, offset) == pytest.approx(expected[2:])


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Wing Flex", "V"),
        ("Ground Speed", "V"),
        ("Brake Pos", "bar"),
        ("Water Temp", "mV"),
        ("lap_time", "s"),
        ("", ""),
    ],
)
def test_what_is_no_channel_or_cannot_be_turned_into_its_unit_becomes_none(name: str, unit: str) -> None:
    assert naming.sources([(name, unit)]) == []


def test_names_of_a_dialect_come_first_with_their_sign_and_their_zero() -> None:
    own = {"Clutch": To("clutch", times=-1.0, plus=1.0)}
    assert one("Clutch", "", own) == ("clutch", 0, -1.0, 1.0)


def test_of_two_columns_of_one_value_the_first_stays() -> None:
    columns = [("GPS Speed", "km/h"), ("Ground Speed", "km/h"), ("Oil", "x")]
    found = naming.sources(columns)
    assert [source.column for source in found] == ["GPS Speed"]
    assert naming.left([name for name, _ in columns], found, ["Oil"]) == ("Ground Speed",)
