"""Moments as people write them: the same in every command."""

import time
from datetime import datetime, timedelta

import pytest

from rigclient.cli.commands.moments import unix_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("20m", 1200),
        ("2h", 7200),
        ("2h ago", 7200),
        ("3d", 259_200),
        ("1w", 604_800),
        ("2 H", 7200),
    ],
)
def test_so_long_ago(text: str, seconds: float) -> None:
    before = time.time()
    assert before - seconds <= unix_s(text) <= time.time() - seconds


def test_days_are_local_and_begin_at_midnight() -> None:
    today = datetime.fromtimestamp(unix_s("today"))
    yesterday = datetime.fromtimestamp(unix_s("yesterday"))
    assert (today.hour, today.minute, yesterday.hour) == (0, 0, 0)
    assert today.date() - yesterday.date() == timedelta(days=1)
    evening = datetime.fromtimestamp(unix_s("Yesterday 18:30"))
    assert (evening.date(), evening.hour, evening.minute) == (yesterday.date(), 18, 30)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-11-20", datetime(2026, 11, 20)),
        ("2026-11-20 13:45", datetime(2026, 11, 20, 13, 45)),
        ("2026-11-20T13:45:01", datetime(2026, 11, 20, 13, 45, 1)),
    ],
)
def test_dates_are_of_this_place(text: str, when: datetime) -> None:
    assert unix_s(text) == when.timestamp()


def test_a_clock_is_of_today_and_a_zone_counts() -> None:
    at = datetime.fromtimestamp(unix_s("13:45"))
    assert (at.date(), at.hour, at.minute) == (datetime.now().date(), 13, 45)
    assert unix_s("2026-11-20T13:45Z") == 1_795_182_300


@pytest.mark.parametrize("text", ["yesteryear", "2x", "yesterday 99:00", "13:99", " ", "tomorrow", "²h"])
def test_other_words_are_no_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  as many words as there are parsers
        unix_s(text)
