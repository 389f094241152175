"""The encoder: every column of every car is what the units say, whatever the game's memory holds."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.channels import PHYSICS, SCORING, Table
from rig.columns import Layout, read_head
from rigd.record.encoder import Encoder, text
from rigd.sources.rf2.layout import SCORING as SCORING_BUFFER
from rigd.sources.rf2.layout import TELEMETRY as TELEMETRY_BUFFER
from rigd.sources.rf2.layout import VEHICLE_SCORING, VEHICLE_TELEMETRY
from tests.rig import oracle
from tests.rig.oracle import PHYSICS_RULES, RECORDS, RULES, Records, expected, records
from tests.rig.samples import TABLES, TAIL, Array, head, parsed, parsed_column, same

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
"""numpy says so when a double is beyond float32; the column then says so as well."""

tables = st.sampled_from(TABLES)
cars = st.integers(0, 20)
seeds = oracle.seeds


def encoded(table: Table, made: Records, encoder: Encoder | None = None) -> dict[str, Array]:
    """The columns of a record, as any protobuf parser reads them."""
    encoder = encoder or Encoder(table)
    message = parsed(table, encoder.encode(made, head(len(made), schema=table.schema)))
    return {channel.name: parsed_column(channel, message) for channel in table.channels}


def check(table: Table, made: Records, columns: dict[str, Array]) -> None:
    """Against the rules; conversions may round in the last place of a float32."""
    for name in RULES[table.name]:
        wanted = expected(table, name, made)
        got = columns[name].reshape(wanted.shape)
        if wanted.dtype.kind == "f":
            limits = {"brake_temp", "tyre_temp", "tyre_carcass_temp", "tyre_inner_temp"}
            absolute = 6e-5 if name in limits else 0.0
            np.testing.assert_allclose(got, wanted, rtol=3e-7, atol=absolute, err_msg=name)
        else:
            np.testing.assert_array_equal(got, wanted, err_msg=name)


def one(table: Table, **fields: Any) -> dict[str, Array]:
    """The columns of one car of zeros with these fields set."""
    made = np.zeros(1, RECORDS[table.name])
    for name, value in fields.items():
        made[name] = value
    return encoded(table, made)


def buffer(table: Table) -> Records:
    """The array of all records of the game's buffer, which is read in place again and again."""
    layout = TELEMETRY_BUFFER if table is PHYSICS else SCORING_BUFFER
    whole = np.zeros((), layout)
    view: Records = whole["mVehicles"]
    return view


def test_triggers_are_what_the_recorder_says() -> None:
    encoder = Encoder(SCORING)
    made = records(SCORING, 3, seed=1)
    assert encoded(SCORING, made, encoder)["triggers"].tolist() == [0, 0, 0]
    encoder.triggers = np.array([1, 6, 1 << 31], np.uint32)
    assert encoded(SCORING, made, encoder)["triggers"].tolist() == [1, 6, 1 << 31]


class TestWhatScoringTold:
    def update(self, ids: list[int], metres: list[float]) -> Records:
        rows = np.zeros(len(ids), VEHICLE_SCORING)
        rows["mID"], rows["mLapDist"] = ids, metres
        return rows

    def test_it_joins_by_slot_id_and_the_first_of_two_rows_counts(self) -> None:
        encoder, cars = Encoder(PHYSICS), np.zeros(3, VEHICLE_TELEMETRY)
        cars["mID"] = [7, 3, 9]
        encoder.score(self.update([3, 7, 3], [30.5, 70.25, 99.0]), 100.2)
        found = encoded(PHYSICS, cars, encoder)
        assert found["update_distance"].tolist()[:2] == [70.25, 30.5]
        assert found["update_time"].tolist()[:2] == [100.2, 100.2]
        assert np.isnan([found["update_distance"][2], found["update_time"][2]]).all()

    def test_it_is_the_newest_update_also_when_cars_change_places(self) -> None:
        encoder, whole = Encoder(PHYSICS), buffer(PHYSICS)
        cars = whole[:2]
        for ids, metres, clock in (([1, 2], [10.0, 20.0], 5.0), ([2, 1], [21.0, 11.0], 5.2)):
            cars["mID"] = ids
            encoder.score(self.update([1, 2], sorted(metres)), clock)
            assert encoded(PHYSICS, cars, encoder)["update_distance"].tolist() == metres
        cars["mID"] = [1, 2]
        assert encoded(PHYSICS, cars, encoder)["update_distance"].tolist() == [11.0, 21.0]

    def test_what_is_no_number_is_missing_and_so_is_all_before_the_first_update(self) -> None:
        encoder, cars = Encoder(PHYSICS), np.zeros(2, VEHICLE_TELEMETRY)
        cars["mID"] = [1, 2]
        assert np.isnan(encoded(PHYSICS, cars, encoder)["update_time"]).all()
        encoder.score(self.update([1, 2], [math.inf, 1e300]), 5.0)
        assert np.isnan(encoded(PHYSICS, cars, encoder)["update_distance"]).all()

    def test_the_next_recorder_goes_on_with_it(self) -> None:
        cars = np.zeros(2, VEHICLE_TELEMETRY)
        cars["mID"] = [7, 3]
        for rows in (self.update([3, 7], [30.5, math.nan]), self.update([], [])):
            encoder, following = Encoder(PHYSICS), Encoder(PHYSICS)
            encoder.score(rows, 100.2)
            following.load_score(encoder.saved_score())
            before, after = (encoded(PHYSICS, cars, one) for one in (encoder, following))
            for name in ("update_time", "update_distance"):
                assert before[name].tobytes() == after[name].tobytes()
        following.load_score(b"of another kind")


class TestAgainstTheRules:
    def test_there_is_a_rule_for_every_channel(self) -> None:
        without = {"terrain", "update_time", "update_distance"}
        assert RULES["Physics"].keys() == PHYSICS.by_name.keys() - without
        assert RULES["Scoring"].keys() == SCORING.by_name.keys() - {"triggers"}

    @given(tables, cars, seeds)
    def test_every_value_of_every_car(self, table: Table, count: int, seed: int) -> None:
        made = records(table, count, seed)
        check(table, made, encoded(table, made))

    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    @pytest.mark.parametrize("count", [0, 1, 2, 3, 40, 41, 104, 127, 128])
    def test_every_size_of_field(self, table: Table, count: int) -> None:
        made = records(table, count, seed=count)
        check(table, made, encoded(table, made))

    @given(tables, seeds, st.floats(0.0, 1.0))
    def test_records_full_of_nonsense(self, table: Table, seed: int, oddity: float) -> None:
        made = records(table, 5, seed, oddity)
        columns = encoded(table, made)
        check(table, made, columns)
        for name, column in columns.items():
            assert column.dtype.kind != "f" or not np.isinf(column).any(), name

    @given(tables, st.lists(st.tuples(st.integers(0, 12), seeds), min_size=2, max_size=8))
    def test_the_same_memory_with_changing_contents_and_counts(
        self, table: Table, frames: list[tuple[int, int]]
    ) -> None:
        memory, encoder = buffer(table), Encoder(table)
        for count, seed in frames:
            memory[:count] = records(table, count, seed)
            columns = encoded(table, memory[:count], encoder)
            check(table, memory[:count], columns)
            if table is PHYSICS:
                assert_terrains(memory[:count], columns["terrain"], encoder)

    @given(tables, seeds)
    def test_one_encoder_serves_several_arrays(self, table: Table, seed: int) -> None:
        encoder = Encoder(table)
        first, second = records(table, 3, seed), records(table, 3, seed + 1)
        for made in (first, second, first):
            check(table, made, encoded(table, made, encoder))

    @given(seeds, st.integers(0, 6), st.integers(1, 4))
    def test_some_of_the_records(self, seed: int, first: int, count: int) -> None:
        """The player's row alone is a part of the array that does not begin at its start."""
        made = records(PHYSICS, 10, seed)[first : first + count]
        check(PHYSICS, made, encoded(PHYSICS, made))

    @given(tables, seeds)
    def test_a_record_given_before_keeps_its_values(self, table: Table, seed: int) -> None:
        memory, encoder = buffer(table)[:2], Encoder(table)
        memory[:] = records(table, 2, seed)
        before = encoder.encode(memory, head(2))
        kept = bytes(bytearray(before))
        memory[:] = records(table, 2, seed + 1)
        encoder.encode(memory, head(2))
        assert before == kept

    def test_head_and_tail_are_passed_on(self) -> None:
        made = records(SCORING, 2, seed=5)
        wanted = head(2, seq=77, after_gap=True)
        data = Encoder(SCORING).encode(made, wanted, TAIL)
        assert read_head(data) == wanted
        assert data.endswith(TAIL)
        assert data[Layout(SCORING, data, 0, len(data)).end :] == TAIL

    @given(tables, cars, seeds)
    def test_slicing_reads_what_a_parser_reads(self, table: Table, count: int, seed: int) -> None:
        made = records(table, count, seed)
        data = Encoder(table).encode(made, head(count))
        view, message = Layout(table, data, 0, len(data)).view(data, 0), parsed(table, data)
        for channel in table.channels:
            assert same(view[channel.name], parsed_column(channel, message)), channel.name


class TestMissing:
    @pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf, 1e300, -1e300])
    def test_what_is_no_float_is_nan(self, raw: float) -> None:
        columns = one(PHYSICS, mEngineRPM=raw, mPos=[1.0, raw, 3.0])
        assert np.isnan(columns["engine_rpm"][0])
        assert columns["position"][0].tolist() == pytest.approx([1.0, math.nan, 3.0], nan_ok=True)

    @pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
    def test_what_is_no_double_is_nan(self, raw: float) -> None:
        columns = one(PHYSICS, mElapsedTime=raw, mLapStartET=5.0)
        assert np.isnan(columns["elapsed_time"][0])
        assert columns["lap_start_time"][0] == 5.0

    def test_a_clock_keeps_all_its_digits(self) -> None:
        clock = 86_399.123_456_789
        assert one(PHYSICS, mElapsedTime=clock)["elapsed_time"][0] == clock

    @pytest.mark.parametrize("raw", [0.0, -0.0, -1.0, -300.0, math.nan, math.inf, -math.inf])
    def test_a_sensor_without_a_value_is_not_273_degrees_below(self, raw: float) -> None:
        made = np.zeros(1, VEHICLE_TELEMETRY)
        made["mWheels"]["mBrakeTemp"] = [raw, 573.15, raw, 300.0]
        made["mWheels"]["mTemperature"][0, 2] = [raw, 353.15, raw]
        made["mElectricBoostWaterTemperature"] = raw
        columns = encoded(PHYSICS, made)
        brakes, tyres = columns["brake_temp"][0], columns["tyre_temp"][0]
        assert brakes.tolist() == pytest.approx([math.nan, 300.0, math.nan, 26.85], abs=1e-4, nan_ok=True)
        assert tyres[6:9].tolist() == pytest.approx([math.nan, 80.0, math.nan], abs=1e-4, nan_ok=True)
        assert np.isnan(columns["boost_water_temp"][0])

    @pytest.mark.parametrize("raw", [0.0, -1.0, math.nan])
    def test_a_time_that_was_not_set_is_missing(self, raw: float) -> None:
        columns = one(SCORING, mLastLapTime=raw, mBestLapTime=61.5, mBestLapSector1=raw)
        assert np.isnan(columns["last_lap_time"][0])
        assert columns["best_lap_time"][0] == 61.5
        assert np.isnan(columns["best_lap_split1"][0])

    def test_minus_one_is_a_number(self) -> None:
        """All bits set would be NaN, were the integers swept with the floats."""
        physics = one(PHYSICS, mGear=-1, mID=-1, mLapNumber=-1, mDentSeverity=255, mEngineRPM=math.nan)
        assert (physics["gear"][0], physics["id"][0], physics["lap_number"][0]) == (-1, -1, -1)
        assert physics["dent_severity"][0].tolist() == [255] * 8
        scoring = one(SCORING, mQualification=-1, mControl=-1, mFinishStatus=-1, mAttackMode=-1)
        assert [int(scoring[name][0]) for name in ("qualification", "control", "finish_status")] == [-1] * 3
        assert scoring["attack_mode"][0] == -1

    @pytest.mark.parametrize("byte", [0, 1, 2, 127, 128, 255])
    def test_a_flag_is_one_or_nothing_on_the_wire(self, byte: int) -> None:
        """A byte of 128 and more in a packed column of bool would run into the next value."""
        made = np.zeros(2, VEHICLE_TELEMETRY)
        raw = made.view(np.uint8).reshape(2, -1)
        for name in ("mOverheating", "mHeadlights", "mAntiStallActivated"):
            raw[0, made.dtype.fields[name][1]] = byte  # type: ignore[index]
        columns = encoded(PHYSICS, made)
        for name in ("overheating", "headlights", "anti_stall"):
            assert columns[name].tolist() == [byte != 0, False]


class TestSectors:
    @pytest.mark.parametrize(("raw", "sector"), [(0, 1), (1, 2), (2, 3)])
    def test_telemetry_counts_from_zero_with_the_pit_lane_in_the_sign(self, raw: int, sector: int) -> None:
        on_track = one(PHYSICS, mCurrentSector=raw)
        assert (on_track["sector"][0], on_track["in_pit_lane"][0]) == (sector, False)
        in_lane = one(PHYSICS, mCurrentSector=raw - 2**31)
        assert (in_lane["sector"][0], in_lane["in_pit_lane"][0]) == (sector, True)

    @pytest.mark.parametrize(("raw", "sector"), [(0, 3), (1, 1), (2, 2)])
    def test_scoring_calls_the_third_zero(self, raw: int, sector: int) -> None:
        assert one(SCORING, mSector=raw)["sector"][0] == sector

    @pytest.mark.parametrize("raw", [-128, -1, 3, 127])
    def test_a_sector_that_there_is_not_is_zero(self, raw: int) -> None:
        assert one(SCORING, mSector=raw)["sector"][0] == 0


def assert_terrains(made: Records, column: Array, encoder: Encoder) -> None:
    """Every wheel's number leads to its name."""
    for row, numbers in zip(made, column, strict=True):
        names = [bytes(wheel["mTerrainName"]).split(b"\0")[0] for wheel in row["mWheels"]]
        assert [encoder.terrains[number] for number in numbers] == [text(name) for name in names]


class TestTerrain:
    def wheels(self, *names: bytes) -> Records:
        made = np.zeros(len(names) // 4, VEHICLE_TELEMETRY)
        made["mWheels"]["mTerrainName"] = np.array(names).reshape(-1, 4)
        return made

    def test_names_are_numbered_as_they_come(self) -> None:
        encoder = Encoder(PHYSICS)
        first = encoded(PHYSICS, self.wheels(b"Road", b"Road", b"Grass", b"Road"), encoder)
        second = encoded(PHYSICS, self.wheels(b"Kerb", b"Grass", b"Road", b"Kerb"), encoder)
        assert first["terrain"].tolist() == [[0, 0, 1, 0]]
        assert second["terrain"].tolist() == [[2, 1, 0, 2]]
        assert encoder.terrains == ["Road", "Grass", "Kerb"]

    def test_memory_full_of_names_makes_no_endless_list(self) -> None:
        encoder = Encoder(PHYSICS)
        for start in range(0, 4000, 400):
            names = self.wheels(*(b"T%d" % number for number in range(start, start + 400)))
            found = encoded(PHYSICS, names, encoder)["terrain"]
        assert len(encoder.terrains) == 1000
        assert (found == -1).all(), "a name too many is none"
        assert encoded(PHYSICS, self.wheels(b"T3", b"T3", b"T3", b"?"), encoder)["terrain"].tolist() == [
            [3, 3, 3, -1]
        ]

    def test_leftovers_do_not_make_a_name(self) -> None:
        encoder = Encoder(PHYSICS)
        made = self.wheels(b"Road", b"Road\0Grass", b"Road\0\0x", b"Kerb")
        assert encoded(PHYSICS, made, encoder)["terrain"].tolist() == [[0, 0, 0, 1]]
        assert encoder.terrains == ["Road", "Kerb"]

    def test_a_wheel_that_stays_keeps_its_number(self) -> None:
        memory, encoder = buffer(PHYSICS)[:1], Encoder(PHYSICS)
        for names in ([b"A", b"B", b"C", b"D"], [b"A", b"B", b"C", b"E"], [b"E", b"B", b"A", b"E"]):
            memory["mWheels"]["mTerrainName"] = names
            numbers = encoded(PHYSICS, memory, encoder)["terrain"][0]
            assert [encoder.terrains[number] for number in numbers] == [name.decode() for name in names]

    @given(seeds, seeds)
    def test_every_number_leads_to_its_name(self, seed: int, other: int) -> None:
        encoder = Encoder(PHYSICS)
        for made in (records(PHYSICS, 6, seed), records(PHYSICS, 3, other)):
            assert_terrains(made, encoded(PHYSICS, made, encoder)["terrain"], encoder)


class TestText:
    @pytest.mark.parametrize(
        ("raw", "wanted"),
        [
            (b"", ""),
            (b"Sebring", "Sebring"),
            (b"Sebring\0\0\0", "Sebring"),
            (b"Sebring\0old name", "Sebring"),
            (b"\0old name", ""),
            ("Nürburgring".encode(), "Nürburgring"),
            ("Nürburgring".encode("cp1252"), "Nürburgring"),
            ("Große Brücke".encode("cp1252"), "Große Brücke"),
            (b"\x80uro", "€uro"),
            (b"\x81\x8d", "\x81\x8d"),
            ("彩虹".encode(), "彩虹"),
        ],
    )
    def test_it_is_cut_at_the_first_nul_and_read_as_it_was_meant(self, raw: bytes, wanted: str) -> None:
        assert text(raw) == wanted

    @pytest.mark.parametrize("kept", [31, 32])
    @pytest.mark.parametrize("last", ["é", "€", "𝄞"])
    def test_a_character_cut_by_the_end_of_a_name_is_dropped(self, kept: int, last: str) -> None:
        name = "x" * (kept - 1) + last
        assert text(name.encode()[:kept], 32) == "x" * (kept - 1)

    @given(st.binary(max_size=64))
    def test_no_name_is_refused(self, raw: bytes) -> None:
        assert "\0" not in text(raw)

    @given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=16))
    def test_utf8_comes_back(self, name: str) -> None:
        assert text(name.encode() + b"\0rest") == name


def test_the_rules_cover_both_kinds_of_double_place() -> None:
    """Doubles of a record lie on even and on odd multiples of four bytes: both must be in the test."""
    places = {VEHICLE_TELEMETRY.fields[name][1] % 8 for name in ("mElapsedTime", "mDeltaBest", "mPos")}  # type: ignore[index]
    assert places == {0, 4}
    assert VEHICLE_SCORING.itemsize % 8 == 0
    assert "delta_best" in PHYSICS_RULES
