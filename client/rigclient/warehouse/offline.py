"""Questions while the warehouse is away: the same ones, of what a rig's own index tells of its laps.

The rig's sessions and laps are put into tables of their own, in a file that lasts as long as the question.
Who was where and how fast is in there; samples are not.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rig.errors import NotFound, RigError, Unavailable
from rigclient.blocking import Rig, connect
from rigclient.warehouse import schema, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.duck import DuckDB
from rigclient.warehouse.iteration import batched
from rigclient.warehouse.spool import Spool
from rigclient.warehouse.url import parse_url

_AT_A_TIME: Final = 1000


@contextlib.contextmanager
def opened(where: str | None, address: str, warn: Callable[[str], None]) -> Iterator[Destination]:
    """Open the warehouse to be read; where nothing answers, the laps of the rig at `address`, and a warning.

    Raises what the warehouse raised when the rig does not answer either.
    """
    url = parse_url(where)
    with contextlib.ExitStack() as stack:
        try:
            destination = stack.enter_context(url.open(read_only=True))
            schema.check_version(destination)
        except (Unavailable, NotFound) as error:
            destination = stack.enter_context(_of_rig(address, error))
            warn(f"{error.message}; this is what the rig at {address} knows of its laps, without samples")
        yield destination


@contextlib.contextmanager
def _of_rig(address: str, why: RigError) -> Iterator[Destination]:
    with tempfile.TemporaryDirectory(prefix="rig-offline-") as folder:
        destination = DuckDB(Path(folder) / "laps.duckdb")
        schema.prepare(destination)
        try:
            with connect(address) as rig:
                _fill(destination, Spool(Path(folder)), rig)
        except Unavailable:
            raise why from None
        with destination:
            yield destination


def _fill(destination: Destination, spool: Spool, rig: Rig) -> None:
    """Copy the rig's index, as the rows that `rig sync` would bring of it."""
    from rigclient.warehouse import table_rows

    rig_id = rig.status().rig_id
    for sessions in batched(rig.sessions(), _AT_A_TIME):
        spool.put(tables.SESSIONS, (table_rows.session(rig_id, one.message) for one in sessions))
    for laps in batched(rig.laps(page_size=_AT_A_TIME), _AT_A_TIME):
        spool.put(tables.LAPS, (table_rows.lap(rig_id, one.message) for one in laps))
    for part in spool.parts():
        destination.copy(part.table.name, str(part.path))
