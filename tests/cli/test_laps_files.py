"""`rig export` and `rig plot`: files under the right names, nothing on standard error."""

import base64
import contextlib
import gzip
import json
import os
import pty
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from rig.errors import MissingChannel
from rig.v1 import lap_pb2, laps_pb2
from riglap import extras
from riglap.lap import Lap
from riglap.plot import WRITERS
from riglap.plot.panels import panels, plot_of, title
from tests.cli.laps_shell import printed, run
from tests.rigclient import field
from tests.rigclient.lap_rig import LapRig
from tests.riglap import driven, ld_reader

ALDER = tuple(f"car012-{index:04}" for index in (1, 2, 3))


@pytest.fixture
def lap_rig() -> Iterator[LapRig]:
    serving = field.race()
    yield serving
    serving.stop()


def names(path: Path) -> list[str]:
    """Columns of a CSV file."""
    return next(line for line in path.read_text().splitlines() if not line.startswith("#")).split(",")


def unlit_info() -> lap_pb2.Lap:
    return driven.info(9, lap_time=20.0)


def unlit() -> dict[str, np.ndarray]:
    """Samples of a game that fills neither clutch nor loads."""
    columns = driven.samples(20.0, rate=20)
    rows = len(columns["lap_time"])
    return {**columns, "clutch": np.zeros(rows, "<f4"), "tyre_load": np.zeros((rows, 4), "<f4")}


class TestExport:
    def test_a_lap_goes_into_the_file_named_in_the_form_of_its_ending(
        self, lap_rig: LapRig, tmp_path: Path
    ) -> None:
        path = tmp_path / "best.parquet"
        text = printed(
            run(lap_rig, "export", "best", "--out", str(path), "--channels", "speed,tyre_pressure")
        )
        assert text == f"{path}\n"
        table = extras.need("pyarrow.parquet", "export").read_table(path)
        assert table.column_names == [
            "lap_time",
            "distance",
            "speed",
            *(f"tyre_pressure_{wheel}" for wheel in ("fl", "fr", "rl", "rr")),
        ]
        (request,) = lap_rig.asked(laps_pb2.ReadLapRequest)
        assert list(request.channels) == ["lap_time", "distance", "speed", "tyre_pressure"]

    def test_laps_of_one_name_from_two_sessions_are_two_files(self, lap_rig: LapRig, tmp_path: Path) -> None:
        twin = driven.info(3, name=f"{field.OLD}/laps/car012-0003", driver="B. Brook", lap_time=5.0)
        lap_rig.keep(driven.data(twin, driven.samples(5.0, rate=5)))
        words = ("car012-0003", "practice/car012-0003", "race/car012-0003")
        text = printed(run(lap_rig, "export", *words, "--out", str(tmp_path), "--channels", "gear"))
        files = [tmp_path / "5f3a-2-car012-0003.csv", tmp_path / "5f3a-1-car012-0003.csv"]
        assert text.splitlines() == [str(file) for file in files]
        assert [sum(line[:1] != "#" for line in file.open()) for file in files] == [1 + 408, 1 + 25]

    def test_a_lap_named_twice_is_exported_once(self, lap_rig: LapRig, tmp_path: Path) -> None:
        path = tmp_path / "lap.csv"
        assert printed(run(lap_rig, "export", "best", "car007-0003", "--out", str(path))) == f"{path}\n"
        assert len(lap_rig.asked(laps_pb2.ReadLapRequest)) == 1

    @pytest.mark.parametrize(
        ("words", "error", "hint"),
        [
            (("--out", "a.xlsx"), "a.xlsx has no known ending", "there are .csv, .parquet, .ld;"),
            (("--out", "a.csv", "--format", "ld"), "a.csv does not end like ld", "leave --format out"),
        ],
    )
    def test_an_ending_that_does_not_fit_is_refused_before_anything_is_read(
        self, lap_rig: LapRig, words: tuple[str, ...], error: str, hint: str
    ) -> None:
        result = run(lap_rig, "export", "best", *words)
        assert (result.exit_code, lap_rig.requests) == (2, [])
        first, second = result.stderr.splitlines()
        assert (first, second.startswith(f"hint: {hint}")) == (f"error: {error}", True)

    def test_endings_ignore_case(self, lap_rig: LapRig, tmp_path: Path) -> None:
        table, picture = tmp_path / "LAP.PARQUET", tmp_path / "LAP.PNG"
        printed(run(lap_rig, "export", "best", "--out", str(table)))
        printed(run(lap_rig, "plot", "best", "--out", str(picture)))
        assert (table.read_bytes()[:4], picture.read_bytes()[:4]) == (b"PAR1", b"\x89PNG")

    @pytest.mark.parametrize("command", ["export", "plot"])
    def test_standard_output_is_refused(self, lap_rig: LapRig, command: str) -> None:
        result = run(lap_rig, command, "best", "--out", "-")
        assert (result.exit_code, lap_rig.requests) == (2, [])
        assert "laps do not go to standard output; name a file" in result.stderr

    def test_one_wheel_is_exported_by_the_name_that_rig_lap_shows(
        self, lap_rig: LapRig, tmp_path: Path
    ) -> None:
        path = tmp_path / "lap.csv"
        printed(
            run(lap_rig, "export", "best", "--out", str(path), "--channels", "tyre_temp_fr,tyre_pressure_rl")
        )
        assert names(path)[2:] == [*(f"tyre_temp_{at}" for at in (3, 4, 5)), "tyre_pressure_rl"]

    def test_several_laps_go_into_a_folder_a_file_each(self, lap_rig: LapRig, tmp_path: Path) -> None:
        folder = tmp_path / "new/folder"
        text = printed(run(lap_rig, "export", *ALDER, "--format", "csv", "--out", str(folder)))
        files = [folder / f"{name}.csv" for name in ALDER]
        assert text.splitlines() == [str(file) for file in files]
        heads = {tuple(names(file)) for file in files}
        assert len(heads) == 1
        assert "speed" in heads.pop()

    def test_several_laps_do_not_fit_in_a_file(self, lap_rig: LapRig, tmp_path: Path) -> None:
        result = run(lap_rig, "export", *ALDER, "--out", str(tmp_path / "all.csv"))
        assert (result.exit_code, "3 laps do not fit in" in result.stderr) == (2, True)
        assert not list(tmp_path.iterdir())

    def test_a_motec_log_holds_them_all_with_the_steering_in_degrees(
        self, lap_rig: LapRig, tmp_path: Path
    ) -> None:
        path = tmp_path / "run.ld"
        words = ("--out", str(path), "--channels", "steering,speed", "--json")
        text = printed(run(lap_rig, "export", *ALDER, *words))
        assert json.loads(text) == [str(path), str(tmp_path / "run.ldx")]
        log = ld_reader.read(path.read_bytes())
        assert list(log.channels) == ["Steering Wheel Position", "Ground Speed"]
        seconds = sum(lap.lap_time for lap in field.laps() if lap.car == 12)
        assert len(log.channels["Ground Speed"].values) == round(seconds * 20)

    @pytest.mark.parametrize("ending", ["csv", "ld"])
    def test_a_channel_that_is_asked_for_and_not_available_is_said(
        self, lap_rig: LapRig, tmp_path: Path, ending: str
    ) -> None:
        lap_rig.keep(driven.data(unlit_info(), unlit()))
        path = tmp_path / f"lap.{ending}"
        result = run(lap_rig, "export", "car012-0009", "--out", str(path), "--channels", "clutch,speed")
        assert result.exit_code == 0
        assert result.stderr == f"warning: {path} has no values of clutch: not available in this lap\n"

    def test_a_plot_has_the_usual_channels_that_a_lap_of_a_logger_has(
        self, lap_rig: LapRig, tmp_path: Path
    ) -> None:
        samples = driven.samples(20.0, rate=20)
        del samples["brake"], samples["throttle"]
        lap_rig.keep(driven.data(unlit_info(), samples))
        out = str(tmp_path / "lap.html")
        assert printed(run(lap_rig, "plot", "car012-0009", "--out", out)) == f"{out}\n"
        result = run(lap_rig, "plot", "car012-0009", "--out", out, "--channels", "speed,brake")
        assert (result.exit_code, "no channel 'brake'" in result.stderr) == (5, True)

    def test_an_unknown_channel_is_one_sentence(self, lap_rig: LapRig, tmp_path: Path) -> None:
        result = run(lap_rig, "export", "best", "--out", str(tmp_path), "--channels", "camber")
        assert result.exit_code == 5
        assert result.stderr.startswith("error: this lap has no channel 'camber'")


class TestTerminal:
    def test_a_bar_is_shown_on_a_terminal_and_taken_away_again(self, lap_rig: LapRig, tmp_path: Path) -> None:
        ours, theirs = pty.openpty()
        process = self._export(lap_rig, tmp_path, theirs)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that everyone has left
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
        assert process.wait(20) == 0
        assert b"car007-0003" in shown
        assert shown.endswith(b"\x1b[2K")

    def test_nothing_is_shown_when_nobody_looks(self, lap_rig: LapRig, tmp_path: Path) -> None:
        process = self._export(lap_rig, tmp_path, subprocess.PIPE)
        assert process.communicate(timeout=20)[1] == b""
        assert process.returncode == 0

    def _export(self, lap_rig: LapRig, folder: Path, stderr: int) -> "subprocess.Popen[bytes]":
        words = ("-m", "rigclient", "--rig", lap_rig.address, "export", "best", "--out", str(folder))
        environment = {**os.environ, "TERM": "xterm"}
        return subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=stderr, env=environment
        )


class TestFailures:
    def test_a_library_that_is_not_there_is_asked_for_in_one_sentence(
        self, lap_rig: LapRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        result = run(lap_rig, "plot", "best", "--out", str(tmp_path / "lap.png"))
        assert result.exit_code == 3
        assert result.stderr.splitlines() == [
            "error: matplotlib.figure is not installed",
            "hint: pip install 'rigd[plot]'",
        ]

    @pytest.mark.parametrize("words", [("plot",), ("export",)])
    def test_a_folder_that_is_not_there_is_named(
        self, lap_rig: LapRig, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        path = tmp_path / "nowhere/lap.parquet" if words == ("export",) else tmp_path / "nowhere/lap.svg"
        result = run(lap_rig, *words, "best", "--out", str(path))
        assert result.exit_code == 5
        assert f"No such file or directory: {path}" in result.stderr


class _Scripts(HTMLParser):
    """What a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.foreign += [
            value or ""
            for name, value in attrs
            if name in ("src", "href") and tag in ("script", "link", "img") and value != "data:,"
        ]


class TestPlot:
    def test_a_page_holds_every_lap_and_loads_nothing(self, lap_rig: LapRig, tmp_path: Path) -> None:
        path = tmp_path / "laps.html"
        assert printed(run(lap_rig, "plot", *ALDER, "--out", str(path))) == f"{path}\n"
        page = path.read_text()
        scripts = _Scripts()
        scripts.feed(page)
        assert scripts.foreign == []
        held = re.findall(r'id="document" type="application/gzip;base64">([^<]+)<', page)
        told = json.loads(gzip.decompress(base64.b64decode(held[0])))
        assert [len(lap["channels"]) for lap in told["laps"]] == [3, 4, 4]
        assert {lap["name"] for lap in told["laps"]} == {
            f"car012-{i:04} A. Alder {t}" for i, t in ((1, "0:21.141"), (2, "0:20.764"), (3, "0:20.387"))
        }

    def test_a_picture_is_a_picture(self, lap_rig: LapRig, tmp_path: Path) -> None:
        path = tmp_path / "laps.png"
        printed(run(lap_rig, "plot", "best", "--channels", "speed,tyre_pressure", "--out", str(path)))
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG")
        width, height = struct.unpack_from(">2I", data, 16)
        assert (width, height) == (1560, round(130 * (1.1 + 5 * 1.9)))

    def test_only_what_is_drawn_is_read(self, lap_rig: LapRig, tmp_path: Path) -> None:
        printed(run(lap_rig, "plot", "best", "--channels", "gear", "--out", str(tmp_path / "lap.svg")))
        (request,) = lap_rig.asked(laps_pb2.ReadLapRequest)
        assert list(request.channels) == ["gear", "distance", "lap_time"]

    def test_an_ending_nobody_knows_is_refused_before_anything_is_read(self, lap_rig: LapRig) -> None:
        result = run(lap_rig, "plot", "best", "--out", "lap.gif")
        assert (result.exit_code, lap_rig.requests) == (2, [])
        assert "hint: there are .html, .png, .svg, .pdf" in result.stderr


class TestPanels:
    @pytest.fixture
    def laps(self) -> list[Lap]:
        """The second is driven like the first, but a tenth slower everywhere."""
        columns = driven.samples()
        slow = {**columns, "lap_time": columns["lap_time"] * 1.1}
        return [driven.lap(columns=columns), driven.lap(driven.info(4), columns=slow)]

    def test_the_delta_is_the_time_lost_to_the_first_lap(self, laps: list[Lap]) -> None:
        delta, *_ = panels(laps, ["speed"])
        (curve,) = delta.curves
        at = np.searchsorted(curve.x, 2300.0)
        into = np.interp(curve.x[at], laps[0].distance, laps[0].lap_time)
        assert curve.y[at] == pytest.approx(0.1 * into, abs=1e-6)

    def test_the_delta_is_on_top_and_says_behind_whom(self, laps: list[Lap]) -> None:
        assert [panel.title for panel in panels(laps, ["speed"])] == [
            f"behind {laps[0].info.name.rpartition('/')[2]} [s]",
            "speed [km/h]",
        ]

    def test_sectors_begin_where_the_first_lap_says(self, laps: list[Lap]) -> None:
        info = laps[0].info
        drawn = plot_of(laps, ["speed"])
        assert info.sector1 is not None
        assert info.sector2 is not None
        times = np.interp(drawn.sectors, laps[0].distance, laps[0].lap_time)
        assert times == pytest.approx([info.sector1, info.sector1 + info.sector2], abs=1e-6)
        assert drawn.panels[drawn.fullest].title == "speed [km/h]"

    def test_one_lap_has_nobody_to_lose_to(self, laps: list[Lap]) -> None:
        assert [panel.title for panel in panels(laps[:1], ["speed", "gear"])] == ["speed [km/h]", "gear"]

    def test_components_have_a_panel_each_and_speeds_are_in_km_h(self, laps: list[Lap]) -> None:
        drawn = panels(laps, ["speed", "tyre_pressure"])
        assert [panel.title for panel in drawn][2:4] == ["tyre_pressure_fl [kPa]", "tyre_pressure_fr [kPa]"]
        np.testing.assert_allclose(drawn[1].curves[0].y, laps[0].speed * 3.6, rtol=1e-6)
        assert len({curve.color for curve in drawn[1].curves}) == 2
        assert title(laps) == "Meander Valley Grand"

    def test_twelve_tyre_temperatures_are_four_means(self, laps: list[Lap]) -> None:
        drawn = panels(laps[:1], ["tyre_temp"])
        assert [panel.title for panel in drawn] == [f"tyre_temp_{w} [°C]" for w in ("fl", "fr", "rl", "rr")]
        mean = laps[0].tyre_temp[:, 6:9].mean(axis=1)
        np.testing.assert_allclose(drawn[2].curves[0].y, mean, rtol=1e-6)
        (only,) = panels(laps[:1], ["tyre_temp_rl"])
        assert only.title == "tyre_temp_rl [°C]"
        np.testing.assert_array_equal(only.curves[0].y, drawn[2].curves[0].y)

    def test_a_wheel_of_a_channel_without_wheels_is_no_channel(self, laps: list[Lap]) -> None:
        for name in ("speed_fl", "local_acceleration_fl"):
            with pytest.raises(MissingChannel, match=name):
                panels(laps, [name])

    def test_a_channel_that_is_not_available_is_said_and_not_drawn(self) -> None:
        drawn = panels([driven.lap(unlit_info(), unlit())], ["clutch", "tyre_load_fl", "brake"])
        assert [panel.title for panel in drawn] == [
            "clutch, not available",
            "tyre_load_fl [N], not available",
            "brake",
        ]
        assert all(np.isnan(panel.curves[0].y).all() for panel in drawn[:2])

    def test_laps_of_several_sessions_say_which(self) -> None:
        old = driven.info(3, name=f"{field.OLD}/laps/car012-0003")
        (_, panel) = panels([driven.lap(), driven.lap(old)], ["speed"])
        assert [curve.label for curve in panel.curves] == [
            f"5f3a-{at}/car012-0003 A. Alder 1:32.375" for at in (2, 1)
        ]

    def test_every_ending_has_a_writer(self, laps: list[Lap], tmp_path: Path) -> None:
        for ending, writer in WRITERS.items():
            path = tmp_path / f"lap{ending}"
            writer.write(path, plot_of(laps, ["speed"]))
            assert path.stat().st_size > 5000
