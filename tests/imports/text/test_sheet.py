"""Rows of delimited files as other programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest
from rigclient.imports.text.sheet import RefusedLine, SheetRow
from tests.imports.recorded import sheet

NAMES = st.lists(st.from_regex("[A-Z][A-Z0-9_]{0,8}", fullmatch=True), min_size=1, max_size=6, unique=True)
CELL = st.text(st.characters(blacklist_characters=';,"\r\n', blacklist_categories=["Cs", "Cc"]), max_size=6)


def rows(data: bytes) -> list[SheetRow | RefusedLine]:
    return list(sheet(data).rows())


def cells(data: bytes) -> list[dict[str, str]]:
    found = rows(data)
    assert all(isinstance(row, SheetRow) for row in found), found
    return [row.cells for row in found if isinstance(row, SheetRow)]


def refused(data: bytes) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in rows(data) if isinstance(row, RefusedLine)]


class TestSpellings:
    """One table, however it is written."""

    @pytest.mark.parametrize(
        "data",
        [
            b"A;B;C\n1;2;3\n4;;6\n",
            b"A; B; C\n1;2;3\n4;;6",
            b"\xef\xbb\xbfA;B;C;\r\n1;2;3;\r\n4;;6;\r\n",
            b"A,B,C\n1,2,3\n\n4,,6\n\n",
            b'"A","B","C"\n"1",2,"3"\n"4",,"6"\n',
            b"A;B;C\n 1 ;2; 3\n4; ;6\n",
        ],
    )
    def test_it_reads_the_same(self, data: bytes) -> None:
        assert cells(data) == [{"A": "1", "B": "2", "C": "3"}, {"A": "4", "B": "", "C": "6"}]

    @given(NAMES, st.data(), st.sampled_from([";", ","]), st.sampled_from(["\n", "\r\n"]), st.booleans())
    def test_what_is_written_is_read(
        self, names: list[str], data: st.DataObject, delimiter: str, ending: str, closed: bool
    ) -> None:
        table = data.draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), max_size=5))
        lines = [names, *table]
        text = "".join(delimiter.join(line) + delimiter * closed + ending for line in lines)
        wanted = [[cell.strip() for cell in line] for line in table if any(cell.strip() for cell in line)]
        found = [row for row in rows(text.encode()) if isinstance(row, SheetRow)]
        if len(names) > 1 or closed:
            assert [list(row.cells.values()) for row in found] == wanted
            assert all(list(row.cells) == names for row in found)

    def test_a_quoted_cell_holds_its_delimiter(self) -> None:
        assert cells(b'A,B\n"one, two",3\n') == [{"A": "one, two", "B": "3"}]

    def test_lines_are_counted_as_an_editor_counts_them(self) -> None:
        assert [row.line for row in rows(b"A;B\n1;2\n\n3;4\n") if isinstance(row, SheetRow)] == [2, 4]


class TestRowsThatAreNone:
    """Each is refused alone, between sound neighbours."""

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (b"1;2", "wrong number of cells"),
            (b"1;2;3;4", "wrong number of cells"),
            (b"1;2;3;;", "wrong number of cells"),
            (b";;", "an empty row"),
            (b"1;\xff\xfe;3", "not UTF-8"),
            (b'1;"2;3', "broken quotes"),
            (b'1;"2"x;3', "broken quotes"),
            (b"1;2;" + b"3" * 70_000, "too long a line"),
        ],
    )
    def test_it_is_refused_with_its_line(self, bad: bytes, reason: str) -> None:
        data = b"A;B;C\nu;v;w\n" + bad + b"\nx;y;z\n"
        assert refused(data) == [(3, reason)]
        assert [row["A"] for row in rows(data) if isinstance(row, SheetRow)] == ["u", "x"]

    def test_the_header_once_more_is_told_as_that(self) -> None:
        assert refused(b"A;B;C;\nu;v;w;\nA;B;C;\nx;y;z\n") == [(3, "a repeated header")]

    def test_a_file_of_nothing_but_commas_has_no_rows(self) -> None:
        assert refused(b"A,B,C\n" + b",,\n" * 3) == [
            (2, "an empty row"),
            (3, "an empty row"),
            (4, "an empty row"),
        ]

    @given(st.binary(max_size=200))
    def test_any_bytes_after_the_header_are_rows_or_refused(self, junk: bytes) -> None:
        lines = [row.line for row in rows(b"A;B;C\n" + junk)]
        assert lines == sorted(set(lines))
        assert len(lines) <= junk.count(b"\n") + 1


class TestHeaders:
    @pytest.mark.parametrize("data", [b"", b"\xff\xfe\n1;2\n", b"x" * 70_000])
    def test_a_file_without_one_is_refused_whole(self, data: bytes) -> None:
        with pytest.raises(BadRequest, match="has no header"):
            sheet(data, "odd.csv")

    def test_two_columns_of_one_name_are_refused(self) -> None:
        with pytest.raises(BadRequest, match="two columns 'speed'"):
            sheet(b"time,speed, speed\n")
