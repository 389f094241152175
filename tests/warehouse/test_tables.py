"""Tables: derived from the channels, their names safe in every SQL, their statements safe to run again."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from rig.channels import LAP, PHYSICS, SCORING
from rig.errors import Mismatch
from rigclient.warehouse import ddl, page, schema, tables, views
from rigclient.warehouse.loading import Load, load
from rigclient.warehouse.names import joined, parted
from rigclient.warehouse.snowflake import account
from rigclient.warehouse.spool import Spool
from riglap.lap import Lap
from tests.riglap import driven
from tests.warehouse.empty import EmptyWarehouse

# Of Snowflake's reference and of DuckDB's parser.
RESERVED = """
ACCOUNT ALL ALTER AND ANY AS BETWEEN BY CASE CAST CHECK COLUMN CONNECT CONNECTION CONSTRAINT
CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DATABASE DELETE
DISTINCT DROP ELSE EXISTS FALSE FOLLOWING FOR FROM FULL GRANT GROUP GSCLUSTER HAVING ILIKE IN
INCREMENT INNER INSERT INTERSECT INTO IS ISSUE JOIN LATERAL LEFT LIKE LOCALTIME LOCALTIMESTAMP
MINUS NATURAL NOT NULL OF ON OR ORDER ORGANIZATION QUALIFY REGEXP REVOKE RIGHT RLIKE ROW ROWS
SAMPLE SCHEMA SELECT SET SOME START TABLE TABLESAMPLE THEN TO TRIGGER TRUE TRY_CAST UNION UNIQUE
UPDATE USING VALUES VIEW WHEN WHENEVER WHERE WITH ASC BOTH COLLATE DEFAULT DEFERRABLE DESC DO END
EXCEPT FETCH FOREIGN INITIALLY LEADING LIMIT OFFSET ONLY PLACING PRIMARY REFERENCES RETURNING
SYMMETRIC TRAILING VARIADIC WINDOW
"""


def names() -> set[str]:
    return {column.name for table in tables.TABLES for column in table.columns} | {
        table.name for table in tables.TABLES
    }


def test_no_name_is_a_word_of_sql() -> None:
    assert not names() & set(RESERVED.split())
    assert all(name.isascii() and name.isupper() and name.replace("_", "").isalnum() for name in names())


@pytest.mark.parametrize(
    ("name", "width", "columns"),
    [
        ("speed", 1, ["SPEED"]),
        ("position", 3, ["POSITION_X", "POSITION_Y", "POSITION_Z"]),
        ("camber", 4, ["CAMBER_FL", "CAMBER_FR", "CAMBER_RL", "CAMBER_RR"]),
        ("dent", 2, ["DENT_0", "DENT_1"]),
        ("tyre_temp", 12, [f"TYRE_TEMP_{at}" for at in range(12)]),
    ],
)
def test_a_channel_has_a_column_per_component(name: str, width: int, columns: list[str]) -> None:
    assert tables.components(name, width) == columns


def test_every_channel_is_in_its_table_once() -> None:
    for table, channels in ((tables.SAMPLES, PHYSICS.channels), (tables.UPDATES, SCORING.channels)):
        columns = [column.name for column in table.columns]
        assert len(columns) == len(set(columns))
        for channel in channels:
            for name in tables.components(channel.name, channel.width):
                assert table.type_of(name) == tables.type_of(channel.dtype), name
    assert {name.upper() for name in LAP.by_name} <= {column.name for column in tables.SAMPLES.columns}


def test_columns_are_called_as_in_exports() -> None:
    lap: Lap = driven.lap()
    flat = {column.name.upper() for column in lap.flat()}
    here = {
        name
        for channel in lap.channels
        for name in tables.components(channel, 1 if lap[channel].ndim == 1 else lap[channel].shape[1])
    }
    assert flat == here


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("<f4", "FLOAT"),
        ("<f8", "DOUBLE"),
        ("<i4", "BIGINT"),
        ("<u4", "BIGINT"),
        ("<u8", "BIGINT"),
        ("?", "BOOLEAN"),
    ],
)
def test_types_are_words_of_every_warehouse(dtype: str, kind: str) -> None:
    assert tables.type_of(np.dtype(dtype)) == kind


def test_only_a_wider_float_takes_the_values_of_another_type() -> None:
    kinds = (tables.TEXT, tables.WHOLE, tables.REAL32, tables.REAL64, tables.FLAG)
    fitting = {(one, other) for one in kinds for other in kinds if tables.fits(one, other)}
    assert fitting == {(one, one) for one in kinds} | {(tables.REAL32, tables.REAL64)}


def test_a_laps_name_goes_both_ways() -> None:
    name = "sessions/20261120-134500-meander-valley-race-5f3a-1/laps/car012-0003"
    assert parted(name) == ("20261120-134500-meander-valley-race-5f3a-1", "car012-0003")
    assert joined(*parted(name)) == name


class TestPreparing:
    def test_makes_everything_and_again_changes_nothing(self, warehouse: EmptyWarehouse) -> None:
        with warehouse.open() as there:
            wanted = {table: {column.name for column in table.columns} for table in tables.TABLES}
            for _ in range(2):
                found = schema.prepare(there)
                assert {table: set(columns) for table, columns in found.items()} == wanted
            assert there.rows("SELECT VERSION FROM RIG_SCHEMA") == [(tables.VERSION,)]
            for view in views.VIEWS:
                assert there.rows(f"SELECT COUNT(*) FROM {view}") == [(0,)]

    def test_goes_on_where_it_was_cut_off(self, warehouse: EmptyWarehouse) -> None:
        with warehouse.open() as there:
            statements = ddl.statements(there.dialect)
            for statement in statements[:3]:
                there.execute(statement)
            schema.prepare(there)
            assert there.rows("SELECT VERSION FROM RIG_SCHEMA") == [(tables.VERSION,)]

    def test_adds_columns_and_whole_tables_that_an_older_program_did_not_know(self, tmp_path: object) -> None:
        target = EmptyWarehouse("duckdb", f"duckdb:{tmp_path}/old.duckdb")
        with target.open() as there:
            schema.prepare(there)
            for view in views.VIEWS:
                there.execute(f"DROP VIEW IF EXISTS {view}")
            there.execute("ALTER TABLE LAPS DROP COLUMN GREEN")
            there.execute("DROP TABLE GAPS")
            schema.prepare(there)
            assert there.columns()["LAPS"]["GREEN"] == "BOOLEAN"
            assert there.columns()["GAPS"]
            assert there.rows("SELECT COUNT(GREEN) FROM LAPS_V") == [(0,)]

    def test_refuses_a_column_of_another_type_before_it_adds_any(self, tmp_path: object) -> None:
        target = EmptyWarehouse("duckdb", f"duckdb:{tmp_path}/other.duckdb")
        with target.open() as there:
            there.execute("CREATE TABLE LAPS (RIG_ID VARCHAR, LAP_TIME VARCHAR)")
            with pytest.raises(Mismatch, match=r"LAPS.LAP_TIME is VARCHAR in duckdb:.* here it is DOUBLE"):
                schema.prepare(there)
            assert set(there.columns()["LAPS"]) == {"RIG_ID", "LAP_TIME"}

    def test_fills_the_timestamps_of_rows_that_an_older_program_brought(self, tmp_path: object) -> None:
        target = EmptyWarehouse("duckdb", f"duckdb:{tmp_path}/old.duckdb")
        with target.open() as there:
            schema.prepare(there)
            for view in views.VIEWS:
                there.execute(f"DROP VIEW IF EXISTS {view}")
            for column in ("START_TS", "END_TS", "LOCAL_DATE"):
                there.execute(f"ALTER TABLE SESSIONS DROP COLUMN {column}")
            for column in ("REMOVED", "NOTE"):
                there.execute(f"ALTER TABLE RIG_LOADS DROP COLUMN {column}")
            there.execute(
                "INSERT INTO SESSIONS (RIG_ID, SESSION, START_TIME_NS, LOAD_ID) VALUES ('r', 's', ?, 'l')",
                [1_790_000_000_123_456_789],
            )
            schema.prepare(there)
            assert there.rows("SELECT CAST(START_TS AS VARCHAR), END_TS FROM SESSIONS") == [
                ("2026-09-21 14:13:20.123456", None)
            ]
            assert there.columns()["RIG_LOADS"]["NOTE"] == "VARCHAR"


class TestWhatTheWarehouseIsTold:
    def test_tables_and_columns_carry_their_comments(self, tmp_path: object) -> None:
        with EmptyWarehouse("duckdb", f"duckdb:{tmp_path}/laps.duckdb").open() as there:
            schema.prepare(there)
            shown: dict[str, str] = dict(there.rows("SELECT TABLE_NAME, COMMENT FROM DUCKDB_TABLES()"))
            assert shown == {table.name: table.about for table in tables.TABLES}
            rows = there.rows(
                "SELECT C.TABLE_NAME, C.COLUMN_NAME, C.COMMENT FROM DUCKDB_COLUMNS() C "
                "JOIN DUCKDB_TABLES() T ON T.TABLE_NAME = C.TABLE_NAME"
            )
            found = {(table, column): comment for table, column, comment in rows}
            assert found == {
                (table.name, column.name): column.about for table in tables.TABLES for column in table.columns
            }

    def test_comments_come_with_columns_that_are_added(self, tmp_path: object) -> None:
        with EmptyWarehouse("duckdb", f"duckdb:{tmp_path}/laps.duckdb").open() as there:
            schema.prepare(there)
            for view in views.VIEWS:
                there.execute(f"DROP VIEW IF EXISTS {view}")
            there.execute("ALTER TABLE LAPS DROP COLUMN GREEN")
            schema.prepare(there)
            sql = "SELECT COMMENT FROM DUCKDB_COLUMNS() WHERE TABLE_NAME = 'LAPS' AND COLUMN_NAME = 'GREEN'"
            assert there.rows(sql) == [
                (next(column.about for column in tables.LAPS.columns if column.name == "GREEN"),)
            ]

    def test_keys_are_declared_where_the_engine_knows_them(self, tmp_path: object) -> None:
        with EmptyWarehouse("duckdb", f"duckdb:{tmp_path}/laps.duckdb").open() as there:
            schema.prepare(there)
            sql = (
                "SELECT TABLE_NAME FROM DUCKDB_CONSTRAINTS() WHERE CONSTRAINT_TYPE = 'PRIMARY KEY' ORDER BY 1"
            )
            assert there.rows(sql) == [("FILES",), ("RIG_LOADS",)]
        made = {table.name: ddl.create(table, account.DIALECT) for table in tables.TABLES}
        for table in tables.TABLES:
            key = f"PRIMARY KEY ({', '.join(table.unique)})"
            assert (key in made[table.name]) == bool(table.unique), table.name
        assert "COMMENT 'Speed" in made["PHYSICS"]

    def test_every_time_in_nanoseconds_has_a_timestamp(
        self, warehouse: EmptyWarehouse, tmp_path: Path
    ) -> None:
        """Beside it, or in the view over a table that is too wide for it."""
        wide = {"PHYSICS", "SCORING"}
        for table in tables.TABLES:
            clocks = {column.name for column in table.columns if column.name.endswith("_TIME_NS")}
            assert clocks == {column.of for column in table.columns if column.of} or table.name in wide
        row = {"RIG_ID": "r", "SESSION": "s", "START_TIME_NS": 1_790_000_000_123_456_789}
        spool = Spool(tmp_path / "spool")
        spool.put(tables.SESSIONS, [row])
        with warehouse.open() as there:
            schema.prepare(there)
            load(there, Load(spool.id, "r", "laps", 0, 1, spool.parts()))
            ((begin, end),) = there.rows("SELECT START_TS, END_TS FROM SESSIONS")
            assert (begin.replace(tzinfo=None), end) == (datetime(2026, 9, 21, 14, 13, 20, 123456), None)

    def test_the_page_is_that_of_the_tables(self) -> None:
        assert page.PAGE.read_text(encoding="utf-8") == page.markdown(), "python -m rigclient.warehouse.page"

    def test_the_page_tells_every_table_column_and_view(self) -> None:
        text = page.markdown()
        assert all(f"## {table.name}\n" in text for table in tables.TABLES)
        assert all(f"| `{column.name}` |" in text for table in tables.TABLES for column in table.columns)
        assert all(f"| `{view}` |" in text for view in views.VIEWS)
        for word in ("CAR", "CAR_NUMBER", "LAP_INDEX", "LAP_NUMBER"):
            assert f"| `{word}` | " in text.partition("## RIG_WATERMARK")[0]
