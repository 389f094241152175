"""Files of loggers and other simulations: recognised by their content, cut into laps, in the game's units."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from rig.errors import BadRequest
from rigclient.imports import dialects
from rigclient.imports.dialects import (
    aim_csv,
    dovex,
    fastf1,
    garage61,
    iracing,
    motec_csv,
    racechrono_csv,
    trackaddict,
    vbo,
)
from rigclient.imports.recording import Dialect, Head, RecordedLap
from tests.imports import known
from tests.imports.dialects import written_loggers as written
from tests.imports.dialects.driven_loggers import Drive, drive
from tests.imports.dialects.reading import Read, head_of, near, read

SAMPLE_S: Final = 0.05
RACECHRONO_9: Final = "This file is created using RaceChrono\nFormat,9\ntimestamp,lap_number\n"


def _garage() -> str:
    whole = drive(60.0)
    return written.garage61(whole.sliced(slice(*np.searchsorted(whole.lap, [1, 2]))), known.LENGTH_M)


MAKERS: Final[dict[str, tuple[Dialect, Callable[[], str | bytes]]]] = {
    "motec.csv": (motec_csv.DIALECT, lambda: written.motec_csv(drive())),
    "aim.csv": (aim_csv.DIALECT, lambda: written.aim_csv(drive())),
    "dovex.csv": (dovex.DIALECT, lambda: written.dovex(drive())),
    "racebox.vbo": (vbo.DIALECT, lambda: written.vbo(drive(), longitude="lng")),
    "racechrono.csv": (racechrono_csv.DIALECT, lambda: written.racechrono(drive())),
    "trackaddict.csv": (trackaddict.DIALECT, lambda: written.trackaddict(drive())),
    "garage61.csv": (garage61.DIALECT, _garage),
    "fastf1.csv": (fastf1.DIALECT, lambda: written.FASTF1),
    "iracing.ibt": (iracing.DIALECT, lambda: written.ibt(drive(60.0))),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("loggers")
    return {name: written.write(folder, name, make()) for name, (_, make) in MAKERS.items()}


@pytest.fixture(scope="module")
def taken(files: dict[str, Path]) -> Callable[[str], Read]:
    """Each file read once."""
    found: dict[str, Read] = {}

    def once(name: str) -> Read:
        if name not in found:
            found[name] = read(MAKERS[name][0], files[name])
        return found[name]

    return once


def every_dialect() -> Iterator[Dialect]:
    for module in pkgutil.iter_modules(dialects.__path__):
        found = importlib.import_module(f"{dialects.__name__}.{module.name}")
        if hasattr(found, "DIALECT"):
            yield found.DIALECT


def text_of(lap: RecordedLap) -> str:
    return f"{lap.lap_time_s:.3f}"


class TestRecognising:
    @pytest.mark.parametrize("name", MAKERS)
    def test_a_file_is_of_its_own_dialect_and_no_other(self, name: str, files: dict[str, Path]) -> None:
        path = files[name]
        renamed = head_of(path)._replace(path=path.with_name("export.txt"))
        assert [one.name for one in every_dialect() if one.recognises(renamed)] == [MAKERS[name][0].name]

    @pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00" * 4096, "Format\n", "Format;Al Kamel\n"])
    def test_what_is_none_of_them_is_nobodys(self, text: str) -> None:
        head = Head(Path("x.csv"), text.encode(), text)
        assert not [name for name, (dialect, _) in MAKERS.items() if dialect.recognises(head)]


class TestLaps:
    @pytest.mark.parametrize(
        ("name", "exact"),
        [
            ("motec.csv", "beacons"),
            ("aim.csv", "beacons"),
            ("dovex.csv", "times"),
            ("trackaddict.csv", "times"),
            ("iracing.ibt", "times"),
        ],
    )
    def test_times_that_the_file_states_are_exact(
        self, name: str, exact: str, taken: Callable[[str], Read]
    ) -> None:
        (laps,) = taken(name).laps
        assert [lap.complete for lap in laps] == [False, True, True, False]
        lines = [round(one, 3) for one in drive().lines]
        spans = {"beacons": np.diff(lines), "times": drive().lap_times}[exact]
        assert [text_of(lap) for lap in laps[1:3]] == [f"{span:.3f}" for span in spans]
        assert all(lap.official and lap.valid for lap in laps[1:3])
        assert not any(lap.official or lap.valid or lap.lap_time_s for lap in (laps[0], laps[3]))

    @pytest.mark.parametrize(
        ("name", "within"), [("racebox.vbo", 0.002), ("racechrono.csv", SAMPLE_S), ("garage61.csv", 0.002)]
    )
    def test_others_are_right_within_a_sample(
        self, name: str, within: float, taken: Callable[[str], Read]
    ) -> None:
        laps = [lap for lap in taken(name).laps[0] if lap.complete]
        assert len(laps) == (1 if name == "garage61.csv" else 2)
        for lap, span in zip(laps, drive().lap_times, strict=False):
            assert lap.lap_time_s == pytest.approx(span, abs=within)
            assert (lap.valid, lap.official) == (True, False)

    @pytest.mark.parametrize("name", [one for one in MAKERS if one != "fastf1.csv"])
    def test_samples_are_those_of_the_drive(self, name: str, taken: Callable[[str], Read]) -> None:
        rate = 60.0 if name in ("garage61.csv", "iracing.ibt") else 20.0
        begin = {"iracing.ibt": 932.0, "garage61.csv": -drive(60.0).time[drive(60.0).lap == 1][0]}.get(
            name, 0.0
        )
        for lap in taken(name).laps[0]:
            check_samples(lap, drive(rate), begin)

    def test_splits_make_sectors_and_readings(self, taken: Callable[[str], Read]) -> None:
        for lap, truth in zip(taken("racebox.vbo").laps[0][1:3], known.laps(4, 20.0)[1:3], strict=True):
            assert near(lap.sectors_s, truth.sectors_s, 0.003)
            assert [one.point for one in lap.readings] == ["Split 1", "Split 2"]
            assert near([one.time_s for one in lap.readings], np.cumsum(truth.sectors_s)[:2], 0.003)

    def test_a_summary_has_times_and_no_samples(self, taken: Callable[[str], Read]) -> None:
        found = taken("fastf1.csv")
        (laps,) = found.laps
        assert [(one.driver, one.car, one.index, one.lap_time_s) for one in laps] == [
            ("ALD", 0, 1, 75.227),
            ("BIR", 1, 1, 75.311),
            ("ALD", 0, 2, 76.001),
        ]
        assert laps[0].sectors_s == (27.606, 26.382, 21.239)
        assert laps[1].sectors_s == (27.7, None, 21.211)
        assert (laps[0].compounds, dict(laps[0].facts)) == (("SOFT", "SOFT"), {"tyre_life": "2"})
        assert [line for line, _, _ in found.refused] == [5, 6]
        assert found.recordings[0].rate_hz is None

    def test_who_drove_what_where_and_when(self, taken: Callable[[str], Read]) -> None:
        motec, session = taken("motec.csv").laps[0][0], taken("motec.csv").recordings[0].session
        assert (motec.driver, motec.vehicle, session.track) == (
            "A. Alder",
            "Copper GT3",
            "Meander Valley Grand",
        )
        assert session.start_time_ns == 1_667_159_340_000_000_000
        assert "UTC" in session.facts["time zone"]
        theirs, its = taken("iracing.ibt").laps[0][0], taken("iracing.ibt").recordings[0].session
        assert (theirs.driver, theirs.car_number, theirs.vehicle_class) == ("A. Alder", "021", "GT3")
        assert (its.track, its.kind, its.track_length_m) == ("Meander Valley", "race", 2400.0)
        assert taken("dovex.csv").recordings[0].session.start_time_ns == 1_775_319_260_240_000_000
        assert taken("racebox.vbo").recordings[0].session.start_time_ns == 1_747_567_941_000_000_000
        assert taken("trackaddict.csv").laps[0][0].vehicle == "Copper GT3"


def check_samples(lap: RecordedLap, truth: Drive, begin_s: float) -> None:
    """Every channel against the drive, at the rows of the lap."""
    clock = lap.samples["lap_time"] + lap.start_s - begin_s
    assert (np.diff(lap.samples["lap_time"]) > 0).all()
    rows = np.rint(np.interp(clock, truth.time, np.arange(len(truth)))).astype(int)
    side, ahead = truth.left[rows], truth.forward[rows]
    expected = {
        "speed": (truth.speed[rows], 0.02),
        "engine_rpm": (truth.rpm[rows], 1.0),
        "throttle": (truth.throttle[rows], 0.006),
        "brake": (truth.brake[rows], 0.006),
        "gear": (truth.gear[rows], 0),
    }
    for name, (values, tolerance) in expected.items():
        assert name not in lap.samples or near(lap.samples[name], values, tolerance), name
    if "local_acceleration" in lap.samples:
        pull = lap.samples["local_acceleration"]
        assert near(pull[:, 0], side, 0.1)
        assert near(pull[:, 2], -ahead, 0.1) or np.isnan(pull[:, 2]).all()
    check_places(lap.samples["position"], known.places(truth.distance[rows]))


def check_places(found: np.ndarray, expected: np.ndarray) -> None:
    """The same way, laid elsewhere and not mirrored: north at the origin, 8 km away, is 0.08° from its."""
    away = (found - expected)[:, [0, 2]].astype(float)
    assert np.ptp(away, axis=0).max() < 1.4
    np.testing.assert_allclose(_steps(found), _steps(expected), atol=0.15)


class TestUnits:
    def test_a_speed_in_another_unit_than_its_label_is_found(self, tmp_path: Path) -> None:
        text = written.motec_csv(drive()).replace('"rpm","km/h"', '"rpm","m/s"')
        found = read(motec_csv.DIALECT, written.write(tmp_path, "a.csv", text))
        assert found.note("Ground Speed") == "labelled m/s, holds km/h"
        assert near(found.laps[0][1].samples["speed"][:3], drive().speed[531:534], 0.02)

    def test_pedals_in_per_cent_that_go_to_one_are_found(self, taken: Callable[[str], Read]) -> None:
        assert taken("iracing.ibt").note("ThrottleRaw") == "labelled %, holds 0 to 1"

    def test_an_acceleration_to_the_other_side_is_found(self, taken: Callable[[str], Read]) -> None:
        assert "other way" in taken("trackaddict.csv").note("Accel X")
        assert not taken("motec.csv").note("CG Accel Lateral")

    def test_a_steering_angle_without_a_lock_keeps_the_angle(self, taken: Callable[[str], Read]) -> None:
        lap = taken("motec.csv").laps[0][1]
        angle = lap.samples["steering"] * lap.samples["physical_steering_range"] / 2
        assert near(np.degrees(angle[:50]), drive().steering[531:581] * 180, 0.06)

    def test_with_one_it_is_a_share_of_it(self, taken: Callable[[str], Read]) -> None:
        lap = taken("iracing.ibt").laps[0][1]
        assert near(lap.samples["steering"][:9], drive(60.0).steering[drive(60.0).lap == 1][:9], 1e-5)
        assert near(lap.samples["physical_steering_range"], 8.0, 1e-5)
        assert near(lap.samples["clutch"], 0.0, 0)

    def test_a_column_whose_unit_fits_no_channel_is_left(self, taken: Callable[[str], Read]) -> None:
        assert taken("motec.csv").recordings[0].left == ("Wing Flex",)
        assert "speed #2" in taken("racechrono.csv").recordings[0].left

    def test_a_distance_of_the_whole_drive_begins_anew_with_every_lap(self, tmp_path: Path) -> None:
        whole = drive()
        rows = whole.sliced(slice(None))
        text = written.motec_csv(rows.replaced(distance=rows.distance + known.LENGTH_M * rows.lap))
        laps = read(motec_csv.DIALECT, written.write(tmp_path, "a.csv", text)).laps[0]
        for lap, truth in zip(laps[1:3], known.laps(4, 20.0)[1:3], strict=True):
            assert near(lap.samples["distance"], truth.distance[: len(lap.samples["distance"])], 2.5)


class TestClocks:
    def test_places_that_come_once_a_second_are_joined(self, tmp_path: Path) -> None:
        held = read(
            trackaddict.DIALECT, written.write(tmp_path, "t.csv", written.trackaddict(drive(), every=4))
        )
        blank = read(
            racechrono_csv.DIALECT, written.write(tmp_path, "r.csv", written.racechrono(drive(), fixes=4))
        )
        for found in (held, blank):
            check_places(found.laps[0][1].samples["position"], known.places(drive().distance[531:1580]))

    def test_midnight_is_passed(self, tmp_path: Path) -> None:
        text = written.vbo(drive(), begin_s=86_400 - 60)
        (laps,) = read(vbo.DIALECT, written.write(tmp_path, "a.vbo", text)).laps
        assert [lap.complete for lap in laps] == [False, True, True, False]

    def test_a_clock_that_starts_again_is_another_session(self, tmp_path: Path) -> None:
        text = written.racechrono(drive())
        again = text + "\n".join(text.splitlines()[12:]) + "\n"
        found = read(racechrono_csv.DIALECT, written.write(tmp_path, "a.csv", again))
        assert [one.session.number for one in found.recordings] == [1, 2]
        assert [len(laps) for laps in found.laps] == [4, 4]

    def test_repeated_and_backward_rows_are_left_out(self, tmp_path: Path) -> None:
        lines = written.racechrono(drive()).splitlines()
        lines[40:40] = [lines[39], lines[30]]
        found = read(racechrono_csv.DIALECT, written.write(tmp_path, "a.csv", "\n".join(lines)))
        assert [(line, reason) for line, reason, _ in found.refused] == [
            (41, "a repeated clock"),
            (42, "the clock runs backwards"),
        ]
        assert [len(laps) for laps in found.laps] == [4]


class TestLines:
    def test_a_line_with_latitude_first_is_found_as_well(self, tmp_path: Path) -> None:
        (laps,) = read(vbo.DIALECT, written.write(tmp_path, "a.vbo", written.vbo(drive(), swapped=True))).laps
        assert [lap.complete for lap in laps] == [False, True, True, False]

    def test_without_a_line_the_file_is_one_piece(self, tmp_path: Path) -> None:
        lap = read(vbo.DIALECT, written.write(tmp_path, "a.vbo", written.vbo(drive(), gates=False))).lap
        assert (lap.complete, lap.valid, lap.lap_time_s, len(lap.samples["lap_time"])) == (
            False,
            False,
            None,
            len(drive()),
        )

    def test_without_beacons_segment_times_cut_to_a_tenth(self, tmp_path: Path) -> None:
        (laps,) = read(
            aim_csv.DIALECT, written.write(tmp_path, "a.csv", written.aim_csv(drive(), beacons=False))
        ).laps
        assert [lap.lap_time_s for lap in laps[1:3]] == [
            pytest.approx(one, abs=0.1) for one in drive().lap_times
        ]

    def test_a_range_of_one_lap_is_that_lap(self, tmp_path: Path) -> None:
        whole = drive()
        rows = whole.sliced(slice(*np.searchsorted(whole.lap, [1, 2])))
        text = written.motec_csv(
            rows.replaced(time=rows.time - rows.time[0]),
            about={"Range": "Lap 3", "Duration": "52.486", "Beacon Markers": "00.000     "},
        )
        lap = read(motec_csv.DIALECT, written.write(tmp_path, "a.csv", text)).lap
        assert (lap.complete, lap.official, lap.lap_time_s, lap.number) == (True, True, 52.486, 0)

    def test_lap_times_that_fit_no_moment_leave_one_piece(self, tmp_path: Path) -> None:
        text = written.dovex(drive()).replace("52486,51974", "30000,41000")
        assert not read(dovex.DIALECT, written.write(tmp_path, "a.csv", text)).lap.complete


class TestBadInput:
    @pytest.mark.parametrize("name", [one for one in MAKERS if one.endswith((".csv", ".vbo"))])
    def test_a_header_without_rows_is_no_recording(
        self, name: str, files: dict[str, Path], tmp_path: Path
    ) -> None:
        dialect = MAKERS[name][0]
        text = files[name].read_text()
        at = next((at for at, line in enumerate(text.splitlines()) if _is_row(line)), 1)
        path = written.write(tmp_path, name, "\n".join(text.splitlines()[:at]) + "\n")
        with pytest.raises(BadRequest, match=r"no row|no lap|no section"):
            dialect.read(path, lambda *_: None, lambda _: None)

    @pytest.mark.parametrize("name", ["motec.csv", "aim.csv", "racechrono.csv", "trackaddict.csv"])
    def test_rows_of_nothing_but_commas_are_refused(
        self, name: str, files: dict[str, Path], tmp_path: Path
    ) -> None:
        lines = files[name].read_text().splitlines()
        at = next(at for at, line in enumerate(lines) if _is_row(line))
        blank = "," * lines[at].count(",")
        refused: list[str] = []
        path = written.write(tmp_path, name, "\n".join([*lines[:at], *[blank] * 500]) + "\n")
        with pytest.raises(BadRequest, match="no row"):
            MAKERS[name][0].read(path, lambda _, reason, __: refused.append(reason), lambda _: None)
        assert set(refused) == {"an empty row"}

    @pytest.mark.parametrize("name", ["motec.csv", "aim.csv", "racechrono.csv", "dovex.csv", "garage61.csv"])
    def test_a_repeated_header_a_broken_number_and_a_short_row_cost_their_rows(
        self, name: str, files: dict[str, Path], tmp_path: Path
    ) -> None:
        lines = files[name].read_text().splitlines()
        at = next(at for at, line in enumerate(lines) if _is_row(line))
        header = next(line for line in lines[:at][::-1] if line.strip('",') and _is_header(line))
        cells = lines[at + 20].split(",")
        broken = ",".join([cells[0], *["x" * bool(cell) for cell in cells[1:]]])
        lines[at + 20 : at + 20] = [header, broken, "1,2"]
        found = read(MAKERS[name][0], written.write(tmp_path, name, "\n".join(lines) + "\n"))
        assert sorted((line - at, reason) for line, reason, _ in found.refused) == [
            (21, "a repeated header"),
            (22, "no number"),
            (23, "wrong number of cells"),
        ]

    @pytest.mark.parametrize("name", ["motec.csv", "racechrono.csv", "aim.csv"])
    @pytest.mark.parametrize("how", ["utf-16", "utf-8-sig", "crlf", "nul"])
    def test_encodings_and_line_ends_make_no_difference(
        self, name: str, how: str, files: dict[str, Path], taken: Callable[[str], Read], tmp_path: Path
    ) -> None:
        text = files[name].read_text()
        data = {
            "utf-16": lambda: text.encode("utf-16"),
            "utf-8-sig": lambda: text.encode("utf-8-sig"),
            "crlf": lambda: text.replace("\n", "\r\n").encode(),
            "nul": lambda: text.encode() + b"\0" * 512,
        }[how]()
        found: list[tuple[int, str, str]] = []
        path = written.write(tmp_path, name, data)
        (recording,) = MAKERS[name][0].read(path, lambda *row: found.append(row), lambda _: None)
        laps = list(recording.laps)
        assert [lap.lap_time_s for lap in laps] == [lap.lap_time_s for lap in taken(name).laps[0]]
        assert found == []

    def test_semicolons_do_as_well_as_commas(self, tmp_path: Path) -> None:
        text = written.motec_csv(drive(), separator=";")
        laps = read(motec_csv.DIALECT, written.write(tmp_path, "a.csv", text)).laps[0]
        assert [lap.complete for lap in laps] == [False, True, True, False]

    @pytest.mark.parametrize(
        ("dialect", "text", "why"),
        [
            (racechrono_csv.DIALECT, RACECHRONO_9, "format is 9"),
            (vbo.DIALECT, "[column names]\nsats time\n[data]\n", "no column lat"),
            (vbo.DIALECT, "[column names]\nsats time lat long\n", "no section"),
            (aim_csv.DIALECT, "Format,AiM CSV File\nTime,1:34 PM\n", "begins with Time"),
            (motec_csv.DIALECT, '"Format","MoTeC CSV File"\n"Log Time","x"\n', "no header"),
            (garage61.DIALECT, "Speed,LapDistPct,Lat,Lon\n50,0.9,1,1\n50,0.1,1,1\n", "falls back"),
            (garage61.DIALECT, "Speed,LapDistPct,Lat,Lon\n50,0.9,1,1\n50,0.9,1,1\n", "no lap"),
            (fastf1.DIALECT, "driver,lap_time,sector_1,sector_2,sector_3\nX,0 days,,,\n", "no lap"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_with_a_file_is_said(
        self, dialect: Dialect, text: str, why: str, tmp_path: Path
    ) -> None:
        with pytest.raises(BadRequest, match=why):
            dialect.read(written.write(tmp_path, "a.csv", text), lambda *_: None, lambda _: None)


def _steps(places: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(places[:, [0, 2]].astype(float), axis=0), axis=1)


def _is_row(line: str) -> bool:
    cells = [cell.strip('"') for cell in line.replace(" ", ",").split(",")]
    return len(cells) > 5 and cells[0].replace(".", "").isdigit()


def _is_header(line: str) -> bool:
    return line.strip('"').split(",")[0].strip('"') in ("Time", "timestamp", "Speed")
