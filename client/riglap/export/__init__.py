"""Laps as files of other programs: CSV, Parquet, MoTeC."""
