"""Times and numbers of timing sheets."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigclient.imports.text import cells
from rigclient.imports.text.cells import Malformed

MS = st.integers(0, 99 * 3_600_000)
NO_TIMES = (
    *("", " ", "-", ":30.5", "1:", "1.", ".5", "1 :30", "1:2:3:4"),
    *("1:60.000", "1:99", "1:60:00.000", "-1.5", "+1.5", "1.2345", "1:30,5"),
    *("1e3", "nan", "inf", "1_0", "0x1F", "1:30.5\x00", "\u0663:\u0664\u0666.0", "1\uff1a30.5"),
)


def outcome(parse: Callable[[str, str], float], text: str) -> float | str:
    """The value, or the reason why there is none."""
    try:
        return parse("CELL", text)
    except Malformed as refusal:
        return refusal.reason


def spelled(ms: int, least: int) -> str:
    """With seconds alone, minutes, or hours, but no fewer parts than `least` and none above 59."""
    seconds, rest = divmod(ms, 1000)
    parts = [seconds // 3600, seconds // 60 % 60, seconds % 60]
    first = min(3 - least, next((at for at, part in enumerate(parts) if part), 2))
    head, *others = parts[first:]
    return ":".join([str(head), *(f"{part:02}" for part in others)]) + f".{rest:03}"


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "ms"),
        [
            ("3:46.084", 226_084),
            ("53.893", 53_893),
            ("0:53.893", 53_893),
            ("0:00:42.522", 42_522),
            ("1:02:03.004", 3_723_004),
            ("83.54", 83_540),
            ("62.0", 62_000),
            ("99", 99_000),
        ],
    )
    def test_all_spellings_of_one_row(self, text: str, ms: int) -> None:
        assert cells.time_ms("LAP_TIME", text) == ms

    @given(MS, st.integers(1, 3))
    def test_what_is_spelled_is_read(self, ms: int, parts: int) -> None:
        assert cells.time_ms("LAP_TIME", spelled(ms, parts)) == ms

    @given(MS)
    def test_seconds_are_the_nearest_number_to_the_decimal_one(self, ms: int) -> None:
        assert cells.time_ms("S1", f"{ms // 1000}.{ms % 1000:03}") / 1000 == float(
            f"{ms // 1000}.{ms % 1000:03}"
        )

    @pytest.mark.parametrize("text", NO_TIMES)
    def test_anything_else_is_refused_with_the_text(self, text: str) -> None:
        with pytest.raises(Malformed) as refusal:
            cells.time_ms("LAP_TIME", text)
        assert refusal.value.reason == "no time"
        assert repr(text) in refusal.value.detail
        assert "LAP_TIME" in refusal.value.detail

    @given(st.text(max_size=12))
    def test_any_text_is_a_time_or_is_refused(self, text: str) -> None:
        read = outcome(cells.time_ms, text)
        assert read == "no time" or (isinstance(read, int) and read >= 0)

    @pytest.mark.parametrize("text", ["24:00:00.000", "13:42", "13:42.5", "99:00:00.0"])
    def test_a_clock_has_three_parts_and_ends_at_midnight(self, text: str) -> None:
        with pytest.raises(Malformed):
            cells.clock_ms("HOUR", text)
        assert cells.clock_ms("HOUR", "23:59:59.999") == 86_399_999


class TestNumbers:
    @given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14))
    def test_what_python_spells_is_read(self, value: float) -> None:
        assert cells.number("KPH", repr(value)) == value

    @pytest.mark.parametrize(
        "text", ["", "nan", "inf", "-inf", "1,5", "0x10", "1_000", "1e999", "--1", "1 2", "\u0663"]
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(Malformed, match="KPH"):
            cells.number("KPH", text)

    @given(st.text(max_size=20))
    def test_any_text_is_a_finite_number_or_is_refused(self, text: str) -> None:
        read = outcome(cells.number, text)
        assert read == "no number" or (isinstance(read, float) and math.isfinite(read))

    def test_an_empty_cell_is_no_value_only_where_it_may_be_one(self) -> None:
        assert cells.maybe_number("KPH", "") is None
        assert cells.maybe_time_ms("S1", "") is None


class TestLapsAndCars:
    @pytest.mark.parametrize("text", ["0", "-1", "1.0", "", "one", "32768", "99999"])
    def test_no_lap_number(self, text: str) -> None:
        with pytest.raises(Malformed) as refusal:
            cells.lap_number("LAP_NUMBER", text)
        assert refusal.value.reason == "no lap number"

    def test_a_car_keeps_its_number_as_it_is_painted(self) -> None:
        assert [cells.car_number("NUMBER", text) for text in ("021", "21", "3", "03", "0")] == [
            "021", "21", "3", "03", "0",
        ]  # fmt: skip

    @pytest.mark.parametrize("text", ["", "2 1", "#21", "123456789", "21\n"])
    def test_no_car_number(self, text: str) -> None:
        with pytest.raises(Malformed):
            cells.car_number("NUMBER", text)


class TestMoments:
    @given(st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)))
    def test_a_moment_is_utc_to_the_microsecond(self, when: datetime) -> None:
        ns = cells.moment_ns("timestamp", when.isoformat(timespec="microseconds") + "Z")
        assert ns % 1000 == 0
        assert datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(tzinfo=None) == when.replace(
            microsecond=0
        )
        assert ns // 1000 % 1_000_000 == when.microsecond

    def test_a_moment_without_a_zone_is_utc(self) -> None:
        assert cells.moment_ns("t", "2025-09-06T18:40:41.926") == cells.moment_ns(
            "t", "2025-09-06T18:40:41.926Z"
        )

    @pytest.mark.parametrize(
        "text", ["", "yesterday", "18:40:41", "2025-13-01T00:00:00Z", "2025-09-06T18:40:41.9Zz"]
    )
    def test_no_moment(self, text: str) -> None:
        with pytest.raises(Malformed) as refusal:
            cells.moment_ns("timestamp", text)
        assert refusal.value.reason == "no moment"

    @pytest.mark.parametrize("text", ["1970-01-01T00:00:01Z", "2500-01-01T00:00:00Z", "9999-12-31T23:59:59"])
    def test_a_clock_that_was_never_set_tells_no_moment(self, text: str) -> None:
        with pytest.raises(Malformed) as refusal:
            cells.moment_ns("timestamp", text)
        assert refusal.value.reason == "no moment"
