"""CSV and Parquet: what is read back is what the lap holds, to the last bit."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from rig.errors import MissingChannel
from rigclient import extras
from rigclient.export import csv as csv_file
from rigclient.export import parquet as parquet_file
from rigclient.lap import Array
from tests.client import driven
from tests.client.columns import tables

PARQUET = extras.need("pyarrow.parquet", "export")

_TRUTH = {"True": True, "False": False}


def read_csv(path: Path) -> dict[str, list[str]]:
    """The texts of every column by its name."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(line for line in file if not line.startswith("#"))
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def facts(path: Path) -> dict[str, str]:
    """What stands above the columns."""
    lines = [line[2:] for line in path.read_text("utf-8").splitlines() if line.startswith("# ")]
    return dict(line.split(": ", 1) for line in lines)


def parsed(texts: list[str], dtype: np.dtype) -> Array:
    """The texts as numbers of this type, by nobody's code but numpy's own."""
    if dtype.kind == "b":
        return np.array([_TRUTH[text] for text in texts])
    return np.array([dtype.type(text) if text else math.nan for text in texts], dtype)


@given(tables())
def test_csv_reads_back_as_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, Array]
) -> None:
    lap = driven.lap(columns=columns, updates={})
    path = tmp_path_factory.getbasetemp() / "lap.csv"
    csv_file.write(lap, path)
    found = read_csv(path)
    flat = list(lap.flat())
    assert list(found) == [column.name for column in flat]
    for column, texts in zip(flat, found.values(), strict=True):
        values = parsed(texts, column.values.dtype)
        np.testing.assert_array_equal(values, column.values)
        some = values == values  # -0.0 equals 0.0, so the sign is asked for; that of NaN is nobody's
        np.testing.assert_array_equal(np.signbit(values[some]), np.signbit(column.values[some]))


@given(tables())
def test_parquet_reads_back_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, Array]
) -> None:
    lap = driven.lap(columns=columns, updates={})
    path = tmp_path_factory.getbasetemp() / "lap.parquet"
    parquet_file.write(lap, path)
    table = PARQUET.read_table(path)
    for column in lap.flat():
        values = table.column(column.name).to_numpy()
        assert values.dtype == column.values.dtype
        assert values.tobytes() == column.values.tobytes()


def test_csv_numbers_have_no_more_digits_than_they_need(tmp_path: Path) -> None:
    columns = {
        "lap_time": np.array([0.1, 1 / 3]),
        "speed": np.array([0.1, np.nan], "<f4"),
        "gear": np.array([-1, 3], "<i4"),
        "speed_limiter": np.array([True, False]),
    }
    csv_file.write(driven.lap(columns=columns), tmp_path / "lap.csv", ["lap_time", *list(columns)[1:]])
    assert (tmp_path / "lap.csv").read_text().partition("\nlap_time,")[2] == (
        "speed,gear,speed_limiter\n0.1,0.1,-1,True\n0.3333333333333333,,3,False\n"
    )
    assert facts(tmp_path / "lap.csv")["units"] == "lap_time [s], speed [m/s]"


def test_csv_of_joined_scoring_is_empty_where_nothing_was_told(tmp_path: Path) -> None:
    lap = driven.lap().with_scoring(["place", "time_behind_leader"], tolerance_s=0.05)
    csv_file.write(lap, tmp_path / "lap.csv", ["scoring_place", "scoring_time_behind_leader"])
    found = read_csv(tmp_path / "lap.csv")
    missing = [place is None for place in lap["scoring_place"].tolist()]
    assert 0 < sum(missing) < len(lap)
    for texts in found.values():
        assert [text == "" for text in texts] == missing


def test_parquet_carries_units_and_the_facts_of_the_lap(tmp_path: Path) -> None:
    path = tmp_path / "lap.parquet"
    parquet_file.write(driven.lap(), path, ["speed", "tyre_pressure"])
    schema = PARQUET.read_schema(path)
    assert schema.names == ["speed", *(f"tyre_pressure_{wheel}" for wheel in ("fl", "fr", "rl", "rr"))]
    assert schema.field("speed").metadata[b"unit"] == b"m/s"
    assert json.loads(schema.metadata[b"rig.lap"])["driver"] == "A. Alder"
    assert json.loads(schema.metadata[b"rig.session"])["track_name"] == "Meander Valley Grand"
    facts = PARQUET.ParquetFile(path).metadata
    assert facts.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("form", [csv_file, parquet_file])
def test_a_channel_that_the_lap_lacks_is_named(tmp_path: Path, form: object) -> None:
    with pytest.raises(MissingChannel, match="'camber'"):
        form.write(driven.lap(), tmp_path / "lap", ["camber"])  # type: ignore[attr-defined]
