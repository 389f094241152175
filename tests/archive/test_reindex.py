"""The index, lost or wrong: the folder has it all, and it is made anew."""

from pathlib import Path

import pytest

from rig.errors import NotFound
from rigd.archive.archiver import Archiver, Settings
from rigd.store.folder import LapFolder
from rigd.store.heartbeat import Heartbeat
from rigd.store.index import Index
from rigd.store.reindex import reindex
from tests.archive.tape import ROOMY, drained, restarted


def test_without_its_position_it_does_nothing_twice(archived: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in archived.glob("laps/*/[!.]*.lap")}
    (archived / "index.sqlite").unlink()
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    assert archiver.archived == 0
    assert {path: path.stat().st_mtime_ns for path in archived.glob("laps/*/[!.]*.lap")} == before
    assert len(list(archiver.store.index.laps_by_age())) == len(before)
    archiver.close()


def test_pins_that_the_index_forgot_are_found_again(archived: Path) -> None:
    """Its last words may be lost with the power. Retention asks the index."""
    store = LapFolder(archived / "laps")
    pinned, aside, *_ = store.laps()
    store.pin(pinned, True)
    store.sync(pinned)
    store.set_aside(aside)
    archiver = restarted(archived)
    assert {kept.name for kept in archiver.store.index.laps_by_age() if kept.pinned and kept.synced} == {
        pinned
    }
    lap = archiver.store.index.lap(aside)
    assert lap is not None
    assert "was set aside" in lap.damage
    assert lap.driver
    store.pin(pinned, False)
    archiver.close()
    archiver = restarted(archived)
    assert not any(kept.pinned for kept in archiver.store.index.laps_by_age())
    archiver.close()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE lap SET start_ns = 1",
        "UPDATE lap SET bytes = bytes + 1",
        "UPDATE seat SET bytes = 1 << 50",
        "UPDATE seat SET driver = 'z' WHERE id = 1",
        "UPDATE message SET lap_message = substr(lap_message, 2)",
        "UPDATE session SET start_ns = 1",
        "DELETE FROM message",
        "PRAGMA writable_schema = 1; DELETE FROM sqlite_master WHERE name = 'lap_by_age'",
    ],
)
def test_an_index_that_differs_from_itself_is_made_anew(archived: Path, harm: str) -> None:
    """Laps would be deleted for what it says."""
    index = Index(archived / "index.sqlite")
    before = [index.lap(kept.name) for kept in index.laps_by_age()]
    index._db.executescript(harm)
    index.close()
    archiver = restarted(archived)
    assert [archiver.store.index.lap(kept.name) for kept in archiver.store.index.laps_by_age()] == before
    archiver.close()


def test_a_position_that_is_not_what_was_written_is_none(archived: Path) -> None:
    """Else laps that were never archived would be passed over."""
    index = Index(archived / "index.sqlite")
    index._db.execute("UPDATE meta SET value = value || '0'")
    assert index.meta("position") is None
    index.close()


def test_an_index_that_breaks_under_the_archiver_is_made_anew(archived: Path) -> None:
    archiver = restarted(archived)
    listed = archiver.store.index.count()
    archiver.store.index._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = archived / "index.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    archiver.store.index._db.execute("PRAGMA shrink_memory")
    archiver._heartbeat = Heartbeat(archived)  # its word is due: it counts the laps
    assert archiver.turn()
    assert "made anew" in archiver.trouble
    drained(archiver)
    assert archiver.store.index.count() == listed
    archiver.close()


def test_an_index_made_anew_says_the_same(archived: Path) -> None:
    index = Index(archived / "index.sqlite")
    before = [index.lap(lap.name) for lap in index.laps_by_age()]
    index.close()
    steps: list[int] = []
    tally = reindex(archived, lambda done, _: steps.append(done))
    index = Index(archived / "index.sqlite")
    assert [index.lap(lap.name) for lap in index.laps_by_age()] == before
    index.close()
    assert (tally.laps, tally.damaged) == (len(before), 0)
    assert steps == list(range(len(before) + 1))


def test_a_failed_reindex_leaves_the_old_index(archived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (archived / "index.sqlite").read_bytes()
    monkeypatch.setattr("rigd.store.store.Store.examine", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reindex(archived)
    assert (archived / "index.sqlite").read_bytes() == before


def test_a_reindex_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are no laps in"):
        reindex(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_an_index_that_was_taken_away_is_made_anew(archived: Path) -> None:
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    listed = archiver.store.index.count()
    (archived / "index.sqlite").rename(archived / "aside.sqlite")
    drained(archiver)
    assert archiver.store.index.count() == listed
    assert (archived / "index.sqlite").exists()
    archiver.close()
