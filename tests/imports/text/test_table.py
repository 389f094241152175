"""Wide tables in chunks: what is a row, what is a number, and what is told of the others."""

import io

import numpy as np
import pytest

from rig.errors import BadRequest
from rigclient.imports.text.table import SampleTable, TableChunk

Refused = list[tuple[int, str, str]]


def read(
    data: bytes, numbers: list[str], texts: list[str] | None = None, needed: tuple[str, ...] = ("Time",)
) -> tuple[SampleTable, TableChunk, Refused]:
    """The whole of it as one chunk."""
    refused: Refused = []
    table = SampleTable("it", io.BytesIO(data), needed)
    (chunk,) = table.chunks(numbers, texts or [], lambda *row: refused.append(row))
    return table, chunk, refused


class TestHeaders:
    def test_what_stands_before_the_header_is_kept(self) -> None:
        table, chunk, _ = read(
            b'"Venue","spa"\n\n"Time","Speed"\n"s","km/h"\n\n"0.5","212"\n', ["Time", "Speed"]
        )
        assert table.before == [["Venue", "spa"], [""]]
        assert table.units == {"Time": "s", "Speed": "km/h"}
        assert (chunk.lines.tolist(), chunk.numbers["Speed"].tolist()) == ([6], [212.0])

    def test_units_stand_in_brackets_too(self) -> None:
        table, _, _ = read(
            b"Time [s],Speed (MPH),IdleRevs [rpm},Lap\n1,2,3,4\n", ["Time [s]"], needed=("Time [s]",)
        )
        assert table.units == {"Time [s]": "s", "Speed (MPH)": "MPH", "IdleRevs [rpm}": "rpm"}
        assert (table.named("speed"), table.named("idlerevs"), table.named("Gear")) == (
            "Speed (MPH)",
            "IdleRevs [rpm}",
            None,
        )

    def test_a_name_that_comes_twice_is_told_apart(self) -> None:
        table, chunk, _ = read(b"time,speed,speed\n1,2,3\n", ["speed", "speed #2"])
        assert table.columns == ("time", "speed", "speed #2")
        assert [chunk.numbers[name][0] for name in ("speed", "speed #2")] == [2.0, 3.0]

    def test_without_the_columns_that_are_needed_there_is_none(self) -> None:
        with pytest.raises(BadRequest, match="no header with Time"):
            SampleTable("it", io.BytesIO(b"milk,eggs\n1,2\n"), ("Time",))

    def test_blanks_separate_too(self) -> None:
        table = SampleTable(
            "it", io.BytesIO(b"[column names]\ntime  lat\n[data]\n1  2\n"), ("time",), separator=" "
        )
        assert table.columns == ("time", "lat")


class TestRows:
    def test_each_that_is_none_is_told_with_its_line(self) -> None:
        rows = b"Time,Speed,Gear\n0,1,2\n,,\n1,2\nTime,Speed,Gear\n2,fast,2\n3,,2\n\n\xff,1,2\n4,1,2,\n"
        _, chunk, refused = read(rows, ["Time", "Speed"], ["Gear"])
        assert [(line, reason) for line, reason, _ in refused] == [
            (3, "an empty row"),
            (4, "wrong number of cells"),
            (5, "a repeated header"),
            (9, "not UTF-8"),
            (6, "no number"),
        ]
        assert chunk.lines.tolist() == [2, 7, 10]
        np.testing.assert_array_equal(chunk.numbers["Speed"], [1.0, np.nan, 1.0])
        assert chunk.texts["Gear"] == ["2", "2", "2"]

    def test_where_none_is_sound_there_is_no_chunk(self) -> None:
        table = SampleTable("it", io.BytesIO(b"Time\nx\ny\n"), ("Time",))
        assert list(table.chunks(["Time"], [], lambda *_: None, rows=1)) == []

    def test_numbers_are_spelled_in_many_ways(self) -> None:
        cells = ("1e3", " 7 ", "+007.500", "True", "false", "nan", "inf", "-2,5")
        data = "Time;x\n" + "".join(f"{at};{cell}\n" for at, cell in enumerate(cells))
        _, chunk, refused = read(data.encode(), ["x"])
        np.testing.assert_array_equal(chunk.numbers["x"], [1000, 7, 7.5, 1, 0, np.nan, np.nan, -2.5])
        assert refused == []

    def test_chunks_are_the_whole(self) -> None:
        data = "Time,x\n" + "".join(f"{at},{at * 2}\n" for at in range(10))
        chunks = SampleTable("it", io.BytesIO(data.encode()), ("Time",)).chunks(
            ["x"], [], lambda *_: None, rows=4
        )
        assert [chunk.numbers["x"].tolist() for chunk in chunks] == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]

    def test_fifteen_thousand_rows_of_commas_give_nothing(self) -> None:
        refused: Refused = []
        table = SampleTable("it", io.BytesIO(b"Time,x\n" + b",\n" * 15_000), ("Time",))
        assert list(table.chunks(["x"], [], lambda *row: refused.append(row))) == []
        assert len(refused) == 15_000
