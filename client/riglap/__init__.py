"""Laps without a connection: what a lap holds, its names and times, exports and plots."""
