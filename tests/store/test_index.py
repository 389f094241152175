"""The index: what is put is found, what is known of sessions and for retention is right, damage is loud."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Corrupt, NotFound
from rig.v1 import lap_pb2, laps_pb2
from rigd.store.index import VERSION, Index, IndexReader, remove_index
from tests.store.lap_store import SESSION, lap, session

ALL = laps_pb2.ListLapsRequest(parent="sessions/-")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(path: Path) -> Iterator[Index]:
    made = Index(path)
    yield made
    made.close()


def names(reader: IndexReader) -> list[str]:
    return [found.name for found in reader.list_laps(ALL).laps]


def test_a_lap_comes_back_as_it_was_put(index: Index, path: Path) -> None:
    made = lap(former_drivers=["B. Birch"], sector1=30.5)
    index.put_lap(made)
    assert index.lap(made.name) == made == IndexReader(path).lap(made.name)
    assert index.lap("sessions/x/laps/y") is None


def test_a_lap_that_is_put_again_replaces_the_first(index: Index, path: Path) -> None:
    index.put_session(session())
    index.put_lap(lap(driver="B. Birch"))
    index.put_lap(lap(bytes=400))
    assert names(IndexReader(path)) == [lap().name]
    found = index.session(SESSION)
    assert found is not None
    assert (found.laps, found.cars, found.bytes) == (1, 1, 400)
    assert index.total_bytes() == 400


def test_what_changes_about_a_lap_is_in_its_message_and_in_filters(index: Index, path: Path) -> None:
    name = lap().name
    index.put_lap(lap())
    index.set_pinned(name, True)
    index.set_damage(name, "a block fails its check")
    index.set_synced(name)
    found = index.lap(name)
    assert found is not None
    assert (found.pinned, found.damage, found.synced) == (True, "a block fails its check", True)
    wanted = laps_pb2.LapFilter(pinned=True, damaged=True)
    listed = IndexReader(path).list_laps(laps_pb2.ListLapsRequest(parent=SESSION, filter=wanted))
    assert [one.name for one in listed.laps] == [name]
    index.set_pinned(name, False)
    assert not IndexReader(path).list_laps(laps_pb2.ListLapsRequest(parent=SESSION, filter=wanted)).laps


def test_laps_that_no_warehouse_has_are_counted_from_the_oldest(index: Index) -> None:
    assert index.unsynced() == (0, 0)
    for number, began_ns in ((1, 3_000), (2, 1_000), (3, 2_000)):
        index.put_lap(lap(index=number, start_time_ns=began_ns))
    assert index.unsynced() == (3, 1_000)
    index.set_synced(lap(index=2).name)
    assert index.unsynced() == (2, 2_000)


@pytest.mark.parametrize("change", ["set_pinned", "set_damage", "set_synced"])
def test_a_lap_that_is_not_there_cannot_change(index: Index, change: str) -> None:
    values: dict[str, list[Any]] = {"set_pinned": [True], "set_damage": ["x"], "set_synced": []}
    with pytest.raises(NotFound, match="car012-0003"):
        getattr(index, change)(lap().name, *values[change])


def test_a_session_counts_its_laps_and_knows_the_best(index: Index) -> None:
    index.put_session(session(laps=99, best_lap="made up"))
    for made in (
        lap(1, 1, lap_time=95),
        lap(1, 2, lap_time=91),
        lap(2, 1, lap_time=90, valid=False),
        lap(3, 1, lap_time=89, kind=lap_pb2.LAP_KIND_EXCERPT),
        lap(4, 1, lap_time=91),
    ):
        index.put_lap(made)
    found = index.session(SESSION)
    assert found is not None
    assert (found.laps, found.cars, found.bytes) == (5, 4, 5000)
    # Equal to car 1's second lap, which began later.
    assert (found.best_lap_time, found.best_lap) == (91, f"{SESSION}/laps/car004-0001")
    for car, number in ((1, 1), (1, 2), (2, 1), (3, 1), (4, 1)):
        index.remove_lap(lap(car, number).name)
    empty = index.session(SESSION)
    assert empty is not None
    assert (empty.laps, empty.cars, empty.bytes, empty.best_lap) == (0, 0, 0, "")
    assert not empty.HasField("best_lap_time")


def test_retention_sees_the_oldest_first_and_which_are_best(index: Index) -> None:
    other = "sessions/another"
    index.put_lap(lap(2, 1, lap_time=93, bytes=5))
    index.put_lap(lap(1, 1, lap_time=95))
    index.put_lap(lap(1, 2, lap_time=91, pinned=True, synced=True))
    index.put_lap(lap(1, 3, lap_time=80, valid=False))
    index.put_lap(lap(1, 4, other, lap_time=70, vehicle_class="LMP", start_time_ns=1))
    kept = [(k.name.rpartition("/")[2], k.bytes, k.pinned, k.synced, k.best) for k in index.laps_by_age()]
    assert kept == [
        ("car001-0004", 1000, False, False, True),  # of its track and class, and of its car
        ("car001-0001", 1000, False, False, False),
        ("car002-0001", 5, False, False, True),  # of its car alone
        ("car001-0002", 1000, True, True, True),
        ("car001-0003", 1000, False, False, False),
    ]


def test_laps_can_be_removed_while_retention_goes_through_them(index: Index) -> None:
    for number in range(1, 20):
        index.put_lap(lap(index=number))
    for kept in index.laps_by_age():
        index.remove_lap(kept.name)
    assert not index.total_bytes()


def test_a_transaction_is_all_or_nothing(index: Index, path: Path) -> None:
    reader = IndexReader(path)
    with index.transaction():
        index.put_lap(lap(index=1))
        assert names(reader) == []
        index.put_lap(lap(index=2))
    assert len(names(reader)) == 2
    with pytest.raises(NotFound):
        _put_and_fail(index)
    assert len(names(reader)) == 2


def _put_and_fail(index: Index) -> None:
    with index.transaction():
        index.put_lap(lap(index=3))
        index.set_synced("sessions/x/laps/y")


def test_small_values_and_losses_are_kept_until_everything_is_forgotten(index: Index, path: Path) -> None:
    index.put_lap(lap())
    index.set_meta("position", "1")
    index.set_meta("position", "2")
    index.put_loss("a", "the disk was full")
    index.close()
    again = Index(path)
    assert again.meta("position") == "2"
    assert again.meta("other") is None
    assert again.losses() == {"a": "the disk was full"}
    again.clear()
    assert (again.meta("position"), again.losses(), again.lap(lap().name)) == (None, {}, None)
    again.close()


def test_without_an_index_there_are_no_laps_until_there_is_one(path: Path) -> None:
    reader = IndexReader(path)
    assert names(reader) == []
    assert reader.lap(lap().name) is None
    assert reader.session(SESSION) is None
    assert not reader.list_sessions(laps_pb2.ListSessionsRequest()).sessions
    path.touch()  # as it is for a moment while the writer makes it
    assert names(reader) == []
    index = Index(path)
    index.put_lap(lap())
    assert names(reader) == [lap().name]
    index.close()


def test_a_reader_notices_that_the_index_was_made_anew(index: Index, path: Path) -> None:
    reader = IndexReader(path)
    index.put_lap(lap(index=1))
    assert names(reader) == [lap(index=1).name]
    remove_index(path)
    assert names(reader) == []
    anew = Index(path)
    anew.put_lap(lap(index=2))
    assert names(reader) == [lap(index=2).name]
    anew.close()


def test_an_index_of_another_version_is_refused_with_the_way_out(index: Index, path: Path) -> None:
    index.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    for opened in (Index, lambda path: names(IndexReader(path))):
        with pytest.raises(Corrupt, match=rf"version 99, this program uses {VERSION} \(rigd reindex\)"):
            opened(path)


def test_a_file_that_is_no_index_is_refused_with_the_way_out(path: Path) -> None:
    path.write_bytes(os.urandom(8192))
    for opened in (Index, lambda path: names(IndexReader(path))):
        with pytest.raises(Corrupt, match="rigd reindex"):
            opened(path)


def test_a_damaged_page_is_loud(index: Index, path: Path) -> None:
    for number in range(1, 300):
        index.put_lap(lap(index=number))
    index.close()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\x5a" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="rigd reindex"):
        names(IndexReader(path))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.booleans()), max_size=25))
def test_the_sums_of_a_session_are_those_of_its_laps(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    index, there = Index(tmp_path_factory.mktemp("index") / "i"), dict[str, lap_pb2.Lap]()
    index.put_session(session())
    for number, (car, position, goes) in enumerate(steps):
        made = lap(car, position, bytes=number, driver=f"Driver {number % 2}")
        if goes:
            index.remove_lap(made.name)
            there.pop(made.name, None)
        else:
            index.put_lap(made)
            there[made.name] = made
    found = index.session(SESSION)
    assert found is not None
    assert found.laps == len(there)
    assert found.cars == len({made.car for made in there.values()})
    assert found.bytes == index.total_bytes() == sum(made.bytes for made in there.values())
    index.close()
