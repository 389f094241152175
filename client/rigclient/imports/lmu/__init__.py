"""Telemetry that Le Mans Ultimate writes itself: its tables, the laps in them, a lap's channels."""
