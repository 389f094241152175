"""A request or a reply of a load is lost, and the connector sends again what must not be done twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.errors import Raced, Unavailable
from rigclient.warehouse import Destination, ddl, tables
from rigclient.warehouse.loading import Load, load, next_n
from rigclient.warehouse.spool import Spool
from tests.warehouse.empty import empty_warehouse
from tests.warehouse.peer.process import PeerProcess

STATEMENTS = [
    "^PUT",
    "PUT /fs_bucket",
    "^BEGIN",
    "^COPY",
    "^INSERT INTO RIG_LOADS",
    "^UPDATE",
    "^SELECT",
    "^COMMIT",
]


@pytest.fixture
def there(peer: PeerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Destination]:
    with empty_warehouse("snowflake", tmp_path, peer, monkeypatch) as made, made.open() as destination:
        for table in (tables.WATERMARK, tables.LOADS, tables.SESSIONS):
            destination.execute(ddl.create(table, destination.dialect))
        for statement in destination.dialect.setup:
            destination.execute(statement)
        yield destination


def bring(there: Destination, folder: Path, number: int) -> None:
    """Load one row as load `number` of a stream, beginning again as often as it takes."""
    for _ in range(3):
        if next_n(there, "rig", "laps") > number:
            return
        spool = Spool(folder / "spool")
        spool.put(tables.SESSIONS, [{"RIG_ID": "rig", "SESSION": f"s{number}"}])
        try:
            load(there, Load(spool.id, "rig", "laps", number, number + 1, spool.parts()))
        except (Raced, Unavailable):
            continue
        return
    raise AssertionError("it did not come to an end")


@pytest.mark.parametrize("when", ["before", "after"])
def test_everything_is_there_once(there: Destination, peer: PeerProcess, tmp_path: Path, when: str) -> None:
    for number, statement in enumerate(STATEMENTS):
        began = len(peer.journal())
        peer.faults((when, statement, "drop1"))
        bring(there, tmp_path, number)
        assert [line["outcome"] for line in peer.journal()[began:]].count("lost") == 1, statement
    loads = range(len(STATEMENTS))
    assert there.rows("SELECT SESSION FROM SESSIONS ORDER BY SESSION") == [(f"s{n}",) for n in loads]
    assert there.rows("SELECT FROM_N, TO_N FROM RIG_LOADS ORDER BY FROM_N") == [(n, n + 1) for n in loads]
    assert there.rows("SELECT NEXT_N FROM RIG_WATERMARK") == [(len(STATEMENTS),)]
