"""MoTeC's, iRacing's and AiM's binary files: what they hold, and that no bytes do harm."""

import contextlib
import functools
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import BadRequest, Corrupt, Unavailable
from rigclient.imports.dialects import aim_xrk, iracing, motec_ld
from rigclient.imports.recording import Dialect
from riglap.export import motec
from tests.imports.dialects import written_loggers as written
from tests.imports.dialects.driven_loggers import Drive, drive
from tests.imports.dialects.reading import head_of, near, read
from tests.imports.known import Array
from tests.riglap import driven

SHARED: Final = Path(__file__).resolve().parents[4] / "shared/data/iracing-ibt"


def short_drive() -> tuple[Drive, float]:
    """Twelve seconds over the line."""
    whole = drive()
    at = int(np.searchsorted(whole.time, whole.lines[0]))
    rows = whole.sliced(slice(at - 120, at + 120))
    begin = rows.time[0]
    return rows.replaced(time=rows.time - begin), whole.lines[0] - begin


class TestMotec:
    def test_our_own_export_read_back_is_the_laps(self, tmp_path: Path) -> None:
        laps = [
            driven.lap(driven.info(at, lap_time=92.375 - at), driven.samples(92.375 - at)) for at in (3, 4)
        ]
        motec.write(laps, tmp_path / "run.ld")
        found = read(motec_ld.DIALECT, tmp_path / "run.ld")
        ((one, other),) = found.laps
        assert [(lap.lap_time_s, lap.official, lap.complete) for lap in (one, other)] == [
            (89.375, True, True),
            (88.375, True, True),
        ]
        assert (one.driver, one.vehicle) == ("A. Alder", "Copper Racing #12")
        session = found.recordings[0].session
        assert (session.track, session.kind) == ("Meander Valley Grand", "race")
        assert session.start_time_ns == 1_795_180_000_000_000_000
        assert "time zone" not in session.facts
        for lap, source in zip((one, other), laps, strict=True):
            rows = np.searchsorted(source.lap_time, lap.samples["lap_time"] - 0.01).clip(0, len(source) - 1)
            for name in ("speed", "throttle", "brake", "steering", "gear", "engine_rpm", "distance"):
                assert near(lap.samples[name], source[name][rows], 0.002), name
            for name in ("tyre_temp", "tyre_pressure", "local_acceleration", "surface_type", "speed_limiter"):
                assert near(lap.samples[name], source[name][rows], 0.002), name
                assert lap.samples[name].dtype == source[name].dtype, name

    def test_without_beacons_it_is_one_piece(self, tmp_path: Path) -> None:
        motec.write([driven.lap()], tmp_path / "run.ld", ("speed", "gear"))
        (tmp_path / "run.ldx").unlink()
        lap = read(motec_ld.DIALECT, tmp_path / "run.ld").lap
        assert (lap.complete, lap.valid, lap.lap_time_s) == (False, False, None)

    def test_types_rates_and_scales(self, tmp_path: Path) -> None:
        channels = [
            ("Ground Speed", "km/h", 20, (5, 2), (0, 1, 10, 0), np.arange(40) * 10),
            ("Engine RPM", "rpm", 10, (3, 4), (100, 2, 1, 1), np.arange(20) * 1000),
            ("Gear", "", 10, (0, 2), (0, 1, 1, 0), np.arange(20) // 5),
            ("Throttle Pos", "%", 10, (7, 2), (0, 1, 1, 0), np.arange(20) * 5),
            ("Brake Pos", "%", 5, (7, 4), (0, 1, 1, 0), np.arange(6) * 10),
            ("Damper", "V", 20, (7, 4), (0, 1, 1, 0), np.arange(40)),
        ]
        lap = read(motec_ld.DIALECT, written.write(tmp_path, "a.ld", ld(channels))).lap
        at = np.arange(40)
        assert near(lap.samples["speed"], at / 3.6, 1e-3)
        assert near(lap.samples["engine_rpm"][:39], at[:39] * 100 + 100, 1e-3)
        assert lap.samples["gear"].tolist() == (at // 2 // 5).tolist()
        assert near(lap.samples["throttle"][:39], at[:39] * 0.025, 1e-3)
        assert near(lap.samples["brake"][:21], at[:21] * 0.025, 1e-3)
        assert np.isnan(lap.samples["brake"][24:]).all()

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda data: data[:-500], "beyond the"),
            (lambda data: data[:2000], "beyond its"),
            (lambda data: _put(data, 8, "<I", len(data) + 5), "beyond its"),
            (lambda data: _put(data, 2810 + 4, "<I", 2810), "no end"),
            (lambda data: _put(data, 2810 + 12, "<I", 0xFFFFFFFF), "beyond the"),
        ],
    )
    def test_what_is_damaged_is_said(self, spoil: Callable[[bytes], bytes], why: str, tmp_path: Path) -> None:
        data = ld([("Ground Speed", "km/h", 20, (7, 4), (0, 1, 1, 0), np.arange(400.0))])
        with pytest.raises(Corrupt, match=why):
            _read_bytes(motec_ld.DIALECT, tmp_path / "a.ld", spoil(data))

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda data: _put(data, 2810 + 24 + 4, "<h", 0), "none of its"),
            (lambda data: data.replace(b"Ground Speed", b"Round Speed\0"), "none of its"),
        ],
    )
    def test_without_a_channel_that_is_known_it_is_no_recording(
        self, spoil: Callable[[bytes], bytes], why: str, tmp_path: Path
    ) -> None:
        data = ld([("Ground Speed", "km/h", 20, (7, 4), (0, 1, 1, 0), np.arange(400.0))])
        with pytest.raises(BadRequest, match=why):
            _read_bytes(motec_ld.DIALECT, tmp_path / "a.ld", spoil(data))

    @pytest.mark.parametrize("beacons", ["<!DOCTYPE x>", "<LDXFile", " " * (2 << 20)])
    def test_a_spoilt_list_of_beacons_is_said(self, beacons: str, tmp_path: Path) -> None:
        motec.write([driven.lap()], tmp_path / "run.ld", ("speed",))
        (tmp_path / "run.ldx").write_text(beacons)
        with pytest.raises(BadRequest, match=r"run\.ldx is"):
            read(motec_ld.DIALECT, tmp_path / "run.ld")


def ld(channels: Sequence[tuple[str, str, int, tuple[int, int], tuple[int, ...], Array]]) -> bytes:
    """A .ld with an event and these channels: name, unit, rate, type, shift to decimals, raw values."""
    types = {(7, 2): "<f2", (7, 4): "<f4"}
    head = bytearray(1762 + 1048 + 124 * len(channels))
    struct.pack_into("<II", head, 0, 0x40, 0)
    struct.pack_into("<II", head, 8, 2810, len(head))
    struct.pack_into("<I", head, 36, 1762)
    data = b""
    for at, (name, unit, rate, kind, scaling, values) in enumerate(channels):
        begin = 2810 + 124 * at
        after = begin + 124 if at < len(channels) - 1 else 0
        raw = values.astype(types.get(kind, f"<i{kind[1]}")).tobytes()
        struct.pack_into(
            "<4I4H4h", head, begin, 0, after, len(head) + len(data), len(values), at, *kind, rate, *scaling
        )
        struct.pack_into("<32s8s12s", head, begin + 32, name.encode(), b"", unit.encode())
        data += raw
    return bytes(head) + data


class TestIbt:
    def test_a_real_file_is_a_piece_of_a_lap(self) -> None:
        if not SHARED.is_dir():
            pytest.skip("the real recording is not here")
        found = read(iracing.DIALECT, SHARED / "valid_test_file.ibt")
        lap = found.lap
        assert (found.recordings[0].rate_hz, len(lap.samples["lap_time"]), lap.complete) == (60.0, 390, False)
        assert found.recordings[0].session.track == "Red Bull Ring"
        assert len(found.recordings[0].left) + len(found.recordings[0].mapped) > 260
        spread = np.ptp(lap.samples["position"], axis=0)
        assert 0 < spread[0] < 50
        assert not iracing.DIALECT.recognises(head_of(SHARED / "invalid_test_file.ibt"))

    def test_a_lap_that_the_game_gave_no_time_is_measured(self, tmp_path: Path) -> None:
        whole = drive(60.0)
        data = written.ibt(whole.replaced(lines=whole.lines), told=False)
        (laps,) = read(iracing.DIALECT, written.write(tmp_path, "a.ibt", data)).laps
        assert [(lap.complete, lap.official) for lap in laps[1:3]] == [(True, False)] * 2
        assert near([lap.lap_time_s for lap in laps[1:3]], whole.lap_times, 0.001)

    @pytest.mark.parametrize(
        ("at", "form", "value", "why"),
        [
            (140, "<i", 10**9, "records of"),
            (28, "<i", 10**8, "list of variables"),
            (20, "<i", 2**31 - 1, "session info"),
            (16, "<i", -5, "session info"),
            (52, "<i", 5, "records of"),
            (144, "<i", 77, "is of type 77"),
            (148, "<i", 4000, "beyond a record"),
            (152, "<i", 2**31 - 1, "beyond a record"),
        ],
    )  # fmt: skip
    def test_offsets_and_counts_are_checked(
        self, at: int, form: str, value: int, why: str, tmp_path: Path
    ) -> None:
        with pytest.raises(Corrupt, match=why):
            _read_bytes(iracing.DIALECT, tmp_path / "a.ibt", _put(_small_ibt(), at, form, value))

    def test_one_that_was_cut_is_refused_and_one_that_was_not_closed_is_read(self, tmp_path: Path) -> None:
        data = _small_ibt()
        with pytest.raises(Corrupt, match="was cut"):
            _read_bytes(iracing.DIALECT, tmp_path / "a.ibt", data[:-100])
        path = written.write(tmp_path, "b.ibt", _put(data, 140, "<i", 0))
        assert sum(len(lap.samples["lap_time"]) for lap in read(iracing.DIALECT, path).laps[0]) == 240


class TestXrk:
    def test_laps_are_those_of_the_logger(self, tmp_path: Path) -> None:
        pytest.importorskip("libxrk")
        data = written.xrk(drive())
        for name, content in (("a.xrk", data), ("a.xrz", zlib.compress(data))):
            (laps,) = read(aim_xrk.DIALECT, written.write(tmp_path, name, content)).laps
            assert [lap.complete for lap in laps] == [False, True, True, False]
            assert [lap.lap_time_s for lap in laps[1:3]] == [52.486, 51.973]
            assert (laps[1].official, laps[1].driver, laps[1].vehicle) == (True, "A. Alder", "Copper Junior")
            assert near(laps[1].samples["speed"], drive().speed[531:1580], 0.05)
            assert near(laps[1].samples["engine_rpm"], drive().rpm[531:1580], 1)
            pull = laps[1].samples["local_acceleration"]
            assert near(pull[:, 2], -drive().forward[531:1580], 0.02)

    def test_a_clock_that_falls_back_costs_its_rows(self) -> None:
        clock = np.array([0.0, 50, 100, 500, 150, 200, 510, 560])
        assert aim_xrk._rows(clock).tolist() == [0, 50, 100, 500, 510, 560]

    def test_without_libxrk_the_command_that_brings_it_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "libxrk", None)
        with pytest.raises(Unavailable, match=r"pip install 'rigd\[xrk\]'"):
            _read_bytes(aim_xrk.DIALECT, tmp_path / "a.xrk", b"<hCNF")

    def test_what_unpacks_without_an_end_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("libxrk")
        monkeypatch.setattr(aim_xrk, "_LARGEST", 1 << 20)
        bomb = zlib.compress(b"<hCNF" + bytes(8 << 20))
        with pytest.raises(BadRequest, match="holds more than 1 MiB"):
            _read_bytes(aim_xrk.DIALECT, tmp_path / "a.xrz", bomb)


def _put(data: bytes, at: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


def _read_bytes(dialect: Dialect, path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for recording in dialect.read(path, lambda *_: None, lambda _: None):
        for _ in recording.laps:
            pass


@functools.cache
def _small_ibt() -> bytes:
    rows, line = short_drive()
    return written.ibt(rows.replaced(lines=(line, line + 90, line + 180)))


@functools.cache
def _small_ld() -> bytes:
    rows, _ = short_drive()
    return ld([
        ("Ground Speed", "km/h", 20, (7, 4), (0, 1, 1, 0), rows.speed * 3.6),
        ("GPS Latitude", "deg", 20, (3, 4), (0, 1, 1, 7), rows.latitude * 1e7),
        ("GPS Longitude", "deg", 20, (3, 4), (0, 1, 1, 7), rows.longitude * 1e7),
        ("Engine RPM", "rpm", 10, (5, 2), (0, 1, 1, 0), rows.rpm[::2]),
    ])  # fmt: skip


@functools.cache
def _small_xrk() -> bytes:
    rows, line = short_drive()
    return written.xrk(rows.replaced(lines=(line, line + 90, line + 180)))


MUTATED: Final[dict[str, tuple[Dialect, Callable[[], bytes]]]] = {
    "ld": (motec_ld.DIALECT, _small_ld),
    "ibt": (iracing.DIALECT, _small_ibt),
    "xrk": (aim_xrk.DIALECT, _small_xrk),
}


@pytest.mark.parametrize("kind", MUTATED)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_make_a_recording_or_are_refused(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    dialect, make = MUTATED[kind]
    if kind == "xrk":
        pytest.importorskip("libxrk")
    spoilt = bytearray(make())
    head = {"ld": 2810 + 4 * 124, "ibt": 144 + 24 * 144, "xrk": 800}[kind]
    for _ in range(data.draw(st.integers(0, 6))):
        spoilt[data.draw(st.integers(0, head - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.one_of(st.just(len(spoilt)), st.integers(0, len(spoilt))))
    with contextlib.suppress(BadRequest, Corrupt):
        _read_bytes(dialect, tmp_path / f"a.{kind}", bytes(spoilt[:length]))


@pytest.mark.parametrize("kind", ["ld", "ibt"])
@given(data=st.binary(max_size=4096))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_of_nothing_are_refused(kind: str, data: bytes, tmp_path: Path) -> None:
    with pytest.raises((BadRequest, Corrupt)):
        _read_bytes(MUTATED[kind][0], tmp_path / f"a.{kind}", data)
