"""Follow the live telemetry for a hundred ticks: two seconds of the game."""

import sys
from itertools import islice

import rigclient

with rigclient.connect(*sys.argv[1:]) as rig:
    stream = rig.physics(["speed", "engine_rpm", "tyre_temp"], start="now")
    for frame in islice(stream, 100):
        for gap in frame.gaps:  # what is missing right before this tick
            print("missing", gap.count, gap.detail)
        fastest = max(frame, key=lambda car: car.speed)  # a frame gives its cars
        print(f"{frame.session_time:9.3f} s  {len(frame)} cars  fastest {fastest.speed * 3.6:5.1f} km/h")
        if frame.player is not None:  # the local player's car
            print("   player", frame.player.engine_rpm, "rpm, tyres", frame.player.tyre_temp.round())
    print(f"to go on here: rig.physics(start=bytes.fromhex('{stream.cursor.hex()}'))")
