"""Tables: derived from the channels, their names safe in every SQL, their statements safe to run again."""

import numpy as np
import pytest

from rig.channels import LAP, PHYSICS, SCORING
from rig.errors import Mismatch
from rigclient.lap import Lap
from rigclient.warehouse import schema, tables
from tests.client import driven
from tests.warehouse.places import Home

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
    assert tables.parted(name) == ("20261120-134500-meander-valley-race-5f3a-1", "car012-0003")
    assert tables.joined(*tables.parted(name)) == name


class TestPreparing:
    def test_makes_everything_and_again_changes_nothing(self, warehouse: Home) -> None:
        with warehouse.open() as there:
            wanted = {table: {column.name for column in table.columns} for table in tables.TABLES}
            for _ in range(2):
                found = schema.prepare(there)
                assert {table: set(columns) for table, columns in found.items()} == wanted
            assert there.rows("SELECT VERSION FROM RIG_SCHEMA") == [(tables.VERSION,)]
            for view in tables.VIEWS:
                assert there.rows(f"SELECT COUNT(*) FROM {view}") == [(0,)]

    def test_goes_on_where_it_was_cut_off(self, warehouse: Home) -> None:
        with warehouse.open() as there:
            statements = tables.ddl(there.dialect)
            for statement in statements[:3]:
                there.execute(statement)
            schema.prepare(there)
            assert there.rows("SELECT VERSION FROM RIG_SCHEMA") == [(tables.VERSION,)]

    def test_adds_columns_and_whole_tables_that_an_older_program_did_not_know(self, tmp_path: object) -> None:
        home = Home("duckdb", f"duckdb:{tmp_path}/old.duckdb")
        with home.open() as there:
            schema.prepare(there)
            for view in tables.VIEWS:
                there.execute(f"DROP VIEW IF EXISTS {view}")
            there.execute("ALTER TABLE LAPS DROP COLUMN GREEN")
            there.execute("DROP TABLE GAPS")
            schema.prepare(there)
            assert there.columns("LAPS")["GREEN"] == "BOOLEAN"
            assert there.columns("GAPS")
            assert there.rows("SELECT COUNT(GREEN) FROM LAPS_V") == [(0,)]

    def test_refuses_a_column_of_another_type_before_it_adds_any(self, tmp_path: object) -> None:
        home = Home("duckdb", f"duckdb:{tmp_path}/other.duckdb")
        with home.open() as there:
            there.execute("CREATE TABLE LAPS (RIG_ID VARCHAR, LAP_TIME VARCHAR)")
            with pytest.raises(Mismatch, match=r"LAPS.LAP_TIME is VARCHAR in duckdb:.* here it is DOUBLE"):
                schema.prepare(there)
            assert set(there.columns("LAPS")) == {"RIG_ID", "LAP_TIME"}
