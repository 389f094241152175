"""Recordings of other programs into the warehouse: timing sheets, telemetry tables, lap beacons.

The parsers are pure and stream: they take lines and give rows, one at a time, whatever the file's size.
"""
