"""Lists of laps: fetched page by page, narrowed down, sliced, shown; laps found by the words people use."""

import dataclasses
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pandas as pd
import pytest

from rig.errors import BadRequest, NotFound
from rig.infos import LapInfo, SessionInfo
from rig.v1 import laps_pb2, session_pb2
from rigclient import Rig, aio, connect
from rigclient.requests import position
from tests.rigclient import field
from tests.rigclient.lap_rig import PAGE, LapRig
from tests.riglap import driven

ALL = [lap.name for lap in sorted(field.laps(), key=lambda lap: lap.start_time)]
PAGES = -(-len(ALL) // PAGE)


@pytest.fixture
def rig(lap_rig: LapRig) -> Iterator[Rig]:
    with connect(lap_rig.address) as connection:
        yield connection


def asked(lap_rig: LapRig) -> int:
    """Pages of laps that were fetched."""
    return len(lap_rig.asked(laps_pb2.ListLapsRequest))


class TestPages:
    def test_iterating_fetches_what_it_needs_and_nothing_twice(self, rig: Rig, lap_rig: LapRig) -> None:
        laps = rig.laps(driven.SESSION)
        assert len(list(islice(laps, PAGE + 1))) == PAGE + 1
        assert asked(lap_rig) == 2
        assert len(list(laps)) == len(laps) == len(ALL)
        assert asked(lap_rig) == PAGES

    def test_an_item_fetches_up_to_it_and_one_from_the_end_fetches_all(
        self, rig: Rig, lap_rig: LapRig
    ) -> None:
        laps = rig.laps(driven.SESSION)
        assert laps
        assert laps[0].name == ALL[0]
        assert asked(lap_rig) == 1
        assert laps[-1].name == ALL[-1]
        assert asked(lap_rig) == PAGES
        with pytest.raises(IndexError):
            laps[len(ALL)]

    @pytest.mark.parametrize(
        ("part", "pages"),
        [
            (slice(2), 1),
            (slice(1, PAGE + 1), 2),
            (slice(2, None), PAGES),
            (slice(-2, None), PAGES),
            (slice(None, -1), PAGES),
            (slice(8, 2, -1), PAGES),
            (slice(None, None, -1), PAGES),
            (slice(0, PAGE, 2), 1),
        ],
        ids=str,
    )
    def test_a_slice_is_a_list_of_laps(self, rig: Rig, lap_rig: LapRig, part: slice, pages: int) -> None:
        laps = rig.laps(driven.SESSION)[part]
        assert [lap.name for lap in laps] == ALL[part]
        assert isinstance(laps, type(rig.laps()))
        assert asked(lap_rig) == pages

    def test_it_is_a_sequence(self, rig: Rig) -> None:
        laps = rig.laps(driven.SESSION)
        assert laps[3] in laps
        assert laps.index(laps[3]) == 3
        assert [lap.name for lap in reversed(laps)] == ALL[::-1]
        assert not rig.laps(driven.SESSION, driver="nobody")

    def test_pandas_has_a_row_per_lap(self, rig: Rig) -> None:
        table = rig.laps(driven.SESSION).to_pandas()
        assert isinstance(table, pd.DataFrame)
        assert list(table["name"]) == ALL
        assert {"driver", "lap_time", "valid", "sector1"} <= set(table.columns)
        assert pd.isna(table["lap_time"].iloc[-1])  # a piece of a lap

    def test_its_text_is_a_table(self, rig: Rig, lap_rig: LapRig) -> None:
        lines = repr(rig.laps(driven.SESSION)).splitlines()
        assert lines[0].split() == ["lap", "driver", "class", "time"]
        assert lines[1].split() == ["car007-0001", "M.", "Birch", "Hypercar", "0:18.980"]
        assert [line.split()[0] for line in lines if "not valid" in line] == ["car031-0003", "car031-0004"]
        assert len(lines) == 1 + len(ALL)
        assert repr(rig.laps(driven.SESSION, driver="nobody")) == "no laps"


class TestPicking:
    def test_conditions_go_to_the_rig_together(self, rig: Rig, lap_rig: LapRig) -> None:
        laps = rig.laps(driven.SESSION).pick_class("gt3").pick_driver("alder").pick_valid()
        assert [lap.car for lap in laps] == [12, 12, 12]
        (request,) = lap_rig.asked(laps_pb2.ListLapsRequest)
        assert (request.filter.vehicle_class, request.filter.driver, request.filter.valid) == (
            "gt3",
            "alder",
            True,
        )

    def test_the_fastest_is_one_request(self, rig: Rig, lap_rig: LapRig) -> None:
        fastest = rig.laps(driven.SESSION).pick_fastest()
        assert fastest is not None
        assert fastest.driver == "M. Birch"
        assert asked(lap_rig) == 1
        assert rig.laps(driven.SESSION).pick_driver("nobody").pick_fastest() is None

    def test_what_was_asked_for_stays_asked_for(self, rig: Rig) -> None:
        invalid = rig.laps(driven.SESSION, valid=False)
        assert len(invalid) == 2
        assert list(rig.laps(driven.SESSION, valid=False).pick_valid()) == []
        assert rig.laps(driven.SESSION, valid=False).pick_fastest() is None
        assert list(rig.laps(driven.SESSION, driver="birch").pick_driver("alder")) == []

    def test_a_slice_is_narrowed_without_the_rig(self, rig: Rig, lap_rig: LapRig) -> None:
        laps = rig.laps(driven.SESSION)[:]
        known = asked(lap_rig)
        assert {lap.car for lap in laps.pick_car(31)} == {31}
        fastest = laps.pick_car(31).pick_fastest()
        assert fastest is not None
        assert fastest.valid  # the third lap of this car is faster, and does not count
        assert fastest.name.endswith("car031-0002")
        assert len(laps.pick_class("GT3").pick_valid()) == 5
        assert asked(lap_rig) == known

    def test_several_cars_of_one_list(self, rig: Rig) -> None:
        laps = rig.laps(driven.SESSION)
        assert [len(laps.pick_car(slot)) for slot in field.DRIVERS] == [3, 3, 4]


class TestFinding:
    @pytest.mark.parametrize(
        "words",
        ["best", "car007-0003", "007-0003", f"{driven.SESSION}/laps/car007-0003", "5f3a-2/best"],
    )
    def test_a_lap_by_the_words_people_use(self, rig: Rig, words: str) -> None:
        assert rig.lap_info(words).name.endswith("car007-0003")
        assert rig.lap(words, ["speed"]).info.name == rig.find_lap(words)

    def test_a_lap_by_what_a_list_gave(self, rig: Rig) -> None:
        info = rig.laps(driven.SESSION)[4]
        assert rig.lap(info, ["speed"]).info.name == info.name
        assert rig.find_laps([info, "best", info.name]) == [info.name, rig.find_lap("best")]

    def test_without_words_it_is_the_best(self, rig: Rig) -> None:
        assert rig.lap().info.name == rig.find_lap("best")

    def test_a_name_that_matches_nothing_names_the_nearest(self, rig: Rig) -> None:
        with pytest.raises(NotFound, match="did you mean 'car031-0003'"):
            rig.lap("car021-0003")
        with pytest.raises(NotFound, match=r"did you mean '.*practice-5f3a-1'"):
            rig.laps(session="practise-5f3a-1")[0]

    def test_several_are_named(self, rig: Rig) -> None:
        with pytest.raises(BadRequest, match="car007-0003, car012-0003"):
            rig.lap("0003")

    def test_laps_of_a_session_by_a_part_of_its_name(self, rig: Rig) -> None:
        assert {lap.name.partition("/laps/")[0] for lap in rig.laps(session="practice")} == {field.OLD}
        assert len(rig.laps(session="")) == len(ALL)  # of the newest
        old = rig.session("5f3a-1")
        assert (old.name, rig.session(old)) == (field.OLD, old)
        assert [lap.name for lap in rig.laps(old)] == [lap.name for lap in rig.laps(session="5f3a-1")]

    def test_no_valid_lap_is_said(self, rig: Rig) -> None:
        with pytest.raises(NotFound, match="no valid lap in sessions/"):
            rig.lap("practice/best")

    def test_five_is_not_one_of_fifty(self, rig: Rig, lap_rig: LapRig) -> None:
        longer = session_pb2.Session(name=f"{driven.SESSION}1")
        lap_rig.sessions.insert(0, longer)
        assert rig.find_session("5f3a-2") == driven.SESSION


class TestTimes:
    AT = datetime(2026, 11, 20, 13, 45, tzinfo=UTC)

    def test_a_date_or_so_long_ago_bounds_a_list(self, rig: Rig, lap_rig: LapRig) -> None:
        list(rig.laps(driven.SESSION, since=self.AT, until=self.AT + timedelta(hours=1)))
        list(rig.laps(driven.SESSION, since=timedelta(hours=2)))
        first, *_, last = lap_rig.asked(laps_pb2.ListLapsRequest)
        seconds = first.filter.until_time_ns - first.filter.from_time_ns
        assert (first.filter.from_time_ns, seconds) == (1_795_182_300_000_000_000, 3_600_000_000_000)
        assert abs(time.time_ns() - last.filter.from_time_ns - 7_200_000_000_000) < 600e9

    def test_a_stream_begins_there(self) -> None:
        assert position(self.AT).time_ns == 1_795_182_300_000_000_000
        assert abs(time.time_ns() - position(timedelta(minutes=5)).time_ns - 300e9) < 600e9
        assert (position("earliest").earliest, position("running_lap").running_lap) == (True, True)
        assert position(b"cursor").cursor == b"cursor"
        with pytest.raises(BadRequest, match="wall clock"):
            position(datetime(1969, 1, 1, tzinfo=UTC))


class TestInfos:
    def test_they_are_frozen_and_say_what_they_are(self, rig: Rig) -> None:
        info, session = rig.lap_info("best"), rig.session()
        assert (type(info), type(session)) == (LapInfo, SessionInfo)
        with pytest.raises(dataclasses.FrozenInstanceError):
            info.driver = "A. Nother"  # type: ignore[misc]
        assert repr(info).startswith(f"LapInfo(name='{info.name}', driver='M. Birch', ")
        assert len(repr(info)) < 200
        assert "track_name='Meander Valley Grand', kind='race'" in repr(session)
        assert info == rig.lap_info("best")
        assert len({info, rig.lap_info("best")}) == 1

    def test_an_attribute_misspelt_names_the_nearest(self, rig: Rig) -> None:
        with pytest.raises(AttributeError, match="LapInfo has no attribute 'drivr'; did you mean 'driver'"):
            _ = rig.lap_info("best").drivr
        with pytest.raises(AttributeError, match="Lap has no channel 'sped'; did you mean 'speed'"):
            _ = rig.lap("best").sped
        with pytest.raises(BadRequest, match="laps has no condition 'drivers'; did you mean 'driver'"):
            rig.laps(drivers="birch")  # type: ignore[call-arg]


async def test_the_list_of_the_client_for_asyncio(lap_rig: LapRig) -> None:
    async with aio.connect(lap_rig.address) as rig:
        laps = rig.laps(driven.SESSION)
        assert repr(laps).endswith("...")  # nothing is known yet
        first = [lap.name async for lap in laps if lap.car == 7]
        assert first == [name for name in ALL if "/car007-" in name]
        assert [lap.name for lap in await laps.to_list()] == ALL
        assert asked(lap_rig) == PAGES
        assert len(await laps.to_pandas()) == len(ALL)
        fastest = await rig.laps(driven.SESSION).pick_class("GT3").pick_valid().pick_fastest()
        assert fastest is not None
        assert (await rig.lap(fastest, ["speed"])).info.name == fastest.name
        assert [lap.name async for lap in rig.laps(session="practice")] == [f"{field.OLD}/laps/car001-0001"]
        with pytest.raises(NotFound, match="did you mean 'car031-0003'"):
            await rig.lap("car021-0003")
