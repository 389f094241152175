"""Lap files: what goes in comes out, to the bit, and reading some of it touches only that."""

import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest, Corrupt, Exhausted, MissingChannel, UnknownChannel
from rig.lapfile import ROWS_LIMIT, SAMPLES, SCORINGS, LapFile, blocks, pack
from rig.v1 import archive_pb2
from tests.rig.laps import CHANNELS, SCORING_CHANNELS, Array, drive, header, same, table, tables


def codings(lap: LapFile, name: str) -> list[archive_pb2.Coding]:
    return next(list(column.codings) for column in lap.header.columns if column.name == name)


class TestWhatGoesIn:
    @given(tables(CHANNELS), tables(SCORING_CHANNELS), st.booleans())
    def test_comes_out(self, samples: dict[str, Array], scoring: dict[str, Array], plain: bool) -> None:
        lap = LapFile(pack(header(), samples, scoring, plain=plain))
        assert same(lap.columns(), samples)
        assert same(lap.columns(section=SCORINGS), scoring)
        lap.verify()
        for name, values in samples.items():
            assert same({name: lap.column(name)}, {name: values})

    @pytest.mark.parametrize("rows", [0, 1, 2, 1200])
    def test_comes_out_with_all_channels(self, rows: int) -> None:
        samples = table(CHANNELS, sorted(CHANNELS), rows, 1)
        scoring = table(SCORING_CHANNELS, sorted(SCORING_CHANNELS), rows, 2)
        lap = LapFile(pack(header(), samples, scoring))
        assert same(lap.columns(), {name: samples[name] for name in lap.channels()})
        assert same(lap.columns((), SCORINGS), {name: scoring[name] for name in lap.channels(SCORINGS)})

    def test_comes_out_where_channels_belong_together(self) -> None:
        samples = drive()
        assert same(LapFile(pack(header(), samples, {})).columns(), samples)

    def test_comes_out_where_neighbours_are_no_numbers(self) -> None:
        samples = drive()
        samples["tyre_load"][5:9] = [np.nan, np.inf, -np.inf, -0.0]
        samples["orientation"][100:200] = np.nan
        samples["local_velocity"][50] = np.array([0x7F800001, 0xFFC00123, 0x80000000], "<u4").view("<f4")
        assert same(LapFile(pack(header(), samples, {})).columns(), samples)

    def test_is_the_same_bytes_every_time(self) -> None:
        assert pack(header(), drive(), {}) == pack(header(), drive(), {})

    def test_is_not_changed(self) -> None:
        mine, samples = header(), drive()
        pack(mine, samples, {})
        assert mine == header()
        assert same(samples, drive())

    def test_is_described_in_the_head(self) -> None:
        lap = LapFile(pack(header(), drive(500), table(SCORING_CHANNELS, ["place"], 7, 1)))
        assert (lap.header.samples, lap.header.scorings, lap.header.version) == (500, 7, "1.2.3")
        assert (lap.header.lap, list(lap.header.gaps)) == (header().lap, list(header().gaps))
        speed = lap.header.columns[lap.channels().index("speed")]
        assert (speed.dtype, speed.width, speed.unit, speed.section) == ("<f4", 1, "m/s", SAMPLES)

    def test_may_be_a_view_with_strides(self) -> None:
        wide = np.arange(4000, dtype="<f4").reshape(1000, 4)
        samples = {"speed": wide[:, 1], "tyre_load": wide[::-1]}
        assert same(
            LapFile(pack(header(), samples, {})).columns(), {k: samples[k] for k in ("tyre_load", "speed")}
        )

    def test_comes_out_however_many_are_decoded_together(self) -> None:
        rows = 60_000
        samples = {name: np.resize(values, (rows, *values.shape[1:])) for name, values in drive().items()}
        lap = LapFile(pack(header(), samples, {}))
        tracemalloc.start()
        found = lap.columns()
        values, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert same(found, samples)
        assert most < 1.6 * values

    def test_has_to_be_known(self) -> None:
        with pytest.raises(UnknownChannel, match="speeed"):
            pack(header(), {"speeed": np.zeros(1, "<f4")}, {})
        with pytest.raises(UnknownChannel, match="throttle"):
            pack(header(), {}, {"throttle": np.zeros(1, "<f4")})

    @pytest.mark.parametrize(
        "samples",
        [
            {"speed": np.zeros(3, "<f4"), "gear": np.zeros(2, "<i4")},
            {"speed": np.zeros(3, "<f8")},
            {"speed": np.zeros((3, 2), "<f4")},
            {"tyre_load": np.zeros((3, 3), "<f4")},
        ],
    )
    def test_has_to_fit(self, samples: dict[str, Array]) -> None:
        with pytest.raises(BadRequest):
            pack(header(), samples, {})

    def test_has_to_end_somewhere(self) -> None:
        with pytest.raises(Exhausted, match=str(ROWS_LIMIT)):
            pack(header(), {"speed": np.zeros(ROWS_LIMIT + 1, "<f4")}, {})


class TestSizes:
    def test_a_constant_channel_has_no_block(self) -> None:
        for value in (1.5, np.nan, -0.0):
            lap = LapFile(pack(header(), {"tyre_load": np.full((5000, 4), value, "<f4")}, {}))
            assert lap.header.columns[0].size == 0
            assert np.signbit(lap.column("tyre_load")).all() == np.signbit(value)

    def test_a_channel_that_steps_costs_next_to_nothing(self) -> None:
        lap = LapFile(pack(header(), drive(5000), {}))
        assert codings(lap, "gear")[0].held
        assert lap.header.columns[lap.channels().index("gear")].size < 150
        assert codings(lap, "game_distance")[0].held
        assert lap.header.columns[lap.channels().index("game_distance")].size < 150

    def test_a_clock_costs_nothing(self) -> None:
        lap = LapFile(pack(header(), drive(5000), {}))
        sizes = {column.name: column.size for column in lap.header.columns}
        assert sizes["lap_time"] == 0
        assert max(sizes["elapsed_time"], sizes["session_time"], sizes["seq"]) < 64

    def test_decimals_are_counted_in_their_last_digit(self) -> None:
        values = (np.random.default_rng(3).integers(-300, 300, 3000) / 100).astype("<f4")
        lap = LapFile(pack(header(), {"steering": values}, {}))
        assert codings(lap, "steering")[0].grid == 100
        assert lap.header.columns[0].size < 2 * 3000
        assert same(lap.columns(), {"steering": values})

    @pytest.mark.parametrize("odd", [-0.0, np.nan, np.inf, 1e30, 0.005])
    def test_one_value_off_the_grid_is_kept(self, odd: float) -> None:
        values = (np.random.default_rng(3).integers(-300, 300, 3000) / 100).astype("<f4")
        values[1234] = odd
        lap = LapFile(pack(header(), {"steering": values}, {}))
        assert same(lap.columns(), {"steering": values})

    @pytest.mark.parametrize(
        ("name", "component", "formula", "most"),
        [
            ("speed", 0, archive_pb2.FORMULA_NORM, 700),
            ("orientation", 4, archive_pb2.FORMULA_UNIT, 9500),
            ("orientation", 7, archive_pb2.FORMULA_CROSS, 9500),
            ("orientation", 1, archive_pb2.FORMULA_ORTHOGONAL, 9500),
            ("camber", 2, archive_pb2.FORMULA_LINEAR, 2500),
            ("tyre_deflection", 3, archive_pb2.FORMULA_LINEAR, 2500),
        ],
    )
    def test_what_belongs_together_is_foretold(
        self, name: str, component: int, formula: int, most: int
    ) -> None:
        lap = LapFile(pack(header(), drive(), {}))
        assert codings(lap, name)[component].prediction.formula == formula
        assert lap.header.columns[lap.channels().index(name)].size < most

    def test_plain_is_raw_or_constant(self) -> None:
        lap = LapFile(pack(header(), drive(), {}, plain=True))
        codecs = {coding.codec for column in lap.header.columns for coding in column.codings}
        assert codecs == {blocks.RAW, blocks.CONSTANT}
        assert all(column.size == column.unpacked for column in lap.header.columns)


class TestReadingSome:
    def test_a_channel_it_does_not_have_is_named_with_those_it_has(self) -> None:
        lap = LapFile(pack(header(), {"speed": np.zeros(3, "<f4"), "gear": np.zeros(3, "<i4")}, {}))
        for read in (
            lambda: lap.column("fuel"),
            lambda: lap.columns(["speed", "fuel"]),
            lambda: lap.cut(["fuel"]),
        ):
            with pytest.raises(MissingChannel, match="fuel") as caught:
                read()
            assert caught.value.facts["channels"] == "speed, gear"
        with pytest.raises(MissingChannel):
            lap.column("speed", SCORINGS)

    def test_the_sections_do_not_mix(self) -> None:
        scoring = {"speed": np.arange(4, dtype="<f4")}
        lap = LapFile(pack(header(), drive(), scoring))
        assert same(lap.columns(section=SCORINGS), scoring)
        assert len(lap.column("speed")) == 1200

    def test_only_its_blocks_and_its_neighbours_are_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "lap"
        path.write_bytes(pack(header(), drive(), {}))
        touched: list[int] = []

        def pread(fd: int, size: int, at: int) -> bytes:
            touched.append(size)
            return real(fd, size, at)

        real = os.pread
        monkeypatch.setattr(os, "pread", pread)
        with LapFile.open(path) as lap:
            head = sum(touched)
            assert head < path.stat().st_size / 3
            assert same({"speed": lap.column("speed")}, {"speed": drive()["speed"]})
            blocks_ = {column.name: column.size for column in lap.header.columns}
            assert sum(touched) == head + blocks_["speed"] + blocks_["local_velocity"]
            assert sum(touched) == lap.block_bytes(["speed"])
            assert lap.block_bytes(lap.channels()) == path.stat().st_size

    def test_a_closed_file_is_let_go(self, tmp_path: Path) -> None:
        path = tmp_path / "lap"
        path.write_bytes(pack(header(), drive(), {}))
        before = len(os.listdir("/proc/self/fd"))
        lap = LapFile.open(path)
        lap.close()
        lap.close()
        assert len(os.listdir("/proc/self/fd")) == before
        with pytest.raises(OSError, match="Bad file descriptor"):
            lap.column("gear")

    def test_a_file_that_is_none_is_let_go(self, tmp_path: Path) -> None:
        path = tmp_path / "lap"
        path.write_bytes(b"something else")
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(Corrupt):
            LapFile.open(path)
        assert len(os.listdir("/proc/self/fd")) == before


class TestCuts:
    @given(st.lists(st.sampled_from(sorted(drive(2))), unique=True))
    def test_a_cut_is_a_lap_file_with_the_same_values(self, names: list[str]) -> None:
        whole = LapFile(PACKED)
        cut = LapFile(whole.cut(names))
        assert set(names) <= set(cut.channels())
        assert same(cut.columns(), {name: DRIVE[name] for name in cut.channels()})
        cut.verify()

    def test_neighbours_come_along(self) -> None:
        cut = LapFile(LapFile(PACKED).cut(["speed", "camber"]))
        there = [column.name for column in cut.header.columns]
        assert there == ["local_velocity", "suspension_deflection", "camber", "speed"]

    def test_neighbours_that_nobody_asked_for_are_not_listed(self) -> None:
        cut = LapFile(LapFile(PACKED).cut(["speed", "camber"]))
        assert cut.channels() == ["camber", "speed"]
        assert cut.columns().keys() == {"camber", "speed"}
        assert cut.column("local_velocity").shape == (1200, 3)

    def test_nothing_else_does(self) -> None:
        cut = LapFile(LapFile(PACKED).cut(["gear"]))
        assert cut.channels() == ["gear"]
        assert (cut.header.samples, cut.header.lap) == (1200, header().lap)

    def test_blocks_are_copied_as_they_are(self) -> None:
        whole = LapFile(PACKED)
        cut = whole.cut(["tyre_load"])
        column = LapFile(cut).header.columns[0]
        assert PACKED.find(cut[-column.size :]) > 0

    def test_all_of_it_is_the_file_itself(self) -> None:
        whole = LapFile(PACKED)
        assert whole.cut(whole.channels()) == PACKED

    def test_scoring_is_cut_by_names_of_its_own(self) -> None:
        scoring = table(SCORING_CHANNELS, ["place", "speed", "flag"], 40, 5)
        whole = LapFile(pack(header(), DRIVE, scoring))
        cut = LapFile(whole.cut(["gear"], ["place"]))
        assert (cut.channels(), cut.channels(SCORINGS)) == (["gear"], ["place"])
        assert same({"place": cut.column("place", SCORINGS)}, {"place": scoring["place"]})

    def test_a_plain_file_is_cut_as_well(self) -> None:
        plain = LapFile(pack(header(), DRIVE, {}, plain=True))
        assert same(LapFile(plain.cut(["speed"])).columns(), {"speed": DRIVE["speed"]})


DRIVE = drive()
PACKED = pack(header(), DRIVE, {})


def test_threads_read_and_pack_at_the_same_time() -> None:
    """As a server does; the codec of one thread must not meet that of another."""
    samples = drive()
    data = pack(header(), samples, {})
    cut = LapFile(data).cut(["speed"])

    def read(_: int) -> bool:
        lap = LapFile(data)
        return (
            same(lap.columns(), {name: samples[name] for name in lap.channels()})
            and lap.cut(["speed"]) == cut
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(200)))
