"""The warehouse: laps of all rigs in one place, loaded exactly once and questioned there.

    from rigclient import warehouse

    with warehouse.connect() as db:  # the DuckDB file in the data directory
        print(db.rows("SELECT DRIVER, MIN(LAP_TIME) FROM LAPS WHERE VALID GROUP BY DRIVER"))

`connect("snowflake:NAME")` is the same for an account.
"""

from rigclient.warehouse.destination import Destination, Dialect
from rigclient.warehouse.url import WarehouseURL, connect

__all__ = ["Destination", "Dialect", "WarehouseURL", "connect"]
