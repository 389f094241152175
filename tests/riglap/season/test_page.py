"""The page of a season, as text: what is in it, and what never is."""

from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from riglap.season.page import page, write
from tests.riglap.season.driven import NAMED, even, race, season

MOST_BYTES = 400_000


class Read(HTMLParser):
    """Elements that are open, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def test_it_is_whole_and_asks_nobody() -> None:
    text = page(season([race(even([100.0, 101.0, 102.0, 103.0]), nth) for nth in range(1, 6)]))
    read = Read(text)
    assert not read.open
    assert all(name in "".join(read.said) for name in NAMED[:4])
    assert "http://" not in text
    assert "https://" not in text
    assert len(text.encode()) < MOST_BYTES


def test_an_empty_season_and_one_race_have_a_page(tmp_path: Path) -> None:
    for told in (season([]), season([race({NAMED[0]: [100.0]})])):
        write(tmp_path / "season.html", told)
        assert not Read((tmp_path / "season.html").read_text()).open


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=30), st.text(max_size=20))
def test_no_name_becomes_markup(name: str, track: str) -> None:
    told = season([race({name: [100.0] * 3, "B. Birch": [101.0] * 3}, track=track)])
    plain = season([race({"C. Cedar": [100.0] * 3, "B. Birch": [101.0] * 3})])
    assert Read(page(told)).tags == Read(page(plain)).tags
