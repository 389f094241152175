"""From the seat to the warehouse: a demo, a user in its seat, and whose laps are listed, kept and loaded."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

import rigclient
from rig.lapfile import LapFile
from tests.house.demo_run import DemoRun
from tests.stage import events, until


def rig(demo: DemoRun, *words: str) -> str:
    command = [sys.executable, "-m", "rigclient", "--rig", "demo", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, env=demo.environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def laps(demo: DemoRun, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rig(demo, "laps", "--all", "--limit", "0", "--json", *words))
    return found


def test_laps_are_whose_who_is_in_the_seat_as_far_as_the_warehouse(demo: DemoRun, tmp_path: Path) -> None:
    demo.start("--cars", "3", "--speed", "20", "--driver", "A. Alder=bob", "--driver", "no=one=cem")
    until(lambda: "bob is in the seat" in rig(demo, "seat"), pause_s=0.5)
    assert "ann is in the seat" in rig(demo, "seat", "ann")
    with rigclient.connect(f"unix:{demo.sockets / 'rigd/demo.sock'}") as connected:
        until(lambda: len(connected.laps(user="ann")) > 0, pause_s=0.5)
    os.kill(demo.member("demo-game"), signal.SIGSTOP)  # it has shown enough, and takes a core
    rig(demo, "seat", "--nobody")
    hers = laps(demo, "--user", "ann")
    assert all(lap["player"] and lap["user"] == "ann" for lap in hers)
    assert not laps(demo, "--user", "cem")
    assert not any(lap["user"] for lap in laps(demo) if not lap["player"])
    assert " ann " in rig(demo, "laps", "--all")
    one = hers[0]["name"]
    assert "ann" in rig(demo, "lap", one)
    with LapFile.open(
        demo.data / "laps" / f"{one.replace('sessions/', '').replace('/laps', '')}.lap"
    ) as file:
        assert file.header.lap.user == "ann"
    told = [event.seat_changed for event in events(demo.data) if event.HasField("seat_changed")]
    changes = [(event.user, event.former_user, event.by_driver) for event in told]
    assert changes[:2] == [("bob", "", True), ("ann", "bob", False)]
    place = tmp_path / "w.duckdb"
    rig(demo, "sync", "--to", f"duckdb:{place}")
    with duckdb.connect(place, read_only=True) as warehouse:
        rows = warehouse.execute("SELECT LAP FROM LAPS WHERE RIG_USER = 'ann'").fetchall()
    assert one.rpartition("/")[2] in {lap for (lap,) in rows}
