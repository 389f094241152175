"""A sync: what a rig has and the warehouse has not goes there, in loads of bounded size.

It may be killed at any moment and run any number of times at once: what is missing is found by asking both
sides, and a load that somebody else was faster with is undone. While one load is copied the next is staged
and the one after that read from the rig, decoded and encoded, each in a thread. The rig is told what the
warehouse has once a new question has found it there.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rig.errors import Denied, Raced, RigError, Unavailable
from rigclient.warehouse import schema, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.events import next_load
from rigclient.warehouse.iteration import prefetch
from rigclient.warehouse.layout import LayoutCache
from rigclient.warehouse.load_builder import LOAD_ROWS, LoadBuilder, PreparedLoad
from rigclient.warehouse.loading import load, stage
from rigclient.warehouse.plan import Settled, plan
from rigclient.warehouse.rig_reader import RigReader, RingEvents
from rigclient.warehouse.spool import sweep

_ATTEMPTS: Final = 50
"""Of a run; three at once need two or three for every load."""
_AGAIN_S: Final = 0.5

Progress = Callable[[int, int], None]
"""Told the rows done, of those there are to do."""


@dataclass
class Outcome:
    """What a run did."""

    loads: int = 0
    laps: int = 0
    rows: int = 0
    """Of all tables."""
    events: int = 0
    raced: int = 0
    """Attempts that somebody else was faster with."""
    newest_ns: int = 0
    """Wall clock at which the newest of the laps ended."""
    refused: list[RigError] = field(default_factory=list)
    """What stays on the rig, and why."""
    warnings: list[str] = field(default_factory=list)
    unmarked: int = 0
    """Laps that could not be marked as synced on the rig."""


class _RowProgress:
    """Rows done: a lap counts half when it is read and half when it is loaded."""

    def __init__(self, rows: int, progress: Progress) -> None:
        self._rows, self._progress = rows, progress
        self._read = self._loaded = 0
        progress(0, rows)

    def read(self, rows: int) -> None:
        """Count rows that were read."""
        self._read += rows
        self._tell()

    def loaded(self, rows: int) -> None:
        """Count rows that were loaded; a few of other tables are among them."""
        self._loaded = min(self._loaded + rows, self._rows)
        self._tell()

    def _tell(self) -> None:
        self._progress((self._read + self._loaded) // 2, self._rows)


class Sync:
    """Brings one rig into one warehouse. `folder` is its own alone."""

    def __init__(
        self, rig: RigReader, destination: Destination, folder: Path, load_rows: int = LOAD_ROWS
    ) -> None:
        self._rig, self._db, self._folder = rig, destination, folder
        self._load_rows = load_rows
        self._settled: Settled = {}
        self._ring: RingEvents | None = None
        """As it was when all its events were loaded."""
        self._layouts: LayoutCache | None = None
        sweep(folder)

    def run(self, progress: Progress = lambda *_: None) -> Outcome:
        """Load what is missing now. Raises what keeps it from going on; what was loaded stays loaded."""
        outcome = Outcome()
        while True:
            try:
                self._laps(outcome, progress)
                self._events(outcome)
                return outcome
            except Raced as error:
                outcome.raced += 1
                if outcome.raced == _ATTEMPTS:
                    raise Raced(f"given up after {_ATTEMPTS} attempts, the last: {error}") from error
            finally:
                self._db.release()
            time.sleep(random.uniform(0.1, 1.0) * _AGAIN_S)

    def _laps(self, outcome: Outcome, progress: Progress) -> None:
        layouts = self._prepared()
        wanted = plan(self._rig, self._db, self._settled)
        self._db.release()
        outcome.refused, outcome.warnings, outcome.unmarked = wanted.refused, wanted.damaged, 0
        self._mark(wanted.marks, outcome)
        row_progress = _RowProgress(wanted.rows, progress)
        builder = LoadBuilder(self._rig, layouts, self._folder, outcome.refused.append)
        built = prefetch(builder.loads(wanted, row_progress.read, self._load_rows))
        coming = prefetch((batch, stage(self._db, batch.load)) for batch in built)
        try:
            for batch, staged in coming:
                self._load(batch, staged, layouts)
                row_progress.loaded(batch.load.rows)
                outcome.loads += 1
                outcome.laps += len(batch.digests)
                outcome.rows += batch.load.rows
                outcome.newest_ns = max(outcome.newest_ns, batch.newest_ns)
                self._mark(batch.digests, outcome)
        finally:
            builder.stopped = True
            coming.close()
            built.close()
            sweep(self._folder)

    def _prepared(self) -> LayoutCache:
        """Make the tables, once, and return the layouts that fit them."""
        if self._layouts is None:
            self._layouts = LayoutCache(self._db.name, schema.prepare(self._db))
        return self._layouts

    def _load(self, batch: PreparedLoad, staged: list[str], layouts: LayoutCache) -> None:
        """Load it, verified, and let others in again."""
        if batch.layout is not None:
            layouts.widen(self._db, batch.layout)
        load(self._db, batch.load, staged)
        self._db.release()
        batch.spool.remove()

    def _mark(self, digests: dict[str, str], outcome: Outcome) -> None:
        """Mark laps as synced on the rig. Where it does not answer, the next run does."""
        try:
            if not outcome.unmarked:
                self._rig.mark(digests)
                return
        except Unavailable as error:
            outcome.warnings.append(f"the rig does not know yet what the warehouse has: {error}")
        except Denied as error:
            outcome.warnings.append(f"the rig is not told what the warehouse has: {error}")
        outcome.unmarked += len(digests)

    def _events(self, outcome: Outcome) -> None:
        """Load the events up to now; where there are no new ones the warehouse is not even asked. To a user's
        token events may be denied.
        """
        ring = self._rig.ring()
        if ring is None or ring == self._ring:
            return
        try:
            self._events_of(ring, outcome)
        except Denied as error:
            outcome.warnings.append(f"events are left out: {error}")
        self._ring = ring

    def _events_of(self, ring: RingEvents, outcome: Outcome) -> None:
        while found := next_load(self._rig, self._db, self._folder):
            wanted, spool = found
            load(self._db, wanted)
            spool.remove()
            outcome.loads += 1
            outcome.rows += wanted.rows
            outcome.events += wanted.rows_of(tables.EVENTS)
            if wanted.to_n >= ring.last:
                break  # those that came meanwhile would be a load of their own each
