"""Laps drawn over the distance from the line: as a page to explore, or as a picture."""
