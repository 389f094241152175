"""Filters, orders, the best of each, and pages, against the same questions asked of a plain list."""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest
from rig.v1 import lap_pb2, laps_pb2, session_pb2
from rigd.store.index import Index, IndexReader
from tests.store.lap_store import START_NS, lap, session

LAPS = 150
SESSIONS = [f"sessions/s{number}" for number in range(4)]
TRACKS = ("Meander Valley Grand", "Copper Hill", "ÉTOILE Ring")
BEST: dict[int, Callable[[lap_pb2.Lap], Any]] = {
    laps_pb2.BEST_OF_SESSION: lambda one: parent(one),
    laps_pb2.BEST_OF_CLASS: lambda one: (parent(one), one.vehicle_class.casefold()),
    laps_pb2.BEST_OF_CAR: lambda one: (parent(one), one.car),
    laps_pb2.BEST_OF_DRIVER: lambda one: (parent(one), one.driver.casefold()),
    laps_pb2.BEST_OF_TRACK: lambda one: (one.track_name.casefold(), one.vehicle_class.casefold()),
}
FIELDS = ("start_time", "lap_time", "car", "number", "driver", "place", "sector1", "sector2", "sector3")


def parent(one: lap_pb2.Lap) -> str:
    return one.name.partition("/laps/")[0]


def a_session(number: int) -> session_pb2.Session:
    return session(
        SESSIONS[number],
        kind=number % 3 + 3,
        source=number % 2 + 1,
        track_name=TRACKS[number % 3],
        start_time_ns=START_NS + number // 2,
    )


def a_lap(number: int, rng: random.Random) -> lap_pb2.Lap:
    """Few distinct values, so that everything has ties; some times are absent."""
    of = rng.randrange(4)
    times = {
        name: rng.choice([None, 30.0, 31.25, 33.5]) for name in ("lap_time", "sector1", "sector2", "sector3")
    }
    return lap(
        rng.randrange(5),
        number,
        SESSIONS[of],
        kind=rng.choice([1, 1, 1, 2]),
        driver=rng.choice(["A. Alder", "b. BIRCH", "É. Elm"]),
        vehicle=rng.choice(["Copper Racing #1", "Slate Works"]),
        vehicle_class=rng.choice(["GT3", "gt3", "LMP2"]),
        track_name=TRACKS[of % 3],
        start_time_ns=START_NS + rng.randrange(6),
        place=rng.randrange(4),
        damage=rng.choice(["", "", "broken"]),
        **{name: rng.random() < 0.8 for name in ("valid", "complete", "pinned", "player")},
        **times,
    )


@pytest.fixture(scope="module")
def lap_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[IndexReader, list[lap_pb2.Lap]]]:
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    index, laps = Index(path), [a_lap(number, rng) for number in range(LAPS)]
    with index.transaction():
        for number in range(4):
            index.put_session(a_session(number))
        for one in laps:
            index.put_lap(one)
    yield IndexReader(path), laps
    index.close()


filters = st.builds(
    laps_pb2.LapFilter,
    track=st.sampled_from(["", "", "meander", "HILL", "étoile", "nowhere"]),
    cars=st.lists(st.integers(-1, 5), max_size=3),
    vehicle=st.sampled_from(["", "", "RACING", "#"]),
    vehicle_class=st.sampled_from(["", "", "Gt3", "GT"]),
    driver=st.sampled_from(["", "", "birch", "é", "."]),
    valid=st.none() | st.booleans(),
    complete=st.none() | st.booleans(),
    pinned=st.none() | st.booleans(),
    damaged=st.none() | st.booleans(),
    player=st.none() | st.booleans(),
    from_time_ns=st.sampled_from([0, 0, START_NS + 2, 2**64 - 1]),
    until_time_ns=st.sampled_from([0, 0, START_NS + 4, 2**64 - 1]),
    min_lap_time=st.none() | st.sampled_from([0.0, 31.25, math.inf, -math.inf]),
    max_lap_time=st.none() | st.sampled_from([31.25, math.inf, -1.0]),
    session_kind=st.sampled_from([0, 0, 3, 5, 77]),
    source=st.sampled_from([0, 0, 1]),
    kind=st.sampled_from([0, 0, 1, 2]),
)
orders = st.lists(st.sampled_from(FIELDS), unique=True, max_size=3).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"{name} desc", f"  {name}   desc "]) for name in names))
)
requests = st.builds(
    laps_pb2.ListLapsRequest,
    parent=st.sampled_from(["sessions/-", *SESSIONS[:2], "sessions/none"]),
    filter=filters,
    best_of=st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5]),
    order_by=orders.map(",".join),
)


def passes(one: lap_pb2.Lap, request: laps_pb2.ListLapsRequest) -> bool:
    """The contract's comments, line by line."""
    wanted, of = request.filter, a_session(SESSIONS.index(parent(one)))
    timed = one.HasField("lap_time")
    flags = {name: getattr(one, name) for name in ("valid", "complete", "pinned", "player")}
    flags["damaged"] = bool(one.damage)
    return all(
        (
            request.parent in ("sessions/-", parent(one)),
            wanted.track.casefold() in one.track_name.casefold(),
            not wanted.cars or one.car in wanted.cars,
            wanted.vehicle.casefold() in one.vehicle.casefold(),
            wanted.vehicle_class.casefold() in one.vehicle_class.casefold(),
            wanted.driver.casefold() in one.driver.casefold(),
            *(not wanted.HasField(name) or getattr(wanted, name) == flags[name] for name in flags),  # type: ignore[arg-type]
            one.start_time_ns >= wanted.from_time_ns,
            not wanted.until_time_ns or one.start_time_ns < wanted.until_time_ns,
            not wanted.HasField("min_lap_time") or (timed and one.lap_time >= wanted.min_lap_time),
            not wanted.HasField("max_lap_time") or (timed and one.lap_time <= wanted.max_lap_time),
            wanted.session_kind in (0, of.kind),
            wanted.source in (0, of.source),
            wanted.kind in (0, one.kind),
        )
    )


def value(one: lap_pb2.Lap, name: str) -> Any:
    if name == "start_time":
        return one.start_time_ns
    if name in ("lap_time", "sector1", "sector2", "sector3"):
        return getattr(one, name) if one.HasField(name) else math.inf  # type: ignore[arg-type]
    return one.driver.casefold() if name == "driver" else getattr(one, name)


def expected(laps: list[lap_pb2.Lap], request: laps_pb2.ListLapsRequest) -> list[str]:
    found = [one for one in laps if passes(one, request)]
    if request.best_of:
        best: dict[Any, lap_pb2.Lap] = {}
        counted = [one for one in found if one.valid and one.HasField("lap_time") and one.kind == 1]
        for one in sorted(counted, key=lambda one: (one.lap_time, one.start_time_ns, one.name), reverse=True):
            best[BEST[request.best_of](one)] = one
        found = list(best.values())
    words = [part.split() for part in request.order_by.split(",") if part.strip()] or [["start_time"]]
    found.sort(key=lambda one: one.name, reverse=len(words[-1]) > 1)
    for name, *descending in reversed(words):
        found.sort(key=lambda one: value(one, name), reverse=bool(descending))
    return [one.name for one in found]


def pages(reader: IndexReader, request: laps_pb2.ListLapsRequest, size: int) -> Iterator[list[str]]:
    asked = laps_pb2.ListLapsRequest(page_size=size)
    asked.MergeFrom(request)
    while True:
        answer = reader.list_laps(asked)
        yield [one.name for one in answer.laps]
        if not answer.next_page_token:
            return
        asked.page_token = answer.next_page_token


@given(request=requests, size=st.integers(1, 40))
def test_pages_joined_are_the_whole_answer(
    lap_store: tuple[IndexReader, list[lap_pb2.Lap]], request: laps_pb2.ListLapsRequest, size: int
) -> None:
    reader, laps = lap_store
    got = list(pages(reader, request, size))
    assert [name for page in got for name in page] == expected(laps, request)
    assert all(len(page) == size for page in got[:-1])
    assert got[-1] or len(got) == 1


@given(st.data())
def test_pages_go_on_where_they_ended_while_laps_are_added_and_removed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    laps = [a_lap(number, rng) for number in range(40)]
    request = data.draw(requests.filter(lambda request: not request.best_of))
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    index, reader = Index(path), IndexReader(path)
    for number in range(4):
        index.put_session(a_session(number))
    with index.transaction():
        for one in laps[:20]:
            index.put_lap(one)
    rest, gone, got = laps[20:], set(), []
    for page in pages(reader, request, data.draw(st.integers(1, 6))):
        got += page
        if rest:
            index.put_lap(rest.pop())
            gone.add(rng.choice(laps[:20]).name)
            index.remove_lap(sorted(gone)[rng.randrange(len(gone))])
    index.close()
    assert len(got) == len(set(got))
    order = expected(laps, request)
    assert got == [name for name in order if name in set(got)]
    assert set(expected(laps[:20], request)) - gone <= set(got)


def test_an_absent_time_is_last_and_fits_no_bound(lap_store: tuple[IndexReader, list[lap_pb2.Lap]]) -> None:
    reader, _ = lap_store
    request = laps_pb2.ListLapsRequest(parent="sessions/-", order_by="lap_time", page_size=1000)
    found = reader.list_laps(request).laps
    assert not found[-1].HasField("lap_time")
    request.filter.max_lap_time = math.inf
    assert all(one.HasField("lap_time") for one in reader.list_laps(request).laps)


@given(
    size=st.integers(1, 3),
    track=st.sampled_from(["", "hill"]),
    kind=st.sampled_from([0, 3, 4]),
    source=st.sampled_from([0, 1]),
    since=st.sampled_from([0, START_NS + 1]),
    until=st.sampled_from([0, START_NS + 1]),
)
def test_sessions_are_listed_newest_first(
    lap_store: tuple[IndexReader, list[lap_pb2.Lap]],
    size: int,
    track: str,
    kind: int,
    source: int,
    since: int,
    until: int,
) -> None:
    reader, laps = lap_store
    asked = laps_pb2.ListSessionsRequest(
        page_size=size,
        track=track,
        kind=kind,  # type: ignore[arg-type]
        source=source,  # type: ignore[arg-type]
        from_time_ns=since,
        until_time_ns=until,
    )
    found: list[session_pb2.Session] = []
    while True:
        answer = reader.list_sessions(asked)
        found += answer.sessions
        if not answer.next_page_token:
            break
        asked.page_token = answer.next_page_token
    wanted = [
        one
        for one in map(a_session, range(4))
        if track in one.track_name.casefold()
        and kind in (0, one.kind)
        and source in (0, one.source)
        and one.start_time_ns >= since
        and (not until or one.start_time_ns < until)
    ]
    wanted.sort(key=lambda one: (one.start_time_ns, one.name), reverse=True)
    assert [one.name for one in found] == [one.name for one in wanted]
    assert all(one.laps == sum(parent(each) == one.name for each in laps) for one in found)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"order_by": "speed"}, "order_by has 'speed'.*start_time, lap_time, car"),
        ({"order_by": "car up"}, "order_by has 'car up'"),
        ({"order_by": "car desc desc"}, "order_by has 'car desc desc'"),
        ({"order_by": "car,,place"}, "order_by has ''"),
        ({"order_by": "car,car desc"}, "order_by has 'car desc'.*once at most"),
        ({"order_by": "car; DROP TABLE lap"}, "order_by has"),
        ({"page_size": -1}, "page_size is -1"),
        ({"best_of": 99}, "best_of is 99"),
        ({"filter": {"min_lap_time": math.nan}}, "filter.min_lap_time is nan"),
        ({"filter": {"max_lap_time": math.nan}}, "filter.max_lap_time is nan"),
        ({"parent": ""}, "parent is ''"),
        ({"parent": "sessions/../../etc"}, "parent is 'sessions/../../etc'"),
        ({"parent": "sessions/S1"}, "parent is 'sessions/S1'"),
        ({"parent": "sessions/s1\n"}, "parent is"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    lap_store: tuple[IndexReader, list[lap_pb2.Lap]], fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        lap_store[0].list_laps(laps_pb2.ListLapsRequest(**{"parent": "sessions/-"} | fields))


def test_a_page_has_fifty_laps_and_a_thousand_at_most(tmp_path: Any) -> None:
    index = Index(tmp_path / "i")
    with index.transaction():
        for number in range(1100):
            index.put_lap(lap(index=number))
    reader = IndexReader(tmp_path / "i")
    sizes = [
        len(reader.list_laps(laps_pb2.ListLapsRequest(parent="sessions/-", page_size=size)).laps)
        for size in (0, 1, 1000, 2**31 - 1)
    ]
    assert sizes == [50, 1, 1000, 1000]
    index.close()
