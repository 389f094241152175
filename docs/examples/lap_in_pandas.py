"""Compare the fastest laps of two drivers in pandas, metre by metre, and draw them."""

import sys

import numpy as np
import pandas as pd

import rigclient

address, picture = sys.argv[1:3] if len(sys.argv) > 2 else ("", "laps.png")

# %% What was driven: a list that fetches what one looks at
with rigclient.connect(address) as rig:
    laps = rig.laps(best_of="driver", order_by="lap_time")
    print(laps)
    print(laps.to_pandas()[["driver", "vehicle", "lap_time", "sector1", "sector2", "sector3"]])

    fastest, second = (rig.lap(info) for info in laps[:2])  # or rig.lap("best"), rig.lap("car010-0006")
    print(fastest, second, sep="\n")

# %% One lap: a row per sample, a column per value, units beside them
one = fastest.to_pandas(["speed", "throttle", "brake", "distance", "lap_time"])
print(one.describe().round(2))
print("units:", one.attrs["units"])

# %% Two laps at the same places
metres = np.arange(0.0, 500.0, 50.0)
speeds = {lap.info.driver: lap.over_distance("speed", metres) * 3.6 for lap in (fastest, second)}
print(pd.DataFrame(speeds, index=pd.Index(metres, name="m")).round(1))

# %% And as a picture: a matplotlib Figure, written to a file as well
fastest.plot(["speed", "throttle", "brake"], against=second, path=picture)
