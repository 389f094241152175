"""What every warehouse does: one body for a DuckDB file, the peer through the real connector, an account."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rig.errors import NotFound, Raced, RigError
from rigclient.warehouse import Destination, ddl, tables
from rigclient.warehouse.destination import HealthCheck
from tests.warehouse.empty import EmptyWarehouse

TABLE = tables.WarehouseTable(
    "SAMPLES",
    "For tests.",
    (
        tables.Column("N", tables.WHOLE, "", needed=True),
        tables.Column("NAME", tables.TEXT, ""),
        tables.Column("SPEED", tables.REAL32, ""),
        tables.Column("TIME_S", tables.REAL64, ""),
        tables.Column("VALID", tables.FLAG, ""),
    ),
    ("N",),
)
FIVE = {
    "N": pa.array([1, 2, 3, 4, 2**62], pa.int64()),
    "NAME": pa.array(["a", "b's", 'c"d', "\\ % ? 彩虹", None]),
    "SPEED": pa.array([0.5, -0.0, 1e-30, None, 3e38], pa.float32()),
    "TIME_S": pa.array([0.1, 1e300, None, 5.0, -1.5], pa.float64()),
    "VALID": pa.array([True, False, None, True, False]),
}


@pytest.fixture
def there(warehouse: EmptyWarehouse) -> Iterator[Destination]:
    """A warehouse with one empty table."""
    with warehouse.open() as destination:
        for statement in (ddl.create(TABLE, destination.dialect), *destination.dialect.setup):
            destination.execute(statement)
        yield destination


def parquet(folder: Path, columns: dict[str, pa.Array], name: str = "part.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path


def put_in(there: Destination, path: Path, load: str) -> int:
    return there.copy("SAMPLES", there.stage(path, f"rig/laps/{load}/SAMPLES.parquet"))


def count(there: Destination) -> int:
    return int(there.rows("SELECT COUNT(*) FROM SAMPLES")[0][0])


class TestStatements:
    def test_values_come_back_as_they_went(self, there: Destination) -> None:
        rows = list(zip(*(column.to_pylist() for column in FIVE.values()), strict=True))
        for row in rows:
            assert there.execute("INSERT INTO SAMPLES SELECT ?, ?, ?, ?, ?", row) == 1
        found = there.rows("SELECT * FROM SAMPLES ORDER BY N")
        assert [row[:2] + row[3:] for row in found] == [row[:2] + row[3:] for row in rows]
        for (_, _, speed, _, _), (_, _, kept, _, _) in zip(rows, found, strict=True):
            assert kept == (None if speed is None else pytest.approx(speed, rel=1e-6))

    @pytest.mark.parametrize("text", ["'; DROP TABLE SAMPLES; --", "a?b", "%s", "%(x)s", "", "ü" * 2000])
    def test_words_of_people_are_only_words(self, there: Destination, text: str) -> None:
        there.execute("INSERT INTO SAMPLES (N, NAME) SELECT ?, ?", [1, text])
        assert there.rows("SELECT N FROM SAMPLES WHERE NAME = ?", [text]) == [(1,)]
        assert there.rows("SELECT N FROM SAMPLES WHERE NAME = ?", [text + "x"]) == []

    def test_changes_are_counted(self, there: Destination) -> None:
        for n in range(5):
            there.execute("INSERT INTO SAMPLES (N, VALID) SELECT ?, ?", [n, False])
        assert there.execute("UPDATE SAMPLES SET VALID = ? WHERE N >= ?", [True, 2]) == 3
        assert there.execute("DELETE FROM SAMPLES WHERE N = ?", [77]) == 0
        assert there.execute("DELETE FROM SAMPLES WHERE VALID") == 3
        assert there.execute("INSERT INTO SAMPLES (N) SELECT N + 10 FROM SAMPLES") == 2
        assert there.execute("ALTER TABLE SAMPLES ADD COLUMN IF NOT EXISTS LATER FLOAT") == 0

    def test_a_table_that_is_not_there_is_named(self, there: Destination) -> None:
        with pytest.raises(NotFound, match=r"NOPE.*rig warehouse init"):
            there.rows("SELECT * FROM NOPE")

    def test_what_is_wrong_is_an_error_of_the_tree(self, there: Destination) -> None:
        with pytest.raises(RigError):
            there.execute("INSERT INTO SAMPLES (N) SELECT CAST('a' AS BIGINT)")
        with pytest.raises(RigError):
            there.execute("SELEKT 1")
        assert there.rows("SELECT 1") == [(1,)]

    def test_columns_have_the_types_they_were_made_with(self, there: Destination) -> None:
        found = there.columns()["SAMPLES"]
        assert list(found) == [column.name for column in TABLE.columns]
        for column in TABLE.columns:
            assert tables.fits(column.type, found[column.name]), column
        assert there.columns()["NOPE"] == {}

    def test_a_view_shows_nanoseconds_as_times(self, there: Destination) -> None:
        there.execute("INSERT INTO SAMPLES (N) SELECT ?", [1_700_000_000_123_456_000])
        there.execute("INSERT INTO SAMPLES (N, VALID) SELECT ?, TRUE", [5])
        when = there.dialect.timestamp.format("CASE WHEN VALID THEN NULL ELSE N END")
        there.execute(f"CREATE OR REPLACE VIEW SAMPLES_V AS SELECT N, {when} AS TS FROM SAMPLES")
        (none, _), (some, ts) = there.rows("SELECT N, TS FROM SAMPLES_V ORDER BY N")
        assert (none, some) == (5, 1_700_000_000_123_456_000)
        assert ts.isoformat() == "2023-11-14T22:13:20.123456"
        assert there.rows("SELECT TS FROM SAMPLES_V WHERE N = 5") == [(None,)]


class TestAnswersInBatches:
    def test_each_is_small_and_none_is_missing(self, there: Destination, tmp_path: Path) -> None:
        n = pa.array(range(2500), pa.int64())
        put_in(there, parquet(tmp_path, {"N": n}), "one")
        batches = list(
            there.batches("SELECT N, SPEED FROM SAMPLES WHERE N >= ? ORDER BY N", [100], rows=1000)
        )
        assert all(0 < batch.num_rows <= 1000 for batch in batches)
        assert [value for batch in batches for value in batch.column("N").to_pylist()] == list(
            range(100, 2500)
        )

    def test_whole_numbers_are_of_one_type(self, there: Destination) -> None:
        """Snowflake sends each batch in as few bits as it needs."""
        there.execute("INSERT INTO SAMPLES (N) SELECT 1")
        (batch,) = there.batches("SELECT N, COUNT(*) AS MANY FROM SAMPLES GROUP BY N")
        assert {str(field.type) for field in batch.schema} == {"int64"}
        assert [column.to_pylist() for column in batch.columns] == [[1], [1]]

    def test_nothing_is_no_rows(self, there: Destination) -> None:
        assert sum(batch.num_rows for batch in there.batches("SELECT * FROM SAMPLES")) == 0

    def test_other_statements_may_come_in_between(self, there: Destination, tmp_path: Path) -> None:
        put_in(there, parquet(tmp_path, {"N": pa.array(range(3000), pa.int64())}), "one")
        seen = 0
        for batch in there.batches("SELECT N FROM SAMPLES", rows=500):
            seen += batch.num_rows
            assert there.rows("SELECT MAX(N) FROM SAMPLES") == [(2999,)]
        assert seen == 3000


class TestFiles:
    def test_a_file_comes_in_by_the_names_of_its_columns(self, there: Destination, tmp_path: Path) -> None:
        turned = dict(reversed(FIVE.items()))
        assert put_in(there, parquet(tmp_path, turned), "one") == 5
        found = there.rows("SELECT N, NAME, TIME_S, VALID FROM SAMPLES ORDER BY N")
        assert found == list(
            zip(*(FIVE[k].to_pylist() for k in ("N", "NAME", "TIME_S", "VALID")), strict=True)
        )

    def test_columns_that_a_file_has_not_stay_empty(self, there: Destination, tmp_path: Path) -> None:
        assert put_in(there, parquet(tmp_path, {"N": pa.array([1, 2])}), "one") == 2
        assert there.rows("SELECT COUNT(*), COUNT(NAME), COUNT(SPEED) FROM SAMPLES") == [(2, 0, 0)]

    def test_what_keeps_a_file_out_is_told_and_undone(self, there: Destination, tmp_path: Path) -> None:
        path = parquet(tmp_path, {"N": pa.array(["a word"])})
        there.begin()
        with pytest.raises(RigError, match="a word"):
            put_in(there, path, "one")
        there.rollback()
        assert count(there) == 0
        assert put_in(there, parquet(tmp_path, FIVE), "two") == 5

    def test_names_that_mean_something_to_somebody(self, there: Destination, tmp_path: Path) -> None:
        folder = tmp_path / "it's a folder"
        folder.mkdir()
        path = parquet(folder, FIVE)
        assert there.copy("SAMPLES", there.stage(path, "rig one's/events/a b;c/x.parquet")) == 5

    def test_a_name_that_begins_like_another_is_another(self, there: Destination, tmp_path: Path) -> None:
        one, two = (
            parquet(tmp_path, {"N": pa.array([1])}),
            parquet(tmp_path, {"N": pa.array([2])}, "two.parquet"),
        )
        first = there.stage(one, "rig/laps/load/SAMPLES.parquet")
        there.stage(two, "rig/laps/load2/SAMPLES.parquet")
        there.copy("SAMPLES", first)
        assert there.rows("SELECT N FROM SAMPLES") == [(1,)]

    def test_what_is_unstaged_is_not_there(self, there: Destination, tmp_path: Path) -> None:
        path = parquet(tmp_path, FIVE)
        staged = there.stage(path, "rig/laps/load/SAMPLES.parquet")
        there.unstage(staged)
        path.unlink()
        with pytest.raises(RigError):
            there.copy("SAMPLES", staged)
        there.unstage(staged)
        assert count(there) == 0


class TestTransactions:
    def test_what_is_rolled_back_was_never_there(self, there: Destination, tmp_path: Path) -> None:
        staged = there.stage(parquet(tmp_path, FIVE), "rig/laps/one/SAMPLES.parquet")
        there.begin()
        there.copy("SAMPLES", staged)
        there.execute("INSERT INTO SAMPLES (N) SELECT 9")
        assert count(there) == 6
        there.rollback()
        assert count(there) == 0
        there.begin()
        there.copy("SAMPLES", staged)  # the memory of having loaded it is gone with it
        there.commit()
        assert count(there) == 5

    def test_after_an_error_all_of_it_is_undone(self, there: Destination) -> None:
        there.begin()
        there.execute("INSERT INTO SAMPLES (N) SELECT 1")
        with pytest.raises(RigError):
            there.rows("SELECT * FROM NOPE")
        there.rollback()
        assert count(there) == 0

    def test_rolling_back_nothing_is_harmless(self, there: Destination) -> None:
        there.rollback()
        there.begin()
        there.commit()
        there.rollback()
        assert there.rows("SELECT 1") == [(1,)]


class TestSessions:
    """Of an account; a file has one at a time."""

    def test_others_see_it_when_it_is_committed(self, shared: EmptyWarehouse) -> None:
        with shared.open() as one, shared.open() as other:
            one.execute(ddl.create(TABLE, one.dialect))
            one.begin()
            one.execute("INSERT INTO SAMPLES (N) SELECT 1")
            assert (count(one), count(other)) == (1, 0)
            one.commit()
            assert count(other) == 1

    def test_of_two_who_move_the_same_mark_one_succeeds(self, shared: EmptyWarehouse) -> None:
        with shared.open() as one, shared.open() as other:
            one.execute(ddl.create(TABLE, one.dialect))
            one.execute("INSERT INTO SAMPLES (N) SELECT 0")
            moved = []
            both = [threading.Thread(target=lambda by=by: moved.append(_moves(by))) for by in (one, other)]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join(60)
            assert sorted(moved) == [False, True]
            assert one.rows("SELECT N FROM SAMPLES") == [(1,)]


def _moves(mine: Destination) -> bool:
    """Compare and set, as the last statement of a load."""
    mine.begin()
    try:
        done = mine.execute("UPDATE SAMPLES SET N = 1 WHERE N = 0")
        mine.commit()
    except Raced:
        mine.rollback()
        return False
    return done == 1


class TestConnections:
    def test_whoever_may_only_read_reads(self, warehouse: EmptyWarehouse, there: Destination) -> None:
        there.execute("INSERT INTO SAMPLES (N) SELECT 1")
        there.close()
        with warehouse.open(read_only=True) as reader:
            assert count(reader) == 1
            assert [check.what for check in reader.health() if not check.well] == []

    def test_its_name_says_where_it_is(self, warehouse: EmptyWarehouse, there: Destination) -> None:
        assert there.name.startswith(f"{there.dialect.name}:")
        with warehouse.open() as other:
            assert other.name == there.name

    def test_health_is_a_line_for_each_thing(self, there: Destination) -> None:
        found = list(there.health())
        assert all(isinstance(check, HealthCheck) and check.text for check in found)
        assert [check.what for check in found if not check.well] == []

    def test_closing_twice_is_harmless(self, there: Destination) -> None:
        there.close()
        there.close()
        assert there.rows("SELECT 1") == [(1,)]

    def test_sums_are_numbers(self, there: Destination) -> None:
        there.execute("INSERT INTO SAMPLES (N, TIME_S) SELECT 3, 0.5")
        ((whole, real, none),) = there.rows("SELECT SUM(N), AVG(TIME_S), MAX(SPEED) FROM SAMPLES")
        assert (int(whole), float(real), none) == (3, 0.5, None)
        assert not math.isnan(float(real))
