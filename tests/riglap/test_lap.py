"""A lap as numpy: columns on demand, scoring joined by time, tables of other libraries."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.channels import LAP, PHYSICS, SCORING
from rig.errors import Corrupt, MissingChannel, Unavailable
from rig.lapfile import LapFile
from rig.v1 import laps_pb2
from rigclient import Lap
from riglap import extras
from riglap.lap import Array, channel_of, nearest, plain_rows
from riglap.names import short_names
from tests.riglap import driven

MOMENTS = st.integers(-40, 40).map(lambda quarter: quarter / 4)
"""Seconds in quarters: many of them equal, and all differences exact."""


class TestColumns:
    def test_attribute_and_brackets_give_what_was_packed(self) -> None:
        lap, packed = driven.lap(), driven.samples()
        assert len(lap) == len(packed["speed"])
        assert lap.channels == LapFile(driven.data()).channels()
        for name, values in packed.items():
            np.testing.assert_array_equal(lap[name], values)
            assert lap[name].dtype == values.dtype
        assert lap.tyre_temp.shape == (len(lap), 12)
        np.testing.assert_array_equal(lap.gear, lap["gear"])

    def test_only_what_is_asked_for_is_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read: list[str] = []
        column = LapFile.column

        def spy(self: LapFile, name: str, *section: Any) -> Array:
            read.append(name)
            return column(self, name, *section)

        monkeypatch.setattr(LapFile, "column", spy)
        lap = driven.lap()
        assert lap.info.driver == "A. Alder"
        assert (lap.speed is lap.speed, read) == (True, ["speed"])
        assert lap.scoring.place[0] == 5
        assert read == ["speed", "place"]

    def test_an_unknown_channel_names_those_there_are(self) -> None:
        lap = driven.lap()
        with pytest.raises(AttributeError, match=r"no channel 'camber'.*tyre_temp"):
            _ = lap.camber
        with pytest.raises(MissingChannel, match="'camber'") as caught:
            lap["camber"]
        assert "speed" in caught.value.facts["channels"]
        assert "camber" not in lap
        assert "speed" in dir(lap)

    def test_the_facts_of_the_lap_stand_beside_its_columns(self) -> None:
        lap = driven.lap()
        assert lap.info.message == driven.info()
        assert lap.session.track_name == "Meander Valley Grand"
        assert [event.position_changed.place for event in lap.events] == [4]
        assert [gap.count for gap in lap.gaps] == [2]
        assert (lap.unit("speed"), lap.unit("gear")) == ("m/s", "")
        assert repr(lap).startswith("<Lap 5f3a-2/car012-0003 (A. Alder, 1:32.375): 4619 samples of ")

    def test_a_file_is_read_without_a_rig(self, tmp_path: Path) -> None:
        path = tmp_path / "car012-0003.lap"
        path.write_bytes(driven.data())
        np.testing.assert_array_equal(Lap.open(path).speed, driven.samples()["speed"])

    def test_a_cut_file_is_corrupt(self, tmp_path: Path) -> None:
        path = tmp_path / "cut.lap"
        path.write_bytes(driven.data()[:-7])
        with pytest.raises(Corrupt):
            Lap.open(path)

    def test_values_over_the_distance_are_nan_beyond_the_lap(self) -> None:
        lap = driven.lap(
            columns={
                "distance": np.array([0, 10, 20, 15, 30], "<f4"),
                "speed": np.array([1, 2, 3, 3, 4], "<f4"),
            }
        )
        found = lap.over_distance("speed", np.array([-1.0, 5.0, 25.0, 30.0, 31.0]))
        np.testing.assert_array_equal(found, [math.nan, 1.5, 3.5, 4.0, math.nan])


def _nearest_by_hand(at: float, times: list[float], tolerance: float) -> int:
    best = -1
    for row, time in enumerate(times):
        away, closest = abs(time - at), abs(times[best] - at) if best >= 0 else math.inf
        nearer = away < closest or (away == closest and time <= times[best])
        if away <= tolerance and nearer:
            best = row
    return best


class TestScoring:
    @given(
        st.lists(MOMENTS, max_size=12),
        st.lists(MOMENTS, max_size=12),
        st.none() | st.integers(0, 8).map(lambda quarter: quarter / 4),
    )
    def test_the_nearest_row_is_what_a_plain_loop_finds(
        self, at: list[float], times: list[float], tolerance: float | None
    ) -> None:
        limit = math.inf if tolerance is None else tolerance
        expected = [_nearest_by_hand(moment, times, limit) for moment in at]
        assert nearest(np.array(at), np.array(times), tolerance).tolist() == expected

    @given(st.lists(MOMENTS, min_size=1, max_size=8), st.lists(MOMENTS, max_size=8))
    def test_joined_columns_hold_the_nearest_update_or_nothing(
        self, at: list[float], times: list[float]
    ) -> None:
        lap = driven.lap(
            columns={"session_time": np.array(at), "speed": np.zeros(len(at), "<f4")},
            updates={
                "session_time": np.array(times),
                "place": np.arange(len(times), dtype="<u4") + 1,
                "time_behind_leader": np.arange(len(times), dtype="<f4"),
            },
        ).with_scoring(tolerance_s=0.5)
        rows = [_nearest_by_hand(moment, times, 0.5) for moment in at]
        assert lap["scoring_place"].tolist() == [row + 1 if row >= 0 else None for row in rows]
        behind = [float(row) if row >= 0 else math.nan for row in rows]
        np.testing.assert_array_equal(lap["scoring_time_behind_leader"], behind)

    def test_all_of_scoring_is_joined_but_not_the_archives_own_columns(self) -> None:
        joined = driven.lap().with_scoring()
        added = ["scoring_time_behind_leader", "scoring_place", "scoring_in_pits"]
        assert [name for name in joined.channels if name.startswith("scoring_")] == added
        assert joined["scoring_place"].dtype == np.dtype("<u4")
        assert joined["scoring_place"][0] == 5
        assert joined.unit("scoring_time_behind_leader") == "s"

    def test_chosen_channels_are_joined_one_after_the_other(self) -> None:
        lap = driven.lap().with_scoring(["place"]).with_scoring(["in_pits"])
        assert lap.channels[-2:] == ["scoring_place", "scoring_in_pits"]

    def test_a_lap_that_came_without_scoring_says_so(self) -> None:
        lap = Lap.from_bytes(LapFile(driven.data()).cut(["speed", "lap_time"]))
        with pytest.raises(MissingChannel, match="came without scoring updates") as caught:
            lap.with_scoring(["place"])
        assert "none were recorded in its time" in caught.value.hint

    def test_a_lap_without_the_session_clock_is_joined_by_its_own(self) -> None:
        part = Lap.from_bytes(LapFile(driven.data()).cut(["speed", "lap_time"], ["place", "lap_time"]))
        assert "session_time" not in part
        whole = driven.lap().with_scoring(["place"])
        np.testing.assert_array_equal(part.with_scoring(["place"])["scoring_place"], whole["scoring_place"])

    def test_a_channel_that_scoring_does_not_have_is_told_at_once(self) -> None:
        with pytest.raises(MissingChannel, match="'laps'"):
            driven.lap().with_scoring(["laps"])

    def test_plain_columns_of_a_rig_are_the_same_table(self) -> None:
        there = driven.lap().scoring
        columns = [
            laps_pb2.PlainColumn(
                name=name, dtype=there[name].dtype.str, width=1, rows=len(there), values=there[name].tobytes()
            )
            for name in there.channels
        ]
        rows = plain_rows(columns)
        assert len(rows) == len(there)
        np.testing.assert_array_equal(rows.place, there.place)
        assert len(plain_rows([])) == 0

    def test_a_plain_column_of_another_size_is_corrupt(self) -> None:
        column = laps_pb2.PlainColumn(name="place", dtype="<u4", width=1, rows=3, values=b"1234")
        with pytest.raises(Corrupt, match="4 bytes, 12 were announced"):
            plain_rows([column])

    @pytest.mark.parametrize("dtype", ["O", "|S4", "<f2", ",u4", "<U1", "float32", ""])
    def test_a_plain_column_of_an_unknown_type_is_corrupt(self, dtype: str) -> None:
        column = laps_pb2.PlainColumn(name="place", dtype=dtype, width=1, rows=1, values=bytes(4))
        with pytest.raises(Corrupt, match="unknown type"):
            plain_rows([column])

    def test_a_plain_column_without_a_width_is_corrupt(self) -> None:
        with pytest.raises(Corrupt, match="no values in a row"):
            plain_rows([laps_pb2.PlainColumn(name="place", dtype="<u4", rows=1)])

    def test_plain_columns_of_different_length_are_corrupt(self) -> None:
        columns = [plain_column("place", [1, 2, 3]), plain_column("laps", [1, 2])]
        with pytest.raises(Corrupt, match=r"have \[2, 3\] rows"):
            plain_rows(columns)

    def test_a_long_plain_column_comes_in_pieces(self) -> None:
        rows = plain_rows([plain_column("place", [1, 2, 3]), plain_column("place", [4])])
        assert rows.place.tolist() == [1, 2, 3, 4]
        other = laps_pb2.PlainColumn(name="place", dtype="<f4", width=1, rows=1, values=bytes(4))
        with pytest.raises(Corrupt, match="do not fit together"):
            plain_rows([plain_column("place", [1]), other])


def plain_column(name: str, values: list[int]) -> laps_pb2.PlainColumn:
    data = np.array(values, "<u4").tobytes()
    return laps_pb2.PlainColumn(name=name, dtype="<u4", width=1, rows=len(values), values=data)


class TestAvailable:
    """Rows of 0 that say nothing, and those that do."""

    @pytest.fixture
    def columns(self) -> dict[str, Array]:
        """Samples in which all of these are 0."""
        rows = 5000
        names = (
            "engine_torque",
            "clutch",
            "brake",
            "headlights",
            "dent_severity",
            "tyre_load",
            "in_pit_lane",
        )
        found = [(PHYSICS.by_name[name], name) for name in names]
        zeros = {n: np.zeros((rows, c.width) if c.width > 1 else rows, c.dtype) for c, n in found}
        return {"lap_time": np.arange(rows) / 50, **zeros}

    def test_a_field_that_the_game_may_leave_at_0_is_not_there_and_a_brake_is(
        self, columns: dict[str, Array]
    ) -> None:
        gone = driven.lap(columns=columns).unavailable()
        assert gone == ["clutch", "engine_torque", "tyre_load", "dent_severity", "headlights"]
        left = [column.name for column in driven.lap(columns=columns).flat()]
        assert left == ["brake", "in_pit_lane", "lap_time"]
        assert list(driven.lap(columns=columns).to_pandas()) == left

    def test_two_stray_samples_are_no_engine_and_one_lamp_is_a_lamp(self, columns: dict[str, Array]) -> None:
        columns["engine_torque"][[70, 4000]] = 312.5
        columns["headlights"][70] = True
        columns["dent_severity"][70:, 3] = 1
        columns["clutch"][:20] = 0.3
        gone = driven.lap(columns=columns).unavailable()
        assert gone == ["engine_torque", "tyre_load"]

    def test_what_nobody_knows_is_not_available(self, columns: dict[str, Array]) -> None:
        columns["brake"][:] = np.nan
        assert "brake" in driven.lap(columns=columns).unavailable()

    def test_stored_values_stay_what_they_are(self, columns: dict[str, Array]) -> None:
        lap = driven.lap(columns=columns)
        assert not lap.clutch.any()
        (clutch,) = lap.flat(["clutch"])
        assert np.isnan(clutch.values).all()
        (lamps,) = lap.flat(["headlights"])
        assert np.ma.getmaskarray(lamps.values).all()
        assert lap.to_pandas(["headlights", "tyre_load"]).isna().all(axis=None)
        assert [len(part.values) for part in lap.by_wheel("tyre_load")] == [5000] * 4

    def test_dents_are_the_cars_and_no_wheels(self, columns: dict[str, Array]) -> None:
        columns["dent_severity"][:] = 1
        lap = driven.lap(columns=columns)
        assert [part.name for part in lap.by_wheel("dent_severity")] == ["dent_severity"]
        assert [column.name for column in lap.flat(["dent_severity"])] == [
            f"dent_severity_{at}" for at in range(8)
        ]

    def test_without_rows_nothing_is_said(self) -> None:
        lap = driven.lap(columns={name: values[:0] for name, values in driven.samples().items()})
        assert lap.unavailable() == []

    def test_joined_lamps_are_those_of_scoring(self) -> None:
        dark = {**driven.scoring(), "headlights": np.zeros(len(driven.scoring()["lap_time"]), bool)}
        lap = driven.lap(updates=dark).with_scoring(["headlights", "in_pits"])
        assert lap.unavailable() == ["scoring_headlights"]


class TestNames:
    def test_no_channel_is_named_like_one_wheel_of_another(self) -> None:
        names = {name for table in (PHYSICS, SCORING, LAP) for name in table.by_name}
        assert {channel_of(name) for name in names} == names
        assert channel_of("tyre_temp_fl") == "tyre_temp"

    def test_names_that_differ_stay_different_when_they_are_short(self) -> None:
        race, rerun = f"{driven.SESSION}/laps/a", "sessions/20270101-000000-hollow-pass-race-5f3a-2/laps/a"
        assert short_names([race, race.replace("laps/a", "laps/b")]) == ["a", "b"]
        assert short_names([race, "sessions/x-5f3a-1/laps/a"]) == ["5f3a-2/a", "5f3a-1/a"]
        assert len(set(short_names([race, rerun]))) == 2


class TestOtherLibraries:
    def test_arrow_spreads_components_and_keeps_units(self) -> None:
        table = driven.lap().to_arrow(["gear", "tyre_pressure", "local_acceleration"])
        wheels = [f"tyre_pressure_{wheel}" for wheel in ("fl", "fr", "rl", "rr")]
        assert table.column_names == ["gear", *wheels, *(f"local_acceleration_{axis}" for axis in "xyz")]
        assert table.schema.field("tyre_pressure_rl").metadata[b"unit"] == b"kPa"
        third = table.column("tyre_pressure_rl").to_numpy()
        np.testing.assert_array_equal(third, driven.samples()["tyre_pressure"][:, 2])

    def test_what_scoring_did_not_tell_is_null(self) -> None:
        lap = driven.lap().with_scoring(["place", "in_pits"], tolerance_s=0.05)
        table = lap.to_arrow(["scoring_place", "scoring_in_pits"])
        missing = np.ma.getmaskarray(lap["scoring_place"]).sum()
        assert 0 < missing < len(lap)
        assert [column.null_count for column in table.columns] == [missing, missing]
        assert lap.to_pandas(["scoring_place"])["scoring_place"].isna().sum() == missing

    def test_pandas_has_the_same_numbers_and_the_units(self) -> None:
        lap = driven.lap()
        frame = lap.to_pandas()
        assert frame.attrs["units"]["speed"] == "m/s"
        assert frame["speed_limiter"].dtype == bool
        np.testing.assert_array_equal(frame["tyre_temp_11"], lap.tyre_temp[:, 11])

    def test_a_library_that_is_not_there_is_asked_for_by_its_extra(self) -> None:
        with pytest.raises(Unavailable) as caught:
            extras.need("no_such_library", "export")
        assert caught.value.hint == "pip install 'rigd[export]'"
