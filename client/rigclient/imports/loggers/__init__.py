"""Recordings of loggers: columns on one clock, cut into laps."""
