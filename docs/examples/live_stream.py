"""Follow the live telemetry for a hundred ticks: two seconds of the game."""

import sys
from itertools import islice

import rigclient

with rigclient.connect(*sys.argv[1:]) as rig:
    for frame in islice(rig.physics(["speed", "engine_rpm", "tyre_temp"]), 100):
        for gap in frame.gaps:  # what is missing right before this tick
            print("missing", gap.count, gap.detail)
        print(f"{frame.session_time:9.3f} s  {len(frame)} cars  fastest {frame.speed.max() * 3.6:5.1f} km/h")
        if frame.player is not None:  # the local player's car
            print("   player", frame.player.engine_rpm, "rpm, tyres", frame.player.tyre_temp.round())
