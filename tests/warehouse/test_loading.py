"""One load: everything of it or nothing, and whoever comes second is told so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rig.errors import Raced, RigError, Unavailable
from rigclient.warehouse import schema, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.loading import Load, LoadPart, load, load_id, next_n
from rigclient.warehouse.spool import Spool
from tests.warehouse.empty import KINDS, empty_warehouse
from tests.warehouse.expected import broken
from tests.warehouse.peer.process import PeerProcess

ROWS = 40
TABLES = ("RIG_LOADS", "LAPS", "PHYSICS", "SESSIONS")


@pytest.fixture(scope="module", params=KINDS)
def prepared(
    request: pytest.FixtureRequest, running_peer: PeerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Destination]:
    """A warehouse with tables."""
    folder = tmp_path_factory.mktemp("loading")
    with (
        pytest.MonkeyPatch.context() as patch,
        empty_warehouse(request.param, folder, running_peer, patch) as there,
        there.open() as destination,
    ):
        schema.prepare(destination)
        yield destination


@pytest.fixture
def there(prepared: Destination) -> Destination:
    """With nothing in the tables."""
    for name in (*TABLES, "RIG_WATERMARK"):
        prepared.execute(f"DELETE FROM {name}")
    return prepared


def made(folder: Path, number: int = 0, *, lap: str = "", rig: str = "r", track: str = "one") -> Load:
    """A load of one lap."""
    spool = Spool(folder)
    name = lap or f"car001-{number:04d}"
    spool.put(tables.LAPS, [{"RIG_ID": rig, "SESSION": "s", "LAP": name, "DIGEST": "d", "SAMPLES": ROWS}])
    spool.put(tables.SESSIONS, [{"RIG_ID": rig, "SESSION": "s", "TRACK": track}])
    constants: dict[str, str | int] = {
        "RIG_ID": rig,
        "SESSION": "s",
        "LAP": name,
        "CAR": 1,
        "LAP_INDEX": number,
    }
    columns = {
        "SEQ": np.arange(ROWS, dtype="<u8"),
        "SPEED": np.linspace(0, 90, ROWS, dtype="<f4"),
        "HEADLIGHTS": np.arange(ROWS) % 2 == 0,
        "GEAR": np.arange(ROWS, dtype="<i4") - 1,
        "SURFACE_TYPE_FL": np.arange(ROWS, dtype="<u4"),
    }
    columns["SPEED"][3] = np.nan
    spool.add(tables.SAMPLES, constants, columns)
    return Load(spool.id, rig, "laps", number, number + 1, spool.parts())


def counts(there: Destination) -> list[int]:
    return [int(there.rows(f"SELECT COUNT(*) FROM {name}")[0][0]) for name in TABLES]


def test_loads_follow_each_other(there: Destination, tmp_path: Path) -> None:
    for number in range(3):
        assert next_n(there, "r", "laps") == number
        load(there, made(tmp_path, number, track=f"t{number}"))
    assert counts(there) == [3, 3, 3 * ROWS, 1]
    assert there.rows("SELECT TRACK FROM SESSIONS") == [("t2",)]
    assert broken(there) == []
    (row,) = there.rows(
        "SELECT SPEED, HEADLIGHTS, GEAR, SURFACE_TYPE_FL FROM PHYSICS WHERE LAP_INDEX = 1 AND SEQ = 3"
    )
    assert row == (None, False, 2, 3)


def test_rigs_do_not_wait_for_each_other(there: Destination, tmp_path: Path) -> None:
    load(there, made(tmp_path, rig="r"))
    load(there, made(tmp_path, rig="other"))
    assert counts(there) == [2, 2, 2 * ROWS, 2]
    assert broken(there) == []


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(lambda folder: made(folder, 0, lap="another"), id="the same number"),
        pytest.param(lambda folder: made(folder, 2), id="a number too far"),
        pytest.param(lambda folder: made(folder, 1, lap="car001-0000"), id="a lap that is there"),
    ],
)
def test_what_is_there_or_does_not_follow_is_undone(
    there: Destination, tmp_path: Path, second: Callable[[Path], Load]
) -> None:
    load(there, made(tmp_path))
    with pytest.raises(Raced):
        load(there, second(tmp_path))
    assert counts(there) == [1, 1, ROWS, 1]
    assert next_n(there, "r", "laps") == 1
    assert broken(there) == []
    load(there, made(tmp_path, 1))
    assert broken(there) == []


def test_a_file_whose_rows_are_not_all_different_is_undone(there: Destination, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    lap = {"RIG_ID": "r", "SESSION": "s", "LAP": "l", "DIGEST": "d"}
    spool.put(tables.LAPS, [lap, lap])
    with pytest.raises(Raced, match=r"LAPS has 2 rows of the load, 1 of them different"):
        load(there, Load(spool.id, "r", "laps", 0, 1, spool.parts()))
    assert counts(there) == [0, 0, 0, 0]


def test_a_file_with_fewer_rows_than_it_should_have_is_undone(there: Destination, tmp_path: Path) -> None:
    whole = made(tmp_path)
    parts = tuple(LoadPart(part.table, part.path, part.rows + 1, part.sha256) for part in whole.parts)
    with pytest.raises(Raced, match="the file has"):
        load(there, Load(whole.id, "r", "laps", 0, 1, parts))
    assert counts(there) == [0, 0, 0, 0]


def test_two_watermarks_made_at_once_move_together(there: Destination, tmp_path: Path) -> None:
    for _ in range(2):
        there.execute("INSERT INTO RIG_WATERMARK (RIG_ID, STREAM, NEXT_N) SELECT 'r', 'laps', 0")
    load(there, made(tmp_path))
    assert there.rows("SELECT NEXT_N FROM RIG_WATERMARK") == [(1,), (1,)]
    there.execute("INSERT INTO RIG_WATERMARK (RIG_ID, STREAM, NEXT_N) SELECT 'r', 'laps', 0")
    load(there, made(tmp_path, 1))
    assert there.rows("SELECT NEXT_N FROM RIG_WATERMARK") == [(2,), (2,), (2,)]
    assert broken(there) == []


@pytest.mark.parametrize("done", [True, False], ids=["that was made", "that is not there"])
def test_a_watermark_that_is_said_to_have_failed(
    there: Destination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    """Somebody else was at it, or it was done and the answer is an error: it counts whether there is one."""
    plain = type(there).execute

    def execute(self: Any, sql: str, params: Any = ()) -> int:
        if not sql.startswith("INSERT INTO RIG_WATERMARK"):
            return plain(self, sql, params)
        if done:
            plain(self, sql, params)
        raise Unavailable("internal error")

    monkeypatch.setattr(type(there), "execute", execute)
    if done:
        load(there, made(tmp_path))
    else:
        with pytest.raises(Unavailable, match="internal error"):
            load(there, made(tmp_path))
    monkeypatch.undo()
    assert counts(there) == ([1, 1, ROWS, 1] if done else [0, 0, 0, 0])


def test_one_who_sees_only_its_own_new_watermark_is_beaten(there: Destination, tmp_path: Path) -> None:
    """Two made one each; the first loaded; the second read its number before that."""
    load(there, made(tmp_path))
    there.execute("INSERT INTO RIG_WATERMARK (RIG_ID, STREAM, NEXT_N) SELECT 'r', 'laps', 0")
    there.execute("DELETE FROM RIG_LOADS")  # so that the watermark alone has to notice
    with pytest.raises(Raced, match="no longer at 0"):
        load(there, made(tmp_path, 0, lap="another"))


def test_a_failure_in_the_middle_leaves_nothing(
    there: Destination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = type(there).execute

    def failing(self: Any, sql: str, params: Any = ()) -> int:
        if sql.startswith("UPDATE RIG_WATERMARK"):
            raise RigError("the network is gone")
        return plain(self, sql, params)

    monkeypatch.setattr(type(there), "execute", failing)
    with pytest.raises(RigError, match="the network is gone"):
        load(there, made(tmp_path))
    monkeypatch.undo()
    assert counts(there) == [0, 0, 0, 0]
    load(there, made(tmp_path))
    assert broken(there) == []


def test_later_loads_have_greater_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for ns in (1_790_000_000_000_000_000, 1_790_000_000_001_000_000, 1_790_000_100_000_000_000):
        monkeypatch.setattr("rigclient.warehouse.loading.time.time_ns", lambda ns=ns: ns)
        ids.append(load_id())
    assert ids == sorted(ids)
    assert len({len(one) for one in ids}) == 1
    assert len({load_id() for _ in range(1000)}) == 1000
