"""A loader that kills itself: `python -m tests.warehouse.killed_loader JOURNAL POINT PROGRAM WORDS...`.

Every call that reads from the rig, writes the spool or speaks to the warehouse is a point, before it and
after it. Each is noted in the journal; at the one that POINT names (`after commit`, or `after commit#2` for
its second time) the process kills itself with SIGKILL, which nothing in it can see coming. An empty POINT
lets it live; `POINT~0.2` sleeps there instead, so that others get in between. The program itself is what
people run: nothing in it knows of this.
"""

import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rigclient.blocking import Rig
from rigclient.warehouse.duck import DuckDB
from rigclient.warehouse.snowflake.account import Snowflake
from rigclient.warehouse.spool import Spool

_SQL = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM|SELECT.*? FROM)\s+(\w+|\()", re.IGNORECASE | re.DOTALL)


class KillPoint:
    """Notes every point in the journal, and kills the process or sleeps at one."""

    def __init__(self, journal: Path, point: str) -> None:
        self._journal = journal.open("a")
        self._point, _, pause = point.partition("~")
        self._pause_s = float(pause or 0)
        name, _, number = self._point.partition("#")
        self._name, self._number = name, int(number or 1)
        self._met: Counter[str] = Counter()

    def reach(self, name: str) -> None:
        self._met[name] += 1
        self._journal.write(f"{name}#{self._met[name]}\n")
        self._journal.flush()
        if name != self._name or (self._met[name] != self._number and not self._pause_s):
            return
        if self._pause_s:
            time.sleep(self._pause_s)
        else:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(kill_point: KillPoint, owner: type, method: str, label: Callable[..., str]) -> None:
    """Make every call of a method two points, before and after it."""
    plain = getattr(owner, method)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        name = label(*args)
        kill_point.reach(f"before {name}")
        answer = plain(self, *args, **kwargs)
        kill_point.reach(f"after {name}")
        return answer

    setattr(owner, method, call)


def statement(sql: str, *_: Any) -> str:
    """Return what a statement does to which table, such as `insert RIG_LOADS`."""
    found = _SQL.match(sql)
    if found is None:
        return sql.split()[0].lower()
    verb = "select" if found[1].upper().startswith("SELECT") else found[1].split()[0].lower()
    table = re.findall(r"(?:FROM|INTO|UPDATE)\s+(\w+)", sql)
    return f"{verb} {table[0] if table else ''}".strip()


def watch_loader(kill_point: KillPoint) -> None:
    """Watch everything that a load does."""
    for kind in (DuckDB, Snowflake):
        for method in ("execute", "rows"):
            watch(kill_point, kind, method, statement)
        for method in ("begin", "commit"):
            watch(kill_point, kind, method, lambda name=method: str(name))
        watch(kill_point, kind, "copy", lambda table, _: f"copy {table}")
        watch(kill_point, kind, "stage", lambda path, _: f"stage {path.stem.rpartition('-')[2]}")
    watch(kill_point, Spool, "add", lambda table, *_: f"spool {table.name}")
    watch(kill_point, Spool, "parts", lambda *_: "finish spool")
    watch(kill_point, Rig, "lap_file", lambda *_: "read lap")
    watch(kill_point, Rig, "mark_synced", lambda *_: "mark")


def main() -> None:
    """Run the program of the command line to its end."""
    journal, point, program, *words = sys.argv[1:]
    watch_loader(KillPoint(Path(journal), point))
    sys.argv = [program, *words]
    if program == "rig":
        from rigclient.cli.main import main as run
    else:
        from tests.warehouse.naive_loader import main as run
    run()


if __name__ == "__main__":
    main()
