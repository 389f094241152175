"""Telemetry of the GR Cup in its three forms: the same laps out of each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rigclient.imports import discovery
from rigclient.imports.recording import RecordedLap, Recording
from tests.imports.written import write

NAMES = ("speed", "gear", "aps", "pbrake_f", "VBOX_Lat_Min", "VBOX_Long_Minutes")
WIDE = "lap,timestamp,Steering_Angle," + ",".join(NAMES)
CAR = "GR86-002-000"
Moment = tuple[int, str, dict[str, float]]


def driven() -> Iterator[Moment]:
    """Three laps of four seconds, 20 samples a second, with gear in every fourth alone."""
    for at in range(240):
        stamp = f"2025-09-06T18:40:{at // 20 + 10:02}.{at % 20 * 50:03}Z"
        told = {"speed": 90.0 + at % 80, "aps": 50.0, "pbrake_f": 1.5}
        told |= {"VBOX_Lat_Min": 33.53 + at % 80 * 1e-5, "VBOX_Long_Minutes": -86.62}
        yield at // 80 + 1, stamp, told | ({"gear": 3.0} if at % 4 == 0 else {})


def wide() -> bytes:
    rows = (
        f"{lap},{stamp},,{','.join(str(told.get(name, '')) for name in NAMES)}"
        for lap, stamp, told in driven()
    )
    return "\n".join([WIDE, *rows, ""]).encode()


def long() -> bytes:
    rows = (
        f"{lap},E,R1,{stamp},{name},{value},{stamp},{CAR}"
        for lap, stamp, told in driven()
        for name, value in told.items()
    )
    head = "lap,meta_event,meta_session,meta_time,telemetry_name,telemetry_value,timestamp,vehicle_id"
    return "\n".join([head, *rows, ""]).encode()


def of_a_car() -> bytes:
    rows = (
        f"{stamp},{name},{value}"
        for lap, stamp, told in driven()
        for name, value in ({"lap": float(lap)} | told).items()
    )
    return "\n".join(["meta_time,telemetry_name,telemetry_value", *rows, ""]).encode()


def read(path: Path) -> tuple[Recording, list[RecordedLap], list[tuple[int, str]]]:
    refused: list[tuple[int, str]] = []
    found = discovery.recognised(path)
    assert found is not None
    assert found.dialect is not None
    (recording,) = found.dialect.read(
        path, lambda line, reason, _: refused.append((line, reason)), lambda _: None
    )
    return recording, list(recording.laps), refused


@pytest.mark.parametrize("form", [wide, long, of_a_car])
def test_every_form_makes_the_same_laps(tmp_path: Path, form: object) -> None:
    recording, laps, refused = read(write(tmp_path / f"barber/{CAR}.csv", form()))  # type: ignore[operator]
    assert (recording.rate_hz, refused) == (20.0, [])
    assert [(lap.index, lap.complete, lap.lap_time_s) for lap in laps] == [
        (1, False, None),
        (2, True, pytest.approx(4.0)),
        (3, False, None),
    ]
    samples = laps[1].samples
    np.testing.assert_allclose(samples["speed"], (90 + np.arange(80)) / 3.6, rtol=1e-6)
    assert (set(samples["gear"]), set(samples["throttle"])) == ({3}, {0.5})
    assert np.isfinite(samples["position"]).all()
    way = np.linalg.norm(np.diff(samples["position"], axis=0), axis=1)
    np.testing.assert_allclose(way, 1.112, atol=0.01)
    assert set(laps[1].others) == {"pbrake_f", "VBOX_Lat_Min", "VBOX_Long_Minutes"}


def test_a_row_of_the_wide_form_is_sound_or_told(tmp_path: Path) -> None:
    bad = ("x,2025-09-06T18:40:30Z,,,,,,,", "1,soon,,,,,,,", "1,2025-09-06T18:40:30Z,,fast,,,,,", ",,,,,,,,")
    data = wide() + "\n".join([*bad, ""]).encode()
    _, laps, refused = read(write(tmp_path / "barber/car.csv", data))
    assert [reason for _, reason in refused] == ["no lap number", "no moment", "no number", "an empty row"]
    assert len(laps) == 3
