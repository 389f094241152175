"""Compare the fastest laps of two drivers in pandas, metre by metre."""

import sys
from itertools import islice

import numpy as np
import pandas as pd

import rigclient

with rigclient.connect(*sys.argv[1:]) as rig:
    fastest, second = islice(rig.laps(best_of="driver", order_by="lap_time"), 2)
    print(f"{fastest.driver} {fastest.lap_time:.3f} s, {second.driver} {second.lap_time:.3f} s")
    wanted = ["speed", "throttle", "brake", "distance", "lap_time"]
    laps = {info.driver: rig.lap(info.name, wanted) for info in (fastest, second)}

one = laps[fastest.driver].to_pandas()  # a row per sample, a column per value; units in attrs
print(one.describe().round(2))
print("units:", one.attrs["units"])

metres = np.arange(0.0, 500.0, 50.0)
over_distance = {driver: lap.over_distance("speed", metres) * 3.6 for driver, lap in laps.items()}
print(pd.DataFrame(over_distance, index=pd.Index(metres, name="m")).round(1))
