"""A whole race through all daemons: every lap of every car is there once, with the game's own times."""

import json

from rig.lapfile import LapFile
from rig.v1 import archive_pb2
from tests.stage import Stage, stage, until


def raced(here: Stage) -> list[archive_pb2.LapHeader]:
    """Four cars, a restart, then five laps at twenty times the speed of the real thing. None of them ends in
    the race's last second, which the recorder may not see.
    """
    recorder, archiver = here.record(), here.archive()
    here.status()
    words = ["--cars", "4", "--laps", "5", "--short", "--speed", "20", "--restart", "--seed", "3"]
    game = here.start(
        "rigd", "demo-game", "--buffers", str(here.buffers), *words, "--journal", str(here.data / "truth")
    )
    game.wait(120)
    until(lambda: here.status().source_state in ("PLUGIN_DOWN", "GONE", "ABSENT"))
    recorder.terminate()
    recorder.wait(20)
    until(here.archived, 240, pause_s=1)  # the archiver runs when nobody else does
    archiver.terminate()
    archiver.wait(120)
    found = []
    for path in here.data.glob("laps/*/[!.]*.lap"):
        with LapFile.open(path) as file:
            file.verify()
            found.append(file.header)
    return found


def test_every_lap_of_every_car_is_there_once() -> None:
    with stage() as here:
        headers = raced(here)
        truth = [json.loads(line) for line in (here.data / "truth").read_text().splitlines()]
    driven = {(e["session"], e["id"], e["number"]): e for e in truth if e["kind"] == "lap"}
    complete = [header for header in headers if header.lap.complete]
    found = {(h.lap.session - 1, h.lap.car, h.lap.number): h.lap for h in complete}
    assert len(found) == len(complete)
    assert found.keys() == driven.keys()
    for key, lap in found.items():
        shown = driven[key]
        assert abs(lap.lap_time - shown["time"]) < 1e-3, key
        assert (lap.valid, bool(lap.pit_visits)) == (shown["valid"], shown["pit"]), key
        if lap.valid:
            assert abs(lap.sector1 + lap.sector2 + lap.sector3 - lap.lap_time) < 1e-6, key
            assert abs(lap.sector1 - shown["sector1"]) < 1e-3, key
    swaps = {(e["session"], e["id"], e["driver"]) for e in truth if e["kind"] == "driver_swap"}
    drivers = {(h.lap.session - 1, h.lap.car, h.lap.driver) for h in headers}
    assert swaps <= drivers
    kinds = [e["kind"] for e in truth]
    assert kinds.count("session") == 2
    assert kinds.count("pit_in") > 0
    assert any(not e["valid"] for e in driven.values())
    assert swaps
