"""From the seat to the warehouse: a demo, a user in its seat, and whose laps are listed, kept and loaded."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from rig.lapfile import LapFile
from tests.house.household import House
from tests.stage import events, until


def rig(house: House, *words: str) -> str:
    command = [sys.executable, "-m", "rigclient", "--rig", "demo", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=90, check=False, env=house.environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def laps(house: House, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rig(house, "laps", "--all", "--limit", "0", "--json", *words))
    return found


def test_laps_are_whose_who_is_in_the_seat_as_far_as_the_warehouse(house: House, tmp_path: Path) -> None:
    house.start("--cars", "3", "--speed", "20")
    assert "nobody" in rig(house, "seat")
    assert "ann is in the seat" in rig(house, "seat", "ann")
    until(lambda: bool(laps(house, "--user", "ann")), pause_s=0.5)
    rig(house, "seat", "--nobody")
    hers = laps(house, "--user", "ann")
    assert all(lap["player"] and lap["user"] == "ann" for lap in hers)
    assert not laps(house, "--user", "bob")
    assert not any(lap["user"] for lap in laps(house) if not lap["player"])
    assert " ann " in rig(house, "laps", "--all")
    one = hers[0]["name"]
    assert "ann" in rig(house, "lap", one)
    with LapFile.open(
        house.data / "laps" / f"{one.replace('sessions/', '').replace('/laps', '')}.lap"
    ) as file:
        assert file.header.lap.user == "ann"
    told = [event.seat_changed for event in events(house.data) if event.HasField("seat_changed")]
    assert [(event.user, event.former_user) for event in told][:1] == [("ann", "")]
    place = tmp_path / "w.duckdb"
    rig(house, "sync", "--to", f"duckdb:{place}")
    with duckdb.connect(place, read_only=True) as warehouse:
        rows = warehouse.execute("SELECT LAP FROM LAPS WHERE RIG_USER = 'ann'").fetchall()
    assert one.rpartition("/")[2] in {lap for (lap,) in rows}
