"""Measurements: `make bench`. Ratios and floors are taken in the same run, since machines differ."""
