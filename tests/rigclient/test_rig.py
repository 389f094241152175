"""Sessions and laps over the wire: pages turned by themselves, laps read whole and in part, laps kept."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

import rigclient
from rig.errors import BadRequest, MissingChannel, NotFound, Pinned, Unavailable
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigclient import Rig, aio, connect
from tests.rigclient import field
from tests.rigclient.lap_rig import PAGE, PART, LapRig
from tests.riglap import driven

BIRCH = f"{driven.SESSION}/laps/car007-0003"


@pytest.fixture
def rig(lap_rig: LapRig) -> Iterator[Rig]:
    with connect(lap_rig.address) as connection:
        yield connection


class TestLists:
    def test_laps_of_all_pages_come_once_and_in_order(self, rig: Rig, lap_rig: LapRig) -> None:
        names = [lap.name for lap in rig.laps(driven.SESSION, order_by="car,number")]
        assert names == [lap.name for lap in field.laps()]
        assert len(lap_rig.asked(laps_pb2.ListLapsRequest)) == -(-len(names) // PAGE)

    def test_pages_are_asked_for_only_when_they_are_needed(self, rig: Rig, lap_rig: LapRig) -> None:
        found = rig.laps(driven.SESSION)
        assert lap_rig.requests == []
        assert len(list(islice(found, PAGE))) == PAGE
        assert len(lap_rig.requests) == 1

    @pytest.mark.parametrize(
        "wanted",
        [{"cars": [99999999999]}, {"cars": [-1]}, {"since": -1.0}, {"until": 1e12}, {"since": math.nan}],
    )
    def test_numbers_out_of_range_are_refused_here(
        self, rig: Rig, lap_rig: LapRig, wanted: dict[str, Any]
    ) -> None:
        with pytest.raises(BadRequest, match=r"is no (slot id|wall clock)"):
            rig.laps(**wanted)
        assert lap_rig.requests == []

    def test_a_stream_and_a_mark_take_only_slot_ids_and_clocks(self, rig: Rig) -> None:
        for refused in (
            lambda: rig.physics(cars=[1 << 31]),
            lambda: rig.physics(start=-1.0),
            lambda: rig.mark(1.0, 1.0, cars=[1 << 31]),
            lambda: rig.mark(1.0, 1.0, at=-1.0),
            lambda: rig.sessions(since=-1.0),
        ):
            with pytest.raises(BadRequest):
                refused()

    def test_filters_go_to_the_server(self, rig: Rig, lap_rig: LapRig) -> None:
        found = rig.laps(
            driven.SESSION,
            driver="alder",
            cars=[12],
            valid=True,
            pinned=None,
            kind="lap",
            session_kind="race",
            best_of="car",
            order_by="lap_time",
            since=2.5,
            page_size=7,
        )
        assert [lap.driver for lap in found] == ["A. Alder"]
        (request,) = lap_rig.requests
        assert request == laps_pb2.ListLapsRequest(
            parent=driven.SESSION,
            filter=laps_pb2.LapFilter(
                driver="alder",
                cars=[12],
                valid=True,
                kind=lap_pb2.LAP_KIND_LAP,
                session_kind=session_pb2.SESSION_KIND_RACE,
                from_time_ns=2_500_000_000,
            ),
            best_of=laps_pb2.BEST_OF_CAR,
            order_by="lap_time",
            page_size=7,
        )

    def test_without_a_session_the_laps_of_all_are_listed(self, rig: Rig) -> None:
        assert {lap.name.partition("/laps/")[0] for lap in rig.laps()} == {driven.SESSION, field.OLD}

    def test_words_that_mean_nothing_are_refused_before_anything_is_asked(
        self, rig: Rig, lap_rig: LapRig
    ) -> None:
        with pytest.raises(BadRequest, match=r"'sprint' is no SessionKind.*race"):
            rig.sessions(kind="sprint")  # type: ignore[arg-type]
        with pytest.raises(BadRequest, match=r"no condition 'drivers'.*driver"):
            rig.laps(drivers="alder")  # type: ignore[call-arg]
        assert lap_rig.requests == []

    def test_sessions_are_listed_and_got_by_name(self, rig: Rig) -> None:
        assert [session.name for session in rig.sessions(track="MEANDER")] == [driven.SESSION, field.OLD]
        assert rig.session(field.OLD.removeprefix("sessions/")).kind == "practice"
        with pytest.raises(NotFound, match="nosuch"):
            rig.session("nosuch")


class TestReading:
    def test_a_lap_is_what_its_file_holds(self, rig: Rig, lap_rig: LapRig) -> None:
        lap, there = rig.lap(BIRCH), rigclient.Lap.from_bytes(lap_rig.files[BIRCH])
        assert lap.info == rig.lap_info(BIRCH) == there.info
        assert lap.channels == there.channels
        np.testing.assert_array_equal(lap.tyre_temp, there.tyre_temp)

    def test_a_part_is_asked_for_as_it_was_given(self, rig: Rig, lap_rig: LapRig) -> None:
        lap = rig.lap(BIRCH, ["speed"], distance=(100.0, None), max_rate_hz=10, step_m=0)
        assert lap.channels == ["speed", "lap_time"]
        (request,) = lap_rig.asked(laps_pb2.ReadLapRequest)
        assert (list(request.channels), request.max_rate_hz) == (["speed"], 10)
        assert getattr(request.distance, "from") == 100.0
        assert not request.distance.HasField("until")
        assert not request.HasField("lap_time")

    def test_progress_of_a_whole_lap_tells_the_bytes_and_where_they_end(
        self, rig: Rig, lap_rig: LapRig
    ) -> None:
        shown: list[tuple[int, int]] = []
        rig.lap(BIRCH, progress=lambda done, total: shown.append((done, total)))
        size = len(lap_rig.files[BIRCH])
        assert [done for done, _ in shown] == [*range(PART, size, PART), size]
        assert {total for _, total in shown} == {lap_rig.laps[BIRCH].bytes}

    def test_nobody_knows_the_size_of_a_part_before(self, rig: Rig) -> None:
        shown: list[int] = []
        rig.lap(BIRCH, ["speed"], progress=lambda _, total: shown.append(total))
        assert set(shown) == {0}

    def test_scoring_of_a_lap_comes_as_a_table(self, rig: Rig) -> None:
        rows = rig.lap_scoring(BIRCH, ["place", "session_time"])
        assert rows.channels == ["place", "session_time"]
        np.testing.assert_array_equal(rows.place, rig.lap(BIRCH).scoring.place)

    def test_errors_keep_their_kind(self, rig: Rig) -> None:
        with pytest.raises(NotFound):
            rig.lap("sessions/x/laps/y")
        with pytest.raises(MissingChannel) as caught:
            rig.lap(BIRCH, ["camber"])
        assert "speed" in caught.value.facts["channels"]
        with pytest.raises(Unavailable), connect("127.0.0.1:1") as nobody:
            nobody.lap(BIRCH)


class TestKeeping:
    def test_a_pinned_lap_is_not_deleted(self, rig: Rig, lap_rig: LapRig) -> None:
        assert rig.pin(BIRCH).pinned
        with pytest.raises(Pinned):
            rig.delete_lap(BIRCH)
        assert not rig.unpin(BIRCH).pinned
        rig.delete_lap(BIRCH)
        with pytest.raises(NotFound):
            rig.lap_info(BIRCH)

    def test_marks_are_made_and_listed(self, rig: Rig) -> None:
        for note in "abcde":
            made = rig.mark(20, 10, at=1_795_180_100.5, cars=[7], note=note)
        assert (made.time_ns, made.before_s, made.after_s) == (1_795_180_100_500_000_000, 20, 10)
        assert (list(made.cars), made.note) == ([7], "e")
        assert [mark.note for mark in rig.marks()] == list("edcba")


async def test_the_asyncio_client_does_the_same(lap_rig: LapRig) -> None:
    async with aio.connect(lap_rig.address) as rig:
        assert len([lap async for lap in rig.laps(driven.SESSION)]) == len(field.laps())
        assert [session.name async for session in rig.sessions()] == [driven.SESSION, field.OLD]
        assert (await rig.session(field.OLD)).laps == 1
        shown: list[int] = []
        lap = await rig.lap(BIRCH, progress=lambda done, _: shown.append(done))
        assert (lap.info, shown[-1]) == (await rig.lap_info(BIRCH), len(lap_rig.files[BIRCH]))
        assert len(await rig.lap_scoring(BIRCH, ["place"])) == len(lap.scoring)
        made = await rig.mark(5, 0, note="x")
        assert [mark.name async for mark in rig.marks()] == [made.name]
        assert (await rig.pin(BIRCH)).pinned
        with pytest.raises(Pinned):
            await rig.delete_lap(BIRCH)
        assert not (await rig.unpin(BIRCH)).pinned
        await rig.delete_lap(BIRCH)
        with pytest.raises(NotFound):
            await rig.lap(BIRCH)
