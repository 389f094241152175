"""Views that answer the usual questions: who was where, who was fastest, how evenly.

A lap is flying when it counts, was driven without a yellow, and neither began nor ended in the pits. Pace is
made of flying laps within 107 % of the driver's best one, so that a spin does not hide how evenly somebody
drives. What nobody knows does not speak against a lap.

A car of a race has retired when it did not take the chequered flag. Where the timekeeper has marked any lap
with FF a car without such a lap did not take it. Where there are no marks, as in the chart of a race that
goes on, a car has retired when it did not cross the line for two of its usual laps before the first car's
last crossing. Retired cars keep their place by laps and time.
"""

# ruff: noqa: S608  what is put into statements stands in this file

from typing import Final

_OF_SESSION: Final = "PARTITION BY RIG_ID, SESSION"
_OF_LAP: Final = "PARTITION BY RIG_ID, SESSION, LAP_NUMBER"

LAP_CHART: Final = f"""
SELECT RIG_ID, SESSION, LAP, CAR, CAR_NUMBER, COALESCE(DRIVER, '') AS DRIVER, TEAM, VEHICLE_CLASS, TRACK,
  LAP_INDEX, LAP_NUMBER + 1 AS LAP_NO, LAP_TIME, SECTOR1, SECTOR2, SECTOR3, END_TIME, VALID, GREEN, FLAG,
  OUT_LAP, IN_LAP, PIT_VISITS, TOP_SPEED, SAMPLES,
  CASE WHEN COALESCE(MAX(PLACE) OVER ({_OF_LAP}), 0) > COUNT(*) OVER ({_OF_LAP})
    THEN PLACE ELSE RANK() OVER ({_OF_LAP} ORDER BY END_TIME) END AS PLACE,
  END_TIME - MIN(END_TIME) OVER ({_OF_LAP}) AS GAP,
  CASE WHEN COALESCE(VALID, TRUE) THEN LAP_TIME END AS COUNTED,
  CASE WHEN COALESCE(VALID, TRUE) AND COALESCE(GREEN, TRUE)
    AND NOT COALESCE(OUT_LAP, FALSE) AND NOT COALESCE(IN_LAP, FALSE) THEN LAP_TIME END AS FLYING
FROM LAPS WHERE KIND = 'lap' AND COMPLETE AND LAP_TIME IS NOT NULL
"""
"""Every complete lap: the place after it, the gap to who was first to complete as many, whether it counts.

The place is the order in which cars completed as many laps; where not all of those are here, the game's own.
"""

BEST_LAPS: Final = """
SELECT * FROM (
  SELECT C.*, ROW_NUMBER() OVER (PARTITION BY RIG_ID, SESSION, CAR, DRIVER ORDER BY COUNTED, LAP_INDEX) AS NTH
  FROM LAP_CHART_V C WHERE COUNTED IS NOT NULL
) B WHERE NTH = 1
"""
"""The best lap of every driver in every session and car."""

STATISTICS: Final = """
SELECT RIG_ID, SESSION, CAR, DRIVER, MAX(CAR_NUMBER) AS CAR_NUMBER, MAX(VEHICLE_CLASS) AS VEHICLE_CLASS,
  MAX(TRACK) AS TRACK, COUNT(*) AS LAPS, COUNT(FLYING) AS FLYING_LAPS, COUNT(PACE) AS PACE_LAPS,
  MIN(COUNTED) AS BEST, AVG(PACE) AS MEAN, MEDIAN(PACE) AS MEDIAN, STDDEV_SAMP(PACE) AS CONSISTENCY,
  MAX(TOP_SPEED) AS TOP_SPEED, CAST(SUM(PIT_VISITS) AS BIGINT) AS PIT_VISITS,
  COUNT(CASE WHEN PLACE = 1 THEN 1 END) AS LAPS_LED
FROM (
  SELECT C.*, CASE WHEN FLYING <= 1.07 * MIN(FLYING) OVER (PARTITION BY RIG_ID, SESSION, CAR, DRIVER)
    THEN FLYING END AS PACE
  FROM LAP_CHART_V C
) P GROUP BY RIG_ID, SESSION, CAR, DRIVER
"""
"""How fast and how evenly each driver drove each car of a session; CONSISTENCY is the deviation [s]."""

RESULTS: Final = f"""
SELECT R.*,
  CASE WHEN VEHICLE_CLASS IS NOT NULL
    THEN ROW_NUMBER() OVER (PARTITION BY RIG_ID, SESSION, VEHICLE_CLASS ORDER BY PLACE) END AS CLASS_PLACE,
  CASE WHEN KIND <> 'race' THEN BEST - MIN(BEST) OVER ({_OF_SESSION})
    WHEN LAPS_DOWN = 0 THEN TOTAL_TIME - MIN(CASE WHEN PLACE = 1 THEN TOTAL_TIME END) OVER ({_OF_SESSION})
    END AS GAP,
  CASE WHEN KIND <> 'race' THEN BEST - LAG(BEST) OVER ({_OF_SESSION} ORDER BY PLACE)
    WHEN LAPS = LAG(LAPS) OVER ({_OF_SESSION} ORDER BY PLACE)
    THEN TOTAL_TIME - LAG(TOTAL_TIME) OVER ({_OF_SESSION} ORDER BY PLACE) END AS TO_NEXT
FROM (
  SELECT Q.*, S.KIND, MAX(Q.LAPS) OVER (PARTITION BY Q.RIG_ID, Q.SESSION) - Q.LAPS AS LAPS_DOWN,
    ROW_NUMBER() OVER (PARTITION BY Q.RIG_ID, Q.SESSION ORDER BY
      CASE WHEN S.KIND = 'race' THEN -Q.LAPS ELSE 0 END,
      CASE WHEN S.KIND = 'race' THEN Q.TOTAL_TIME ELSE COALESCE(Q.BEST, 1E9) END, Q.CAR) AS PLACE,
    CASE WHEN S.KIND <> 'race' THEN NULL
      WHEN MAX(Q.FINISHED) OVER (PARTITION BY Q.RIG_ID, Q.SESSION) = 1
        THEN Q.FINISHED = 0
      ELSE Q.TOTAL_TIME + 2 * Q.USUAL_LAP < FIRST_VALUE(Q.TOTAL_TIME)
        OVER (PARTITION BY Q.RIG_ID, Q.SESSION ORDER BY -Q.LAPS, Q.TOTAL_TIME) END AS RETIRED
  FROM (
    SELECT RIG_ID, SESSION, CAR, MAX(CAR_NUMBER) AS CAR_NUMBER, MAX_BY(DRIVER, END_TIME) AS DRIVER,
      MAX(TEAM) AS TEAM, MAX(VEHICLE_CLASS) AS VEHICLE_CLASS, MAX(TRACK) AS TRACK, MAX(LAP_NO) AS LAPS,
      MAX(END_TIME) AS TOTAL_TIME, MIN(COUNTED) AS BEST, MIN_BY(LAP_NO, COUNTED) AS BEST_LAP_NO,
      MAX(TOP_SPEED) AS TOP_SPEED, CAST(SUM(PIT_VISITS) AS BIGINT) AS PIT_VISITS,
      COUNT(CASE WHEN PLACE = 1 THEN 1 END) AS LAPS_LED, MEDIAN(LAP_TIME) AS USUAL_LAP,
      MAX(CASE WHEN FLAG = 'FF' THEN 1 ELSE 0 END) AS FINISHED
    FROM LAP_CHART_V GROUP BY RIG_ID, SESSION, CAR
  ) Q JOIN SESSIONS S ON S.RIG_ID = Q.RIG_ID AND S.SESSION = Q.SESSION
) R
"""
"""The cars of a session in their order: of a race by laps and time, of all else by the best lap."""

QUESTIONS: Final = {
    "LAP_CHART_V": LAP_CHART,
    "BEST_LAPS_V": BEST_LAPS,
    "STATISTICS_V": STATISTICS,
    "RESULTS_V": RESULTS,
}
"""Views by name, each after those that it uses."""
