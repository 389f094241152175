"""The loader that everybody writes first: copy, then note how far it got. It must fail where ours does not.

`naive_loader RIG WAREHOUSE OFFSET`: the same rig, spool, files and warehouse, but every COPY stands alone and
the offset is a file. It is right as long as nothing happens to it.
"""

import sys
from pathlib import Path

from rig.errors import RigError
from rigclient.warehouse import connect, schema
from rigclient.warehouse.layout import LayoutCache
from rigclient.warehouse.load_builder import LoadBuilder
from rigclient.warehouse.plan import Plan, PlannedLap
from rigclient.warehouse.rig_reader import RigReader

LOAD_ROWS = 1500


def main() -> None:
    address, where, offset = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    done = int(offset.read_text()) if offset.exists() else 0
    with RigReader(address) as rig, connect(where) as destination:
        there = schema.prepare(destination)
        laps = [
            PlannedLap(lap.name, lap.digest, lap.samples)
            for session in rig.sessions()
            for lap in rig.laps(session.name)
        ]
        builder = LoadBuilder(rig, LayoutCache(destination.name, there), offset.parent / "naive", _refuse)
        for batch in builder.loads(Plan(0, laps[done:]), lambda _: None, LOAD_ROWS):
            for part in batch.load.parts:
                destination.copy(part.table.name, destination.stage(part.path, part.path.name))
            done += len(batch.digests)
            offset.write_text(str(done))


def _refuse(error: RigError) -> None:
    raise error


if __name__ == "__main__":
    main()
