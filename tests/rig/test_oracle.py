"""A reader that knows nothing but the format page finds the same bits."""

import numpy as np
from hypothesis import given

from rig.lapfile import SAMPLES, SCORINGS, pack
from tests.rig.lap_oracle import read
from tests.rig.laps import CHANNELS, SCORING_CHANNELS, Array, drive, header, table, tables


def rows_of(columns: dict[str, Array]) -> dict[str, list[list[bytes]]]:
    return {
        name: [[value.tobytes() for value in part] for part in values.reshape(len(values), -1).T]
        for name, values in columns.items()
        if len(values)
    }


@given(tables(CHANNELS))
def test_every_table_is_read_alike(samples: dict[str, Array]) -> None:
    found = read(pack(header(), samples, {}), SAMPLES)
    assert found.keys() == samples.keys()
    assert {name: parts for name, parts in found.items() if parts[0]} == rows_of(samples)


def test_a_lap_whose_channels_belong_together_is_read_alike() -> None:
    samples = drive(400)
    samples["orientation"][30:40] = [np.nan] * 9
    samples["local_velocity"][5:8] = np.inf
    scoring = table(SCORING_CHANNELS, sorted(SCORING_CHANNELS), 60, 3)
    data = pack(header(), samples, scoring)
    assert read(data, SAMPLES) == rows_of(samples)
    assert read(data, SCORINGS) == rows_of(scoring)
