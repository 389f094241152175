"""Files as they come: in any encoding that can be told, and odd ones that cost themselves and no other."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rigclient.cli.main import rig
from rigclient.warehouse import connect
from tests.imports.recorded import read
from tests.imports.written import HEAD, race, row, table, write

NAMED = HEAD + ";DRIVER_NAME;TEAM"
NAME = "José ÑAPE"
ROWS = [row(lap=lap) + f";{NAME};Copper Racing" for lap in (1, 2, 3)]
TEXT = "\n".join([NAMED, *ROWS, ""])


def cells(text: str, change: Callable[[str], str]) -> str:
    return "\n".join(";".join(map(change, line.split(";"))) for line in text.split("\n"))


def decimal_comma(cell: str) -> str:
    return cell.replace(".", ",") if cell.replace(".", "").replace(":", "").isdigit() else cell


SPELLINGS = {
    "plain": TEXT.encode(),
    "UTF-16 with its mark": TEXT.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "UTF-32 with its mark": TEXT.encode("utf-32"),
    "Windows-1252": TEXT.encode("cp1252"),
    "Windows-1252, CRLF": TEXT.replace("\n", "\r\n").encode("cp1252"),
    "two marks": b"\xef\xbb\xbf" * 2 + TEXT.encode(),
    "tabs": TEXT.replace(";", "\t").encode(),
    "commas": TEXT.replace(";", ",").encode(),
    "title": b"FIA Analysis Race 1\r\n" + TEXT.encode(),
    "title in cells": b"24 Hours;Race;2024;\n\n" + TEXT.encode(),
    "blank lines first": b"\r\n\r\n" + TEXT.encode(),
    "decimal commas": cells(TEXT, decimal_comma).encode(),
    "NUL after the end": TEXT.encode() + b"\0" * 4096,
    "NUL after the end, much": TEXT.encode() + b"\0" * 200_000,
    "small letters": TEXT.replace(NAMED, NAMED.lower()).encode(),
    "quoted": cells(TEXT, lambda cell: f'"{cell}"' if cell == NAME else cell).encode(),
    "quoted line break": TEXT.replace("Copper Racing", '"Copper\nRacing"').encode(),
}


class TestSpellings:
    @pytest.mark.parametrize("how", SPELLINGS)
    def test_a_chart_is_read_however_it_is_spelled(self, how: str) -> None:
        known, _ = read(SPELLINGS["plain"])
        laps, refused = read(SPELLINGS[how])
        assert refused == []
        found = [(lap.number, lap.lap, lap.lap_time_ms, lap.sectors_ms, lap.kph, lap.flag) for lap in laps]
        assert found == [
            (lap.number, lap.lap, lap.lap_time_ms, lap.sectors_ms, lap.kph, lap.flag) for lap in known
        ]
        assert {(lap.driver, lap.team.replace("\n", " ")) for lap in laps} == {(NAME, "Copper Racing")}

    @pytest.mark.parametrize(
        ("bad", "lines"),
        [
            (b"\xff\xfe", [3]),  # beside no letter
            (b"Jos\x81e", [3]),  # no character of Windows-1252
            ("José".encode() + b" \xc9", [3]),  # the file is UTF-8 elsewhere
        ],
    )
    def test_what_is_of_no_encoding_costs_its_row(self, bad: bytes, lines: list[int]) -> None:
        one, two, three = (text.encode() for text in ROWS)
        name = NAME.encode()
        plain = [one.replace(name, b"A"), two.replace(name, bad), three.replace(name, b"A")]
        laps, refused = read(b"\n".join([NAMED.encode(), *plain]))
        assert ([lap.lap for lap in laps], [row.line for row in refused]) == ([1, 3], lines)
        assert {row.reason for row in refused} == {"not UTF-8"}

    def test_an_open_quote_costs_its_row(self) -> None:
        laps, refused = read(TEXT.replace(NAME, f'"{NAME}', 1).encode())
        assert [lap.lap for lap in laps] == [2, 3]
        assert [(row.line, row.reason) for row in refused] == [(2, "broken quotes")]

    def test_a_chart_without_flags_has_laps_of_which_nobody_knows(self) -> None:
        lines = table(*(row(lap=lap) for lap in (1, 2))).decode().splitlines()
        without = HEAD.split(";").index("FLAG_AT_FL")
        cut = [";".join(line.split(";")[:without] + line.split(";")[without + 1 :]) for line in lines]
        laps, refused = read("\n".join(cut).encode())
        assert [(lap.lap, lap.flag, lap.green) for lap in laps] == [(1, "", None), (2, "", None)]
        assert refused == []


def run(where: str, *words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "80", "RIG_WAREHOUSE": where}).invoke(
        rig, ["warehouse", *map(str, words)]
    )


def plain(where: str, *words: str | Path) -> tuple[int, dict[str, Any]]:
    result = run(where, *words, "--json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def where(tmp_path: Path) -> str:
    return f"duckdb:{tmp_path / 'laps.duckdb'}"


CHART = race(("7", 1, 100_000), ("7", 2, 99_000))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        folder = os.getcwd()
        os.chdir(path.parent)  # the path of a socket is short
        one.bind(path.name)
        os.chdir(folder)


def missing_hour(path: Path) -> None:
    path.write_bytes(CHART.replace(b"; HOUR", b"; TIME"))


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "it is a folder"),
    "a pipe": (pipe, "it is a named pipe"),
    "a device": (device, "it is a device"),
    "a socket": (bound, "it is a socket"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "it cannot be read: no such file"),
    "empty": (Path.touch, "it is empty"),
    "blank": (lambda path: path.write_bytes(b"\n\n\n"), "has no header"),
    "binary": (lambda path: path.write_bytes(bytes(range(256)) * 9), "it is binary"),
    "UTF-16 without a mark": (lambda path: path.write_bytes(CHART.decode().encode("utf-16-le")), "UTF-16"),
    "one long line": (lambda path: path.write_bytes(b"x" * 200_000), "has no header"),
    "two columns of a name": (
        lambda path: path.write_bytes(CHART.replace(b"KPH", b"S1")),
        "two columns 'S1'",
    ),
    "a chart without clocks": (missing_hour, "it looks like chart, and has no column HOUR"),
    "a header alone": (lambda path: path.write_bytes(CHART.splitlines()[0]), "has no sound row"),
    "no sound row": (
        lambda path: path.write_bytes(CHART.splitlines()[0] + b"\nnothing\n"),
        "has no sound row, 1 refused",
    ),
}


class TestOddFiles:
    def test_each_is_told_by_name_and_reason_and_all_others_load(self, where: str, tmp_path: Path) -> None:
        folder = tmp_path / "in"
        for track in ("spa", "monza"):
            write(folder / track / "Race 1/23_Analysis_Race.CSV", CHART + b"\n" * len(track))
        paths = {what: folder / f"odd/Race 1/{at}.csv" for at, what in enumerate(ODD)}
        (folder / "odd/Race 1").mkdir(parents=True)
        for what, path in paths.items():
            ODD[what][0](path)
        code, report = plain(where, "load", folder)
        whys = {file["path"]: file["why"] for file in report["files"] if file["outcome"] != "loaded"}
        assert code == 17
        for what, path in paths.items():
            assert ODD[what][1] in whys[str(path)], what
            assert str(path) in whys[str(path)]
        assert sorted(file["track"] for file in report["files"] if file["laps"]) == ["monza", "spa"]
        assert report["others"] == []
        assert run(where, "load", folder).exit_code == 17
        with connect(where) as destination:
            assert destination.rows("SELECT COUNT(*) FROM LAPS") == [(4,)]

    def test_a_table_of_another_kind_is_left_alone_by_name(self, where: str, tmp_path: Path) -> None:
        write(tmp_path / "in/spa/Race 1/chart.csv", CHART)
        weather = write(tmp_path / "in/spa/Race 1/26_Weather.csv", b"TIME;AIR;TRACK\n1;2;3\n")
        code, report = plain(where, "load", tmp_path / "in")
        assert (code, report["others"]) == (0, [str(weather)])
        assert f"{weather}: left alone" in run(where, "load", tmp_path / "in").stdout

    def test_a_row_that_opens_a_quote_keeps_no_other_file_away(self, where: str, tmp_path: Path) -> None:
        write(tmp_path / "in/spa/Race 1/chart.csv", CHART)
        write(tmp_path / "in/imola/Race 1/chart.csv", CHART.replace(b"\n7;1;2", b'\n"7;1;2', 1))
        code, report = plain(where, "load", tmp_path / "in")
        assert (code, [file["laps"] for file in report["files"]]) == (0, [1, 2])
        assert report["files"][0]["refused"] == {"broken quotes": 1}
