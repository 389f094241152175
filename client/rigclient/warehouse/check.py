"""Health checks of a warehouse: usable, its ledger whole, its rows those of the ledger and of the rigs."""

# ruff: noqa: S608  what is put into statements are names of tables

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from rig.errors import Mismatch
from rigclient.warehouse import names, schema, tables
from rigclient.warehouse.destination import Destination, HealthCheck
from rigclient.warehouse.loading import replaced_rows
from rigclient.warehouse.plan import plan
from rigclient.warehouse.rig_reader import RigReader
from rigclient.warehouse.tables import WarehouseTable

_SHOWN: Final = 3
"""Errors that are shown of each check; the rest is counted."""
_LAP: Final = ("RIG_ID", "SESSION", "LAP")


def checks(destination: Destination, rigs: Iterable[RigReader]) -> Iterator[HealthCheck]:
    """Yield one check after the other, each as soon as it is done; without tables nothing more is checked."""
    yield from destination.health()
    found = _tables(destination)
    yield found
    if found.well:
        yield _ledger(destination)
        yield _rows(destination)
        yield _laps(destination)
        yield from (_rig(destination, rig) for rig in rigs)


def _tables(destination: Destination) -> HealthCheck:
    try:
        found = destination.columns()
        there = {table: found[table.name] for table in tables.TABLES}
        missing = [table.name for table, columns in there.items() if not columns]
        if missing:
            return _wrong("tables", [f"there is no {name}" for name in missing], "`rig warehouse init`")
        schema.check_version(destination)
        for table, columns in there.items():
            for column in table.columns:
                schema.check_type(destination.name, table, column, columns.get(column.name, column.type))
    except Mismatch as error:
        return HealthCheck("tables", well=False, text=str(error))
    return HealthCheck("tables", well=True, text=f"version {tables.VERSION}, {len(there)} tables")


def _ledger(destination: Destination) -> HealthCheck:
    """Check that the ranges of every stream follow each other from 0 on, and its watermark stands at their
    end.
    """
    wrong: list[str] = []
    ends: Counter[tuple[str, str]] = Counter()
    loads = destination.rows("SELECT RIG_ID, STREAM, FROM_N, TO_N FROM RIG_LOADS ORDER BY 1, 2, 3")
    for rig, stream, first, end in loads:
        if first != ends[rig, stream]:
            wrong.append(f"{stream} of {rig} goes on at {first} after {ends[rig, stream]}")
        ends[rig, stream] = end
    marks = destination.rows("SELECT RIG_ID, STREAM, MAX(NEXT_N) FROM RIG_WATERMARK GROUP BY 1, 2")
    for rig, stream, number in marks:
        if number != ends[rig, stream]:
            wrong.append(f"{stream} of {rig} ends at {ends[rig, stream]}, its watermark is {number}")
    if wrong:
        return _wrong("ledger", wrong, "do not load until it is known why")
    return HealthCheck(
        "ledger", well=True, text=f"{len(loads):,} loads of {len(ends):,} streams, without a gap"
    )


def _rows(destination: Destination) -> HealthCheck:
    """Check that every load has as many rows as the ledger says, and every row has its load there."""
    loads = destination.rows("SELECT LOAD_ID, ROW_COUNTS FROM RIG_LOADS")
    gone = _removed(destination)
    ledger = {load: {} if load in gone else json.loads(counts) for load, counts in loads}
    for load, count in _replaced(destination):
        ledger[load] = {name: rows - count.get(name, 0) for name, rows in ledger.get(load, {}).items()}
    wrong: list[str] = []
    rows = 0
    for table in tables.LOADED:
        counts = destination.rows(f"SELECT LOAD_ID, COUNT(*) FROM {table.name} GROUP BY 1")
        there = {load: int(count) for load, count in counts}
        rows += sum(there.values())
        wrong += _compared(table, there, {i: c[table.name] for i, c in ledger.items() if table.name in c})
    if wrong:
        return _wrong("rows", wrong, "do not load until it is known why")
    return HealthCheck("rows", well=True, text=f"{rows:,}, those of the ledger")


def _removed(destination: Destination) -> set[str]:
    """Return the loads whose rows a later one removed; warehouses of release 0.1 know of none."""
    if "REMOVED" not in destination.columns()[tables.LOADS.name]:
        return set()
    found = destination.rows("SELECT REMOVED FROM RIG_LOADS WHERE REMOVED IS NOT NULL")
    return {load for (removed,) in found for load in removed.split()}


def _replaced(destination: Destination) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield loads with how many rows of theirs later ones replaced, by table."""
    if "NOTE" in destination.columns()[tables.LOADS.name]:
        for note in replaced_rows(destination):
            yield from note.items()


def _compared(table: WarehouseTable, there: dict[str, int], ledger: dict[str, int]) -> Iterator[str]:
    """Yield what differs. Rows of a table that is `replaced` may have been removed by a later load."""
    for load in there.keys() | ledger.keys():
        have, want = there.get(load, 0), ledger.get(load, 0)
        if have > want or (have < want and not table.replaced):
            yield f"{table.name} has {have} rows of load {load}, the ledger says {want}"


def _laps(destination: Destination) -> HealthCheck:
    """Check that every lap has as many samples and scoring updates as it says."""
    wrong = []
    for table, column in ((tables.SAMPLES, "SAMPLES"), (tables.UPDATES, "SCORINGS")):
        same = " AND ".join(f"R.{key} = L.{key}" for key in _LAP)
        sql = (
            f"SELECT RIG_ID, SESSION, LAP, {column}, N FROM (SELECT L.RIG_ID, L.SESSION, L.LAP, L.{column}, "
            f"COUNT(R.SEQ) AS N FROM LAPS L LEFT JOIN {table.name} R ON {same} GROUP BY 1, 2, 3, 4) C "
            f"WHERE {column} <> N LIMIT {_SHOWN + 1}"
        )
        for _, session, lap, want, have in destination.rows(sql):
            wrong.append(f"{names.joined(session, lap)} has {have} rows in {table.name} instead of {want}")
    if wrong:
        return _wrong("laps", wrong, "do not load until it is known why")
    ((laps,),) = destination.rows("SELECT COUNT(*) FROM LAPS")
    return HealthCheck("laps", well=True, text=f"{laps:,}, each with all its rows")


def _rig(destination: Destination, rig: RigReader) -> HealthCheck:
    """Check that what is on the rig is in the warehouse, with the same content."""
    found = plan(rig, destination, {}, thorough=True)
    if found.refused:
        return _wrong(rig.address, [error.message for error in found.refused], "find out which file is right")
    waiting = f", {len(found.laps):,} wait for `rig sync`" * bool(found.laps)
    damaged = f", {len(found.damaged):,} are damaged there" * bool(found.damaged)
    return HealthCheck(rig.address, well=True, text=f"{found.there:,} laps are here{waiting}{damaged}")


def _wrong(what: str, wrong: list[str], hint: str) -> HealthCheck:
    more = f", and {len(wrong) - _SHOWN} more" * (len(wrong) > _SHOWN)
    return HealthCheck(what, well=False, text=f"{'; '.join(wrong[:_SHOWN])}{more} ({hint})")
