"""CSV and Parquet: what is read back is what the lap holds, to the last bit."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from rig.channels import PHYSICS
from rig.errors import MissingChannel
from riglap import extras
from riglap.export import csv as csv_file
from riglap.export import parquet as parquet_file
from riglap.lap import Array, Lap
from tests.riglap import driven
from tests.riglap.columns import tables

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


HOSTILE: dict[str, Any] = {
    "driver": 'A.\nAlder\r\n1,2,3\n\x1b[2J"',
    "vehicle": "Copper #12, =1+1",
    "team": "\u2028Copper\x85Racing\0",
}


def test_names_with_line_ends_stay_behind_their_sign(tmp_path: Path) -> None:
    path = tmp_path / "lap.csv"
    csv_file.write(driven.lap(driven.info(3, **HOSTILE)), path, ["speed", "gear"])
    text = path.read_bytes().decode()
    assert next(line for line in text.splitlines() if line[:2] != "# ") == "speed,gear"
    assert len(text.splitlines()) == len(text.split("\n")) - 1
    shown = facts(path)
    assert shown["driver"] == 'A. Alder 1,2,3 [2J"'
    assert shown["team"] == "Copper Racing"
    assert ",=" not in text.replace(" ", "")
    frame = extras.need("pandas", "export").read_csv(path, comment="#")
    assert (list(frame), len(frame)) == (["speed", "gear"], len(driven.lap()))


def test_csv_says_whose_lap_it_is(tmp_path: Path) -> None:
    csv_file.write(driven.lap(), tmp_path / "lap.csv", ["speed", "gear", "tyre_temp"])
    shown = facts(tmp_path / "lap.csv")
    assert shown["tyre_temp_0 to tyre_temp_11"] == PHYSICS.by_name["tyre_temp"].description
    assert shown["driver"] == "A. Alder"
    assert shown["track"] == "Meander Valley Grand"
    assert shown["lap"] == driven.info().name
    assert shown["official lap time [s]"] == "92.375"
    assert shown["start (UTC)"] == "2026-11-20T13:06:40Z"
    assert shown["units"].startswith("speed [m/s], tyre_temp_0 [°C], ")


def test_what_is_not_available_is_left_out_and_named(tmp_path: Path) -> None:
    lap = unlit()
    csv_file.write(lap, tmp_path / "lap.csv")
    parquet_file.write(lap, tmp_path / "lap.parquet")
    names = list(read_csv(tmp_path / "lap.csv"))
    schema = PARQUET.read_schema(tmp_path / "lap.parquet")
    assert names == schema.names == list(lap.to_pandas())
    assert not {"headlights", "clutch", "tyre_load_fl"} & set(names)
    assert facts(tmp_path / "lap.csv")["not available"] == "clutch, tyre_load, headlights"
    assert schema.metadata[b"rig.not_available"] == b"clutch,tyre_load,headlights"


def test_what_is_asked_for_and_not_available_has_no_values(tmp_path: Path) -> None:
    asked = ["headlights", "clutch", "gear"]
    csv_file.write(unlit(), tmp_path / "lap.csv", asked)
    parquet_file.write(unlit(), tmp_path / "lap.parquet", asked)
    assert set(read_csv(tmp_path / "lap.csv")["headlights"]) == {""}
    assert set(read_csv(tmp_path / "lap.csv")["clutch"]) == {""}
    frame = extras.need("pandas", "export").read_parquet(tmp_path / "lap.parquet")
    assert frame[["headlights", "clutch"]].isna().all(axis=None)
    assert frame["gear"].notna().all()


def unlit() -> Lap:
    """A lap of a game that fills neither lamps nor clutch nor loads."""
    columns = driven.samples()
    rows = len(columns["lap_time"])
    absent = {"headlights": np.zeros(rows, bool), "clutch": np.zeros(rows, "<f4")}
    return driven.lap(columns={**columns, **absent, "tyre_load": np.zeros((rows, 4), "<f4")})
