"""Ask the warehouse for every driver's best lap and how evenly they drive."""

import sys

from rigclient import warehouse

QUESTION = """
    SELECT DRIVER, TRACK, LAPS, BEST, CONSISTENCY FROM STATISTICS_V ORDER BY BEST
"""

with warehouse.connect(*sys.argv[1:], read_only=True) as db:
    for driver, track, laps, best, consistency in db.rows(QUESTION):
        spread = "-" if consistency is None else f"{consistency:.3f} s"
        print(f"{driver:12} {track:24} {laps:3} laps, best {best:.3f} s, spread {spread}")
