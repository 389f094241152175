"""What there is for whom: the rule in Python and the index's conditions say the same."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.v1 import lap_pb2, laps_pb2
from rigd.store.index import Index, IndexReader
from rigd.store.index.rows import check
from rigd.store.viewer import EVERYTHING, Viewer
from tests.store.lap_store import lap, session

USERS = ("ann", "bob", "O'Hara; --")
NAMES = tuple(f"sessions/{number}" for number in range(6))
LAPS = 300

viewers = st.builds(
    lambda user, of: Viewer(user, of),
    st.sampled_from(["", "nobody", *USERS]),
    st.sampled_from(["", *NAMES, "sessions/none"]),
)


def a_lap(number: int, rng: random.Random) -> lap_pb2.Lap:
    """Of the rig's own car or another's, of a user or nobody's. The last two sessions have no user."""
    of = rng.randrange(len(NAMES))
    player = rng.random() < 0.4
    users = USERS[: of + 1] if of < 4 else ()
    return lap(
        rng.randrange(5),
        number,
        NAMES[of],
        player=player,
        user=rng.choice(["", *users]) if player else "",
        kind=rng.choice([1, 1, 2]),
        valid=rng.random() < 0.8,
    )


LapStore = tuple[IndexReader, list[lap_pb2.Lap]]


@pytest.fixture(scope="module")
def lap_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LapStore]:
    rng = random.Random(3)
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    index, laps = Index(path), [a_lap(number, rng) for number in range(LAPS)]
    with index.transaction():
        for name in NAMES:
            index.put_session(session(name))
        for one in laps:
            index.put_lap(one)
    index.check()
    yield IndexReader(path), laps
    index.close()


def home(viewer: Viewer, laps: list[lap_pb2.Lap]) -> set[str]:
    """The sessions that there are, by the rule's words."""
    own = {one.name.partition("/laps/")[0] for one in laps if viewer.user and one.user == viewer.user}
    return own | ({viewer.session} & set(NAMES) if viewer.user else set())


def seen(viewer: Viewer, laps: list[lap_pb2.Lap]) -> list[lap_pb2.Lap]:
    sessions = home(viewer, laps)
    return [one for one in laps if viewer.sees(one, at_home=one.name.partition("/laps/")[0] in sessions)]


@settings(deadline=None)
@given(viewers, st.integers(1, 100), st.sampled_from([0, 0, 3, 5]))
def test_lists_have_what_there_is_page_by_page(
    lap_store: LapStore, viewer: Viewer, size: int, best_of: int
) -> None:
    reader, laps = lap_store
    asked = laps_pb2.ListLapsRequest(parent="sessions/-", page_size=size, best_of=best_of)  # type: ignore[arg-type]
    found: list[lap_pb2.Lap] = []
    while True:
        answer = reader.list_laps(asked, viewer)
        assert len(answer.laps) <= size
        found += answer.laps
        if not answer.next_page_token:
            break
        assert len(answer.laps) == size  # a page that was filtered afterwards would be short
        asked.page_token = answer.next_page_token
    there = seen(viewer, laps)
    if best_of:
        assert {one.name for one in found} <= {one.name for one in there}
        keys = [(one.name.partition("/laps/")[0], one.car) for one in found]
        assert len(keys) == len(set(keys)) or best_of == 5
    else:
        assert sorted(one.name for one in found) == sorted(one.name for one in there)


@settings(deadline=None)
@given(viewers)
def test_one_lap_and_one_session_are_there_or_not_as_in_the_lists(
    lap_store: LapStore, viewer: Viewer
) -> None:
    reader, laps = lap_store
    there, sessions = {one.name for one in seen(viewer, laps)}, home(viewer, laps)
    assert {one.name for one in laps if reader.lap(one.name, viewer)} == there
    listed = reader.list_sessions(laps_pb2.ListSessionsRequest(), viewer).sessions
    assert {one.name for one in listed} == sessions
    for name in NAMES:
        found = reader.session(name, viewer)
        assert (found is not None) == (name in sessions)
        own = [one for one in seen(viewer, laps) if one.name.startswith(f"{name}/")]
        if found is not None:  # what is told of a session's laps is of those that there are
            assert (found.laps, found.cars) == (len(own), len({one.car for one in own}))
            assert found.bytes == sum(one.bytes for one in own)
            assert not found.best_lap or found.best_lap in there


def test_for_an_administrator_there_is_everything(lap_store: LapStore) -> None:
    reader, laps = lap_store
    assert all(reader.lap(one.name, EVERYTHING) for one in laps)
    found = reader.list_sessions(laps_pb2.ListSessionsRequest(), EVERYTHING).sessions
    assert sum(one.laps for one in found) == LAPS


@pytest.mark.parametrize("user", USERS)
def test_laps_are_filtered_by_their_user(lap_store: LapStore, user: str) -> None:
    reader, laps = lap_store
    wanted = laps_pb2.LapFilter(user=user)
    asked = laps_pb2.ListLapsRequest(parent="sessions/-", page_size=1000, filter=wanted)
    own = {one.name for one in laps if one.user == user}
    assert own
    assert {one.name for one in reader.list_laps(asked).laps} == own
    assert not reader.list_laps(asked, Viewer("nobody")).laps


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """An index of release 0.1, which knew of no users."""
    path = tmp_path / "index.sqlite"
    index = Index(path)
    index.put_session(session())
    index.put_lap(lap(player=True))
    index.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP INDEX lap_by_user")
        db.execute("ALTER TABLE lap DROP COLUMN user")
    db.close()
    return path


def test_an_older_index_is_read_as_it_is_and_has_nothing_for_users(older: Path) -> None:
    reader, ann = IndexReader(older), Viewer("ann", session().name)
    assert reader.lap(lap().name) is not None
    assert len(reader.list_laps(laps_pb2.ListLapsRequest(parent="sessions/-")).laps) == 1
    assert reader.lap(lap().name, ann) is None
    assert reader.session(session().name, ann) is None
    assert not reader.list_laps(laps_pb2.ListLapsRequest(parent="sessions/-"), ann).laps
    assert not reader.list_sessions(laps_pb2.ListSessionsRequest(), ann).sessions
    wanted = laps_pb2.LapFilter(user="ann")
    assert not reader.list_laps(laps_pb2.ListLapsRequest(parent="sessions/-", filter=wanted)).laps
    check(sqlite3.connect(older))


def test_an_older_index_gets_users_when_an_archiver_opens_it(older: Path) -> None:
    index = Index(older)
    index.check()
    before = index.lap(lap().name)
    assert before == lap(player=True)
    index.put_lap(lap(index=4, player=True, user="ann"))
    index.check()
    index.close()
    found = IndexReader(older).list_laps(laps_pb2.ListLapsRequest(parent="sessions/-"), Viewer("ann")).laps
    assert [one.user for one in found] == ["ann"]
    Index(older).close()
