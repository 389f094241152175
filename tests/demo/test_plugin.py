from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from rigd.demo.plugin import VERSION, Plugin
from rigd.demo.race import Race
from rigd.demo.scoring import Scoring
from rigd.sources.rf2.layout import BUFFERS, EXTENDED, SCORING, TELEMETRY, Extended, Telemetry
from rigd.sources.rf2.layout import Scoring as ScoringBuffer


def _read(folder: Path, buffer: object) -> np.ndarray:
    one = next(each for each in BUFFERS if each is buffer)
    return np.asarray(np.frombuffer((folder / one.file_name).read_bytes(), one.dtype)[0])


class Rig:
    """A plugin, a race and its scoring in one folder."""

    def __init__(self, folder: Path, cars: int = 20) -> None:
        self.folder = folder
        self.plugin = Plugin(folder, ticks=count(1000).__next__)
        self.race = Race(cars, seed=3, short=True)
        self.scoring = Scoring(self.race)
        self.plugin.start_session(self.race)

    def score(self, absent: int | None = None) -> None:
        self.scoring.update()
        self.plugin.write_scoring(self.scoring, self.race, absent)

    def frame(self) -> np.ndarray:
        self.race.step()
        self.plugin.write_telemetry()
        return self.telemetry()

    def telemetry(self) -> np.ndarray:
        return _read(self.folder, Telemetry)

    def extended(self) -> np.ndarray:
        return np.asarray(_read(self.folder, Extended)["mExtended"])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    one = Rig(tmp_path)
    yield one
    one.plugin.release()


def test_files_have_their_exact_size(rig: Rig) -> None:
    sizes = {path.name: path.stat().st_size for path in rig.folder.iterdir()}
    assert sizes == {
        "$rFactor2SMMP_Telemetry$": TELEMETRY.itemsize,
        "$rFactor2SMMP_Scoring$": SCORING.itemsize,
        "$rFactor2SMMP_Extended$": EXTENDED.itemsize,
    }


def test_a_frame_is_closed_when_all_scored_cars_are_in(rig: Rig) -> None:
    rig.score()
    before = rig.telemetry()["mVersionUpdateEnd"]
    for step in range(1, 6):
        frame = rig.frame()
        assert frame["mVersionUpdateBegin"] == frame["mVersionUpdateEnd"] == before + step
        assert frame["mNumVehicles"] == 20
        assert frame["mBytesUpdatedHint"] == 8 + 1888 * 20
    assert rig.plugin.frames == 5


def test_before_the_first_scoring_frames_stay_open(rig: Rig) -> None:
    for _ in range(3):
        frame = rig.frame()
        assert frame["mVersionUpdateBegin"] == frame["mVersionUpdateEnd"] + 1
    assert rig.plugin.frames == 2


def test_records_are_the_races_own_in_telemetry_order(rig: Rig) -> None:
    rig.score()
    cars = rig.frame()["mVehicles"][:20]
    assert np.array_equal(cars["mID"], rig.race.field.ids[rig.race.field.telemetry_order])
    rows = rig.race.records.view(np.uint8).reshape(20, 1888)
    assert cars.tobytes() == rows[rig.race.field.telemetry_order].tobytes()
    assert len(set(cars["mID"].tolist())) == 20


def test_scoring_lists_the_cars_in_another_order(rig: Rig) -> None:
    rig.score()
    frame, scoring = rig.frame(), _read(rig.folder, ScoringBuffer)
    assert scoring["mVersionUpdateBegin"] == scoring["mVersionUpdateEnd"]
    assert scoring["mBytesUpdatedHint"] == 552 + 584 * 20
    assert scoring["mScoringInfo"]["mNumVehicles"] == 20
    ours, theirs = frame["mVehicles"]["mID"][:20], scoring["mVehicles"]["mID"][:20]
    assert ours.tolist() != theirs.tolist()
    assert sorted(ours.tolist()) == sorted(theirs.tolist())
    assert ours.tolist() != list(range(20))


def test_both_tables_agree_about_a_car(rig: Rig) -> None:
    for _ in range(10 * 50):
        rig.race.step()
    rig.plugin.write_telemetry()
    rig.score()
    cars = {int(row["mID"]): row for row in rig.telemetry()["mVehicles"][:20]}
    for row in _read(rig.folder, ScoringBuffer)["mVehicles"][:20]:
        for name in ("mPos", "mLocalVel", "mLocalAccel", "mOri", "mLocalRot", "mLocalRotAccel"):
            assert np.array_equal(row[name], cars[int(row["mID"])][name]), name
        assert row["mTotalLaps"] == cars[int(row["mID"])]["mLapNumber"]


def test_records_after_the_count_are_stale(rig: Rig) -> None:
    rig.score()
    frame, scoring = rig.frame(), _read(rig.folder, ScoringBuffer)
    assert frame["mVehicles"][20]["mVehicleName"] == b"Gone Racing #0"
    assert scoring["mVehicles"][20]["mIsPlayer"]
    assert scoring["mVehicles"]["mIsPlayer"][:20].sum() == 1
    assert not frame["mVehicles"][22:]["mPos"].any()


def test_only_the_players_clock_leads(rig: Rig) -> None:
    rig.score()
    cars = rig.frame()["mVehicles"][:20]
    player = rig.race.field.ids[rig.race.field.player]
    lead = cars["mElapsedTime"] - rig.race.clock
    assert lead[cars["mID"] == player] == pytest.approx(0.0025, abs=1e-12)
    assert (lead[cars["mID"] != player] == 0.0).all()


def test_one_name_is_not_utf8_and_one_vehicle_name_occurs_twice(rig: Rig) -> None:
    rig.score()
    vehicles = _read(rig.folder, ScoringBuffer)["mVehicles"][:20]
    foreign = []
    for name in vehicles["mDriverName"]:
        try:
            bytes(name).decode()
        except UnicodeDecodeError:
            foreign.append(bytes(name).decode("cp1252"))
    assert foreign == ["É. Érable"]
    assert len(set(vehicles["mVehicleName"].tolist())) == 19
    assert len(set(vehicles["mDriverName"].tolist())) == 20


def test_extended_follows_the_sessions(rig: Rig) -> None:
    first = rig.extended()
    assert first["mVersion"] == VERSION
    assert first["is64bit"]
    assert first["mSessionStarted"]
    rig.score()
    rig.plugin.end_session(rig.scoring)
    ended = rig.extended()
    assert not ended["mSessionStarted"]
    assert ended["mTicksSessionEnded"] > first["mTicksSessionStarted"]
    assert ended["mSessionTransitionCapture"]["mNumScoringVehicles"] == 20
    rig.plugin.start_session(rig.race)
    assert rig.extended()["mTicksSessionStarted"] > first["mTicksSessionStarted"]


def test_a_session_start_zeroes_telemetry_and_scoring(rig: Rig) -> None:
    rig.score()
    rig.frame()
    rig.plugin.end_session(rig.scoring)
    version = rig.telemetry()["mVersionUpdateEnd"]
    rig.plugin.start_session(rig.race)
    frame, scoring = rig.telemetry(), _read(rig.folder, ScoringBuffer)
    assert frame["mVersionUpdateEnd"] > version
    assert frame["mNumVehicles"] == frame["mBytesUpdatedHint"] == 0
    assert not frame["mVehicles"][:20].tobytes().strip(b"\0")
    assert scoring["mScoringInfo"]["mTrackName"] == b""


def test_a_car_missing_in_telemetry_keeps_frames_open(rig: Rig) -> None:
    rig.score()
    order = rig.race.field.telemetry_order
    rig.plugin.seat(rig.race.records, order[1:])
    for _ in range(4):
        frame = rig.frame()
        assert frame["mVersionUpdateBegin"] == frame["mVersionUpdateEnd"] + 1
    assert rig.plugin.frames == 3
    rig.score(absent=int(rig.race.field.ids[order[0]]))
    rig.frame()
    frame = rig.telemetry()
    assert frame["mVersionUpdateBegin"] == frame["mVersionUpdateEnd"]
    assert frame["mNumVehicles"] == _read(rig.folder, ScoringBuffer)["mScoringInfo"]["mNumVehicles"] == 19


def test_a_clean_exit_zeroes_everything_and_leaves_the_files(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.score()
    rig.frame()
    order: list[str] = []
    for name in ("_extended", "_telemetry", "_scoring"):
        writer = getattr(rig.plugin, name)
        writer.clear = _spy(order, name, writer.clear)
    rig.plugin.close()
    assert order[0] == "_extended"
    assert sorted(order) == ["_extended", "_scoring", "_telemetry"]
    for buffer in BUFFERS:
        data = (tmp_path / buffer.file_name).read_bytes()
        begin, end = np.frombuffer(data[:8], "<u4")
        assert begin == end > 0
        assert not any(data[8:])


def _spy(order: list[str], name: str, clear: object) -> object:
    def call() -> None:
        order.append(name)
        assert callable(clear)
        clear()

    return call


def test_104_cars_fit(tmp_path: Path) -> None:
    rig = Rig(tmp_path, cars=104)
    rig.score()
    frame = rig.frame()
    assert frame["mBytesUpdatedHint"] == 8 + 1888 * 104
    assert len(set(frame["mVehicles"]["mID"][:104].tolist())) == 104
    rig.plugin.close()
