"""Columns of batches as numpy arrays."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rigclient.warehouse.numbers import numbers

COLUMNS = [
    pa.array([1.5, None, 3.0], pa.float32()),
    pa.array([1, None, 3], pa.int64()),
    pa.array([True, None, False]),
    pa.array([Decimal("1.25"), None, Decimal(-3)], pa.decimal128(10, 2)),
    pa.array([], pa.float64()),
    pa.array([None, None], pa.float64()),
    pa.array([7, 8], pa.uint8()),
    pa.array(np.arange(100.0)).slice(13, 20),
    pa.array([None if at % 3 == 0 else at for at in range(100)], pa.int16()).slice(5, 40),
    pa.chunked_array([[1.0, None], [], [3.0]]),
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
def test_values_are_those_of_the_column(column: Any) -> None:
    wanted = [np.nan if value is None else float(value) for value in column.to_pylist()]
    np.testing.assert_array_equal(numbers(column), wanted)


def test_pandas_is_not_loaded() -> None:
    program = """
import sys
import duckdb
from rigclient.warehouse.numbers import numbers
(batch,) = duckdb.sql("SELECT CASE WHEN i > 2 THEN i END AS a FROM range(5) r(i)").to_arrow_reader(10)
assert list(numbers(batch.column(0))[3:]) == [3, 4]
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)
